/** What the demo page needs of the simulated platforms, phones and bot: handed in, so that it can reach nothing else. */
import { randomBytes, randomInt } from 'node:crypto';
import type { Channel } from '../core/platform.ts';
import { type Bot, type BotOptions, type Simulator, startBot } from '../simulator/index.ts';
import { answerTo } from './answers.ts';

/**
 * How the user is kept company while the bot thinks: by keeptyping; by a bot's own typing calls, at once and then in a
 * plain `setInterval`; by a single one, at once; not at all.
 */
export const ways = ['keeptyping', 'interval', 'once', 'nothing'] as const;
export type ComparedWay = (typeof ways)[number];

export const troubles = [
  /** The platform's API takes 2 s for each call. */
  'slow',
  /** The platform's API answers 503 to each call. */
  'down',
  /** The access token is revoked. */
  'token',
  /** The next call of the bot is answered 503. */
  'bot',
  /** keeptyping's worker stops, and starts again. */
  'worker',
] as const;
export type Trouble = (typeof troubles)[number];

/** What happened on a phone or was done to it; `at` in ms since 1970. */
export interface Mark {
  channel: Channel;
  user: string;
  at: number;
  what: string;
  detail: string;
}

interface Phone {
  readonly marks: readonly Mark[];
  /** The share of [from, to] in which the indicator was lit, 0 to 1. */
  cover(from: number, to: number): number;
}

/** One user of a visitor's. */
export interface User {
  channel: Channel;
  way: ComparedWay;
  user: string;
}

export interface WrittenMessage extends User {
  text: string;
  /** How long the bot thinks about it. */
  thinkMs: number;
}

export interface World {
  /** ms since 1970, on the clock of the marks. */
  now(): number;
  /** The name of a user who has never written, as the platform makes names. */
  newUser(channel: Channel): string;
  /** The user sends a message; its mark is there when this returns. */
  write(written: WrittenMessage): void;
  phone(channel: Channel, user: string): Phone;
  /**
   * Something breaks for these users; `worker` and `token` break for all. `over` is called when it is mended, never at
   * once. Returns false when it cannot be now.
   */
  trouble(trouble: Trouble, users: readonly User[], over: () => void): boolean;
  /** The user is gone, with all that was remembered. */
  forget(channel: Channel, user: string): void;
  /** Hears every later mark of every phone. Returns the way to stop. */
  on(listener: (mark: Mark) => void): () => void;
}

export interface DemoWorld {
  world: World;
  bot: Bot;
}

interface DemoWorldOptions {
  simulator: Simulator;
  /** Of users who are no visitors, by their text (ms). */
  thinkMs: (text: string) => number;
  /** The other bot's `setInterval` (ms). */
  typeEveryMs: number;
  /** Stops the worker for so long. */
  restartWorker: (ms: number) => Promise<void>;
}

/** What the bot knows of the visitors' users. */
interface Habits {
  thinkMs: Map<string, number>;
  ways: Map<string, ComparedWay>;
  /** Whose next call is turned away, and what is done then. */
  refusing: Map<string, () => void>;
}

/** What a platform in another data centre takes for its answer (ms). */
const heardAfterMs = 100;
const slow = { latencyMs: 2_000, forMs: 15_000 };
const down = { status: 503, forMs: 8_000 };
/** The worker is stopped for so long, and not again for as long as that (ms): everybody's conversations hang on it. */
const stopped = { forMs: 3_000, apart: 15_000 };

/** The simulator as the demo page needs it. Whoever goes without keeptyping talks to the same bot directly. */
export async function openDemoWorld(options: DemoWorldOptions): Promise<DemoWorld> {
  const { simulator } = options;
  const habits: Habits = { thinkMs: new Map(), ways: new Map(), refusing: new Map() };
  const bot = await startBot(botOptions(options, habits));
  const world: World = {
    now: Date.now,
    newUser,
    write({ channel, way, user, text, thinkMs }) {
      habits.thinkMs.set(user, thinkMs);
      habits.ways.set(user, way);
      const url = way === 'keeptyping' ? {} : { url: bot.url };
      // Rejects only when the simulator closes.
      void simulator[channel].push({ user, text, ...url }).catch(() => undefined);
    },
    phone: (channel, user) => simulator[channel].phone(user),
    trouble: createTroubles(options, habits),
    forget(channel, user) {
      simulator[channel].forget(user);
      for (const known of Object.values(habits)) known.delete(user);
    },
    on: (listener) => simulator.on(listener),
  };
  return { world, bot };
}

function botOptions({ simulator, thinkMs, typeEveryMs }: DemoWorldOptions, habits: Habits): BotOptions {
  const { wechat, nxcloud } = simulator;
  return {
    thinkMs: (text, user) => habits.thinkMs.get(user) ?? thinkMs(text),
    style: (user) => ((habits.ways.get(user) ?? 'keeptyping') === 'keeptyping' ? 'passive' : 'api'),
    typeEveryMs(user) {
      const way = habits.ways.get(user);
      return way === 'interval' ? typeEveryMs : way === 'once' ? 'once' : null;
    },
    heardAfterMs,
    refuses(user) {
      const refused = habits.refusing.get(user);
      habits.refusing.delete(user);
      refused?.();
      return refused !== undefined;
    },
    failStatus: 503,
    answer: answerTo,
    forgetful: true,
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
  };
}

/** An openid; a phone number of a country code that nobody has. */
function newUser(channel: Channel): string {
  if (channel === 'wechat') return `o${randomBytes(20).toString('base64url')}`;
  const digits = Array.from({ length: 12 }, () => randomInt(10));
  return `999${digits.join('')}`;
}

function createTroubles({ simulator, restartWorker }: DemoWorldOptions, habits: Habits): World['trouble'] {
  let nextStop = 0;
  const begin: Record<Trouble, (users: readonly User[], over: () => void) => boolean> = {
    slow: (users, over) =>
      breakApi(simulator, users, { fault: { latencyMs: slow.latencyMs }, ...slow, over }),
    down: (users, over) => breakApi(simulator, users, { fault: { status: down.status }, ...down, over }),
    token(_, over) {
      simulator.wechat.tokens.revokeAll();
      setImmediate(over);
      return true;
    },
    bot: (users, over) => refuseOnce(habits, users, over),
    worker(_, over) {
      if (Date.now() < nextStop) return false;
      nextStop = Date.now() + stopped.forMs + stopped.apart;
      void restartWorker(stopped.forMs).finally(over);
      return true;
    },
  };
  return (trouble, users, over) => begin[trouble](users, over);
}

interface ApiTrouble {
  fault: { latencyMs: number } | { status: number };
  forMs: number;
  over: () => void;
}

function breakApi(simulator: Simulator, users: readonly User[], { fault, forMs, over }: ApiTrouble): true {
  const mend = users.map(({ channel, user }) => simulator[channel].faults.set('*', { ...fault, user }));
  setTimeout(() => {
    for (const one of mend) one();
    over();
  }, forMs).unref();
  return true;
}

/** The bot's next call, on whichever phone it comes first. */
function refuseOnce({ refusing }: Habits, users: readonly User[], over: () => void): true {
  for (const { channel, user, way } of users) {
    const refused = (): void => {
      for (const other of users) if (other.channel !== channel) refusing.delete(other.user);
      over();
    };
    refusing.set(user, way === 'keeptyping' ? refused : () => {});
  }
  return true;
}
