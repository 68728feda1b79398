import type { Rules } from './rules.ts';
import type { Early, Evidence, State, Turn } from './state.ts';
import { changeTurn, endOf, endTurn, endTurns, isOpen } from './turns.ts';

type OfTurn = Extract<Early, { turn: string }>;
type Message = Extract<Early, { is: 'message' }>;

/** More than a burst can bring out of order; older ones belong to turns that are long over. */
const earlyKept = 16;

/** How a turn moves on short of its end; an event that overtook its turn's message is kept for it. */
export function progress(rules: Rules, state: State, event: Early): State {
  if (event.is === 'message') return seen(rules, { ...state, early: remember(state, event) }, event);
  if (isOpen(state, event.turn))
    return event.is === 'acknowledged' ? acknowledged(state, event) : missed(rules, state, event);
  return endOf(state, event.turn) ? state : { ...state, early: remember(state, event) };
}

/** Of messages to the user only the last one matters: it is the latest that a message can have been answered. */
function remember(state: State, event: Early): Early[] {
  const others = state.early.filter((each) => event.is !== 'message' || each.is !== 'message');
  return [...others, event].slice(-earlyKept);
}

function acknowledged(state: State, event: OfTurn): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  if (turn?.replied) return endTurn(state, { turn: turn.id, by: turn.replied, at: event.at });
  return changeTurn(state, event.turn, (each) => ({ ...each, phase: 'acknowledged', lapsesAt: null }));
}

function missed(rules: Rules, state: State, event: OfTurn): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  if (turn && turn.deliveries >= rules.deliveries) {
    return endTurn(state, { turn: turn.id, by: turn.replied ?? 'deliveries', at: event.at });
  }
  return changeTurn(state, event.turn, (each) => ({ ...each, lapsesAt: event.at + rules.lapse }));
}

/** Evidence with only a user: which turn it answers is not known. */
export function seen(rules: Rules, state: State, event: Message): State {
  const over = (turn: Turn): Evidence | null =>
    turn.phase === 'acknowledged' && openedBefore(turn, event) ? event.by : null;
  const { turns, ...rest } = endTurns(state, event.at, over);
  const darkUntil = event.at + rules.darkAfterMessage;
  const answered = (turn: Turn): Turn => ({ ...turn, replied: event.by, darkUntil });
  return { ...rest, turns: turns.map((turn) => (openedBefore(turn, event) ? answered(turn) : turn)) };
}

/** In whole seconds of the platform where both are known: a message of the same second counts as an answer. */
function openedBefore(turn: Turn, event: Message): boolean {
  return turn.sentAt > 0 && event.sentAt > 0 ? event.sentAt >= turn.sentAt : event.at >= turn.openedAt;
}
