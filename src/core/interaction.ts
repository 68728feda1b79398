import type { Rules } from './rules.ts';
import type { State } from './state.ts';

export interface Clearing {
  /** When the message went out, or is about to. */
  at: number;
  /** No show before. */
  showAt: number;
}

/** A message to the user goes out: what is lit goes dark, and a show in flight may land on either side of it. */
export function cleared(rules: Rules, state: State, { at, showAt }: Clearing): State {
  if (!rules.messageClears) return state;
  const { call, indicator } = state;
  if (call?.kind === 'show' && call.at <= at) return { ...state, showAt, call: { ...call, crossed: true } };
  if (indicator.is === 'maybe' || (indicator.is === 'lit' && indicator.since > at)) return state;
  return {
    ...state,
    again: 0,
    showAt,
    indicator: indicator.is === 'lit' ? { ...indicator, is: 'cleared' } : indicator,
  };
}

export function interacted(state: State, at: number): State {
  const refusal = state.refusal?.why === 'window' ? null : state.refusal;
  return { ...state, refusal, lastInteractionAt: Math.max(at, state.lastInteractionAt ?? 0) };
}

/** A message to the user may have gone out some time before: what is lit may be dark by now. */
export function doubted(rules: Rules, state: State, at: number): State {
  const { call, indicator } = state;
  if (!rules.messageClears) return state;
  if (call?.kind === 'show' && call.at <= at) return { ...state, call: { ...call, crossed: true } };
  if (indicator.is !== 'lit' || indicator.since > at) return state;
  return { ...state, again: 0, showAt: at, indicator: { ...indicator, is: 'maybe' } };
}
