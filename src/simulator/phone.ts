/** A phone's timeline as pure data: what happened when, and from that, when "typing…" could be seen. */
import type { Channel } from '../core/platform.ts';

export type What =
  /** The user sent a message (or acted); detail: its text or kind. */
  | 'sent'
  /** The indicator came on, or on again while lit. */
  | 'typing-on'
  /** It went; detail: `expired`, `cancelled` or `message`. */
  | 'typing-off'
  /** A message reached the phone; detail: its text, or `[kind]`. */
  | 'received'
  /** An API call about this user arrived; detail: its command. */
  | 'call'
  /** That call was refused; detail: the code. */
  | 'refused'
  /** A call was accepted and changed nothing on the phone; detail: why. */
  | 'wasted'
  /** Blue ticks; detail: the message id. */
  | 'read'
  /** The platform's own "service unavailable" line; detail: why. */
  | 'notice'
  /** The conversation was passed to a human agent. */
  | 'handed-over';

export interface Mark {
  channel: Channel;
  user: string;
  /** ms since 1970 on the simulator's clock. */
  at: number;
  what: What;
  detail: string;
  /** How a received message came. */
  via?: 'passive' | 'api';
}

/** Lit from `from` up to, not including, `to`; both ms since 1970. */
export interface Interval {
  from: number;
  to: number;
}

/**
 * When the indicator was lit, by the rules alone: every `typing-on` lights for `lifetime` ms unless a `typing-off`
 * comes first. A running indicator counts to the end that the rules give it, however late a timer may mark that end.
 */
export function litIntervals(marks: readonly Mark[], lifetime: number): Interval[] {
  const intervals: Interval[] = [];
  for (const { at, what } of marks) {
    const last = intervals.at(-1);
    const running = last !== undefined && at < last.to ? last : null;
    if (what === 'typing-on' && running === null) intervals.push({ from: at, to: at + lifetime });
    if (what === 'typing-on' && running !== null) running.to = at + lifetime;
    if (what === 'typing-off' && running !== null) running.to = at;
  }
  return intervals.filter(({ from, to }) => to > from);
}

/** How many ms of [from, to] were lit. */
export function litWithin(intervals: readonly Interval[], span: Interval): number {
  const shares = intervals.map(({ from, to }) => Math.min(to, span.to) - Math.max(from, span.from));
  return shares.filter((share) => share > 0).reduce((sum, share) => sum + share, 0);
}

/** The lit share of [from, to], 0 to 1. Of an empty span: 1, as nothing was left uncovered. */
export function coverOf(intervals: readonly Interval[], span: Interval): number {
  return span.to <= span.from ? 1 : litWithin(intervals, span) / (span.to - span.from);
}
