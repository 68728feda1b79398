/** How the accounts share a process's places: one that hangs must not fill those of the others. */
import type { Place } from '../core/sight.ts';

export interface Shares {
  /** @param most The account's own limit. @default none */
  isCrowded(place: Place, most?: number | null): boolean;
  /** `job`: the one that was turned away before, if it was. */
  enter(place: Place, job?: string): void;
  /** The job comes again later. Returns how many of the account's do, as far as this process knows. */
  turnAway(place: Place, job: string): number;
  leave(place: Place): void;
}

export interface SharesOptions {
  /** All that there are. */
  places: number;
  /** So many are kept from any one account, for what must not wait. */
  reserve: number;
  /** How many accounts there are now. */
  accounts: () => number;
}

/** Whatever the number of accounts, each gets so many. */
const least = 8;
const waitingKept = 10_000;

/** While half of the places are free an account takes what it needs; then no more than its share. */
export function createShares({ places, reserve, accounts }: SharesOptions): Shares {
  const taken = new Map<string, number>();
  const waiting = new Map<string, Set<string>>();
  const limit = Math.max(least, places - reserve);
  let all = 0;
  const of = (place: Place): number => taken.get(idOf(place)) ?? 0;
  const change = (place: Place, by: 1 | -1): void => {
    const now = of(place) + by;
    if (now === 0) taken.delete(idOf(place));
    else taken.set(idOf(place), now);
    all += by;
  };
  return {
    isCrowded: (place, most) => {
      const own = of(place);
      const share = Math.max(least, Math.floor(limit / Math.max(1, accounts())));
      return own >= Math.min(limit, most ?? limit) || (own >= share && all >= places / 2);
    },
    enter: (place, job = '') => {
      waiting.get(idOf(place))?.delete(job);
      change(place, 1);
    },
    turnAway: (place, job) => {
      const here = waiting.get(idOf(place)) ?? new Set();
      // Other processes take some of them: those are never seen again.
      if (here.size >= waitingKept) here.clear();
      waiting.set(idOf(place), here.add(job));
      return here.size;
    },
    leave: (place) => change(place, -1),
  };
}

function idOf({ channel, account }: Place): string {
  return `${channel}/${account}`;
}
