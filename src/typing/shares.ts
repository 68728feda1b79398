/** How the accounts share a process's places: one that hangs must not fill those of the others. */
import { DelayedError, type Job } from 'bullmq';
import type { Clock } from '../core/ports.ts';
import { idOf, type Place } from '../core/roster.ts';

/** Called once, when the place is free again. */
type Leave = () => void;

export interface Shares {
  /** @param most The account's own limit. @default none */
  isCrowded(place: Place, most?: number | null): boolean;
  /** `job`: the one that was turned away before, if it was. */
  enter(place: Place, job?: string): Leave;
  /** The job finds no place. Returns when it should come again (ms): about when its turn comes. */
  turnAway(place: Place, job: string): number;
}

export interface SharesOptions {
  /** All that there are. */
  places: number;
  /** So many are kept from any one account, for what must not wait. */
  reserve: number;
  /** How many accounts there are now. */
  accounts: () => number;
  clock: Pick<Clock, 'now'>;
}

/** Whatever the number of accounts, each gets so many, if there are so many. */
const leastOfEach = 8;
/** Each coming costs Redis some commands, so many come less often; a wait that was judged too long must not last (ms). */
const pause = { least: 100, most: 5_000, each: 5, longest: 60_000 } as const;

interface Share {
  taken: number;
  /** Jobs that were turned away since `roundAt`, and in the round before. */
  waiting: Set<string>;
  before: Set<string>;
  roundAt: number;
  /** When a place was last left, and for how long one is usually taken (ms). */
  leftAt: number;
  usual: number;
}

/** While half of the places are free an account takes what it needs; then no more than its share. */
export function createShares({ places, reserve, accounts, clock }: SharesOptions): Shares {
  const shares = new Map<string, Share>();
  const least = Math.min(leastOfEach, places);
  const limit = Math.max(least, places - reserve);
  let all = 0;
  const of = (place: Place): Share => {
    const id = idOf(place);
    const share = shares.get(id) ?? newShare(clock.now());
    shares.set(id, share);
    return share;
  };
  return {
    isCrowded: (place, most) => {
      const { taken } = of(place);
      if (taken >= Math.min(limit, most ?? limit)) return true;
      return all >= places / 2 && taken >= Math.max(least, Math.floor(limit / Math.max(1, accounts())));
    },
    enter: (place, job = '') => {
      const share = of(place);
      if (share.taken === 0) share.leftAt = clock.now();
      share.waiting.delete(job);
      share.before.delete(job);
      share.taken += 1;
      all += 1;
      const from = clock.now();
      return () => {
        noteLeaving(share, { from, to: clock.now() });
        all -= 1;
      };
    },
    turnAway: (place, job) => {
      const share = of(place);
      noteWaiting(share, job, clock.now());
      return pauseOf(share, clock.now());
    },
  };
}

function newShare(now: number): Share {
  return { taken: 0, waiting: new Set(), before: new Set(), roundAt: now, leftAt: now, usual: 0 };
}

/** One long stay, such as in a moment in which the process stood still, says little of the next. */
const weight = 1 / 8;

function noteLeaving(share: Share, { from, to }: { from: number; to: number }): void {
  share.usual += (to - from - share.usual) * weight;
  share.leftAt = to;
  share.taken -= 1;
}

/** So many rounds before it, each as long as usual; or as long as nothing has moved. */
function pauseOf({ waiting, before, taken, usual, leftAt }: Share, now: number): number {
  const ahead = waiting.size + before.size;
  const round = Math.max(usual, now - leftAt);
  const most = Math.min(pause.longest, Math.max(pause.most, ahead * pause.each));
  return Math.min(most, Math.max(pause.least, (ahead / Math.max(1, taken)) * round));
}

/** Who has not come again by the end of the next round was taken by another process. */
function noteWaiting(share: Share, job: string, now: number): void {
  const round = Math.max(pause.most, Math.min(pause.longest, share.waiting.size * pause.each));
  if (now - share.roundAt > round) {
    share.before = now - share.roundAt > 2 * round ? new Set() : share.waiting;
    share.waiting = new Set();
    share.roundAt = now;
  }
  share.before.delete(job);
  share.waiting.add(job);
}

/** The job has to come again after a while; it is no failure. */
export class Postponed extends Error {
  override readonly name = 'Postponed';
  readonly waitMs: number;

  constructor(waitMs: number) {
    super(`Again in ${waitMs} ms.`);
    this.waitMs = waitMs;
  }
}

/** Puts such a job back for a while; to BullMQ, which counts by the local clock, that is neither an end nor a failure. */
export async function putBack(
  job: Job,
  { token, waitMs }: { token: string | undefined; waitMs: number },
): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMs, token);
  throw new DelayedError();
}
