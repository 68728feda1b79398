/**
 * keeptyping beside the packages that type, each driven through its own plug point on simulated platforms of its own,
 * all at the same time: `npm run bench peers`. Messages come when they come, whoever is slow; who writes when, how long
 * the bot takes, when it fails, and how long each user's n-th call is under way is the same for everybody.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Channel } from '../src/core/platform.ts';
import { NXCLOUD_RULES, type SimulatorOptions, type Way, WECHAT_RULES } from '../src/simulator/index.ts';
import { installed, packagesOf } from './install.ts';
import { count, createRandom, ms, percent, type Row, type Value, wait } from './measure.ts';
import { botTime, longest } from './mix.ts';
import { type Figures, judge, none, plus, type Rules, type Seen } from './peers-judge.ts';
import { answerTo, openSite, type Site, type Thought } from './peers-site.ts';
import type { BenchRedis } from './redis.ts';
import type { Bounds } from './cover.ts';

export interface Message {
  /** ms after the first. */
  at: number;
  /** Who writes, on both platforms. */
  user: number;
  text: string;
  thought: Thought;
}

export interface Mix {
  seed: number;
  users: number;
  /** New users a second. */
  perSecond: number;
  /** One in three writes again so much later (ms): anything from the first to the second. */
  againMs: readonly [number, number];
  /** Of the bot (ms). */
  medianMs: number;
  /** The bot's part of failures. */
  failing: number;
  /** How long a call is under way, there and back (ms): anything from the first to the second. */
  apiMs: readonly [number, number];
}

export function planOf({ seed, users, perSecond, againMs, medianMs, failing }: Mix): Message[] {
  const random = createRandom(seed);
  const later = (): number => againMs[0] + random() * (againMs[1] - againMs[0]);
  const writing = Array.from({ length: users }, (_, user) => {
    const at = (user * 1_000) / perSecond;
    return user % 3 > 0
      ? [{ at, user }]
      : [
          { at, user },
          { at: at + later(), user },
        ];
  });
  const inOrder = writing.flat().toSorted((a, b) => a.at - b.at);
  return inOrder.map((each, index) => {
    const thought = { ms: botTime(random, medianMs), fails: random() < failing };
    return { ...each, text: `message ${index}`, thought };
  });
}

/** Both platforms name a user so. */
const nameOf = (user: number): string => String(8_613_800_000_000 + user);

/** How long the n-th call of a kind for a user is under way (ms), whoever makes it and when. */
function wayOf({ seed, apiMs: [from, to] }: Mix, user: string, kind: string, n: number): number {
  let mixed = seed;
  for (const letter of `${user} ${kind} ${n}`) mixed = Math.imul(mixed ^ letter.charCodeAt(0), 0x0100_0193);
  // One step of the generator, so that names that are near each other are not near in time.
  const random = createRandom(((mixed >>> 0) % 2_147_483_646) + 1);
  return from + random() * (to - from);
}

const typingCall = 'typing';

function createWay(mix: Mix): Way {
  const made = new Map<string, number>();
  return ({ user, command }) => {
    const kind = command?.toLowerCase() ?? '';
    const name = `${user} ${kind}`;
    const n = made.get(name) ?? 0;
    made.set(name, n + 1);
    return wayOf(mix, user ?? '', kind, n);
  };
}

export interface Scenario {
  processes: number;
  /** The first process is killed while the bot thinks about a message in the middle. */
  kills: boolean;
}

export interface Race {
  mix: Mix;
  scenario: Scenario;
  redisUrl: string;
  /** Messages of the first so many users are not counted: nobody knows yet how long the way is. */
  warm: number;
  /** Other rules than the platforms' own. */
  rules?: Pick<SimulatorOptions, 'wechat' | 'nxcloud'>;
  /** How long after the last message an answer is waited for, and a ghost after the last answer (ms). */
  answerLimit: number;
  ghostLimit: number;
}

export interface Contender {
  /** Under `peers/`, or `keeptyping`. */
  folder: string;
  on: readonly Channel[];
}

export interface Result {
  crashes: number;
  figures: Partial<Record<Channel, Figures>>;
}

/** All of them side by side, from the same moment. */
export async function race(contenders: readonly Contender[], options: Race): Promise<Result[]> {
  const { mix, scenario, redisUrl, rules } = options;
  const plan = planOf(mix);
  const thoughts = new Map(plan.map(({ text, thought }) => [text, thought]));
  const thoughtOf = (text: string): Thought => {
    const thought = thoughts.get(text);
    if (thought === undefined) throw new Error(`Nobody wrote "${text}".`);
    return thought;
  };
  const { processes } = scenario;
  const sites: Site[] = [];
  try {
    for (const { folder } of contenders) {
      const simulator = { ...rules, way: createWay(mix) };
      sites.push(await openSite({ contender: folder, processes, redisUrl, thoughtOf, simulator }));
    }
    const results = sites.map((site, index) =>
      drive(site, contenders[index]?.on ?? [], { plan, later: index * apart, ...options }),
    );
    return await Promise.all(results);
  } finally {
    await Promise.all(sites.map((site) => site.close()));
  }
}

interface Driving extends Race {
  plan: readonly Message[];
  /** Its process is killed so many messages after the middle. */
  later: number;
}

/** Six processes that start at the same moment take as much longer: each is to have started before the next is killed. */
const apart = 4;

async function drive(site: Site, channels: readonly Channel[], driving: Driving): Promise<Result> {
  const { plan, later, scenario, answerLimit, ghostLimit, warm } = driving;
  const from = Date.now();
  const pushes = plan.map(async ({ at, user, text }) => {
    await wait(from + at - Date.now());
    await Promise.all(channels.map((channel) => site.simulator[channel].push({ user: nameOf(user), text })));
  });
  const middle = plan[Math.floor(plan.length / 2) + later]?.text ?? '';
  const kill = async (): Promise<void> => {
    await site.asked(middle);
    await wait(acknowledgedAfter);
    await site.kill();
  };
  const killed = scenario.kills ? kill() : Promise.resolve();
  await Promise.all([...pushes, killed]);
  const until = from + (plan.at(-1)?.at ?? 0) + answerLimit;
  let open = [...plan];
  while (Date.now() < until && open.length > 0) {
    await wait(500);
    open = open.filter((message) => !isOver(site, channels, message));
  }
  await wait(ghostLimit);
  const users = [...new Set(plan.map(({ user }) => user))].filter((user) => user >= warm);
  const figuresOf = (channel: Channel): Figures =>
    users
      .map((user) => judge(seenOf(site, channel, { user, plan }), ...boundsOf(channel, user, driving)))
      .reduce(plus, none);
  return {
    crashes: site.crashes(),
    figures: Object.fromEntries(channels.map((channel) => [channel, figuresOf(channel)])),
  };
}

/**
 * A push that is just being taken would come again after a minute, which says more of NXCloud than of who is killed:
 * halfway between two users' (ms).
 */
const acknowledgedAfter = 250;

function isOver(
  { simulator, failures }: Site,
  channels: readonly Channel[],
  { user, text }: Message,
): boolean {
  const isOverOn = (channel: Channel): boolean =>
    failures[channel].has(text) ||
    simulator[channel].phone(nameOf(user)).marks.some(({ detail }) => detail === answerTo(text));
  return channels.every(isOverOn);
}

function seenOf(
  { simulator, failures }: Site,
  channel: Channel,
  { user, plan }: { user: number; plan: readonly Message[] },
): Seen {
  const phone = simulator[channel].phone(nameOf(user));
  return {
    texts: plan.filter((message) => message.user === user).map(({ text }) => text),
    marks: phone.marks,
    intervals: phone.intervals(),
    calls: simulator[channel].calls.filter((call) => call.user === nameOf(user)),
    failures: failures[channel],
  };
}

function boundsOf(channel: Channel, user: number, { mix, rules }: Race): [Rules, Bounds['way']] {
  const shortest = mix.apiMs[0];
  const bounds: Record<Channel, Rules> = {
    wechat: { ...WECHAT_RULES, ...rules?.wechat?.rules, shortest, canHide: true },
    // Its window, 24 h, closes on nobody here.
    nxcloud: { ...NXCLOUD_RULES, ...rules?.nxcloud?.rules, window: Infinity, shortest, canHide: false },
  };
  return [bounds[channel], (n) => wayOf(mix, nameOf(user), typingCall, n)];
}

const channels = ['wechat', 'nxcloud'] as const;

/** What each is, and on what; the rest of what its adapter does stands at the head of its `peer.mjs`. */
const peers: readonly (Contender & { what: string })[] = [
  { folder: 'set-interval', what: 'a plain setInterval in the bot', on: channels },
  { folder: 'botbuilder', what: 'ShowTypingMiddleware', on: channels },
  { folder: 'agents-hosting', what: 'startTypingTimer', on: channels },
  { folder: 'auto-chat-action', what: 'its loop', on: channels },
  { folder: 'chat', what: 'thread.startTyping()', on: ['nxcloud'] },
];

/** Looked at, and not driven. */
const notDriven: readonly { what: string; why: string }[] = [
  { what: 'chat 4.41.1 on WeChat', why: 'it has no adapter for WeChat' },
  {
    what: 'koishi 4.18.11, with @satorijs/adapter-wechat-official 2.5.0 and adapter-whatsapp 2.6.0',
    why: 'neither its session, its bot nor these adapters have a call that shows typing',
  },
];

const scenarios: Record<string, Scenario> = {
  'one process': { processes: 1, kills: false },
  'kill -9 of the process in the middle, started again': { processes: 1, kills: true },
  'two processes': { processes: 2, kills: false },
};

const mix: Mix = {
  seed: 20_260_101,
  users: 90,
  perSecond: 2,
  againMs: [1_000, 10_000],
  medianMs: 8_000,
  failing: 0.05,
  apiMs: [50, 500],
};
const warm = 20;

/** In percent. */
const leastCover: Record<Channel, number> = { wechat: 99.5, nxcloud: 99 };
const names: Record<Channel, string> = { wechat: 'WeChat', nxcloud: 'WhatsApp' };

export async function peersBench({ url: redisUrl, redis }: BenchRedis): Promise<Row[]> {
  const rows: Row[] = notDriven.map(({ what, why }) => ({
    what: `peers: ${what}: not driven, for ${why}`,
    values: {},
  }));
  const driven = [{ folder: 'keeptyping', what: 'keeptyping', on: channels as readonly Channel[] }];
  for (const peer of peers) {
    const packages = packagesOf(peer.folder);
    try {
      if (packages !== null) installed(peer.folder);
      driven.push({ ...peer, what: packages === null ? peer.what : `${packages}: ${peer.what}` });
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
      rows.push({ what: `peers: ${peer.folder}: not driven, for it is not installed (${why})`, values: {} });
    }
  }
  for (const [name, scenario] of Object.entries(scenarios)) {
    process.stderr.write(`  ${name}…\n`);
    // keeptyping and the Chat SDK share it, and the same users write in each scenario.
    await redis.flushall();
    const limits = { answerLimit: 2 * longest, ghostLimit: NXCLOUD_RULES.lifetime + 1_000 };
    const lag = monitorEventLoopDelay({ resolution: 10 });
    lag.enable();
    const results = await race(driven, { mix, scenario, redisUrl, warm, ...limits });
    lag.disable();
    const late = (p: number): Value => ms(lag.percentile(p) / 1e6 - 10);
    rows.push({
      what: `peers, ${name}: how late the bench itself was, beyond 10 ms`,
      values: { p50: late(50), p99: late(99), max: ms(lag.max / 1e6 - 10) },
      goal: {
        says: 'p99 ≤ 50 ms: beyond, the machine is too busy for the rows below',
        met: (of) => of('p99') <= 50,
      },
    });
    for (const channel of channels) {
      for (const [index, { folder, what }] of driven.entries()) {
        const result = results[index];
        const figures = result?.figures[channel];
        if (figures === undefined) continue;
        const row = rowOf(`${names[channel]}, ${name}: ${what}`, figures, result?.crashes ?? 0);
        const isOurs = folder === 'keeptyping';
        rows.push(isOurs ? { ...row, ...goalOf(figures, leastCover[channel]) } : row);
      }
    }
  }
  return rows;
}

function rowOf(what: string, figures: Figures, crashes: number): Row {
  const { messages, lost, doubled, waited, lit, most, ghosts, ghostMs, calls, refused, wasted } = figures;
  return {
    what,
    values: {
      'of the best': percent(lit / most),
      'the best, of the wait': percent(most / waited),
      ghosts: count(ghosts),
      'in all': ms(ghostMs),
      'typing calls a message': count(calls / messages),
      refused: count(refused),
      'without effect': count(wasted),
      messages: count(messages),
      'never answered': count(lost),
      'answered twice': count(doubled),
      ...(crashes === 0 ? {} : { 'crashes of its process, on both platforms together': count(crashes) }),
    },
  };
}

/** Only keeptyping has something to meet. */
function goalOf({ messages, lost, doubled }: Figures, least: number): Pick<Row, 'goal' | 'exact'> {
  return {
    goal: {
      says: `≥ ${least} % of the best, no ghost, none refused`,
      met: (of) => of('of the best') >= least && of('ghosts') + of('refused') === 0,
    },
    exact: { turns: messages, wrong: { 'never answered': lost, 'answered twice': doubled } },
  };
}
