import type { Event } from './event.ts';
import { catchUp } from './inbound.ts';
import { interacted } from './interaction.ts';
import type { Rules } from './rules.ts';
import type { State, Turn } from './state.ts';
import { changeTurn, endOf, isOpen, markSeen, newTurn, openTurn } from './turns.ts';

type Started = Extract<Event, { is: 'started' }>;

/** Typing is asked for by hand. It opens the turn, again if it has ended before, and goes on until it is told to stop. */
export function started(rules: Rules, state: State, event: Started): State {
  const { turn, at } = event;
  if (at < state.pausedUntil) return { ...state, skipped: { why: 'paused', at } };
  const end = endOf(state, turn);
  // The order to stop has overtaken it.
  if (end && end.at >= at) return end.seen ? state : markSeen(note(state, event, true), turn);
  const noted = note(state, event, !end && !isOpen(state, turn));
  if (isOpen(noted, turn))
    return changeTurn(noted, turn, (each) => ({ ...each, renews: true, hushed: false }));
  const others = noted.ended.filter(({ id }) => id !== turn);
  return catchUp(rules, openTurn({ ...noted, ended: others }, startedTurn(event)), event);
}

/** Who names a message that no push has brought says that it has come; and so does who starts where nothing is known. */
function note(state: State, { messageId, at }: Started, isNew: boolean): State {
  const came = isNew && (messageId !== null || state.lastInteractionAt === null);
  const fresh = { ...state, forgotten: false };
  const met = came ? interacted({ ...fresh, sends: 0 }, at) : fresh;
  if (messageId === null || !isNew || at < state.messageAt) return met;
  const refusal = met.refusal?.why === 'message' ? null : met.refusal;
  return { ...met, messageId, messageAt: at, refusal };
}

function startedTurn({ turn, at }: Started): Turn {
  return newTurn({ id: turn, openedAt: at, sentAt: 0, phase: 'acknowledged', renews: true });
}
