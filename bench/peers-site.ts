/**
 * The processes of `peers.ts`: each contender between simulated platforms of its own, behind a router, as a supervisor
 * runs it. What thinks is here, so that it takes the same time for everybody and outlives whoever is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Channel } from '../src/core/platform.ts';
import { simulatedEnvironment } from '../src/demo/open.ts';
import {
  NXCLOUD_RULES,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
  WECHAT_RULES,
} from '../src/simulator/index.ts';
import { setTokens, start } from '../test/chaos/processes.ts';
import { startBalancer } from '../test/chaos/proxies.ts';
import { freePort } from './redis.ts';

const folder = fileURLToPath(new URL('./peers/', import.meta.url));

/** What the model does with a message's text. */
export interface Thought {
  ms: number;
  fails: boolean;
}

export interface SiteOptions {
  /** A folder under `peers/`, or `keeptyping`. */
  contender: string;
  processes: number;
  redisUrl: string;
  thoughtOf: (text: string) => Thought;
  simulator: SimulatorOptions;
}

/** When the model failed for a text of a platform's, the last time (ms since 1970). */
type Failures = Readonly<Record<Channel, ReadonlyMap<string, number>>>;

export interface Site {
  simulator: Simulator;
  failures: Failures;
  /** How often a bot ended by itself, and was started again. */
  crashes: () => number;
  /** Resolves when the model is asked about this text, the first time. */
  asked: (text: string) => Promise<unknown>;
  /** `kill -9` of the first process, which is started again at once; resolves when it works. */
  kill(): Promise<void>;
  close(): Promise<void>;
}

/** A process that a supervisor keeps: started again, it listens where it did. */
interface Kept {
  port: number;
  start(): Promise<void>;
  kill(): Promise<void>;
}

/** A router holds a connection for so long when nobody listens (ms): a process that was killed is back by then. */
const patienceMs = 10_000;

export async function openSite(options: SiteOptions): Promise<Site> {
  const { contender, processes, redisUrl, thoughtOf } = options;
  const simulator = await startSimulator(options.simulator);
  const model = await startModel(thoughtOf);
  const router = await startBalancer({ patienceMs });
  const front = `http://127.0.0.1:${router.port}`;
  const platforms = simulatedEnvironment(simulator, { url: '' });
  const lifetimes = {
    WECHAT_LIFETIME: String(options.simulator.wechat?.rules?.lifetime ?? WECHAT_RULES.lifetime),
    NXCLOUD_LIFETIME: String(options.simulator.nxcloud?.rules?.lifetime ?? NXCLOUD_RULES.lifetime),
  };
  const common = { ...platforms, ...lifetimes, MODEL_URL: model.url, REDIS_URL: redisUrl };
  // The bot behind keeptyping sends by its gateway, and outlives it.
  const bots: Kept[] = [];
  const members: Kept[] = [];
  let crashes = 0;
  const crashed = (): void => void (crashes += 1);
  if (contender === 'keeptyping') {
    const gateway = (channel: string): string =>
      `${front}/gateway/${setTokens.GATEWAY_KEY}/${channel}/default`;
    const bases = { WECHAT_API_BASE: gateway('wechat'), NXCLOUD_API_BASE: gateway('nxcloud') };
    bots.push(botOf('none', await freePort(), { environment: { ...common, ...bases }, crashed }));
    const bot = `http://127.0.0.1:${bots[0]?.port}/webhooks`;
    const urls = { WECHAT_BOT_URL: `${bot}/wechat`, NXCLOUD_BOT_URL: `${bot}/nxcloud` };
    const environment = { ...platforms, ...urls, REDIS_URL: redisUrl };
    for (let n = 0; n < processes; n += 1) members.push(keeptypingOf(await freePort(), environment));
  } else {
    for (let n = 0; n < processes; n += 1)
      members.push(botOf(contender, await freePort(), { environment: common, crashed }));
  }
  const close = async (): Promise<void> => {
    await simulator.close();
    await Promise.all([...members, ...bots].map((member) => member.kill()));
    await Promise.all([router.close(), model.close()]);
  };
  for (const [index, member] of [...bots, ...members].entries()) {
    await member.start().catch(async (error: unknown) => {
      await close();
      throw error;
    });
    if (!bots.includes(member)) router.route(`process ${index}`, member.port);
  }
  simulator.wechat.connect(`${front}/webhooks/wechat`);
  simulator.nxcloud.connect(`${front}/webhooks/nxcloud`);
  return {
    simulator,
    failures: model.failures,
    crashes: () => crashes,
    asked: model.asked,
    async kill() {
      const [first] = members;
      await first?.kill();
      await first?.start();
    },
    close,
  };
}

/** As `npm start` runs, beside a Redis of its own. */
function keeptypingOf(port: number, environment: Record<string, string>): Kept {
  let child: ReturnType<typeof start> | null = null;
  return {
    port,
    async start() {
      const own = { PORT: String(port), HOST: '127.0.0.1', NODE_ENV: 'production', ...setTokens };
      child = start('main', { ...environment, ...own });
      await child.says('"listening"');
    },
    async kill() {
      child?.signal('SIGKILL');
      await child?.exit;
    },
  };
}

/** @param crashed Called when it has ended by itself; it is started again. */
function botOf(
  peer: string,
  port: number,
  { environment, crashed }: { environment: Record<string, string>; crashed: () => void },
): Kept {
  let running: { child: ChildProcess; exit: Promise<unknown> } | null = null;
  const start = async (): Promise<void> => {
    const own = { PATH: process.env['PATH'] ?? '', NODE_ENV: 'production' };
    const env = { ...own, ...environment, PEER: peer, PORT: String(port) };
    const child = spawn(process.execPath, [`${folder}bot.mjs`], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    running = { child, exit };
    const died = exit.then(() => {
      throw new Error(`The bot of ${peer} ended before it listened: its own words are above.`);
    });
    await Promise.race([once(child.stdout, 'data'), died]);
    child.once('exit', () => {
      if (running?.child !== child) return;
      crashed();
      start().catch(crashed);
    });
  };
  return {
    port,
    start,
    async kill() {
      const killed = running;
      running = null;
      killed?.child.kill('SIGKILL');
      await killed?.exit;
    },
  };
}

interface Model {
  url: string;
  failures: Failures;
  asked: (text: string) => Promise<unknown>;
  close(): Promise<void>;
}

/** Asked for a text, it answers when its time has come, or fails then. */
async function startModel(thoughtOf: (text: string) => Thought): Promise<Model> {
  const failures: Record<Channel, Map<string, number>> = { wechat: new Map(), nxcloud: new Map() };
  const asking = new EventEmitter();
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { channel, text } = JSON.parse(body) as { channel: Channel; text: string };
      const { ms, fails } = thoughtOf(text);
      asking.emit(text);
      setTimeout(() => {
        if (fails) failures[channel].set(text, Date.now());
        response.writeHead(fails ? 500 : 200).end(JSON.stringify(fails ? {} : { answer: answerTo(text) }));
      }, ms);
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    failures,
    asked: (text) => once(asking, text),
    async close() {
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    },
  };
}

export const answerTo = (text: string): string => `answer to ${text}`;
