/**
 * When a conversation has to be looked at again. The time stands in Redis, written by the script that saves the state.
 * The worker that saved it wakes the conversation itself; when that one is gone, another finds it overdue.
 */
import { type Conversation, conversationId, conversationNamed } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { keys } from '../redis/keys.ts';
import { type DueCommands, takeDue, takenAtOnce } from '../redis/due.ts';
import { Postponed } from './shares.ts';

export interface Wakes {
  /** This process looks again at `at` (ms); null: it need not. */
  set(conversation: Conversation, at: number | null): void;
  /** From now on this process wakes them. */
  start(look: Look): void;
  /** Takes up what others should have looked at by now, and did not. Resolves with how many. */
  takeOverdue(): Promise<number>;
  /** Wakes none any more. Resolves when the looks that are under way have ended. */
  stop(): Promise<void>;
}

export type Look = (conversation: Conversation, due: Due) => Promise<void>;

interface WakesCommands extends DueCommands {
  zscore(key: string, member: string): Promise<string | number | null>;
}

interface WakesOptions {
  redis: WakesCommands;
  clock: Pick<Clock, 'now'>;
  log: Log;
}

/** A worker that is only busy is not taken for a dead one (ms)… */
const overdue = 1_000;
/** …and who has taken one up has so long before it is another's (ms). */
const taken = 3_000;
/** After a fault of Redis (ms). */
const retry = 500;
/** The longest that a timer of Node's can wait (ms). */
const longest = 2 ** 31 - 1;

interface Due {
  /** When it was due (ms). */
  at: number;
  /** It was found overdue, and its time in Redis moved for that. */
  isFound: boolean;
}

/** It may come later than it is due, where there was no place for it. */
interface Planned extends Due {
  timer: NodeJS.Timeout;
}

export function createWakes({ redis, clock, log }: WakesOptions): Wakes {
  const planned = new Map<string, Planned>();
  const underWay = new Set<Promise<void>>();
  let look: Look | null = null;
  const clear = (id: string): void => {
    clearTimeout(planned.get(id)?.timer);
    planned.delete(id);
  };
  const wake = (conversation: Conversation, due: Due): void => {
    const looking = lookNow(conversation, due).finally(() => underWay.delete(looking));
    underWay.add(looking);
  };
  const lookNow = async (conversation: Conversation, due: Due): Promise<void> => {
    const id = conversationId(conversation);
    planned.delete(id);
    try {
      // Mostly the turn has ended since: whoever told that has taken the time out of Redis, or moved it.
      const stands = due.isFound ? due.at : await redis.zscore(keys.wakes, id);
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
  const plan = (conversation: Conversation, { at, isFound }: Due, ms: number): void => {
    const id = conversationId(conversation);
    clear(id);
    const timer = setTimeout(() => wake(conversation, mine), Math.min(longest, Math.max(0, ms)));
    const mine: Planned = { at, isFound, timer };
    planned.set(id, mine);
  };
  const takeOne = (name: string, now: number): void => {
    const conversation = conversationNamed(name);
    const mine = planned.get(name);
    // What is due here as well is late because this process is busy, or has no place for it: it comes by itself.
    if (mine && mine.at <= now) mine.isFound = true;
    else if (conversation) wake(conversation, { at: now, isFound: true });
  };
  const takeOverdue = async (): Promise<number> => {
    if (!look) return 0;
    const now = Math.floor(clock.now());
    const names = await takeDue(redis, keys.wakes, { by: now - overdue, until: now + taken });
    names.forEach((name) => takeOne(name, now));
    return names.length < takenAtOnce ? names.length : names.length + (await takeOverdue());
  };
  return {
    set: (conversation, at) => {
      if (at === null) clear(conversationId(conversation));
      else if (look) plan(conversation, { at, isFound: false }, at - clock.now());
    },
    start: (looking) => {
      look = looking;
    },
    takeOverdue,
    stop: async () => {
      look = null;
      for (const { timer } of planned.values()) clearTimeout(timer);
      planned.clear();
      await Promise.all(underWay);
    },
  };
}
