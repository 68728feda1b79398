/**
 * When a conversation has to be looked at again. The time stands in Redis, written by the script that saves the state.
 * The worker that saved it wakes the conversation itself; one that leaves hands that over, and of one that has died
 * another finds it overdue, or the one that is started in its place knows it from the start.
 */
import { type Conversation, conversationId, conversationNamed } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { type DueCommands, takeDue, takenAtOnce } from '../redis/due.ts';
import type { Spot, Spread } from '../redis/shards.ts';
import { Postponed } from './shares.ts';

export interface Wakes {
  /** This process looks again when it is time; null: it need not. */
  set(conversation: Conversation, timer: Timer | null): void;
  /** From now on this process wakes them, in place of whoever did so here before. */
  start(look: Look): Waking;
  /**
   * Plans what is due soonest, whoever was to look at it: whoever died may have left nobody else. Two that look at the
   * same moment do no harm. Never rejects.
   */
  adopt(): Promise<void>;
  /** Takes up what others should have looked at by now, and did not. Resolves with how many. */
  takeOverdue(): Promise<number>;
}

/** Who wakes them. What it is told when somebody else here does so by then is not done. */
export interface Waking {
  /** Wakes none any more: what it was to look at is another's, and so is what it is still told. */
  leave(handOver: HandOver): void;
  /** Wakes none any more. Resolves when the looks that are under way have ended, and what was left is handed over. */
  stop(): Promise<void>;
}

export interface Timer {
  /** When it is due (ms). */
  at: number;
  /** The state's number of it; 0: it has none, for it waits for the end of a call. */
  n: number;
}

export interface Left {
  conversation: Conversation;
  timer: Timer;
}

type HandOver = (left: readonly Left[]) => Promise<void>;

export type Look = (conversation: Conversation, due: Due) => Promise<void>;

interface WakesCommands extends DueCommands {
  zrange(key: string, first: number, last: string, scores: 'WITHSCORES'): Promise<string[]>;
  zscore(key: string, member: string): Promise<string | number | null>;
}

interface WakesOptions {
  shards: Spread<WakesCommands>;
  clock: Pick<Clock, 'now'>;
  log: Log;
}

/** A worker that is only busy is not taken for a dead one (ms)… */
const overdue = 1_000;
/** …and who has taken one up has so long before it is another's (ms). */
const taken = 3_000;
/** A worker that starts plans so many of each shard: what it looks at in vain costs less than what comes late. */
const adopted = 1_000;
/** After a fault of Redis (ms). */
const retry = 500;
/** The longest that a timer of Node's can wait (ms). */
const longest = 2 ** 31 - 1;

interface Due extends Timer {
  /** It was found overdue, and its time in Redis moved for that. */
  isFound: boolean;
}

/** It may come later than it is due, where there was no place for it. */
interface Planned extends Due {
  conversation: Conversation;
  n: number;
  timeout: NodeJS.Timeout;
}

export function createWakes({ shards, clock, log }: WakesOptions): Wakes {
  const planned = new Map<string, Planned>();
  const underWay = new Set<Promise<void>>();
  let look: Look | null = null;
  let handOver: HandOver | null = null;
  let starts = 0;
  const clear = (id: string): void => {
    clearTimeout(planned.get(id)?.timeout);
    planned.delete(id);
  };
  const follow = (work: Promise<void>): void => {
    const one = work.finally(() => underWay.delete(one));
    underWay.add(one);
  };
  const standingOf = async (conversation: Conversation): Promise<string | number | null> => {
    const { redis, keys } = await shards.of(conversation);
    return redis.zscore(keys.wakes, conversationId(conversation));
  };
  const wake = (conversation: Conversation, due: Due): void => follow(lookNow(conversation, due));
  const lookNow = async (conversation: Conversation, due: Due): Promise<void> => {
    const id = conversationId(conversation);
    planned.delete(id);
    try {
      // Mostly the turn has ended since: whoever told that has taken the time out of Redis, or moved it.
      const stands = due.isFound ? due.at : await standingOf(conversation);
      const early = Number(stands) - clock.now();
      if (stands === null) return;
      if (early <= 0) await look?.(conversation, due);
      else if (Number(stands) === due.at) again(conversation, due, early);
    } catch (error) {
      log.debug({ error }, 'A conversation is looked at again later.');
      again(conversation, due, error instanceof Postponed ? error.waitMs : retry);
    }
  };
  /** What has been planned meanwhile is newer. */
  const again = (conversation: Conversation, due: Due, ms: number): void => {
    if (look && !planned.has(conversationId(conversation))) plan(conversation, due, ms);
  };
  const plan = (conversation: Conversation, due: Due, ms: number): void => {
    const id = conversationId(conversation);
    clear(id);
    const timeout = setTimeout(() => wake(conversation, mine), Math.min(longest, Math.max(0, ms)));
    const mine: Planned = { ...due, conversation, timeout };
    planned.set(id, mine);
  };
  const adoptFrom = async ({ redis, keys }: Spot<WakesCommands>): Promise<void> => {
    const flat = await redis.zrange(keys.wakes, 0, String(adopted - 1), 'WITHSCORES');
    for (let nth = 0; nth < flat.length; nth += 2) {
      const [name = '', score = ''] = flat.slice(nth, nth + 2);
      const conversation = conversationNamed(name);
      const at = Number(score);
      if (conversation && !planned.has(name))
        again(conversation, { at, n: 0, isFound: false }, at - clock.now());
    }
  };
  const takeOne = (name: string, now: number): void => {
    const conversation = conversationNamed(name);
    const mine = planned.get(name);
    // What is due here as well is late because this process is busy, or has no place for it: it comes by itself.
    if (mine && mine.at <= now) mine.isFound = true;
    else if (conversation) wake(conversation, { at: now, n: 0, isFound: true });
  };
  const takeFrom = async (spot: Spot<WakesCommands>): Promise<number> => {
    if (!look) return 0;
    const now = Math.floor(clock.now());
    const names = await takeDue(spot.redis, spot.keys.wakes, { by: now - overdue, until: now + taken });
    names.forEach((name) => takeOne(name, now));
    return names.length < takenAtOnce ? names.length : names.length + (await takeFrom(spot));
  };
  /** One that is away holds up no other. */
  const tryFrom = (spot: Spot<WakesCommands>): Promise<number> =>
    takeFrom(spot).catch((error: unknown) => {
      log.debug({ error }, 'Overdue looks were not taken up.');
      return 0;
    });
  /** Whoever is not told finds them overdue. */
  const leaveTo = (others: HandOver, left: readonly Left[]): void => {
    if (left.length === 0) return;
    follow(others(left).catch((error: unknown) => log.debug({ error }, 'Timers were not handed over.')));
  };
  const stop = (): Planned[] => {
    const left = [...planned.values()];
    look = null;
    for (const { timeout } of left) clearTimeout(timeout);
    planned.clear();
    return left;
  };
  return {
    set: (conversation, timer) => {
      if (timer === null) clear(conversationId(conversation));
      else if (look) plan(conversation, { ...timer, isFound: false }, timer.at - clock.now());
      else if (handOver) leaveTo(handOver, [{ conversation, timer }]);
    },
    start: (looking) => {
      const mine = (starts += 1);
      look = looking;
      handOver = null;
      return {
        leave: (others) => {
          if (mine !== starts) return;
          handOver = others;
          const left = stop().map(({ conversation, at, n }) => ({ conversation, timer: { at, n } }));
          leaveTo(others, left);
        },
        stop: async () => {
          if (mine === starts) stop();
          await Promise.all(underWay);
          if (mine === starts) handOver = null;
        },
      };
    },
    adopt: async () => {
      const adopting = shards
        .all()
        .map((spot) =>
          adoptFrom(spot).catch((error: unknown) => log.debug({ error }, 'Timers are found overdue later.')),
        );
      await Promise.all(adopting);
    },
    takeOverdue: async () => {
      const found = await Promise.all(shards.all().map(tryFrom));
      return found.reduce((sum, count) => sum + count, 0);
    },
  };
}
