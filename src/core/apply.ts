import type { Event } from './event.ts';
import { handOver, resumed } from './handoff.ts';
import { inbound } from './inbound.ts';
import { cleared, doubted, interacted } from './interaction.ts';
import { giveUpCall, takeOutcome } from './outcome.ts';
import { progress, remember, seen } from './progress.ts';
import type { Rules } from './rules.ts';
import { started } from './started.ts';
import { initialState, type EndedTurn, type Evidence, type State } from './state.ts';
import { endAll, endOf, endTurn, endTurns, isOpen } from './turns.ts';
import { typed } from './typed.ts';

type Of<Is extends Event['is']> = Extract<Event, { is: Is }>;

/** The state after an event, before anything is decided. */
export function apply(rules: Rules, state: State, event: Event): State {
  const { at } = event;
  switch (event.is) {
    case 'inbound':
      return inbound(rules, state, event);
    case 'started':
      return started(rules, state, event);
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
      return message(rules, state, event);
    case 'interaction':
      return cleared(rules, counted(interacted(state, at), event.sent), { at, showAt: at });
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
    default:
      return applyOwn(rules, state, event);
  }
}

type Own = Of<'unblocked' | 'wake' | 'outcome' | 'recovered'>;

/** What keeptyping's own calls, wake-ups and jobs tell. */
function applyOwn(rules: Rules, state: State, event: Own): State {
  const { at } = event;
  switch (event.is) {
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

function ended(rules: Rules, state: State, event: Of<'ended'>): State {
  const { at, message } = event;
  const known = endOf(state, event.turn);
  const next = endTurn(state, event);
  if (message === 'out') return known && isNoted(known, event) ? next : doubted(rules, next, at);
  if (!message) return next;
  // The message is on its way, not out yet: shown again when `interaction` says that it is, or after this.
  const dark = cleared(rules, next, { at, showAt: at + rules.darkAfterMessage });
  // The late answer to what was written before the pause is no sign of that.
  const isNew = known === null && !isOpen(state, event.turn);
  return event.by === 'passive-reply' && isNew ? botIsBack(dark, at) : dark;
}

/** Whether the message that may be out is known already: it was seen, or somebody says the same again. */
function isNoted(known: EndedTurn, { by }: { by: Evidence }): boolean {
  return known.by === by || ['passive-reply', 'status', 'echo', 'gateway'].includes(known.by);
}

function over(rules: Rules, state: State, { by, turns, at }: Of<'over'>): State {
  const message = { is: 'message', by, at, sentAt: 0 } as const;
  if (turns === 'acknowledged') return doubted(rules, seen(rules, state, message), at);
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

function message(rules: Rules, state: State, event: Of<'message'>): State {
  const { id, at, by } = event;
  const until = wentOutBy(event) + rules.echoPause;
  const humans = (next: State): State =>
    by === 'echo' && until > at ? handOver(next, { at, until, by: 'echo' }) : next;
  // Its status may have come first; that a human sent it is news all the same.
  if (id !== null && state.heard.includes(id)) return humans(state);
  const heard = id === null ? state.heard : [...state.heard, id].slice(-heardKept);
  const met = counted({ ...interacted(state, at), heard }, by === 'gateway');
  const dark = cleared(rules, met, { at: wentOutBy(event), showAt: at });
  const next = progress(rules, dark, { is: 'message', by, at, sentAt: event.sentAt });
  return by === 'gateway' ? botIsBack(next, at) : humans(next);
}

/** More than a bot sends before the platform's word of the first one comes. */
const heardKept = 8;

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
  const own = state.call?.by === by ? { ...giveUpCall(rules, state, at), showAt: at } : state;
  return { ...own, timer: null };
}
