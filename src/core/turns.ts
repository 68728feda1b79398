import type { Rules } from './rules.ts';
import type { EndedTurn, Evidence, State, Turn } from './state.ts';

/** A user who sends more than this without one answer loses the oldest turns, so that a state stays small. */
const openKept = 32;
/** Ends are remembered for this many turns: more than can end at once, and for longer than a job's redelivery takes. */
const endedKept = openKept + 16;

/** Ends the open turns that `over` names evidence for, and leaves the others. */
export function endTurns(state: State, at: number, over: (turn: Turn) => Evidence | null): State {
  const ended: EndedTurn[] = [];
  const turns = state.turns.filter((turn) => {
    const by = over(turn);
    if (by) ended.push({ id: turn.id, seen: true, by, asked: turn.renews, openedAt: turn.openedAt, at });
    return !by;
  });
  return ended.length === 0
    ? state
    : { ...state, turns, ended: [...state.ended, ...ended].slice(-endedKept) };
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

type Opening = Pick<Turn, 'id' | 'openedAt' | 'sentAt' | 'phase'> &
  Partial<Pick<Turn, 'renews' | 'deliveries'>>;

/** A turn of which nothing has happened yet. */
export function newTurn(opening: Opening): Turn {
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

export function openTurn(state: State, turn: Turn): State {
  // Messages can be judged in another order than they were written.
  const turns = [...state.turns, turn].toSorted((a, b) => a.openedAt - b.openedAt);
  const crowded = turns.length - openKept;
  const next = { ...state, turns };
  return crowded > 0
    ? endTurns(next, turn.openedAt, (each) => (turns.indexOf(each) < crowded ? 'crowded' : null))
    : next;
}

export function changeTurn(state: State, id: string, change: (turn: Turn) => Turn): State {
  return { ...state, turns: state.turns.map((turn) => (turn.id === id ? change(turn) : turn)) };
}

export function isOpen(state: State, id: string): boolean {
  return state.turns.some((turn) => turn.id === id);
}

export function endOf(state: State, id: string): EndedTurn | null {
  return state.ended.find((turn) => turn.id === id) ?? null;
}

/** The message of a turn whose end was known before it. */
export function markSeen(state: State, id: string): State {
  return { ...state, ended: state.ended.map((turn) => (turn.id === id ? { ...turn, seen: true } : turn)) };
}

/** When a turn ends by itself. */
export function turnEnd(rules: Rules, turn: Turn): number {
  return Math.min(turn.openedAt + rules.deadline, turn.lapsesAt ?? Infinity);
}
