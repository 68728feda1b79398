/** The processes of `turns.ts`, and what they have taken of the machine. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTokens, start } from '../test/chaos/processes.ts';
import { startServer } from './child.ts';
import { now, wait } from './measure.ts';
import { accountsOf } from './pushes.ts';
import { type BenchRedis, freePort } from './redis.ts';

/** What the world has seen. Times are ms since 1970 with fractions, as every process here tells them. */
export interface Noted {
  typing: { at: number; user: string; command: string }[];
  /** Through custom/send. */
  sent: { at: number; user: string; text: string }[];
  /** The bot's calls. */
  asked: { at: number; user: string }[];
}

/** Every order is answered with what was noted up to it. */
export interface Order {
  botDelayMs?: number;
  /** It only acknowledges. */
  botSilent?: boolean;
  forget?: boolean;
}

export interface World {
  said: { port: number } | { noted: Noted };
}

export interface TurnsSite {
  /** Where WeChat's pushes go. */
  url: string;
  port: number;
  /** Where the bot's own calls to WeChat's API go. */
  gatewayPath: string;
  /** Of WeChat's API and the bot. */
  worldPort: number;
  /** What the processes were started with. */
  environment: Record<string, string>;
  /** What is measured, by name; the Redis is not among them. */
  processes: Record<string, number>;
  /** What one of them has logged. */
  output(name: string): string;
  order(order: Order): Promise<Noted>;
  close(): Promise<void>;
}

export type Kind = 'product' | 'hand-written';

/** One of the two before a world of its own, on this Redis. */
export async function openTurns(
  kind: Kind,
  { url: redisUrl }: BenchRedis,
  more: Record<string, string> = {},
): Promise<TurnsSite> {
  const world = await openWorld();
  const base = `http://127.0.0.1:${world.port}`;
  const environment = { REDIS_URL: redisUrl, ...accountsOf({ base, bot: true }), ...more };
  const opened =
    kind === 'hand-written' ? await openHandWritten(environment) : await openProduct(environment);
  return {
    ...opened,
    url: `http://127.0.0.1:${opened.port}/webhooks/wechat`,
    gatewayPath: `/gateway/${setTokens.GATEWAY_KEY}/wechat/default`,
    worldPort: world.port,
    environment,
    order: (order) => world.order(order),
    async close() {
      await opened.close();
      await world.close();
    },
  };
}

/** WeChat's API, NXCloud's and the bot, in a process of their own. */
export async function openWorld(): Promise<{
  port: number;
  order(order: Order): Promise<Noted>;
  close(): Promise<void>;
}> {
  const { port, ask, close } = await startServer(new URL('./turns-world.ts', import.meta.url));
  const order = async (what: Order): Promise<Noted> => (await ask<{ noted: Noted }>(what)).noted;
  return { port, order, close };
}

type Opened = Pick<TurnsSite, 'port' | 'processes' | 'output' | 'close'>;

/** As the Procfile starts it; the worker first: a web that sees none takes the queues itself. */
async function openProduct(environment: Record<string, string>): Promise<Opened> {
  const worker = start('worker', environment);
  await worker.says('"working"');
  await wait(1_000);
  const web = await startWeb(environment);
  return {
    port: web.port,
    processes: { web: web.pid, worker: worker.pid },
    output: (name) => (name === 'web' ? web : worker).output(),
    async close() {
      worker.signal('SIGKILL');
      await Promise.all([web.close(), worker.exit]);
    },
  };
}

/** A web process, where a worker lives. */
export async function startWeb(
  environment: Record<string, string>,
): Promise<{ port: number; pid: number; output(): string; close(): Promise<void> }> {
  const web = start('web', { ...environment, ...setTokens, PORT: '0', HOST: '127.0.0.1' });
  const line = await web.says('"listening"');
  await wait(1_000);
  return {
    port: Number(/"port":(\d+)/.exec(line)?.[1]),
    pid: web.pid,
    output: () => web.output(),
    async close() {
      web.signal('SIGKILL');
      await web.exit;
    },
  };
}

async function openHandWritten(environment: Record<string, string>): Promise<Opened> {
  const port = await freePort();
  const file = fileURLToPath(new URL('./hand-written.mjs', import.meta.url));
  const child = spawn(process.execPath, [file], {
    env: { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production', ...environment, PORT: String(port) },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    port,
    processes: { 'hand-written': child.pid ?? 0 },
    output: () => '',
    close: () => ended(child),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}

/** USER_HZ, which Linux tells every program as 100. */
const msPerTick = 10;

/** The processor time that a process has taken (ms), its threads' included. */
export async function cpuOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => {
    throw new Error('The bench of turns reads /proc: it needs Linux.');
  });
  // https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name may hold anything, and ends with ")".
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * msPerTick;
}

/** The memory that a process holds (bytes). */
export async function rssOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

/** The processor time of all that is measured, Redis among them (ms). */
export async function cpuByName(
  site: Pick<TurnsSite, 'processes'>,
  { redis }: Pick<BenchRedis, 'redis'>,
): Promise<Record<string, number>> {
  const info = await redis.info('cpu');
  const seconds = (field: string): number => Number(new RegExp(`^${field}:([\\d.]+)`, 'm').exec(info)?.[1]);
  const own: Record<string, number> = {};
  for (const [name, pid] of Object.entries(site.processes)) own[name] = await cpuOf(pid);
  return { ...own, redis: (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1000 };
}

export function minus(
  later: Record<string, number>,
  earlier: Record<string, number>,
): Record<string, number> {
  return Object.fromEntries(
    Object.entries(later).map(([name, value]) => [name, value - (earlier[name] ?? 0)]),
  );
}

/** Resolves when the world has seen that much, or in the end. */
export async function until(
  site: TurnsSite,
  done: (noted: Noted) => boolean,
  limitMs: number,
): Promise<Noted> {
  const end = now() + limitMs;
  for (;;) {
    const noted = await site.order({});
    if (done(noted) || now() > end) return noted;
    await wait(250);
  }
}
