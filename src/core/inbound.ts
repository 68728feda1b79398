import type { Event } from './event.ts';
import { interacted } from './interaction.ts';
import { progress, seen } from './progress.ts';
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';
import { changeTurn, endOf, isOpen, markSeen, openTurn } from './turns.ts';

type Inbound = Extract<Event, { is: 'inbound' }>;

/** A message or an act of the user; its repeats move nothing but the count of deliveries. */
export function inbound(rules: Rules, state: State, event: Inbound): State {
  const end = endOf(state, event.turn);
  if (isOpen(state, event.turn) || end?.seen) return repeated(state, event);
  const known = noted(state, event);
  if (end) return markSeen(known, event.turn);
  if (!event.opensTurn || event.at < state.pausedUntil) return known;
  return catchUp(rules, openTurn(known, turnOf(event)), event);
}

function repeated(state: State, event: Inbound): State {
  if (event.phase !== 'passed') return state;
  return changeTurn(state, event.turn, (turn) => ({
    ...turn,
    deliveries: turn.deliveries + 1,
    lapsesAt: null,
  }));
}

/** Events can be judged in another order than they happened: what is newest goes by their own time. */
function noted(state: State, event: Inbound): State {
  const met = event.interaction ? interacted(state, event.at) : state;
  if (event.messageId === null || event.at < state.messageAt) return met;
  const refusal = met.refusal?.why === 'message' ? null : met.refusal;
  return { ...met, messageId: event.messageId, messageAt: event.at, refusal };
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

/** What was heard of the turn before its message was judged. A message counts only if it came after the user's. */
function catchUp(rules: Rules, opened: State, event: Inbound): State {
  const own = opened.early.filter((each) => each.is !== 'message' && each.turn === event.turn);
  const others = opened.early.filter((each) => !own.includes(each));
  const moved = own.reduce((state, each) => progress(rules, state, each), { ...opened, early: others });
  const answer = others.find((each) => each.is === 'message');
  return answer?.is === 'message' && answer.at >= event.at ? seen(rules, moved, answer) : moved;
}
