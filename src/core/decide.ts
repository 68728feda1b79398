import type { Rules } from './rules.ts';
import type { Call, State, Turn } from './state.ts';
import { turnEnd } from './turns.ts';

interface Decision {
  state: State;
  call: Call | null;
}

interface Moment {
  at: number;
  /** No show, and no text of ours, before. */
  blockedUntil: number;
}

/**
 * Compares what the open turns want with what the phone shows: at most one call, and a wake-up for the next moment at
 * which the answer could be another one.
 */
export function decide(
  rules: Rules,
  state: State,
  { by, mayCall, ...moment }: Moment & { by: string; mayCall: boolean },
): Decision {
  if (state.call) return { state, call: null };
  const { at } = moment;
  const kind = callFor(rules, state, moment);
  if (kind && !mayCall) return { state: withAlarm(state, at), call: null };
  if (!kind) return { state: withAlarm(state, nextMoment(rules, state, moment)), call: null };
  const call: Call = { n: state.n + 1, kind, at, by, messageId: messageFor(state), crossed: false };
  return { state: { ...spend(state, call), n: call.n, call }, call };
}

/** Of an account with several numbers: who waits for one is not shown typing by another. */
function messageFor({ turns, messageId }: State): string | null {
  return turns.findLast((turn) => turn.messageId !== undefined)?.messageId ?? messageId;
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
function withAlarm(state: State, due: number): State {
  const { timer } = state;
  if (due === Infinity) return timer ? { ...state, timer: null } : state;
  if (timer && timer.at <= due) return state;
  const n = state.n + 1;
  return { ...state, n, timer: { n, at: due } };
}

/** The text for whoever waits long: once per turn, and never where the answer may have gone out unseen. */

/** Two must remain: this one, and the answer. */
const sendsNeeded = 2;

/** When the next interim text is due; Infinity: none. */
function interimDue(rules: Rules, state: State, at: number): number {
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
function withInterim(state: State): State {
  return { ...state, turns: state.turns.map((turn) => ({ ...turn, interim: true })) };
}

/** Why the phone shows nothing, for whoever asks: the same conditions as the decisions themselves. */

export type Reason =
  /** Nobody waits for an answer. */
  | 'nobody_waits'
  /** The last thing that the user did is of a kind that starts nothing. */
  | 'event_kind'
  /** A human has the conversation. */
  | 'paused'
  | 'mode_off'
  /** The platform has refused the account. */
  | 'no_permission'
  /** The longest time that a message shows typing is over. */
  | 'cap'
  /** The bot has switched its own indicator off. */
  | 'bot_cancelled'
  /** The first show of a message waits for a while. */
  | 'start_delay'
  /** A message went out just now, or is about to. */
  | 'message_sent'
  /** The bot has acknowledged; whether it has answered since is not seen. */
  | 'acknowledged'
  /** One indicator per message, and that was it. */
  | 'mode_once'
  /** The last message in either direction is too long ago. */
  | 'window_closed'
  /** The platform refuses this message's id, this user, the account for a while. */
  | 'message_refused'
  | 'user_refused'
  | 'platform_limit'
  /** The platform failed several times: calls pause. */
  | 'breaker'
  /** As many calls as one conversation may have in a minute. */
  | 'budget'
  /** A call is under way, or due in a moment. */
  | 'calling';

export interface Dark {
  reason: Reason;
  /** When this ends by itself (ms); null: not by itself, or not known. */
  until: number | null;
  /** The platform's code behind it. */
  code: number | null;
}

/** null: the indicator shows, as far as is known. */
export function whyDark(
  rules: Rules,
  state: State,
  { at, blockedUntil }: { at: number; blockedUntil: number },
): Dark | null {
  const { indicator, turns, pausedUntil } = state;
  if ((indicator.is === 'lit' || indicator.is === 'maybe') && indicator.until > at) return null;
  if (turns.length === 0) return at < pausedUntil ? dark('paused', pausedUntil) : idle(state);
  if (rules.mode === 'off') return dark('mode_off');
  if (wishAt(rules, state, at) !== 'show') return unwished(rules, state, at);
  const { refusal } = state;
  if (refusal && (refusal.until ?? Infinity) > at) return refused(refusal);
  const window = windowEnd(rules, state);
  if (Math.max(at, state.showAt) >= window) return dark('window_closed');
  if (blockedUntil > at) return dark('message_sent', blockedUntil);
  const budget = budgetFrom(rules, state);
  return budget > at ? dark('budget', budget) : dark('calling', Math.max(at, state.showAt));
}

function idle({ skipped, ended }: State): Dark {
  const last = ended.at(-1)?.at ?? 0;
  return dark(skipped && skipped.at >= last && skipped.why === 'event_kind' ? 'event_kind' : 'nobody_waits');
}

/** Of several turns the newest speaks for all. */
function unwished(rules: Rules, { turns }: State, at: number): Dark {
  const turn = turns.at(-1);
  if (!turn) return dark('nobody_waits');
  if (at >= turn.openedAt + rules.cap) return dark('cap');
  if (turn.hushed) return dark('bot_cancelled');
  const from = showsFrom(rules, turn);
  if (at < from) return dark(at < turn.darkUntil ? 'message_sent' : 'start_delay', from);
  return onceOnly(rules, turn);
}

function onceOnly(rules: Rules, turn: Turn): Dark {
  return dark(isUnheard(rules, turn) ? 'acknowledged' : 'mode_once');
}

function refused({ why, code, until }: NonNullable<State['refusal']>): Dark {
  const reasons = {
    window: 'window_closed',
    message: 'message_refused',
    user: 'user_refused',
    // Code 0 is our own: no call went out.
    account: code === 0 ? 'breaker' : 'platform_limit',
  } as const;
  return { reason: reasons[why], until, code: code === 0 ? null : code };
}

function dark(reason: Reason, until: number | null = null): Dark {
  return { reason, until: until === Infinity ? null : until, code: null };
}

/** What the open turns want to be shown, and from when it may be. */

type Wish = 'none' | 'keep' | 'show';

/** The strongest wish of the open turns: show it, keep what is lit, or nothing. */
export function wishAt(rules: Rules, state: State, at: number): Wish {
  const wishes = state.turns.map((turn) => wishOf(rules, turn, at));
  return wishes.includes('show') ? 'show' : wishes.includes('keep') ? 'keep' : 'none';
}

function wishOf(rules: Rules, turn: Turn, at: number): Wish {
  if (rules.mode === 'off' || turn.hushed) return 'none';
  if (at < showsFrom(rules, turn) || at >= turn.openedAt + rules.cap) return 'none';
  return isOnceOnly(rules, turn) && turn.shown ? 'keep' : 'show';
}

/** After a bare acknowledgement nobody may ever say that the answer is out. */
function isOnceOnly(rules: Rules, turn: Turn): boolean {
  return rules.mode === 'once' || isUnheard(rules, turn);
}

function isUnheard(rules: Rules, turn: Turn): boolean {
  return turn.phase === 'acknowledged' && rules.afterAck === 'keep' && !turn.renews && turn.replied === null;
}

function showsFrom(rules: Rules, turn: Turn): number {
  return Math.max(turn.openedAt + (turn.shown ? 0 : rules.startDelay), turn.darkUntil);
}

/** The earliest moment for the next show; Infinity when none is allowed before something else happens. */
function showDue(
  rules: Rules,
  state: State,
  { at, blockedUntil }: { at: number; blockedUntil: number },
): number {
  const { refusal } = state;
  if (refusal && refusal.until === null) return Infinity;
  const due = Math.max(at, state.showAt, refusal?.until ?? 0, budgetFrom(rules, state), blockedUntil);
  return due < windowEnd(rules, state) ? due : Infinity;
}

const minute = 60_000;

/** When the conversation may have its next call of this minute's; 0: now. */
function budgetFrom(rules: Rules, { spent }: State): number {
  return spent.shows >= rules.showsPerMinute ? spent.since + minute : 0;
}

export function windowEnd(rules: Rules, { lastInteractionAt }: State): number {
  return lastInteractionAt === null ? 0 : lastInteractionAt + rules.window - rules.windowMargin;
}
