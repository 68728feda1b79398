import type { Rules } from '../core/rules.ts';
import type { State } from '../core/state.ts';

/** A quiet conversation's state is kept a while, so that repeats and stragglers find their turn ended. */
const quietKept = 15 * 60_000;

/** How long a state is kept (ms). */
export function keptFor(rules: Rules, { turns, call, pausedUntil }: State, now: number): number {
  const busy = turns.length > 0 || call !== null;
  return Math.ceil(quietKept + Math.max(busy ? rules.deadline : 0, pausedUntil - now));
}

/** A hide that is still to come needs the state. */
export function isForgotten({ forgotten, call, timer }: State): boolean {
  return forgotten && call === null && timer === null;
}
