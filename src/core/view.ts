/** One conversation as it is explained to whoever asks: who waits, what shows, what ended the last turn, why it is dark. */
import { type Dark, whyDark } from './decide.ts';
import type { Rules } from './rules.ts';
import type { Evidence, Indicator, Pause, State, Turn } from './state.ts';
import { elapse } from './step.ts';

/** Times are whole ms since 1970. */
export interface View {
  /** Messages that wait for their answer, oldest first. */
  turns: Pick<Turn, 'id' | 'phase' | 'openedAt' | 'shown'>[];
  /** What the phone shows, as far as is known: `maybe` after a call whose fate nobody knows. */
  indicator: { is: 'dark' } | { is: 'lit' | 'maybe'; since: number; until: number };
  lastInteractionAt: number | null;
  lastMessageId: string | null;
  /** null: none is remembered. */
  lastEnded: { turn: string; by: Evidence; at: number } | null;
  /** Messages to the user since the user's last one. `left`: null where there is no limit. */
  sends: { used: number; left: number | null };
  /** null: no pause. */
  pausedUntil: number | null;
  pausedBy: Pause | null;
  /** Why nothing shows; null: it shows. */
  dark: ((Dark | (Omit<Dark, 'reason'> & { reason: 'redis_down' })) & { remedy: string | null }) | null;
}

interface Looked {
  at: number;
  /** A message to the user is just being sent: no show before this. */
  blockedUntil: number;
  /** The platform has refused the account until then. */
  off: { until: number; code: number; remedy: string } | null;
}

/** `at` counts, not the last event: what was to be lit until then is dark, a turn past its deadline is over. */
export function viewOf(rules: Rules, known: State, looked: Looked): View {
  const { at } = looked;
  const state = elapse(rules, known, at);
  const { turns, lastInteractionAt, messageId, sends, pausedUntil, pausedBy } = state;
  const isPaused = at < pausedUntil;
  const limit = rules.sendsPerMessage;
  return {
    turns: turns.map(({ id, phase, openedAt, shown }) => ({ id, phase, openedAt: whole(openedAt), shown })),
    indicator: shownOf(state.indicator),
    lastInteractionAt: lastInteractionAt === null ? null : whole(lastInteractionAt),
    lastMessageId: messageId,
    lastEnded: lastEndOf(state),
    sends: { used: sends, left: limit === 0 ? null : Math.max(0, limit - sends) },
    pausedUntil: isPaused ? whole(pausedUntil) : null,
    pausedBy: isPaused ? pausedBy : null,
    dark: darkOf(rules, state, looked),
  };
}

function shownOf(indicator: Indicator): View['indicator'] {
  if (indicator.is === 'dark' || indicator.is === 'cleared') return { is: 'dark' };
  const { is, since, until } = indicator;
  return { is, since: whole(since), until: whole(until) };
}

/** Of a turn whose message was never seen only somebody's word is known: it may not have been one. */
function lastEndOf({ ended }: State): View['lastEnded'] {
  const last = ended.findLast(({ seen }) => seen);
  return last ? { turn: last.id, by: last.by, at: whole(last.at) } : null;
}

function darkOf(rules: Rules, state: State, { off, ...moment }: Looked): View['dark'] {
  const dark = whyDark(rules, state, moment);
  if (dark === null) return null;
  if (off && dark.reason === 'mode_off')
    return { reason: 'no_permission', until: whole(off.until), code: off.code, remedy: off.remedy };
  return { ...dark, until: dark.until === null ? null : whole(dark.until), remedy: null };
}

/** The clock counts in fractions of a ms. */
function whole(ms: number): number {
  return Math.round(ms);
}
