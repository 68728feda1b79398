import type { Rules } from './rules.ts';
import type { State } from './state.ts';
import { wishAt } from './wish.ts';

/** The bot's own indicator, on its way through the gateway: it is what shows, and ours must not fight it. */
export function typed(rules: Rules, state: State, { on, at }: { on: boolean; at: number }): State {
  return on ? switchedOn(rules, state, at) : switchedOff(rules, state, at);
}

function switchedOn(rules: Rules, state: State, at: number): State {
  const turns = state.turns.map((turn) => ({ ...turn, hushed: false, shown: true, darkUntil: 0 }));
  const next = { ...state, turns };
  // Where we would show nothing it is the bot's alone, and none of ours to take away.
  if (wishAt(rules, next, at) === 'none') return next;
  const { indicator } = state;
  if (indicator.is === 'lit' && indicator.until > at) return next;
  const until = at + rules.lifetime;
  const showAt = until + rules.renewMargin;
  return { ...next, again: 0, showAt, indicator: { is: 'lit', since: at, until } };
}

function switchedOff(rules: Rules, state: State, at: number): State {
  const turns = state.turns.map((turn) => (turn.openedAt <= at ? { ...turn, hushed: true } : turn));
  const { call, indicator } = state;
  // A show of ours in flight may land after it, and has to be taken back then.
  if (call?.kind === 'show' && call.at <= at) return { ...state, turns, call: { ...call, crossed: true } };
  if (indicator.is === 'dark' || indicator.since > at) return { ...state, turns };
  const off = { ...state, turns, again: 0, showAt: at };
  // One that began while the bot's call was under way may have landed after it, too.
  const isCrossed = indicator.since > at - rules.callLimit;
  return { ...off, indicator: isCrossed ? { ...indicator, is: 'maybe' } : { is: 'dark' } };
}
