/** The processes of `turns.ts`, and what they have taken of the machine. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { setTokens, start } from '../test/chaos/processes.ts';
import { wait } from './measure.ts';
import { type BenchRedis, freePort } from './redis.ts';

/** What the world has seen. Times are ms since 1970 with fractions, as every process here tells them. */
export interface Noted {
  /** `at`: when the call took effect; `took`: how long it was under way, there and back (ms); `code`: 0 is accepted. */
  typing: { at: number; user: string; command: string; took: number; code: number }[];
  /** Through custom/send; `at` and `took` as above. */
  sent: { at: number; user: string; text: string; took: number }[];
  /** The bot's calls. */
  asked: { at: number; user: string }[];
}

/** Every order is answered with what was noted up to it. */
export interface Order {
  botDelayMs?: number;
  /** Answer times as those of models: log-normal, of this median (ms). */
  botMedianMs?: number;
  /** How long a call of the API is under way, there and back (ms): anything from the first to the second. */
  apiMs?: readonly [number, number];
  forget?: boolean;
}

export interface World {
  said: { port: number } | { noted: Noted };
}

export const secrets = {
  appId: 'wx0123456789bench',
  appSecret: 'the-secret-of-the-bench',
  token: 'benchtoken',
};

export interface TurnsSite {
  /** Where pushes go. */
  url: string;
  /** What is measured, by name; the Redis is not among them. */
  processes: Record<string, number>;
  order(order: Order): Promise<Noted>;
  close(): Promise<void>;
}

/** `two accounts`: the product, with an NXCloud account beside the WeChat one. */
export type Kind = 'product' | 'two accounts' | 'hand-written';

/** One of the two before a world of its own, on this Redis. */
export async function openTurns(kind: Kind, { url: redisUrl }: BenchRedis): Promise<TurnsSite> {
  const world = fork(fileURLToPath(new URL('./turns-world.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  const [{ port }] = (await once(world, 'message')) as [{ port: number }];
  const base = `http://127.0.0.1:${port}`;
  const environment = {
    REDIS_URL: redisUrl,
    WECHAT_TOKEN: secrets.token,
    WECHAT_APP_ID: secrets.appId,
    WECHAT_APP_SECRET: secrets.appSecret,
    WECHAT_API_BASE: base,
    WECHAT_BOT_URL: `${base}/bot`,
  };
  const other = {
    NXCLOUD_ACCESS_KEY: 'bench',
    NXCLOUD_ACCESS_SECRET: 'bench',
    NXCLOUD_APP_KEY: 'bench',
    NXCLOUD_API_BASE: base,
    NXCLOUD_BOT_URL: `${base}/bot`,
  };
  const both = kind === 'two accounts' ? { ...environment, ...other } : environment;
  const opened = kind === 'hand-written' ? await openHandWritten(environment) : await openProduct(both);
  return {
    ...opened,
    async order(order) {
      const answered = once(world, 'message');
      world.send(order);
      const [{ noted }] = (await answered) as [{ noted: Noted }];
      return noted;
    },
    async close() {
      await opened.close();
      await ended(world);
    },
  };
}

type Opened = Omit<TurnsSite, 'order'>;

/** As the Procfile starts it; the worker first: a web that sees none takes the queues itself. */
async function openProduct(environment: Record<string, string>): Promise<Opened> {
  const worker = start('worker', environment);
  await worker.says('"working"');
  await wait(1_000);
  const web = start('web', { ...environment, ...setTokens, PORT: '0', HOST: '127.0.0.1' });
  const line = await web.says('"listening"');
  const port = /"port":(\d+)/.exec(line)?.[1] ?? '';
  await wait(1_000);
  return {
    url: `http://127.0.0.1:${port}/webhooks/wechat`,
    processes: { web: web.pid, worker: worker.pid },
    async close() {
      for (const child of [web, worker]) child.signal('SIGKILL');
      await Promise.all([web.exit, worker.exit]);
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
    url: `http://127.0.0.1:${port}/webhooks/wechat`,
    processes: { 'hand-written': child.pid ?? 0 },
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
async function cpuOf(pid: number): Promise<number> {
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
export async function cpuByName(site: TurnsSite, { redis }: BenchRedis): Promise<Record<string, number>> {
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
