/** One web and one worker, as the Procfile starts them, and what they say of themselves at `/metrics`. */
import { setTokens, start } from '../test/chaos/processes.ts';
import { wait } from './measure.ts';
import { freePort } from './redis.ts';

type Name = 'web' | 'worker';

export interface Product {
  /** Of the web. */
  url: string;
  processes: { web: number; worker: number };
  /** The metrics of each that have no label. */
  metrics(): Promise<Record<Name, Record<string, number>>>;
  /** The heap of each when all garbage has been collected (bytes). */
  live(): Promise<Record<Name, number>>;
  /** What both have logged. */
  output(): string;
  close(): Promise<void>;
}

/** The worker first: a web that sees none takes the queues itself. */
export async function startProduct(environment: Record<string, string>): Promise<Product> {
  const metricsPort = await freePort();
  const NODE_OPTIONS = `--import ${new URL('./collect-garbage.mjs', import.meta.url).href}`;
  const both = { ...environment, ...setTokens, HOST: '127.0.0.1', NODE_OPTIONS };
  const worker = start('worker', { ...both, METRICS_PORT: String(metricsPort) });
  await worker.says('"working"');
  await wait(1_000);
  const web = start('web', { ...both, PORT: '0' });
  const line = await web.says('"listening"');
  const url = `http://127.0.0.1:${/"port":(\d+)/.exec(line)?.[1] ?? ''}`;
  await wait(1_000);
  const metrics = async (): Promise<Record<Name, Record<string, number>>> => {
    const [ofWeb, ofWorker] = await Promise.all(
      [url, `http://127.0.0.1:${metricsPort}`].map((each) => scrape(`${each}/metrics`)),
    );
    return { web: ofWeb ?? {}, worker: ofWorker ?? {} };
  };
  return {
    url,
    processes: { web: web.pid, worker: worker.pid },
    metrics,
    async live() {
      for (const child of [web, worker]) child.signal('SIGUSR2');
      await wait(500);
      // While they do so they do not answer.
      const after = await metrics();
      return { web: heapOf(after.web), worker: heapOf(after.worker) };
    },
    output: () => web.output() + worker.output(),
    async close() {
      for (const child of [web, worker]) child.signal('SIGKILL');
      await Promise.all([web.exit, worker.exit]);
    },
  };
}

/** bytes */
export function heapOf({ nodejs_heap_size_used_bytes: bytes = Number.NaN }: Record<string, number>): number {
  return bytes;
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
