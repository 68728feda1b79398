/** Which turns are really open, kept without the core: in the order in which things happened, not in which they were judged. */
import type { Rules } from '../../src/core/rules.ts';
import type { Event, Pause } from '../../src/core/state.ts';

export interface TrueTurn {
  id: string;
  openedAt: number;
  /** When its message has been judged. */
  judgedAt: number;
  /** When the bot has asked for typing until its answer; 0: it has not. */
  keptAt: number;
  /** Platform seconds. */
  sentAt: number;
  over: boolean;
  endedAt: number;
  /** When everybody knows of its end. */
  knownAt: number;
  phase: 'working' | 'acknowledged';
  /** Typing goes on although the bot has acknowledged. */
  renews: boolean;
  /** When everybody knows that its typing is not renewed any more. */
  unheardAt: number;
  /** When everybody knows of a message to the user meanwhile. */
  repliedAt: number;
  darkUntil: number;
  /** The bot has switched its indicator off: from when, until when. */
  hushed: { from: number; to: number }[];
  /** It came in a pause. */
  skipped: boolean;
  /** An interim text has been sent for it. */
  texted: boolean;
}

export interface Truth {
  turns: TrueTurn[];
  pause: { from: number; until: number; by: Pause; writtenAt: number } | null;
  /** Whether a pause is over depends until then on what is judged first: nobody is promised anything. */
  unsureUntil: number;
  heard: Set<string>;
}

type Of<Is extends Event['is']> = Extract<Event, { is: Is }>;

interface Noting {
  rules: Rules;
  truth: Truth;
  /** When everything that has happened so far will have been judged, and this event. */
  settled: number;
  judgedAt: number;
}

export function createTruth(): Truth {
  return { turns: [], pause: null, unsureUntil: 0, heard: new Set() };
}

/** Turns of which nobody knows that they are over. */
export function openAt({ turns }: Truth, time: number): TrueTurn[] {
  return turns.filter(({ openedAt, knownAt }) => openedAt <= time && time <= knownAt);
}

export function note(noting: Noting, event: Event): void {
  const { at } = event;
  switch (event.is) {
    case 'inbound':
      return written(noting, event);
    case 'started':
      return started(noting, event);
    case 'acknowledged':
      return acknowledged(noting, event);
    case 'ended':
      return ended(noting, event);
    case 'over':
      return event.turns === 'all' ? endAll(noting, at) : replied(noting, { at, sentAt: 0 });
    case 'message':
      return message(noting, event);
    case 'typed':
      return typed(noting, event);
    case 'paused':
      return paused(noting, event);
    case 'resumed':
      noting.truth.unsureUntil = noting.judgedAt + 1;
      return resumed(noting, at);
    case 'left':
      return endAll(noting, at);
    case 'forgotten':
      noting.truth.pause = null;
      return endAll(noting, at);
    default:
  }
}

function openOf({ truth }: Noting, at: number): TrueTurn[] {
  return truth.turns.filter((turn) => !turn.over && turn.openedAt <= at);
}

function find({ truth }: Noting, { turn }: { turn: string }): TrueTurn | undefined {
  return truth.turns.findLast(({ id }) => id === turn);
}

function end({ settled }: Noting, turn: TrueTurn, at: number): void {
  Object.assign(turn, { over: true, endedAt: Math.min(turn.endedAt, at), knownAt: settled });
}

function endAll(noting: Noting, at: number): void {
  for (const turn of openOf(noting, at)) end(noting, turn, at);
}

function written(noting: Noting, event: Of<'inbound'>): void {
  const { truth } = noting;
  const own = find(noting, event);
  if (own || !event.opensTurn) return;
  const turn = opened(noting, event);
  truth.turns.push(turn);
  if (truth.pause === null || event.at >= truth.pause.until) return;
  skip(noting, turn);
}

/** The pause may be known later than the message. */
function skip(noting: Noting, turn: TrueTurn): void {
  writtenIn(noting, turn.openedAt);
  turn.skipped = true;
  end(noting, turn, turn.openedAt);
}

function started(noting: Noting, event: Of<'started'>): void {
  const { truth, rules } = noting;
  const { at } = event;
  const own = find(noting, event);
  const isPaused = truth.pause !== null && at < truth.pause.until;
  if (isPaused) writtenIn(noting, at);
  if (own?.over && own.endedAt >= at) return;
  if (own && !own.skipped && !own.over && at < own.openedAt + rules.deadline) {
    if (isPaused) return;
    Object.assign(own, { renews: true, unheardAt: Infinity });
    return unhush(own, at);
  }
  const turn = opened(noting, event);
  truth.turns.push(turn);
  if (isPaused) skip(noting, turn);
}

function acknowledged(noting: Noting, event: Of<'acknowledged'>): void {
  const { rules, settled } = noting;
  const own = find(noting, event);
  if (!own || own.over) return;
  const isFirst = event.renew === true && own.darkUntil < event.at + rules.darkAfterMessage;
  if (own.repliedAt < Infinity && !isFirst) {
    const others = noting.truth.turns.filter(({ darkUntil }) => darkUntil === own.darkUntil);
    for (const other of others) other.darkUntil = Math.min(own.darkUntil, event.at + 150);
    return end(noting, own, event.at);
  }
  const isRepeated = own.phase === 'acknowledged' && event.renew !== true;
  if (isRepeated) return;
  own.phase = 'acknowledged';
  own.renews ||= event.renew === true;
  // A message is on its way there that is judged before this, or after it.
  if (own.repliedAt < Infinity && own.repliedAt >= event.at) own.endedAt = Math.min(own.endedAt, event.at);
  if (event.renew === true) Object.assign(own, { keptAt: event.at, repliedAt: Infinity });
  own.unheardAt = own.renews || rules.afterAck === 'renew' ? Infinity : settled;
}

function ended(noting: Noting, event: Of<'ended'>): void {
  const { truth } = noting;
  const own = find(noting, event);
  if (event.by === 'passive-reply' && (!own || own.skipped)) botIsBack(noting, event.at);
  if (own?.over) return;
  const turn = own ?? opened(noting, event);
  if (!own) truth.turns.push(turn);
  end(noting, turn, event.at);
}

function message(noting: Noting, event: Of<'message'>): void {
  const { truth, rules } = noting;
  const { at, id, by } = event;
  if (id !== null && truth.heard.has(id)) return;
  if (id !== null) truth.heard.add(id);
  replied(noting, event);
  if (by === 'gateway') botIsBack(noting, at);
  if (by === 'echo') paused(noting, { at, until: at + rules.echoPause, by: 'echo' });
}

function replied(noting: Noting, { at, sentAt }: { at: number; sentAt: number }): void {
  const { rules, settled, truth } = noting;
  const before = truth.turns.filter(
    (turn) => !turn.over && (turn.sentAt > 0 && sentAt > 0 ? sentAt >= turn.sentAt : at >= turn.openedAt),
  );
  for (const turn of meant(rules, before)) {
    // What the bot says of it and the message cross: whether it was the answer is anybody's guess.
    if (turn.phase === 'acknowledged' && at < turn.keptAt) turn.endedAt = at;
    else if (turn.phase === 'acknowledged') end(noting, turn, at);
    else {
      turn.repliedAt = settled;
      turn.darkUntil = Math.max(turn.darkUntil, at + rules.darkAfterMessage);
    }
  }
}

function meant({ sendEnds }: Rules, before: TrueTurn[]): TrueTurn[] {
  if (sendEnds === 'all') return before;
  const first =
    before.find(({ phase }) => phase === 'acknowledged') ??
    before.find(({ repliedAt }) => repliedAt === Infinity);
  return first ? [first] : [];
}

function typed(noting: Noting, { on, at }: Of<'typed'>): void {
  for (const turn of openOf(noting, at)) {
    if (on) turn.darkUntil = Math.min(turn.darkUntil, at);
    if (on) unhush(turn, at);
    else turn.hushed.push({ from: noting.settled, to: Infinity });
  }
}

function paused(noting: Noting, { at, until, by }: { at: number; until: number; by: Pause }): void {
  const { truth, settled } = noting;
  endAll(noting, at);
  if (by !== 'control' && truth.pause && until <= truth.pause.until) return;
  truth.pause = { from: settled, until, by, writtenAt: Infinity };
}

function writtenIn({ truth: { pause } }: Noting, at: number): void {
  if (pause) pause.writtenAt = Math.min(pause.writtenAt, at);
}

function botIsBack(noting: Noting, at: number): void {
  const { pause } = noting.truth;
  if (pause && pause.writtenAt <= at && (pause.by === 'echo' || pause.by === 'transfer')) {
    noting.truth.unsureUntil = pause.until;
    resumed(noting, at);
  }
}

/** What came in the pause and is judged after it starts typing. */
function resumed({ rules, truth }: Noting, at: number): void {
  truth.pause = null;
  for (const turn of truth.turns) {
    if (turn.skipped && turn.judgedAt >= at)
      Object.assign(turn, { over: false, knownAt: turn.openedAt + rules.deadline });
  }
}

function opened({ rules, judgedAt, truth }: Noting, event: Of<'inbound' | 'started' | 'ended'>): TrueTurn {
  const { at, turn } = event;
  return {
    id: turn,
    openedAt: at,
    judgedAt,
    keptAt: 0,
    sentAt: event.is === 'inbound' ? event.sentAt : 0,
    over: false,
    endedAt: at < truth.unsureUntil ? at : at + rules.deadline,
    knownAt: at + rules.deadline,
    phase: event.is === 'started' ? 'acknowledged' : 'working',
    renews: event.is === 'started',
    unheardAt: Infinity,
    repliedAt: Infinity,
    darkUntil: 0,
    hushed: [],
    skipped: false,
    texted: false,
  };
}

function unhush(turn: TrueTurn, at: number): void {
  turn.hushed = turn.hushed.map(({ from, to }) => ({ from, to: Math.min(to, at) }));
}
