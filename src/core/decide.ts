import { interimDue, withInterim } from './interim.ts';
import type { Rules } from './rules.ts';
import type { Call, State } from './state.ts';
import { turnEnd } from './turns.ts';
import { minute, showDue, showsFrom, wishAt } from './wish.ts';

export interface Decision {
  state: State;
  call: Call | null;
  arm: { n: number; at: number } | null;
  disarm: number | null;
}

export interface Moment {
  at: number;
  /** No show, and no text of ours, before. */
  blockedUntil: number;
}

/**
 * Compares what the open turns want with what the phone shows: at most one call, and a wake-up for the next moment at
 * which the answer could be another one.
 */
export function decide(rules: Rules, state: State, { by, ...moment }: Moment & { by: string }): Decision {
  if (state.call) return { state, call: null, arm: null, disarm: null };
  const { at } = moment;
  const kind = callFor(rules, state, moment);
  if (!kind) return { ...alarm(state, nextMoment(rules, state, moment)), call: null };
  const call: Call = { n: state.n + 1, kind, at, by, messageId: state.messageId, crossed: false };
  return { state: { ...spend(state, call), n: call.n, call }, call, arm: null, disarm: null };
}

function spend(state: State, { kind, at }: Call): State {
  if (kind === 'interim') return withInterim(state);
  if (kind === 'hide') return state;
  const { since, shows } = state.spent;
  return { ...state, spent: at >= since + minute ? { since: at, shows: 1 } : { since, shows: shows + 1 } };
}

function callFor(rules: Rules, state: State, moment: Moment): Call['kind'] | null {
  const { indicator } = state;
  const { at } = moment;
  if (at >= Math.max(interimDue(rules, state, at), moment.blockedUntil)) return 'interim';
  const wish = wishAt(rules, state, at);
  const showing = indicator.is === 'lit' || indicator.is === 'maybe';
  if (wish === 'none') return rules.hides && showing && at >= state.hideAt ? 'hide' : null;
  return wish === 'show' && at >= showDue(rules, state, moment) ? 'show' : null;
}

function nextMoment(rules: Rules, state: State, moment: Moment): number {
  const { at } = moment;
  const wish = wishAt(rules, state, at);
  const { indicator } = state;
  const hide = rules.hides && (indicator.is === 'lit' || indicator.is === 'maybe') ? state.hideAt : Infinity;
  const moments = state.turns.flatMap((turn) => [
    showsFrom(rules, turn),
    turn.openedAt + rules.cap,
    turnEnd(rules, turn),
  ]);
  moments.push(
    wish === 'show' ? showDue(rules, state, moment) : Infinity,
    wish === 'none' ? hide : Infinity,
    Math.max(interimDue(rules, state, at), moment.blockedUntil),
  );
  return Math.min(...moments.filter((each) => each > at), Infinity);
}

/** An alarm that is armed for earlier will do: it is armed again when it turns out to be early. */
function alarm(state: State, due: number): Omit<Decision, 'call'> {
  const { timer } = state;
  if (due === Infinity) return { state: { ...state, timer: null }, arm: null, disarm: timer?.n ?? null };
  if (timer && timer.at <= due) return { state, arm: null, disarm: null };
  const arm = { n: state.n + 1, at: due };
  return { state: { ...state, n: arm.n, timer: arm }, arm, disarm: null };
}
