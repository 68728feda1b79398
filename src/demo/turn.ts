/** One wait of a visitor on one phone, from the first unanswered message to the last answer, in all ways at once. */
import { ways, type ComparedWay } from './world.ts';

/** Times in ms since 1970. */
export interface ComparedTurn {
  from: number;
  messages: number;
  /** Nobody's answer can be there sooner. */
  expected: number;
  /** It is the page's own play, not a message of the visitor's. */
  played: boolean;
  /** No answer is to be expected any more: the next message begins a wait of its own. */
  overdue: number;
  answers: Readonly<Record<ComparedWay, number>>;
  /** When the last answer came; null while one is missing. */
  ends: Readonly<Record<ComparedWay, number | null>>;
}

/** A retried call of the bot, a slow API and a stopped worker together take no longer (ms). */
const slack = 20_000;

const none = { keeptyping: 0, interval: 0, once: 0, nothing: 0 } as const;
const openTurn = { keeptyping: null, interval: null, once: null, nothing: null } as const;

/** The user writes: while a message waits, the new one waits with it. */
export function wrote(
  turn: ComparedTurn | null,
  { at, thinkMs, played = false }: { at: number; thinkMs: number; played?: boolean },
): ComparedTurn {
  const [expected, overdue] = [at + thinkMs, at + 2 * thinkMs + slack];
  if (turn === null || isOver(turn, at))
    return { from: at, messages: 1, expected, played, overdue, answers: none, ends: openTurn };
  return {
    ...turn,
    messages: turn.messages + 1,
    expected: Math.max(expected, turn.expected),
    overdue: Math.max(overdue, turn.overdue),
    ends: openTurn,
  };
}

/** An answer reaches the phone. */
export function answered(turn: ComparedTurn, way: ComparedWay, at: number): ComparedTurn {
  const answers = { ...turn.answers, [way]: turn.answers[way] + 1 };
  const ends = answers[way] < turn.messages ? turn.ends : { ...turn.ends, [way]: turn.ends[way] ?? at };
  return { ...turn, answers, ends };
}

/** Nothing more is to come: every way has its answers, or will never get them. */
export function isOver({ ends, overdue }: ComparedTurn, at: number): boolean {
  return at >= overdue || ways.every((way) => ends[way] !== null);
}

/** Up to when one way's wait is to be counted. */
export function endOf({ ends, overdue }: ComparedTurn, way: ComparedWay, at: number): number {
  return ends[way] ?? Math.min(at, overdue);
}
