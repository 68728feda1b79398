import type { Rules } from './rules.ts';
import type { Early, Evidence, State, Turn } from './state.ts';
import { changeTurn, endOf, endTurn, endTurns, isOpen } from './turns.ts';

type OfTurn = Extract<Early, { turn: string }>;
type Message = Extract<Early, { is: 'message' }>;

/** More than a burst can bring out of order; older ones belong to turns that are long over. */
const earlyKept = 16;

/** How a turn moves on short of its end; an event that overtook its turn's message is kept for it. */
export function progress(rules: Rules, state: State, event: Early): State {
  if (event.is === 'message') return seen(rules, state, event);
  if (isOpen(state, event.turn))
    return event.is === 'acknowledged' ? acknowledged(rules, state, event) : missed(rules, state, event);
  return endOf(state, event.turn) ? state : { ...state, early: remember(state, event) };
}

export function remember(state: State, event: Early): Early[] {
  const others = state.early.filter((each) => !isCovered(each, event));
  return [...others, event].slice(-earlyKept);
}

/** A message to the user answers whatever an earlier one has answered; one with a time only what that time allows. */
function isCovered(each: Early, event: Early): boolean {
  if (each.is !== 'message' || event.is !== 'message' || each.all !== event.all) return false;
  if (each.at > event.at) return false;
  return event.sentAt === 0 || (each.sentAt > 0 && each.sentAt <= event.sentAt);
}

function acknowledged(rules: Rules, state: State, event: OfTurn): State {
  const turn = state.turns.find(({ id }) => id === event.turn);
  const renews = event.is === 'acknowledged' && event.renew === true;
  // A message that went out before the bot asked for typing was not yet the answer.
  const isFirst = renews && turn !== undefined && turn.darkUntil < event.at + rules.darkAfterMessage;
  if (turn?.replied && !isFirst) return endTurn(state, { turn: turn.id, by: turn.replied, at: event.at });
  return changeTurn(state, event.turn, (each) => ({
    ...each,
    phase: 'acknowledged',
    renews: each.renews || renews,
    replied: renews ? null : each.replied,
    lapsesAt: null,
  }));
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
  const meant = meantBy(rules, state, event);
  // One that has answered what it may answer has nothing to say to a message that is judged after it.
  const isSpent = rules.sendEnds === 'oldest' && meant.length > 0;
  const early = isSpent ? state.early : remember(state, event);
  const over = (turn: Turn): Evidence | null =>
    turn.phase === 'acknowledged' && meant.includes(turn) ? event.by : null;
  const { turns, ...rest } = endTurns({ ...state, early }, event.at, over);
  const dark = event.at + rules.darkAfterMessage;
  const answered = (turn: Turn): Turn => ({
    ...turn,
    replied: event.by,
    darkUntil: Math.max(turn.darkUntil, dark),
  });
  return { ...rest, turns: turns.map((turn) => (meant.includes(turn) ? answered(turn) : turn)) };
}

/** With `oldest` each message answers one: the first that waits for more than the end of the bot's call. */
function meantBy({ sendEnds }: Rules, { turns }: State, event: Message): Turn[] {
  const before = turns.filter((turn) => openedBefore(turn, event));
  if (sendEnds === 'all') return before;
  const oldest =
    before.find(({ phase }) => phase === 'acknowledged') ?? before.find(({ replied }) => replied === null);
  return oldest ? [oldest] : [];
}

/** In whole seconds of the platform where both are known: a message of the same second counts as an answer. */
function openedBefore(turn: Turn, event: Message): boolean {
  return turn.sentAt > 0 && event.sentAt > 0 ? event.sentAt >= turn.sentAt : event.at >= turn.openedAt;
}
