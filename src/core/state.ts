/** What keeptyping knows of one conversation: JSON-safe, replaced whole, kept in Redis by the queue. */
import type { EndedTurn, Evidence, Turn } from './turn.ts';

export type { EndedTurn, Evidence, Turn };

/** What the phone shows, as far as the platform's answers tell. `until`: the latest moment that it could show. */
export type Indicator =
  | { is: 'dark' }
  | { is: 'lit'; since: number; until: number }
  /** A call whose fate nobody knows. */
  | { is: 'maybe'; since: number; until: number }
  /** A message that takes it away has gone out, or is just about to. */
  | { is: 'cleared'; since: number; until: number };

/** The typing call in flight: never more than one. */
export interface Call {
  n: number;
  kind: 'show' | 'hide' | 'interim';
  at: number;
  /** The job that makes it; when that job is found dead, so is the call. */
  by: string;
  messageId: string | null;
  /** A message to the user went out meanwhile: whether before or after the show, nobody knows. */
  crossed: boolean;
}

/** Why no show is allowed, and until when; `null`: until the user's next interaction. */
export interface Refusal {
  code: number;
  why: 'window' | 'message' | 'user' | 'account';
  until: number | null;
}

/** An event that may belong to a turn that is not open yet. */
export type Early =
  | { is: 'acknowledged'; turn: string; at: number; renew?: boolean }
  | { is: 'missed'; turn: string; at: number }
  /** `all`: it ended every open turn, not only those that were acknowledged. */
  | { is: 'message'; by: Evidence; at: number; sentAt: number; all?: boolean };

/** Who has asked that nothing shows: a person by the control API, WeChat's session with a human, the bot that passed the user on, a human's answer. */
export type Pause = 'control' | 'session' | 'transfer' | 'echo';

export interface State {
  v: 1;
  turns: Turn[];
  /** Turns that have ended, newest last: a repeat of their push opens nothing. */
  ended: EndedTurn[];
  /** What was heard of turns whose message has not been judged yet: events can overtake it. Newest last. */
  early: Early[];
  lastInteractionAt: number | null;
  /** Newest inbound message id, and when that message came. */
  messageId: string | null;
  messageAt: number;
  indicator: Indicator;
  call: Call | null;
  /** The one wake-up that counts; any other number is stale. */
  timer: { n: number; at: number } | null;
  /** Last number given to a call or timer. */
  n: number;
  refusal: Refusal | null;
  /** No show before. */
  showAt: number;
  /** No hide before. */
  hideAt: number;
  /** "Already typing" in a row. */
  again: number;
  /** Shows of the running minute. */
  spent: { since: number; shows: number };
  /** A human has the conversation until then. */
  pausedUntil: number;
  pausedBy: Pause | null;
  /** When it was last paused or resumed. */
  pauseChangedAt: number;
  /** Messages to the user since the user's last one, as far as seen. */
  sends: number;
  /** The platform's ids of the last of them, as it told them. */
  heard: string[];
  /** The last thing that the user did opened no turn, and why. */
  skipped: { why: 'event_kind' | 'paused'; at: number } | null;
  /** The last call whose outcome was not waited for any longer. */
  givenUp: { n: number; kind: Call['kind'] } | null;
  /** Until then it is counted for how long the indicator has run. */
  countedAt: number;
  /** To be deleted once nothing shows and nothing is in flight. */
  forgotten: boolean;
}

export const initialState: State = {
  v: 1,
  turns: [],
  ended: [],
  early: [],
  lastInteractionAt: null,
  messageId: null,
  messageAt: 0,
  indicator: { is: 'dark' },
  call: null,
  timer: null,
  n: 0,
  refusal: null,
  showAt: 0,
  hideAt: 0,
  again: 0,
  spent: { since: 0, shows: 0 },
  pausedUntil: 0,
  pausedBy: null,
  pauseChangedAt: 0,
  givenUp: null,
  sends: 0,
  heard: [],
  skipped: null,
  countedAt: 0,
  forgotten: false,
};
