/** keeptyping in production's shape: two webs behind a balancer, two workers, and Redis. */
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import {
  type Bot,
  type BotOptions,
  type Simulator,
  startBot,
  startSimulator,
} from '../../src/simulator/index.ts';
import { openGround, type RedisGround } from './ground.ts';
import { exitLimit } from './judge.ts';
import type { Ground, Target } from './plan.ts';
import { builtHere, type Child, type Release, setTokens, start } from './processes.ts';
import { type Balancer, startBalancer } from './proxies.ts';
import { type Exit } from './record.ts';

/** Shorter than the platforms' own, so that what outlives its turn is seen within a run. */
export const lifetimes = { wechat: 3_000, nxcloud: 5_000 };
/** The bot's slowest answer takes less than its timeout, an answer may be much later; typing is over before. */
export const limits = { bot: 15_000, cap: 18_000, deadline: 20_000, reply: 60_000 };

const clockFile = fileURLToPath(new URL('clock.mjs', import.meta.url));
const clocksApartBy = 2_000;

export interface Member {
  name: Target;
  child: Child;
  /** What it was told last. */
  ordered: { signal: 'SIGKILL' | 'SIGTERM'; at: number } | null;
}

export interface Fleet {
  simulator: Simulator;
  bot: Bot;
  redis: RedisGround;
  balancer: Balancer;
  exits: Exit[];
  /** Where the logs are written when it closes. */
  folder: string;
  member: (name: Target) => Member;
  /** A new process of that name, which takes the place of the one before; resolves when it works. */
  launch: (name: Target) => Promise<void>;
  order: (member: Member, signal: 'SIGKILL' | 'SIGTERM') => Promise<void>;
  /** Tells every process to end, and waits as long as a platform would. */
  shutDown: () => Promise<void>;
  close: () => Promise<void>;
}

interface State {
  environment: { [name: string]: string };
  redis: RedisGround;
  balancer: Balancer;
  /** Every process that was ever started; the newest of a name is its member. */
  members: Member[];
  exits: Exit[];
  clocksApart: boolean;
  releaseOf: (name: Target) => Release;
  settingsOf: (name: Target) => { [name: string]: string };
  closing: boolean;
}

export interface FleetOptions {
  ground: Ground;
  bot: BotOptions;
  clocksApart: boolean;
  /**
   * What runs under that name.
   * @default what was built here
   */
  releaseOf?: ((name: Target) => Release) | undefined;
  /** What is set for that name beside the rest. */
  settingsOf?: ((name: Target) => { [name: string]: string }) | undefined;
}

export async function openFleet(options: FleetOptions): Promise<Fleet> {
  const redis = await openGround(options.ground);
  const folder = await mkdtemp(join(tmpdir(), 'keeptyping-chaos-'));
  const balancer = await startBalancer();
  const base = `http://127.0.0.1:${balancer.port}`;
  const simulator = await openSimulator(base);
  const bot = await startBot({
    wechat: {
      ...simulator.wechat.options,
      apiBase: `${base}/gateway/${setTokens.GATEWAY_KEY}/wechat/default`,
    },
    nxcloud: {
      ...simulator.nxcloud.options,
      apiBase: `${base}/gateway/${setTokens.GATEWAY_KEY}/nxcloud/default`,
    },
    ...options.bot,
  });
  const environment = { ...environmentOf(), ...simulatedEnvironment(simulator, bot) };
  const { clocksApart, releaseOf = () => builtHere, settingsOf = () => ({}) } = options;
  const state: State = {
    environment,
    redis,
    balancer,
    members: [],
    exits: [],
    clocksApart,
    releaseOf,
    settingsOf,
    closing: false,
  };
  // A harness that dies takes along what it has started, whatever state that is in.
  process.once('exit', () => {
    for (const { child } of state.members) child.signal('SIGKILL');
  });
  await Promise.all((['worker-1', 'worker-2'] as const).map((name) => launch(state, name)));
  // A web that sees no worker when it starts runs the queues itself.
  await Promise.all((['web-1', 'web-2'] as const).map((name) => launch(state, name)));
  return {
    simulator,
    bot,
    redis,
    balancer,
    folder,
    exits: state.exits,
    member: (name) => memberOf(state, name),
    launch: (name) => launch(state, name),
    order: (member, signal) => order(state, member, signal),
    shutDown: () => shutDown(state),
    async close() {
      state.closing = true;
      for (const { child } of state.members) child.signal('SIGKILL');
      await Promise.all(state.members.map(({ child }) => child.exit));
      await writeLogs(state, folder);
      await Promise.all([bot.close(), simulator.close(), balancer.close()]);
      await redis.close();
    },
  };
}

async function openSimulator(base: string): Promise<Simulator> {
  const simulator = await startSimulator({
    wechat: { rules: { lifetime: lifetimes.wechat } },
    // NXCloud's minute between two deliveries is longer than a run.
    nxcloud: { rules: { lifetime: lifetimes.nxcloud, retryMs: 2_000, retries: 8, pushTimeout: 10_000 } },
  });
  simulator.wechat.connect(`${base}/webhooks/wechat`);
  simulator.nxcloud.connect(`${base}/webhooks/nxcloud`);
  return simulator;
}

function environmentOf(): { [name: string]: string } {
  const { cap, deadline, reply } = limits;
  return {
    PORT: '0',
    HOST: '127.0.0.1',
    ...setTokens,
    BOT_TIMEOUT_MS: String(limits.bot),
    REPLY_DEADLINE_MS: String(reply),
    // A line for each typing call: whose it was, whoever looks for a fault wants to know.
    LOG_LEVEL: 'debug',
    WECHAT_RULES: JSON.stringify({ lifetime: lifetimes.wechat, cap, deadline, showsPerMinute: 60 }),
    NXCLOUD_RULES: JSON.stringify({ lifetime: lifetimes.nxcloud, cap, deadline, showsPerMinute: 60 }),
  };
}

function memberOf({ members }: State, name: Target): Member {
  const member = members.findLast((each) => each.name === name);
  if (member === undefined) throw new Error(`${name} was never started.`);
  return member;
}

async function launch(state: State, name: Target): Promise<void> {
  const isWeb = name.startsWith('web');
  const release = state.releaseOf(name);
  const environment = {
    ...state.environment,
    ...(await state.redis.environmentOf(name)),
    ...state.settingsOf(name),
    ...(state.clocksApart && name.endsWith('2') ? clockAhead() : {}),
  };
  const child = start(isWeb ? 'web' : 'worker', environment, release);
  const member: Member = { name, child, ordered: null };
  state.members.push(member);
  void child.exit.then((code) => noteExit(state, member, code));
  const line = await Promise.race([child.says(isWeb ? '"listening"' : '"working"'), child.exit]);
  const port = /"port":(\d+)/.exec(String(line))?.[1];
  if (isWeb) await wait(release.settleMs);
  if (isWeb && port !== undefined) state.balancer.route(name, Number(port));
}

async function launchAgain(state: State, name: Target): Promise<void> {
  if (!state.closing) await launch(state, name);
}

function clockAhead(): { [name: string]: string } {
  return { NODE_OPTIONS: `--import ${clockFile}`, CHAOS_CLOCK_MS: String(clocksApartBy) };
}

function noteExit(state: State, { name, ordered }: Member, code: number | string): void {
  const at = Date.now();
  const exit = {
    process: name,
    at,
    ordered: ordered?.signal ?? null,
    code,
    tookMs: at - (ordered?.at ?? at),
  };
  state.exits.push(exit);
  // As any platform does it with a process that dies.
  if (ordered === null && !state.closing) void wait(1_000).then(() => launchAgain(state, name));
}

/** Resolves when it has ended, or has had its time. */
async function order(state: State, member: Member, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
  const at = Date.now();
  member.ordered = { signal, at };
  // A platform's router sends nothing new to what it has told to end.
  if (signal === 'SIGTERM' && member.name.startsWith('web')) state.balancer.route(member.name, null);
  member.child.signal(signal);
  const late = await Promise.race([
    member.child.exit.then(() => false),
    wait(exitLimit + 1_000, true, { ref: false }),
  ]);
  if (!late) return;
  state.exits.push({
    process: member.name,
    at: Date.now(),
    ordered: signal,
    code: null,
    tookMs: Date.now() - at,
  });
  member.ordered = { signal: 'SIGKILL', at: Date.now() };
  member.child.signal('SIGKILL');
}

async function shutDown(state: State): Promise<void> {
  const names = [...new Set(state.members.map(({ name }) => name))];
  const newest = names.map((name) => memberOf(state, name));
  // Who has left a rolling deploy was told before.
  const standing = newest.filter(({ ordered }) => ordered === null);
  await Promise.all(standing.map((member) => order(state, member, 'SIGTERM')));
}

async function writeLogs({ members }: State, folder: string): Promise<void> {
  const lives = new Map<string, number>();
  for (const { name, child } of members) {
    const life = (lives.get(name) ?? 0) + 1;
    lives.set(name, life);
    await writeFile(join(folder, `${name}.${life}.log`), child.output());
  }
}
