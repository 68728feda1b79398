/** The text for whoever waits long: once per turn, and never where the answer may have gone out unseen. */
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';
import { isUnheard, windowEnd, wishOf } from './wish.ts';

/** Two must remain: this one, and the answer. */
const sendsNeeded = 2;

/** When the next interim text is due; Infinity: none. */
export function interimDue(rules: Rules, state: State, at: number): number {
  const { interim, sendsPerMessage } = rules;
  if (!interim || rules.mode === 'off' || state.lastInteractionAt === null) return Infinity;
  if (sendsPerMessage > 0 && sendsPerMessage - state.sends < sendsNeeded) return Infinity;
  return Math.min(...state.turns.map((turn) => dueFor(rules, state, { turn, at })), Infinity);
}

function dueFor(rules: Rules, state: State, { turn, at }: { turn: Turn; at: number }): number {
  if (turn.interim || turn.hushed || turn.replied !== null || isUnheard(rules, turn)) return Infinity;
  const after = rules.interim?.after ?? null;
  if (after !== null) return turn.openedAt + after;
  if (state.refusal?.why === 'window') return at;
  // Without one, the window's end counts where a show would be wanted and can no more be had.
  return wishOf(rules, turn, at) === 'show' ? Math.max(state.showAt, windowEnd(rules, state)) : Infinity;
}

/** One text serves all who wait now. */
export function withInterim(state: State): State {
  return { ...state, turns: state.turns.map((turn) => ({ ...turn, interim: true })) };
}
