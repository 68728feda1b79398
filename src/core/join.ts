import type { EndedTurn, Indicator, State, Turn } from './state.ts';

/**
 * Two conversations that turn out to be with one person: what is known of either holds of the one. Joining the same once
 * more changes nothing: a turn that has ended in one of them has ended.
 */
export function join(state: State, other: State): State {
  const ended = unique<EndedTurn>([...other.ended, ...state.ended]).toSorted((a, b) => a.at - b.at);
  const isOver = ({ id }: Turn): boolean => ended.some((end) => end.id === id);
  const turns = unique<Turn>([...other.turns, ...state.turns])
    .filter((turn) => !isOver(turn))
    .toSorted((a, b) => a.openedAt - b.openedAt);
  const [older, newer] = other.messageAt > state.messageAt ? [state, other] : [other, state];
  const paused = other.pausedUntil > state.pausedUntil ? other : state;
  return {
    ...state,
    turns,
    ended,
    early: [...other.early, ...state.early.filter((each) => !other.early.includes(each))],
    lastInteractionAt: latest(state.lastInteractionAt, other.lastInteractionAt),
    messageId: newer.messageId ?? older.messageId,
    messageAt: newer.messageAt,
    refusal: newer.refusal,
    skipped: newer.skipped,
    indicator: longer(state.indicator, other.indicator),
    // One of two calls in flight is only known by what it does: the phone shows what the other one says, too.
    call: state.call ?? other.call,
    givenUp: state.givenUp ?? other.givenUp,
    n: Math.max(state.n, other.n),
    showAt: Math.max(state.showAt, other.showAt),
    hideAt: Math.max(state.hideAt, other.hideAt),
    again: Math.max(state.again, other.again),
    spent: state.spent.since >= other.spent.since ? state.spent : other.spent,
    pausedUntil: paused.pausedUntil,
    pausedBy: paused.pausedBy,
    pauseChangedAt: Math.max(state.pauseChangedAt, other.pauseChangedAt),
    sends: newer.sends,
    heard: [...new Set([...other.heard, ...state.heard])],
    countedAt: Math.max(state.countedAt, other.countedAt),
    forgotten: state.forgotten && other.forgotten,
  };
}

/** The last of each id. */
function unique<Named extends { id: string }>(list: readonly Named[]): Named[] {
  return [...new Map(list.map((each) => [each.id, each])).values()];
}

function latest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other);
}

function longer(one: Indicator, other: Indicator): Indicator {
  if (one.is === 'dark' || other.is === 'dark') return one.is === 'dark' ? other : one;
  return other.until > one.until ? other : one;
}
