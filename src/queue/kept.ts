import type { Rules } from '../core/rules.ts';
import type { State } from '../core/state.ts';

/** A quiet conversation's state is kept a while, so that repeats and stragglers find their turn ended. */
const quietKept = 15 * 60_000;

/**
 * Of somebody who has written nothing lately there is only what was sent, which may be one message to each of many
 * thousands. It is kept for as long as a push, or the platform's word of the message, may come after it.
 */
const strangerKept = 2 * 60_000;

/** How long a state is kept (ms). */
export function keptFor(rules: Rules, state: State, now: number): number {
  const { turns, call, pausedUntil } = state;
  const busy = turns.length > 0 || call !== null;
  if (!busy && pausedUntil <= now && isStranger(state)) return strangerKept;
  return Math.ceil(quietKept + Math.max(busy ? rules.deadline : 0, pausedUntil - now));
}

function isStranger({ ended, messageId, timer, indicator, skipped }: State): boolean {
  const wrote = ended.length > 0 || messageId !== null || skipped !== null;
  return !wrote && timer === null && indicator.is === 'dark';
}

/** A hide that is still to come needs the state. */
export function isForgotten({ forgotten, call, timer }: State): boolean {
  return forgotten && call === null && timer === null;
}
