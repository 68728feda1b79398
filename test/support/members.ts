/** The members of the unions that notices are made of: one left out, or one too many, does not compile. */
import type { DeliveryWay, Untyped } from '../../src/core/notice.ts';
import type { Outcome } from '../../src/core/platform.ts';
import type { Call, Evidence, Pause } from '../../src/core/state.ts';

/** A record needs every value of its type: what the product learns to say has to be added here. */
export function all<T extends string>(values: Record<T, true>): T[] {
  return Object.keys(values) as T[];
}

export const ways = all<DeliveryWay>({
  inline: true,
  sent: true,
  refused: true,
  impossible: true,
  failed: true,
  unknown: true,
  passed: true,
});
export const outcomes = all<Outcome['is']>({
  done: true,
  already: true,
  'window-closed': true,
  'message-refused': true,
  'user-back-off': true,
  'account-back-off': true,
  'account-off': true,
  failed: true,
  lost: true,
});
export const evidences = all<Evidence>({
  'passive-reply': true,
  status: true,
  echo: true,
  gateway: true,
  queue: true,
  control: true,
  bot: true,
  'reply-failed': true,
  deliveries: true,
  deadline: true,
  handoff: true,
  left: true,
  crowded: true,
});
export const reasons = all<Untyped>({
  answered_first: true,
  not_accepted: true,
  shed: true,
  nobody_waits: true,
  event_kind: true,
  paused: true,
  mode_off: true,
  no_permission: true,
  cap: true,
  bot_cancelled: true,
  start_delay: true,
  message_sent: true,
  acknowledged: true,
  mode_once: true,
  window_closed: true,
  message_refused: true,
  user_refused: true,
  platform_limit: true,
  breaker: true,
  budget: true,
  calling: true,
});
export const pauses = all<Pause>({ control: true, session: true, transfer: true, echo: true });
export const kinds = all<Call['kind']>({ show: true, hide: true, interim: true });
