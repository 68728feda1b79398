import type { Pause, State } from './state.ts';
import { endTurns } from './turns.ts';

/** A human takes the conversation: who waits now waits for that human. A longer pause is not cut short by another. */
export function handOver(state: State, { at, until, by }: { at: number; until: number; by: Pause }): State {
  // Events can be judged in another order than they happened.
  if (at < state.pauseChangedAt) return state;
  const ended = {
    ...endTurns(state, at, ({ openedAt }) => (openedAt < until ? 'handoff' : null)),
    pauseChangedAt: at,
    // What was written before has been left to the human.
    skipped: null,
  };
  if (by !== 'control' && until <= state.pausedUntil) return ended;
  return { ...ended, pausedUntil: until, pausedBy: by, forgotten: false };
}

export function resumed(state: State, { at, by }: { at: number; by: Pause }): State {
  if (at < state.pauseChangedAt || (state.pausedBy === 'control' && by !== 'control')) return state;
  return { ...state, pausedUntil: 0, pausedBy: null, pauseChangedAt: at };
}
