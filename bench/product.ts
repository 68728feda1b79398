/** One web and one worker, as the Procfile starts them, and what they say of themselves at `/metrics`. */
import { setTokens, start } from '../test/chaos/processes.ts';
import { wait } from './measure.ts';
import { freePort } from './redis.ts';

export interface Product {
  /** Of the web. */
  url: string;
  processes: { web: number; worker: number };
  /** The metrics of each that have no label. */
  metrics(): Promise<Record<'web' | 'worker', Record<string, number>>>;
  /** What both have logged. */
  output(): string;
  close(): Promise<void>;
}

/** The worker first: a web that sees none takes the queues itself. */
export async function startProduct(environment: Record<string, string>): Promise<Product> {
  const metricsPort = await freePort();
  const both = { ...environment, ...setTokens, HOST: '127.0.0.1' };
  const worker = start('worker', { ...both, METRICS_PORT: String(metricsPort) });
  await worker.says('"working"');
  await wait(1_000);
  const web = start('web', { ...both, PORT: '0' });
  const line = await web.says('"listening"');
  const url = `http://127.0.0.1:${/"port":(\d+)/.exec(line)?.[1] ?? ''}`;
  await wait(1_000);
  return {
    url,
    processes: { web: web.pid, worker: worker.pid },
    async metrics() {
      const [ofWeb, ofWorker] = await Promise.all(
        [url, `http://127.0.0.1:${metricsPort}`].map((each) => scrape(`${each}/metrics`)),
      );
      return { web: ofWeb ?? {}, worker: ofWorker ?? {} };
    },
    output: () => web.output() + worker.output(),
    async close() {
      for (const child of [web, worker]) child.signal('SIGKILL');
      await Promise.all([web.exit, worker.exit]);
    },
  };
}

async function scrape(url: string): Promise<Record<string, number>> {
  const headers = { authorization: `Bearer ${setTokens.CONTROL_TOKEN}` };
  const answer = await fetch(url, { headers });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}.`);
  const text = await answer.text();
  return Object.fromEntries(
    [...text.matchAll(/^(\w+) ([\d.e+-]+)$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
}
