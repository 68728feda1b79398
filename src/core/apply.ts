import type { Event } from './event.ts';
import { inbound } from './inbound.ts';
import { cleared, interacted } from './interaction.ts';
import { giveUpCall, takeOutcome } from './outcome.ts';
import { progress } from './progress.ts';
import type { Rules } from './rules.ts';
import type { State } from './state.ts';
import { endTurn, endTurns } from './turns.ts';

/** The state after an event, before anything is decided. */
export function apply(rules: Rules, state: State, event: Event): State {
  const { at } = event;
  switch (event.is) {
    case 'inbound':
      return inbound(rules, state, event);
    case 'acknowledged':
    case 'missed':
      return progress(rules, state, event);
    case 'ended': {
      const ended = endTurn(state, event);
      // The message is on its way, not out yet: shown again when `interaction` says that it is, or after this.
      return event.message ? cleared(rules, ended, { at, showAt: at + rules.darkAfterMessage }) : ended;
    }
    case 'undelivered':
      return undelivered(state);
    case 'message':
      return progress(
        rules,
        cleared(rules, interacted(state, at), { at: wentOutBy(event), showAt: at }),
        event,
      );
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

function undelivered(state: State): State {
  const { indicator } = state;
  return indicator.is === 'cleared' ? { ...state, indicator: { ...indicator, is: 'maybe' } } : state;
}

/** The news of a message comes later than the message, which the platform dates in whole seconds. */
function wentOutBy({ sentAt, at }: { sentAt: number; at: number }): number {
  return sentAt > 0 ? Math.min(at, (sentAt + 1) * 1000) : at;
}

/** The dead job's call may have been carried out; that it died says nothing against the next one. */
function recovered(rules: Rules, state: State, { by, at }: { by: string; at: number }): State {
  const own = state.call?.by === by ? { ...giveUpCall(rules, state, at), showAt: at } : state;
  return { ...own, timer: null };
}
