import type { Event } from './event.ts';
import { interacted } from './interaction.ts';
import { progress, seen } from './progress.ts';
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';
import { changeTurn, endOf, endTurn, isOpen, markSeen, openTurn } from './turns.ts';

type Inbound = Extract<Event, { is: 'inbound' }>;

/** A message or an act of the user; its repeats move nothing but the count of deliveries. */
export function inbound(rules: Rules, state: State, event: Inbound): State {
  const end = endOf(state, event.turn);
  if (isOpen(state, event.turn) || end?.seen) return repeated(state, event);
  const known = noted(state, event);
  if (end) return markSeen(known, event.turn);
  if (!event.opensTurn) return { ...known, skipped: { why: 'event_kind', at: event.at } };
  if (event.at < state.pausedUntil) return { ...known, skipped: { why: 'paused', at: event.at } };
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
  const newest = event.at >= (state.lastInteractionAt ?? 0);
  const fresh = { ...state, forgotten: false, sends: newest && event.interaction ? 0 : state.sends };
  const met = event.interaction ? interacted(fresh, event.at) : fresh;
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
    renews: false,
    hushed: false,
    interim: false,
    replied: null,
    darkUntil: 0,
    deliveries: event.phase === 'passed' ? 1 : 0,
    lapsesAt: null,
  };
}

/** What was heard of the turn before its message was judged. A message counts only if it came after the user's. */
export function catchUp(rules: Rules, opened: State, event: { turn: string; at: number }): State {
  const own = opened.early.filter((each) => each.is !== 'message' && each.turn === event.turn);
  const others = opened.early.filter((each) => !own.includes(each));
  const moved = own.reduce((state, each) => progress(rules, state, each), { ...opened, early: others });
  const answer = others.find((each) => each.is === 'message');
  if (answer?.is !== 'message' || answer.at < event.at) return moved;
  if (answer.all) return endTurn(moved, { turn: event.turn, by: answer.by, at: answer.at });
  // Of the other turns it has ended its own.
  const isOwn = ({ id }: Turn): boolean => id === event.turn;
  const early = moved.early.filter((each) => each !== answer);
  const caught = seen(rules, { ...moved, early, turns: moved.turns.filter(isOwn) }, answer);
  return { ...caught, turns: moved.turns.flatMap((turn) => (isOwn(turn) ? caught.turns : [turn])) };
}
