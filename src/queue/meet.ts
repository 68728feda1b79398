import type { Place } from '../core/roster.ts';
import { Postponed } from '../typing/shares.ts';

/** Resolves when the account of a job is known here, if there is one. */
export type Meet = (place: Place) => Promise<void>;

/** Until Redis says more (ms). */
const pause = 1_000;

/** A web process may know an account a moment before this one does: its jobs are not to fail for that. */
export function createMeet({
  isKnown,
  lookAgain,
}: {
  isKnown: (place: Place) => boolean;
  lookAgain: () => Promise<void>;
}): Meet {
  return async (place) => {
    if (isKnown(place)) return;
    await lookAgain().catch(() => {
      throw new Postponed(pause);
    });
  };
}
