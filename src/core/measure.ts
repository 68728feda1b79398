/** How long the indicator ran for whoever waited, as far as the platform's answers tell: counted as time passes. */
import { whyDark, windowEnd } from './decide.ts';
import type { Notice, Untyped } from './notice.ts';
import type { Conversation } from './platform.ts';
import type { Rules } from './rules.ts';
import type { EndedTurn, Event, State, Turn } from './state.ts';
import { endOf, isOpen } from './turns.ts';

/** A turn that is over, and what it was like for its user; where its message is not `seen`, nobody has waited. In ms. */
export interface Measured extends EndedTurn {
  litMs: number;
  /** From the message to the first accepted indicator; null: there was none. */
  firstMs: number | null;
  /** Why there was none. */
  untyped: Untyped | null;
}

export interface Measures {
  ended: Measured[];
  /** A message that opened no turn, or one that was over already. */
  skipped: { turn: string; reason: Untyped } | null;
  /** So long an indicator has outlived, or will at most outlive, the last turn that it was for. */
  ghostMs: number;
  /** A message has followed the one that had ended the wait, and nobody has written meanwhile. */
  isMore: boolean;
}

export const nothingMeasured: Measures = { ended: [], skipped: null, ghostMs: 0, isMore: false };

/** Adds what has passed since the last count to the turns that are open. */
export function count(state: State, at: number): State {
  const { indicator, countedAt, turns } = state;
  if (at <= countedAt) return state;
  if (indicator.is !== 'lit' || turns.length === 0) return { ...state, countedAt: at };
  const counted = turns.map((turn): Turn => {
    const from = Math.max(countedAt, indicator.since, turn.openedAt);
    const ms = Math.min(at, indicator.until) - from;
    return ms > 0 ? { ...turn, litFrom: turn.litFrom ?? from, litMs: turn.litMs + ms } : turn;
  });
  return { ...state, turns: counted, countedAt: at };
}

interface Counting {
  /** Counted up to `at`. */
  before: State;
  after: State;
  event: Event;
  /** When it was counted before. */
  from: number;
  at: number;
  blockedUntil: number;
}

export function measure(rules: Rules, change: Counting): Measures {
  return {
    ended: endedBy(rules, change),
    skipped: skippedBy(change),
    ghostMs: ghostOf(rules, change),
    isMore: isMore(change),
  };
}

/** An agent that works on for longer after it has said something has not said it within this (ms). */
const moreWithin = 60_000;

function isMore({ before, after, event }: Counting): boolean {
  if (event.is !== 'message' || event.by === 'echo' || before.turns.length > 0) return false;
  const last = before.ended.at(-1);
  const isNew = event.id === null || !before.heard.includes(event.id);
  const wasSent = last?.by === 'gateway' || last?.by === 'status';
  return isNew && wasSent && event.at - last.at < moreWithin && (after.lastInteractionAt ?? 0) <= event.at;
}

function endedBy(rules: Rules, { before, after, event, at, blockedUntil }: Counting): Measured[] {
  const known = new Map(before.ended.map(({ id, seen }) => [id, seen]));
  const ended = after.ended.filter(({ id, seen }) => (known.get(id) ?? null) !== seen);
  return ended.map((end) => {
    const turn = before.turns.find(({ id }) => id === end.id);
    // Its end was known before its message: now it is a turn like another.
    if (known.has(end.id))
      return { ...end, openedAt: event.at, litMs: 0, firstMs: null, untyped: 'answered_first' };
    if (!turn) return { ...end, litMs: 0, firstMs: null, untyped: 'answered_first' };
    const wait = Math.max(0, end.at - turn.openedAt);
    const litMs = Math.min(turn.litMs, wait);
    if (turn.litFrom !== null) return { ...end, litMs, firstMs: turn.litFrom - turn.openedAt, untyped: null };
    const untyped = untypedBecause(rules, { ...before, turns: [turn] }, { at, blockedUntil });
    return { ...end, litMs, firstMs: null, untyped };
  });
}

/** That the cap, or the window, was over in the end says nothing of why there was none before. */
function untypedBecause(
  rules: Rules,
  state: State,
  { at, blockedUntil }: { at: number; blockedUntil: number },
): Untyped {
  const openedAt = state.turns[0]?.openedAt ?? at;
  const over = Math.min(at, openedAt + rules.cap - 1, windowEnd(rules, state) - 1);
  const moment = Math.max(openedAt, over);
  const reason = whyDark(rules, { ...state, showAt: 0 }, { at: moment, blockedUntil })?.reason ?? 'calling';
  if (reason !== 'calling' && reason !== 'start_delay' && reason !== 'message_sent') return reason;
  // After a call that came to nothing, the next one waits.
  const hasFailed = state.call === null && state.showAt > openedAt;
  return hasFailed || at - openedAt >= rules.callLimit ? 'not_accepted' : 'answered_first';
}

function skippedBy({ before, after, event }: Counting): Measures['skipped'] {
  if (event.is !== 'inbound' || isOpen(before, event.turn) || isOpen(after, event.turn)) return null;
  const { turn } = event;
  if (endOf(after, turn)) return null;
  const { skipped } = after;
  return skipped && skipped !== before.skipped ? { turn, reason: skipped.why } : null;
}

/**
 * Where nothing takes an indicator away, its whole rest is a ghost as soon as nobody waits; elsewhere it is counted
 * until it is gone.
 */
function ghostOf({ hides }: Rules, { before, after, from, at }: Counting): number {
  if (hides) return before.turns.length === 0 ? running(before, { from, to: at }) : 0;
  const isLast = before.turns.length > 0 && after.turns.length === 0;
  return isLast ? running(after, { from: at, to: Infinity }) : 0;
}

/** For so much of the time the indicator ran, or may have run. */
function running({ indicator }: State, { from, to }: { from: number; to: number }): number {
  if (indicator.is !== 'lit' && indicator.is !== 'maybe') return 0;
  return Math.max(0, Math.min(to, indicator.until) - Math.max(from, indicator.since));
}

/** What the judging of an event says to whoever observes. */

interface Judged {
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
    ...outboundIn(judged),
    ...ended.filter(({ seen }) => seen).map((turn) => endedNotice(judged, turn)),
    ...(skipped ? [{ is: 'skipped', at, ...conversation, ...skipped } as const] : []),
    ...(ghostMs > 0 ? [{ is: 'ghost', at, ...conversation, ms: ghostMs } as const] : []),
  ];
}

function outboundIn({ conversation, event, measures, at }: Judged): Notice[] {
  switch (event.is) {
    case 'message':
      return [
        { is: 'outbound', at, ...conversation, by: event.by, messageId: event.id, isMore: measures.isMore },
      ];
    case 'paused':
    case 'resumed':
      return [{ is: 'handoff', at, ...conversation, on: event.is === 'paused', by: event.by }];
    default:
      return [];
  }
}

function endedNotice({ conversation, isOff }: Judged, turn: Measured): Notice {
  const { id, by, at, openedAt, litMs, firstMs, untyped } = turn;
  const waitMs = Math.max(0, at - openedAt);
  const isForbidden = isOff && (untyped === 'mode_off' || untyped === 'platform_limit');
  const reason: Untyped | null = isForbidden ? 'no_permission' : untyped;
  return { is: 'ended', at, ...conversation, turn: id, by, waitMs, litMs, firstMs, untyped: reason };
}
