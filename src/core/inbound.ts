import type { Event } from './event.ts';
import { interacted } from './interaction.ts';
import { progress, seen } from './progress.ts';
import type { Rules } from './rules.ts';
import type { Early, State, Turn } from './state.ts';
import { changeTurn, endOf, endTurn, isOpen, markSeen, newTurn, openTurn } from './turns.ts';

type Inbound = Extract<Event, { is: 'inbound' }>;

/** A message or an act of the user; its repeats move nothing but the count of deliveries. */
export function inbound(rules: Rules, state: State, event: Inbound): State {
  const end = endOf(state, event.turn);
  if (isOpen(state, event.turn) || end?.seen) return repeated(state, event);
  const known = noted(state, event);
  if (end) return markSeen(known, event.turn);
  if (!event.opensTurn) return { ...known, skipped: { why: 'event_kind', at: event.at } };
  if (event.at < state.pausedUntil) return { ...known, skipped: { why: 'paused', at: event.at } };
  return catchUp(rules, openTurn(known, inboundTurn(event)), event);
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

function inboundTurn({ turn, at, sentAt, phase }: Inbound): Turn {
  return newTurn({
    id: turn,
    openedAt: at,
    sentAt,
    phase: phase === 'acknowledged' ? 'acknowledged' : 'working',
    deliveries: phase === 'passed' ? 1 : 0,
  });
}

/** What was heard of the turn before its message was judged. A message counts only if it came after the user's. */
export function catchUp(rules: Rules, opened: State, event: { turn: string; at: number }): State {
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
  const next = seen(rules, { ...rest, turns: rest.turns.filter(isOwn) }, early);
  return { ...next, turns: rest.turns.flatMap((each) => (isOwn(each) ? next.turns : [each])) };
}
