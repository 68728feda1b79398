import { interacted } from './outcome.ts';
import type { Rules } from './rules.ts';
import type { Early, EndedTurn, Event, Evidence, State, Turn } from './state.ts';

/** A user who sends more than this without one answer loses the oldest turns, so that a state stays small. */
const openKept = 32;
/** Ends are remembered for this many turns: more than can end at once, and for longer than a job's redelivery takes. */
const endedKept = openKept + 16;

/** Ends the open turns that `over` names evidence for, and leaves the others. */
export function endTurns(state: State, at: number, over: (turn: Turn) => Evidence | null): State {
  const ended: EndedTurn[] = [];
  const turns = state.turns.filter((turn) => {
    const by = over(turn);
    if (by) ended.push(endedOf(turn, { by, at, isAlone: state.turns.length === 1 }));
    return !by;
  });
  return ended.length === 0
    ? state
    : { ...state, turns, ended: [...state.ended, ...ended].slice(-endedKept) };
}

function endedOf(
  { id, renews, openedAt, orphan }: Turn,
  { by, at, isAlone }: { by: Evidence; at: number; isAlone: boolean },
): EndedTurn {
  const isAnswered = orphan && isAlone && (by === 'gateway' || by === 'status');
  return { id, seen: true, by, asked: renews, openedAt, at, ...(isAnswered ? { answered: true } : {}) };
}

/** Ends all that were open at that time. Events can be judged in another order than they happened: newer ones stay. */
export function endAll(state: State, { at, by }: { at: number; by: Evidence }): State {
  return endTurns(state, at, (turn) => (turn.openedAt <= at ? by : null));
}

/** Ends one turn; one that is not open is remembered, so that it cannot be opened by an event that comes late. */
export function endTurn(state: State, end: { turn: string; by: Evidence; at: number }): State {
  if (endOf(state, end.turn)) return state;
  if (isOpen(state, end.turn))
    return endTurns(state, end.at, (turn) => (turn.id === end.turn ? end.by : null));
  const unseen = { id: end.turn, seen: false, by: end.by, asked: false, openedAt: end.at, at: end.at };
  return { ...state, ended: [...state.ended, unseen].slice(-endedKept) };
}

type NewTurn = Pick<Turn, 'id' | 'openedAt' | 'sentAt' | 'phase'> &
  Partial<Pick<Turn, 'renews' | 'deliveries' | 'to' | 'messageId'>>;

/** A turn of which nothing has happened yet. */
export function newTurn(opening: NewTurn): Turn {
  return {
    shown: false,
    renews: false,
    hushed: false,
    interim: false,
    replied: null,
    darkUntil: 0,
    deliveries: 0,
    lapsesAt: null,
    litFrom: null,
    litMs: 0,
    ...opening,
  };
}

function openTurn(state: State, turn: Turn): State {
  // Messages can be judged in another order than they were written.
  const turns = [...state.turns, turn].toSorted((a, b) => a.openedAt - b.openedAt);
  const crowded = turns.length - openKept;
  const next = { ...state, turns };
  return crowded > 0
    ? endTurns(next, turn.openedAt, (each) => (turns.indexOf(each) < crowded ? 'crowded' : null))
    : next;
}

function changeTurn(state: State, id: string, change: (turn: Turn) => Turn): State {
  return { ...state, turns: state.turns.map((turn) => (turn.id === id ? change(turn) : turn)) };
}

export function isOpen(state: State, id: string): boolean {
  return state.turns.some((turn) => turn.id === id);
}

export function endOf(state: State, id: string): EndedTurn | null {
  return state.ended.find((turn) => turn.id === id) ?? null;
}

/** The message of a turn whose end was known before it. */
function markSeen(state: State, id: string): State {
  return { ...state, ended: state.ended.map((turn) => (turn.id === id ? { ...turn, seen: true } : turn)) };
}

/** When a turn ends by itself. */
export function turnEnd(rules: Rules, turn: Turn): number {
  return Math.min(turn.openedAt + rules.deadline, turn.lapsesAt ?? Infinity);
}

type InboundEvent = Extract<Event, { is: 'inbound' }>;

/** A message or an act of the user; its repeats move nothing but the count of deliveries. */
export function inbound(rules: Rules, state: State, event: InboundEvent): State {
  const end = endOf(state, event.turn);
  if (isOpen(state, event.turn) || end?.seen) return repeated(state, event);
  const known = noted(state, event);
  if (end) return markSeen(known, event.turn);
  if (!event.opensTurn) return { ...known, skipped: { why: 'event_kind', at: event.at } };
  if (event.at < state.pausedUntil) return { ...known, skipped: { why: 'paused', at: event.at } };
  return catchUp(rules, openTurn(known, inboundTurn(event)), event);
}

/** The bot had not taken it, and is called again. The user has not written again: no window opens. */
export function again(rules: Rules, state: State, event: { turn: string; at: number }): State {
  const end = endOf(state, event.turn);
  if (end?.by !== 'reply-failed' || end.at > event.at) return state;
  const ended = state.ended.filter((each) => each !== end);
  const turn = newTurn({ id: event.turn, openedAt: event.at, sentAt: 0, phase: 'working' });
  return catchUp(rules, openTurn({ ...state, ended }, turn), event);
}

function repeated(state: State, event: InboundEvent): State {
  if (event.phase !== 'passed') return state;
  return changeTurn(state, event.turn, (turn) => ({
    ...turn,
    deliveries: turn.deliveries + 1,
    lapsesAt: null,
  }));
}

/** Events can be judged in another order than they happened: what is newest goes by their own time. */
function noted(state: State, event: InboundEvent): State {
  const newest = event.at >= (state.lastInteractionAt ?? 0);
  const fresh = { ...state, forgotten: false, sends: newest && event.interaction ? 0 : state.sends };
  const met = event.interaction ? interacted(fresh, event.at) : fresh;
  if (event.messageId === null || event.at < state.messageAt) return met;
  const refusal = met.refusal?.why === 'message' ? null : met.refusal;
  return { ...met, messageId: event.messageId, messageAt: event.at, refusal };
}

function inboundTurn({ turn, at, sentAt, phase, to, messageId }: InboundEvent): Turn {
  return newTurn({
    ...(to === undefined ? {} : { to, ...(messageId === null ? {} : { messageId }) }),
    id: turn,
    openedAt: at,
    sentAt,
    phase: phase === 'acknowledged' ? 'acknowledged' : 'working',
    deliveries: phase === 'passed' ? 1 : 0,
  });
}

/** What was heard of the turn before its message was judged. A message counts only if it came after the user's. */
function catchUp(rules: Rules, opened: State, event: { turn: string; at: number }): State {
  const heard = opened.early
    .filter((each) => (each.is === 'message' ? each.at >= event.at : each.turn === event.turn))
    .toSorted((a, b) => a.at - b.at);
  return heard.reduce((state, early) => hear(rules, state, { turn: event.turn, early }), opened);
}

/** Of the other turns a message has ended its own. */
function hear(rules: Rules, state: State, { turn, early }: { turn: string; early: Early }): State {
  if (early.is === 'message' && early.all) return endTurn(state, { turn, by: early.by, at: early.at });
  const rest = { ...state, early: state.early.filter((each) => each !== early) };
  if (early.is !== 'message') return progress(rules, rest, early);
  const isOwn = ({ id }: Turn): boolean => id === turn;
  const next = outboundSeen(rules, { ...rest, turns: rest.turns.filter(isOwn) }, early);
  return { ...next, turns: rest.turns.flatMap((each) => (isOwn(each) ? next.turns : [each])) };
}

type Acknowledged = Extract<Early, { is: 'acknowledged' }>;
type Missed = Extract<Early, { is: 'missed' }>;
type EarlyMessage = Extract<Early, { is: 'message' }>;

/** More than a burst can bring out of order; older ones belong to turns that are long over. */
const earlyKept = 16;

/** How a turn moves on short of its end; an event that overtook its turn's message is kept for it. */
export function progress(rules: Rules, state: State, event: Early): State {
  if (event.is === 'message') return outboundSeen(rules, state, event);
  if (isOpen(state, event.turn))
    return event.is === 'acknowledged' ? acknowledged(rules, state, event) : missed(rules, state, event);
  return endOf(state, event.turn) ? state : { ...state, early: remember(state, event) };
}

export function remember(state: State, event: Early): Early[] {
  const others = state.early.filter((each) => !isCovered(each, event));
  return [...others, event].slice(-earlyKept);
}

/** A message to the user answers whatever an earlier one has answered; one with a time only what that time allows. */
function isCovered(each: Early, event: Early): boolean {
  if (each.is !== 'message' || event.is !== 'message' || each.all !== event.all) return false;
  if (each.at > event.at || each.from !== event.from || (each.slack ?? 0) > (event.slack ?? 0)) return false;
  return event.sentAt === 0 || (each.sentAt > 0 && each.sentAt <= event.sentAt);
}

function acknowledged(rules: Rules, before: State, event: Acknowledged): State {
  const state = event.orphan ? changeTurn(before, event.turn, (turn) => ({ ...turn, orphan: true })) : before;
  const turn = state.turns.find(({ id }) => id === event.turn);
  const renews = event.renew === true;
  // A message that went out before the bot asked for typing was not yet the answer.
  const isFirst = renews && turn !== undefined && turn.darkUntil < event.at + rules.darkAfterMessage;
  const isAwaited = turn && rules.sendEnds === 'silence' && event.at < (lapseOf(rules, turn, event.at) ?? 0);
  // That its caller has died does not say that its call has ended: it had gone on after that message.
  const wentOn = event.orphan && turn?.replied && event.at >= turn.darkUntil;
  if (turn?.replied && !isFirst && !isAwaited && !wentOn)
    return endTurn(shownAgain(state, turn, event.at), { turn: turn.id, by: turn.replied, at: event.at });
  return changeTurn(state, event.turn, (each) => ({
    ...each,
    phase: 'acknowledged',
    renews: each.renews || renews,
    replied: renews || wentOn ? null : each.replied,
    lapsesAt: renews || wentOn ? null : lapseOf(rules, each, event.at),
    ...(event.orphan ? {} : { doneAt: event.at }),
  }));
}

/** A message may have answered several, whose calls then end one after the other within this (ms). */
const together = 150;

/** The message was the answer to this turn, whose call ends with it: it was none to the others, which it has made dark. */
function shownAgain(state: State, { darkUntil }: Turn, at: number): State {
  const again = (turn: Turn): Turn => ({
    ...turn,
    darkUntil: Math.min(darkUntil, at + together),
    ...(turn.orphan ? { replied: null, lapsesAt: null } : {}),
  });
  return { ...state, turns: state.turns.map((each) => (each.darkUntil === darkUntil ? again(each) : each)) };
}

/** When a turn whose bot has just acknowledged ends by itself; null: not before the rules say. */
function lapseOf(rules: Rules, { replied, darkUntil, failed }: Turn, at: number): number | null {
  // The last message that was seen meanwhile went out then.
  if (replied) return darkUntil - rules.darkAfterMessage + rules.sendSilence;
  return failed ? at + rules.afterFailed : null;
}

function missed(rules: Rules, state: State, event: Missed): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  if (!turn) return state;
  // The platform's next delivery can come before it closes this one: what counts is what was closed, each once.
  const missedNow = [...new Set([...(turn.missed ?? []), event.delivery ?? String(event.at)])];
  if (missedNow.length >= rules.deliveries)
    return endTurn(state, { turn: turn.id, by: turn.replied ?? 'deliveries', at: event.at });
  const isOther = missedNow.length < turn.deliveries;
  const lapsesAt = isOther ? turn.lapsesAt : event.at + rules.lapse;
  return changeTurn(state, turn.id, (each) => ({ ...each, missed: missedNow, lapsesAt }));
}

/** Evidence with only a user: which turn it answers is not known. */
export function outboundSeen(rules: Rules, state: State, event: EarlyMessage): State {
  const meant = meantBy(rules, state, event);
  const isLast = rules.sendEnds !== 'silence';
  // One that has answered what it may answer has nothing to say to a message that is judged after it.
  const isSpent = rules.sendEnds === 'oldest' && meant.length > 0;
  const early = isSpent ? state.early : remember(state, event);
  const done = isLast ? doneSince(meant, event) : undefined;
  const its = done ?? meant.find((turn) => turn.orphan);
  // A call that is under way ends with its answer: where none has by then, the message was the orphan's.
  const waits = !done && isLast && meant.some(({ phase }) => phase === 'working') ? its : undefined;
  const usual = waits ? endsWithin : rules.darkAfterMessage;
  const dark = done?.doneAt ? done.doneAt + together - event.at : usual;
  const over = (turn: Turn): Evidence | null => {
    const isMeant = turn.phase === 'acknowledged' && meant.includes(turn) && turn !== waits;
    return isLast && isMeant && (!turn.orphan || turn === its) ? event.by : null;
  };
  const { turns, ...rest } = endTurns({ ...state, early }, event.at, over);
  const darkOf = (turn: Turn): number =>
    event.at + (turn.orphan && turn !== waits && isLast ? together : dark);
  const lapseAfter = (turn: Turn): number | null => {
    if (turn.phase !== 'acknowledged') return null;
    if (!isLast) return rules.sendSilence;
    return turn === waits ? dark : null;
  };
  const answered = (turn: Turn): Turn => {
    const lapse = lapseAfter(turn);
    return {
      ...turn,
      replied: done && turn.orphan ? (turn.replied ?? null) : event.by,
      darkUntil: Math.max(turn.darkUntil, darkOf(turn)),
      ...(lapse === null ? {} : { lapsesAt: event.at + lapse }),
    };
  };
  return { ...rest, turns: turns.map((turn) => (meant.includes(turn) ? answered(turn) : turn)) };
}

/** A bot's call ends so soon after the message that was its answer (ms). */
const endsWithin = 1_000;

/**
 * Two processes can tell in either order that a message has passed and that a call has ended: the turn whose call has ended
 * since the message left was the one that it answered.
 */
function doneSince(meant: readonly Turn[], { at }: EarlyMessage): Turn | undefined {
  return meant.find(({ phase, doneAt }) => phase === 'acknowledged' && doneAt !== undefined && doneAt >= at);
}

/** With `oldest` each message answers one: the first that waits for more than the end of the bot's call. */
function meantBy({ sendEnds }: Rules, state: State, event: EarlyMessage): Turn[] {
  const before = answeredBy(state, event);
  if (sendEnds !== 'oldest') return before;
  const oldest =
    before.find(({ phase }) => phase === 'acknowledged') ?? before.find(({ replied }) => replied === null);
  return oldest ? [oldest] : [];
}

/**
 * The turns that were open before a message to the user. Only where there is none, it answers what was written by
 * another clock's seconds after it.
 */
function answeredBy({ turns }: State, event: Dated): Turn[] {
  const { slack = 0 } = event;
  const before = turns.filter((turn) => openedBefore(turn, event, Math.min(0, slack)));
  return before.length > 0 || slack <= 0 ? before : turns.filter((turn) => openedBefore(turn, event, slack));
}

type Dated = Pick<EarlyMessage, 'at' | 'sentAt' | 'slack' | 'from'>;

/** In whole seconds of the platform where both are known: a message of the same second counts as an answer. */
function openedBefore(turn: Turn, event: Dated, slack: number): boolean {
  if (isElsewhere(turn, event)) return false;
  return turn.sentAt > 0 && event.sentAt > 0
    ? event.sentAt + slack >= turn.sentAt
    : event.at >= turn.openedAt;
}

/** Of an account with several numbers, one answers nobody who waits for another. */
export function isElsewhere({ to }: Turn, { from }: Pick<EarlyMessage, 'from'>): boolean {
  return to !== undefined && from !== undefined && to !== from;
}

type FailedEvent = Extract<Event, { is: 'failed' }>;

/** The user saw nothing of it. Who waits goes on waiting for the bot's next try, but not for long. */
export function failed(rules: Rules, state: State, event: FailedEvent): State {
  const until = event.at + rules.afterFailed;
  const waiting = answeredBy(state, event);
  const told = (turn: Turn): Turn => ({
    ...turn,
    failed: true,
    ...(turn.phase === 'acknowledged' ? { lapsesAt: Math.min(until, turn.lapsesAt ?? Infinity) } : {}),
  });
  return { ...state, turns: state.turns.map((turn) => (waiting.includes(turn) ? told(turn) : turn)) };
}

type StartedEvent = Extract<Event, { is: 'started' }>;

/** Typing is asked for by hand. It opens the turn, again if it has ended before, and goes on until it is told to stop. */
export function started(rules: Rules, state: State, event: StartedEvent): State {
  const { turn, at } = event;
  if (at < state.pausedUntil) return { ...state, skipped: { why: 'paused', at } };
  const end = endOf(state, turn);
  // The order to stop has overtaken it.
  if (end && end.at >= at) return end.seen ? state : markSeen(note(state, event, true), turn);
  const noted = note(state, event, !end && !isOpen(state, turn));
  if (isOpen(noted, turn))
    return changeTurn(noted, turn, (each) => ({ ...each, renews: true, hushed: false }));
  const others = noted.ended.filter(({ id }) => id !== turn);
  return catchUp(rules, openTurn({ ...noted, ended: others }, startedTurn(event)), event);
}

/** Who names a message that no push has brought says that it has come; and so does who starts where nothing is known. */
function note(state: State, { messageId, at }: StartedEvent, isNew: boolean): State {
  const came = isNew && (messageId !== null || state.lastInteractionAt === null);
  const fresh = { ...state, forgotten: false };
  const met = came ? interacted({ ...fresh, sends: 0 }, at) : fresh;
  if (messageId === null || !isNew || at < state.messageAt) return met;
  const refusal = met.refusal?.why === 'message' ? null : met.refusal;
  return { ...met, messageId, messageAt: at, refusal };
}

function startedTurn({ turn, at }: StartedEvent): Turn {
  return newTurn({ id: turn, openedAt: at, sentAt: 0, phase: 'acknowledged', renews: true });
}
