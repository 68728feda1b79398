/**
 * The heart: what to do about one conversation's indicator. `step` is a function of rules, state and event; it
 * returns the next state and what to do, and does nothing itself.
 *
 * Turns. `inbound` opens one, as `working` (the bot is being called) or `acknowledged` (there is no bot to call).
 * `acknowledged` moves it on. It leaves by `ended`; by `message` when it is acknowledged (a working one stays, goes
 * dark for a moment and ends with its call); by its deadline; in pass mode by `missed` deliveries; by `paused` and
 * `left`. Its id stays in `ended`, so that a repeat of the push, or an `inbound` that comes after its own end, opens
 * nothing.
 *
 * Indicator. `dark` → (show accepted) → `lit` → (lifetime over) → `dark`. A call whose fate is unknown makes it `maybe`.
 * A message to the user makes `lit` into `cleared`: dark, unless the message is reported undelivered, which makes it
 * `maybe` again. `decide` compares what the open turns want with what the phone shows, and asks for at most one call.
 *
 * One call at a time. While `call` is set every event is only noted; the call's `outcome` decides what comes next. A
 * show whose outcome comes after it was given up makes the indicator `maybe`, so that it is still taken back.
 *
 * Alarms are hints. There is one timer number that counts. An early wake-up is armed again, a late one is judged by
 * the clock, one with another number is ignored.
 */
import { decide, wishAt } from './decide.ts';
import { join } from './join.ts';
import { count, measure, type Measures, nothingMeasured } from './measure.ts';
import { cleared, doubted, giveUpCall, interacted, takeOutcome } from './outcome.ts';
import type { Rules } from './rules.ts';
import {
  type Call,
  type EndedTurn,
  type Event,
  type Evidence,
  initialState,
  type Pause,
  type State,
} from './state.ts';
import {
  again,
  endAll,
  endOf,
  endTurn,
  endTurns,
  failed,
  inbound,
  isElsewhere,
  isOpen,
  progress,
  remember,
  outboundSeen,
  started,
  turnEnd,
} from './turns.ts';

export interface Step extends Measures {
  state: State;
  /** Make this call, then report its `outcome`. */
  call: Call | null;
}

interface ToStep {
  event: Event;
  /** The job that would make the call. */
  by: string;
  /** When it is judged; an event that waited in a queue happened before. @default event.at */
  now?: number;
  /** A message to the user is just being sent: no show before this. @default 0 */
  blockedUntil?: number;
  /** Whoever judges makes calls; else what is to be called for is due at once, for somebody who does. @default true */
  mayCall?: boolean;
}

export function step(
  rules: Rules,
  state: State,
  { event, by, now = event.at, blockedUntil = 0, mayCall = true }: ToStep,
): Step {
  const at = Math.max(now, event.at);
  if (event.is === 'wake' && isStale(rules, state, { timer: event.timer, at }))
    return { state, call: null, ...nothingMeasured };
  const before = count(state, at);
  const after = apply(rules, elapse(rules, before, at), event);
  const measures = measure(rules, { before, after, event, from: state.countedAt, at, blockedUntil });
  return { ...decide(rules, after, { at, by, blockedUntil, mayCall }), ...measures };
}

/** A call that nobody waits for any more is looked at, whatever the number. */
function isStale(rules: Rules, { timer, call }: State, woken: { timer: number; at: number }): boolean {
  return woken.timer !== timer?.n && (call === null || woken.at < call.at + rules.callLimit);
}

/** When the conversation has to be looked at again (ms); null: not by itself. */
export function wakeAt(rules: Rules, { call, timer }: State): number | null {
  return call ? call.at + rules.callLimit : (timer?.at ?? null);
}

/** What the passing of time alone has done by `at`. */
export function elapse(rules: Rules, state: State, at: number): State {
  const { call, indicator } = state;
  const live = call && at >= call.at + rules.callLimit ? giveUpCall(rules, state, { at }) : state;
  const ended = endTurns(live, at, (turn) => {
    if (at < turnEnd(rules, turn)) return null;
    if (turn.lapsesAt === null || at < turn.lapsesAt) return 'deadline';
    if (turn.replied) return turn.replied;
    return turn.deliveries === 0 && turn.phase === 'acknowledged' ? 'status' : 'deliveries';
  });
  const over = indicator.is !== 'dark' && ended.indicator.is !== 'dark' && ended.indicator.until <= at;
  return over ? { ...ended, indicator: { is: 'dark' } } : ended;
}

type EventOf<Is extends Event['is']> = Extract<Event, { is: Is }>;

/** The state after an event, before anything is decided. */
function apply(rules: Rules, state: State, event: Event): State {
  const { at } = event;
  switch (event.is) {
    case 'inbound':
      return inbound(rules, state, event);
    case 'started':
      return started(rules, state, event);
    case 'again':
      return again(rules, state, event);
    case 'acknowledged':
    case 'missed':
      return progress(rules, state, event);
    case 'ended':
      return ended(rules, state, event);
    case 'over':
      return over(rules, state, event);
    case 'undelivered':
      return undelivered(state);
    case 'message':
      return outbound(rules, state, event);
    case 'failed':
      return isHeard(state, event.id) ? state : failed(rules, heardToo(state, event.id), event);
    case 'aside':
      return heardToo(state, event.id);
    case 'joined':
      return join(state, event.other);
    case 'interaction':
      return reached(rules, counted(interacted(state, at), event.sent), at);
    case 'typed':
      return typed(rules, state, event);
    case 'paused':
      return handOver(state, event);
    case 'resumed':
      return resumed(state, event);
    case 'left':
      return left(state, at);
    case 'forgotten':
      return forgotten(endTurns(state, at, () => 'control'));
    // What keeptyping's own calls, wake-ups and jobs tell.
    case 'unblocked':
      return event.doubt ? doubted(rules, state, at) : state;
    case 'wake':
      return { ...state, timer: null };
    case 'outcome':
      return takeOutcome(rules, state, { n: event.call, outcome: event.outcome, at });
    case 'recovered':
      return recovered(rules, state, event);
  }
}

function ended(rules: Rules, state: State, event: EventOf<'ended'>): State {
  const { at, message } = event;
  const known = endOf(state, event.turn);
  const next = endTurn(state, event);
  if (message === 'out') return known && isNoted(known, event) ? next : doubted(rules, next, at);
  if (!message) return next;
  // The message is on its way, not out yet: shown again when `interaction` says that it is, or after this. Where nobody
  // waits any more nobody says so, and whoever writes next is not to wait for it.
  const onTheWay = next.turns.length > 0 ? rules.darkAfterMessage : leaving;
  const dark = cleared(rules, next, { at, showAt: at + onTheWay });
  // The late answer to what was written before the pause is no sign of that.
  const isNew = known === null && !isOpen(state, event.turn);
  return event.by === 'passive-reply' && isNew ? botIsBack(dark, at) : dark;
}

/** A message that is to leave now has left by then (ms). */
const leaving = 500;

/** Whether the message that may be out is known already: it was seen, or somebody says the same again. */
function isNoted(known: EndedTurn, { by }: { by: Evidence }): boolean {
  return known.by === by || ['passive-reply', 'status', 'echo', 'gateway'].includes(known.by);
}

function over(rules: Rules, state: State, { by, turns, at }: EventOf<'over'>): State {
  const message = { is: 'message', by, at, sentAt: 0 } as const;
  if (turns === 'acknowledged') return doubted(rules, outboundSeen(rules, state, message), at);
  const early = remember(state, { ...message, all: true });
  return doubted(rules, endAll({ ...state, early }, { at, by }), at);
}

/** Who has come back and written since is not gone. */
function left(state: State, at: number): State {
  const gone = endAll(state, { at, by: 'left' });
  return state.messageAt > at ? gone : { ...gone, messageId: null };
}

/** What is lit, in flight or armed still has to be dealt with. */
function forgotten({ indicator, call, timer, n, hideAt }: State): State {
  return { ...initialState, indicator, call, timer, n, hideAt, forgotten: true };
}

function undelivered(state: State): State {
  const { indicator } = state;
  return indicator.is === 'cleared' ? { ...state, indicator: { ...indicator, is: 'maybe' } } : state;
}

function outbound(rules: Rules, state: State, event: EventOf<'message'>): State {
  const { id, at, by } = event;
  const until = wentOutBy(event) + rules.echoPause;
  const humans = (next: State): State =>
    by === 'echo' && until > at ? handOver(next, { at, until, by: 'echo' }) : next;
  // Its status may have come first; that a human sent it is news all the same.
  if (isHeard(state, id)) return humans(state);
  const met = counted(interacted(heardToo(state, id), at), by === 'gateway');
  // From another number it takes nothing away in the chat with this one.
  const isHere = met.turns.length === 0 || met.turns.some((turn) => !isElsewhere(turn, event));
  const dark = isHere ? cleared(rules, met, { at: wentOutBy(event), showAt: at }) : met;
  const { id: _, ...message } = event;
  const next = progress(rules, dark, message);
  return by === 'gateway' ? botIsBack(next, at) : humans(next);
}

/** Whether a show that it crossed came before it nobody knows: for whoever still waits it is asked for again now. */
function reached(rules: Rules, state: State, at: number): State {
  const dark = cleared(rules, state, { at, showAt: at });
  return dark.indicator.is === 'maybe' ? { ...dark, showAt: Math.min(dark.showAt, at) } : dark;
}

/** More than a bot sends before the platform's word of the first one comes. */
const heardKept = 8;

function isHeard({ heard }: State, id: string | null): boolean {
  return id !== null && heard.includes(id);
}

function heardToo(state: State, id: string | null): State {
  return id === null || isHeard(state, id)
    ? state
    : { ...state, heard: [...state.heard, id].slice(-heardKept) };
}

function counted(state: State, sent: boolean): State {
  return sent ? { ...state, sends: state.sends + 1 } : state;
}

/** A bot that answers what was written meanwhile has the conversation back, from whoever never said so. */
function botIsBack(state: State, at: number): State {
  const { skipped, pausedBy } = state;
  const isUnsaid = pausedBy === 'echo' || pausedBy === 'transfer';
  if (!isUnsaid || skipped?.why !== 'paused' || skipped.at > at) return state;
  // Nobody has said so: an older word that is judged later still counts.
  return { ...state, pausedUntil: 0, pausedBy: null };
}

/** The news of a message comes later than the message, which the platform dates in whole seconds. */
function wentOutBy({ sentAt, at }: { sentAt: number; at: number }): number {
  return sentAt > 0 ? Math.min(at, (sentAt + 1) * 1000) : at;
}

/** The dead job's call may have been carried out; that it died says nothing against the next one. */
function recovered(rules: Rules, state: State, { by, at }: { by: string; at: number }): State {
  const own = state.call?.by === by ? giveUpCall(rules, state, { at, retryAt: at }) : state;
  return { ...own, timer: null };
}

/** A human takes the conversation: who waits now waits for that human. A longer pause is not cut short by another. */
function handOver(state: State, { at, until, by }: { at: number; until: number; by: Pause }): State {
  // Events can be judged in another order than they happened.
  if (at < state.pauseChangedAt) return state;
  const ended = {
    ...endTurns(state, at, ({ openedAt }) => (openedAt < until ? 'handoff' : null)),
    pauseChangedAt: at,
    // What was written before has been left to the human.
    skipped: null,
  };
  if (by !== 'control' && until <= state.pausedUntil) return ended;
  return { ...ended, pausedUntil: until, pausedBy: by, forgotten: false };
}

function resumed(state: State, { at, by }: { at: number; by: Pause }): State {
  if (at < state.pauseChangedAt || (state.pausedBy === 'control' && by !== 'control')) return state;
  return { ...state, pausedUntil: 0, pausedBy: null, pauseChangedAt: at };
}

/** The bot's own indicator, on its way through the gateway: it is what shows, and ours must not fight it. */
function typed(rules: Rules, state: State, { on, at }: { on: boolean; at: number }): State {
  return on ? switchedOn(rules, state, at) : switchedOff(rules, state, at);
}

function switchedOn(rules: Rules, state: State, at: number): State {
  const turns = state.turns.map((turn) => ({ ...turn, hushed: false, shown: true, darkUntil: 0 }));
  const next = { ...state, turns };
  // Where we would show nothing it is the bot's alone, and none of ours to take away.
  if (wishAt(rules, next, at) === 'none') return next;
  const { indicator } = state;
  if (indicator.is === 'lit' && indicator.until > at) return next;
  const until = at + rules.lifetime;
  const showAt = until + rules.renewMargin;
  return { ...next, again: 0, showAt, indicator: { is: 'lit', since: at, until } };
}

function switchedOff(rules: Rules, state: State, at: number): State {
  const turns = state.turns.map((turn) => (turn.openedAt <= at ? { ...turn, hushed: true } : turn));
  const { call, indicator } = state;
  // A show of ours in flight may land after it, and has to be taken back then.
  if (call?.kind === 'show' && call.at <= at) return { ...state, turns, call: { ...call, crossed: true } };
  if (indicator.is === 'dark' || indicator.since > at) return { ...state, turns };
  const off = { ...state, turns, again: 0, showAt: at };
  // One that began while the bot's call was under way may have landed after it, too.
  const isCrossed = indicator.since > at - rules.callLimit;
  return { ...off, indicator: isCrossed ? { ...indicator, is: 'maybe' } : { is: 'dark' } };
}
