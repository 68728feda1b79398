/** Why the phone shows nothing, for whoever asks: the same conditions as the decisions themselves. */
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';
import { budgetFrom, isUnheard, showsFrom, windowEnd, wishAt } from './wish.ts';

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
