import { cleared } from './clear.ts';
import type { Event } from './event.ts';
import { giveUpCall, takeOutcome } from './outcome.ts';
import type { Rules } from './rules.ts';
import type { Evidence, State, Turn } from './state.ts';
import { changeTurn, endOf, endTurn, endTurns, markSeen, isOpen, openTurn } from './turns.ts';

type Inbound = Extract<Event, { is: 'inbound' }>;
type Message = Extract<Event, { is: 'message' }>;

/** The state after an event, before anything is decided. */
export function apply(rules: Rules, state: State, event: Event): State {
  const { at } = event;
  switch (event.is) {
    case 'inbound':
      return inbound(state, event);
    case 'acknowledged':
      return acknowledged(state, event);
    case 'missed':
      return missed(rules, state, event);
    case 'ended': {
      const ended = endTurn(state, event);
      // The message is on its way, not out yet: shown again when `interaction` says that it is, or after this.
      return event.message ? cleared(rules, ended, { at, showAt: at + rules.darkAfterMessage }) : ended;
    }
    case 'undelivered':
      return undelivered(state);
    case 'message':
      return seen(rules, cleared(rules, interacted(state, at), { at: wentOutBy(event), showAt: at }), event);
    case 'interaction':
      return cleared(rules, interacted(state, at), { at, showAt: at });
    case 'paused':
      return { ...endTurns(state, at, () => 'handoff'), pausedUntil: event.until };
    case 'resumed':
      return { ...state, pausedUntil: 0 };
    case 'left':
      return { ...endTurns(state, at, () => 'left'), messageId: null };
    case 'wake':
      return { ...state, timer: null };
    case 'outcome':
      return takeOutcome(rules, state, { n: event.call, outcome: event.outcome, at });
    case 'recovered':
      return recovered(rules, state, event);
  }
}

/** The dead job's call may have been carried out; that it died says nothing against the next one. */
function recovered(rules: Rules, state: State, { by, at }: { by: string; at: number }): State {
  const own = state.call?.by === by ? { ...giveUpCall(rules, state, at), showAt: at } : state;
  return { ...own, timer: null };
}

/** A repeat of a push moves nothing but the count of deliveries. */
function repeated(state: State, event: Inbound): State {
  if (event.phase !== 'passed') return state;
  return changeTurn(state, event.turn, (turn) => ({
    ...turn,
    deliveries: turn.deliveries + 1,
    lapsesAt: null,
  }));
}

function inbound(state: State, event: Inbound): State {
  const end = endOf(state, event.turn);
  if (isOpen(state, event.turn) || end?.seen) return repeated(state, event);
  const known = noted(state, event);
  if (end) return markSeen(known, event.turn);
  return event.opensTurn && event.at >= state.pausedUntil ? openTurn(known, turnOf(event)) : known;
}

function noted(state: State, event: Inbound): State {
  const met = event.interaction ? interacted(state, event.at) : state;
  return event.messageId ? { ...met, messageId: event.messageId, refusal: unlessMessage(met) } : met;
}

function turnOf(event: Inbound): Turn {
  return {
    id: event.turn,
    openedAt: event.at,
    sentAt: event.sentAt,
    phase: event.phase === 'acknowledged' ? 'acknowledged' : 'working',
    shown: false,
    replied: null,
    darkUntil: 0,
    deliveries: event.phase === 'passed' ? 1 : 0,
    lapsesAt: null,
  };
}

function unlessMessage({ refusal }: State): State['refusal'] {
  return refusal?.why === 'message' ? null : refusal;
}

function interacted(state: State, at: number): State {
  const refusal = state.refusal?.why === 'window' ? null : state.refusal;
  return { ...state, refusal, lastInteractionAt: Math.max(at, state.lastInteractionAt ?? 0) };
}

function acknowledged(state: State, event: { turn: string; at: number }): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  if (turn?.replied) return endTurn(state, { turn: turn.id, by: turn.replied, at: event.at });
  return changeTurn(state, event.turn, (each) => ({ ...each, phase: 'acknowledged', lapsesAt: null }));
}

function missed(rules: Rules, state: State, event: { turn: string; at: number }): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  if (turn && turn.deliveries >= rules.deliveries) {
    return endTurn(state, { turn: turn.id, by: turn.replied ?? 'deliveries', at: event.at });
  }
  return changeTurn(state, event.turn, (each) => ({ ...each, lapsesAt: event.at + rules.lapse }));
}

function undelivered(state: State): State {
  const { indicator } = state;
  return indicator.is === 'cleared' ? { ...state, indicator: { ...indicator, is: 'maybe' } } : state;
}

/** Evidence with only a user: which turn it answers is not known. */
function seen(rules: Rules, state: State, event: Message): State {
  const over = (turn: Turn): Evidence | null =>
    turn.phase === 'acknowledged' && openedBefore(turn, event) ? event.by : null;
  const { turns, ...rest } = endTurns(state, event.at, over);
  const darkUntil = event.at + rules.darkAfterMessage;
  const answered = (turn: Turn): Turn => ({ ...turn, replied: event.by, darkUntil });
  return { ...rest, turns: turns.map((turn) => (openedBefore(turn, event) ? answered(turn) : turn)) };
}

/** The news of a message comes later than the message, which the platform dates in whole seconds. */
function wentOutBy({ sentAt, at }: Message): number {
  return sentAt > 0 ? Math.min(at, (sentAt + 1) * 1000) : at;
}

/** In whole seconds of the platform where both are known: a message of the same second counts as an answer. */
function openedBefore(turn: Turn, event: Message): boolean {
  return turn.sentAt > 0 && event.sentAt > 0 ? event.sentAt >= turn.sentAt : event.at >= turn.openedAt;
}
