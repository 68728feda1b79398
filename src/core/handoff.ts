import type { Pause, State } from './state.ts';
import { endTurns } from './turns.ts';

/** A human takes the conversation: who waits now waits for that human. A longer pause is not cut short by another. */
export function handOver(state: State, { at, until, by }: { at: number; until: number; by: Pause }): State {
  const ended = endTurns(state, at, () => 'handoff');
  if (by !== 'control' && until <= state.pausedUntil) return ended;
  // What was written before has been left to the human.
  return { ...ended, pausedUntil: until, pausedBy: by, skipped: null, forgotten: false };
}

export function resumed(state: State): State {
  return { ...state, pausedUntil: 0, pausedBy: null };
}
