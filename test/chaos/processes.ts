/** keeptyping's own processes, as the Procfile starts them, between the simulated platforms. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import {
  type Bot,
  type BotOptions,
  type Simulator,
  type SimulatorOptions,
  startBot,
  startSimulator,
} from '../../src/simulator/index.ts';
import { startRedis, wantedRedis } from '../support/redis.ts';

export interface Child {
  /** Resolves with the first log line that holds this text, past or future. Rejects when it ends without one. */
  says(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  /** Resolves with the exit code, or the signal's name. */
  exit: Promise<number | string>;
  output(): string;
  pid: number;
}

/** As an operator sets them: else each web would make its own in the folder that the tests run in. */
export const setTokens = {
  CONTROL_TOKEN: 'control-token-of-the-site',
  GATEWAY_KEY: 'gateway-key-of-the-site',
} as const;

/** A release that can be started. */
export interface Release {
  /** The folder that its build made. */
  dist: string;
  /** A web is sent pushes only so long after it says that it listens (ms): a router's patience. */
  settleMs: number;
}

/** What `npm run build` made here, as it is deployed. */
export const builtHere: Release = {
  dist: fileURLToPath(new URL('../../dist/', import.meta.url)),
  settleMs: 0,
};

/** Starts `<name>.js` of what was built, here or in another release's folder. */
export function start(
  name: 'main' | 'web' | 'worker' | 'replies',
  environment: Record<string, string>,
  { dist }: Pick<Release, 'dist'> = builtHere,
): Child {
  const file = join(dist, `${name}.js`);
  if (!existsSync(file)) throw new Error(`${name}.js is not built: run npm run build.`);
  const env = { PATH: process.env['PATH'] ?? '', LOG_FORMAT: 'json', ...environment };
  // Not where somebody keeps a .env, and files of accounts.
  return watch(spawn(process.execPath, [file], { cwd: dist, env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** The doctor, with nothing but this environment. */
export function startDoctor(environment: Record<string, string>, words: readonly string[]): Child {
  const { dist } = builtHere;
  const env = { PATH: process.env['PATH'] ?? '', ...environment };
  const file = join(dist, 'doctor.js');
  return watch(
    spawn(process.execPath, [file, ...words], { cwd: dist, env, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
}

/** `npm start`, or what the words say, in this folder, which holds a package. */
export function startByNpm(
  folder: string,
  environment: Record<string, string>,
  words: readonly string[] = ['start'],
): Child {
  const { PATH = '', HOME = '' } = process.env;
  const env = { PATH, HOME, LOG_FORMAT: 'json', ...environment };
  return watch(spawn('npm', words, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

function watch(child: ChildProcess): Child {
  let output = '';
  let hasEnded = false;
  let waiting: { text: string; resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  const look = (): void => {
    if (waiting.length === 0) return;
    const lines = output.split('\n');
    waiting = waiting.filter(({ text, resolve, reject }) => {
      const line = lines.find((each) => each.includes(text));
      if (line !== undefined) resolve(line);
      else if (hasEnded) reject(new Error(`A process ended, and never said ${text}: ${output}`));
      return line === undefined && !hasEnded;
    });
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      look();
    });
  }
  // After its exit the last of what it wrote may still be on its way.
  child.once('close', () => {
    hasEnded = true;
    look();
  });
  const exit = once(child, 'exit').then(([code, signal]: unknown[]) =>
    typeof code === 'number' ? code : String(signal),
  );
  return {
    exit,
    output: () => output,
    pid: child.pid ?? 0,
    signal: (name) => void child.kill(name),
    says: (text) =>
      new Promise((resolve, reject) => {
        waiting.push({ text, resolve, reject });
        look();
      }),
  };
}

export interface Site {
  simulator: Simulator;
  bot: Bot;
  environment: Record<string, string>;
  web(): Promise<Child & { url: string }>;
  worker(): Promise<Child>;
  close(): Promise<void>;
}

export interface SiteOptions {
  env?: Record<string, string>;
  wechat?: SimulatorOptions['wechat'];
  nxcloud?: SimulatorOptions['nxcloud'];
  bot?: BotOptions;
  /** Instead of a Redis of its own. */
  redisUrl?: string;
}

export async function openSite(options: SiteOptions = {}): Promise<Site> {
  const redis = options.redisUrl === undefined ? await startRedis(wantedRedis()) : null;
  const simulator = await startSimulator({
    wechat: options.wechat ?? {},
    nxcloud: options.nxcloud ?? {},
  });
  const bot = await startBot({
    wechat: { ...simulator.wechat.options, apiBase: simulator.wechat.apiBase },
    nxcloud: { ...simulator.nxcloud.options, apiBase: simulator.nxcloud.apiBase },
    ...options.bot,
  });
  const redisUrl = options.redisUrl ?? redis?.url ?? '';
  const environment = {
    PORT: '0',
    HOST: '127.0.0.1',
    ...setTokens,
    REDIS_URL: redisUrl,
    ...redis?.env,
    ...simulatedEnvironment(simulator, bot),
    ...options.env,
  };
  const children: Child[] = [];
  const keep = <T extends Child>(child: T): T => {
    children.push(child);
    return child;
  };
  return {
    simulator,
    bot,
    environment,
    web: async () => {
      const child = keep(start('web', environment));
      const line = await child.says('"listening"');
      const url = `http://127.0.0.1:${/"port":(\d+)/.exec(line)?.[1]}`;
      simulator.wechat.connect(`${url}/webhooks/wechat`);
      simulator.nxcloud.connect(`${url}/webhooks/nxcloud`);
      return { ...child, url };
    },
    worker: async () => {
      const child = keep(start('worker', environment));
      await child.says('"working"');
      return child;
    },
    close: async () => {
      for (const child of children) child.signal('SIGKILL');
      await Promise.all(children.map(({ exit }) => exit));
      await bot.close();
      await simulator.close();
      await redis?.leave();
    },
  };
}

/** A worker beside a web that leaves the queues to it: one that has seen no worker at its start has taken them. */
export async function openBoth(site: Site): Promise<{ web: Child; worker: Child }> {
  const web = await site.web();
  const worker = await site.worker();
  const { wechat } = site.simulator;
  const count = (text: string): number => web.output().split(text).length;
  for (let n = 0; n < 1_000; n += 1) {
    const warm = `oWarm_${n}`;
    const pushed = wechat.push({ user: warm, text: 'warm' });
    await wechat.phone(warm).next((mark) => mark.what === 'received');
    await pushed;
    const left = count('leaves the queues');
    if (left > 1 && left === count('runs the queues itself')) return { web, worker };
  }
  throw new Error('The web never left the queues to the worker.');
}
