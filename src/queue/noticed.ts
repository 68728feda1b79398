/** What the judging of an event says to whoever observes. */
import type { Measured, Measures } from '../core/measure.ts';
import type { Notice, Untyped } from '../core/notice.ts';
import type { Conversation } from '../core/platform.ts';
import type { Event } from '../core/state.ts';

export interface Judged {
  conversation: Conversation;
  event: Event;
  measures: Measures;
  /** The platform has refused the account: that is why its typing is off. */
  isOff: boolean;
  at: number;
}

export function noticesOf(judged: Judged): Notice[] {
  const { conversation, measures, at } = judged;
  const { ended, skipped, ghostMs } = measures;
  return [
    ...seenIn(judged),
    ...ended.filter(({ seen }) => seen).map((turn) => endOf(judged, turn)),
    ...(skipped ? [{ is: 'skipped', at, ...conversation, ...skipped } as const] : []),
    ...(ghostMs > 0 ? [{ is: 'ghost', at, ...conversation, ms: ghostMs } as const] : []),
  ];
}

function seenIn({ conversation, event, at }: Judged): Notice[] {
  switch (event.is) {
    case 'message':
      return [{ is: 'seen', at, ...conversation, by: event.by, messageId: event.id }];
    case 'paused':
    case 'resumed':
      return [{ is: 'handoff', at, ...conversation, on: event.is === 'paused', by: event.by }];
    default:
      return [];
  }
}

function endOf({ conversation, isOff }: Judged, turn: Measured): Notice {
  const { id, by, at, openedAt, litMs, firstMs, untyped } = turn;
  const waitMs = Math.max(0, at - openedAt);
  const reason: Untyped | null = isOff && untyped === 'mode_off' ? 'no_permission' : untyped;
  return { is: 'ended', at, ...conversation, turn: id, by, waitMs, litMs, firstMs, untyped: reason };
}
