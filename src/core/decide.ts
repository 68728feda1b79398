import type { Rules } from './rules.ts';
import type { Call, State, Turn } from './state.ts';
import { turnEnd } from './turns.ts';

export interface Decision {
  state: State;
  call: Call | null;
  arm: { n: number; at: number } | null;
  disarm: number | null;
}

/**
 * Compares what the open turns want with what the phone shows: at most one call, and a wake-up for the next moment at
 * which the answer could be another one.
 */
export function decide(rules: Rules, state: State, { at, by }: { at: number; by: string }): Decision {
  if (state.call) return { state, call: null, arm: null, disarm: null };
  const kind = callFor(rules, state, at);
  if (!kind) return { ...alarm(state, nextMoment(rules, state, at)), call: null };
  const call: Call = { n: state.n + 1, kind, at, by, messageId: state.messageId, crossed: false };
  const spent = kind === 'show' ? spend(state, at) : state.spent;
  return { state: { ...state, n: call.n, call, spent }, call, arm: null, disarm: null };
}

function spend({ spent }: State, at: number): State['spent'] {
  return at >= spent.since + minute
    ? { since: at, shows: 1 }
    : { since: spent.since, shows: spent.shows + 1 };
}

const minute = 60_000;

function callFor(rules: Rules, state: State, at: number): Call['kind'] | null {
  const { indicator } = state;
  const wish = wishAt(rules, state, at);
  const showing = indicator.is === 'lit' || indicator.is === 'maybe';
  if (wish === 'none') return rules.hides && showing && at >= state.hideAt ? 'hide' : null;
  return wish === 'show' && at >= showDue(rules, state, at) ? 'show' : null;
}

type Wish = 'none' | 'keep' | 'show';

/** The strongest wish of the open turns: show it, keep what is lit, or nothing. */
function wishAt(rules: Rules, state: State, at: number): Wish {
  const wishes = state.turns.map((turn) => wishOf(rules, turn, at));
  return wishes.includes('show') ? 'show' : wishes.includes('keep') ? 'keep' : 'none';
}

function wishOf(rules: Rules, turn: Turn, at: number): Wish {
  const mayShow = rules.mode !== 'off' && at >= showsFrom(rules, turn) && at < turn.openedAt + rules.cap;
  if (!mayShow) return 'none';
  const onceOnly = rules.mode === 'once' || (turn.phase === 'acknowledged' && rules.afterAck === 'keep');
  return onceOnly && turn.shown ? 'keep' : 'show';
}

function showsFrom(rules: Rules, turn: Turn): number {
  return Math.max(turn.openedAt + (turn.shown ? 0 : rules.startDelay), turn.darkUntil);
}

/** The earliest moment for the next show; Infinity when none is allowed before something else happens. */
function showDue(rules: Rules, state: State, at: number): number {
  const { refusal, spent } = state;
  if (refusal && refusal.until === null) return Infinity;
  const budget = spent.shows >= rules.showsPerMinute ? spent.since + minute : 0;
  const due = Math.max(at, state.showAt, refusal?.until ?? 0, budget);
  return due < windowEnd(rules, state) ? due : Infinity;
}

function windowEnd(rules: Rules, { lastInteractionAt }: State): number {
  return lastInteractionAt === null ? 0 : lastInteractionAt + rules.window - rules.windowMargin;
}

function nextMoment(rules: Rules, state: State, at: number): number {
  const wish = wishAt(rules, state, at);
  const { indicator } = state;
  const hide = rules.hides && (indicator.is === 'lit' || indicator.is === 'maybe') ? state.hideAt : Infinity;
  const moments = state.turns.flatMap((turn) => [
    showsFrom(rules, turn),
    turn.openedAt + rules.cap,
    turnEnd(rules, turn),
  ]);
  moments.push(wish === 'show' ? showDue(rules, state, at) : Infinity, wish === 'none' ? hide : Infinity);
  return Math.min(...moments.filter((moment) => moment > at), Infinity);
}

/** An alarm that is armed for earlier will do: it is armed again when it turns out to be early. */
function alarm(state: State, due: number): Omit<Decision, 'call'> {
  const { timer } = state;
  if (due === Infinity) return { state: { ...state, timer: null }, arm: null, disarm: timer?.n ?? null };
  if (timer && timer.at <= due) return { state, arm: null, disarm: null };
  const arm = { n: state.n + 1, at: due };
  return { state: { ...state, n: arm.n, timer: arm }, arm, disarm: null };
}
