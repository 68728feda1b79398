/** What keeptyping knows of one conversation: JSON-safe, replaced whole, kept in Redis by the queue. */

/** What ended a turn. The first that fires wins. */
export type Evidence =
  /** The bot's webhook answer held a message. */
  | 'passive-reply'
  /** The platform said that a message to the user went out (NXCloud `sent`). */
  | 'status'
  /** A human answered from the phone app (`smb_message_echoes`). */
  | 'echo'
  /** The bot said that no answer will come, or that it is out. */
  | 'bot'
  /** The reply job failed for good. */
  | 'reply-failed'
  /** Pass mode: the platform's last delivery ended without an answer, or no further one came. */
  | 'deliveries'
  /** Nobody ever said how it ended. */
  | 'deadline'
  /** A human took over, or the user left. */
  | 'handoff'
  | 'left'
  /** More open turns than one conversation may hold. */
  | 'crowded';

/** One inbound message that waits for its answer. */
export interface Turn {
  id: string;
  openedAt: number;
  /** The platform's time of the message, whole seconds; 0 when it named none. */
  sentAt: number;
  /** `working`: the bot is being called; `acknowledged`: it has taken the message and answers some other way. */
  phase: 'working' | 'acknowledged';
  /** An indicator has run in this turn. */
  shown: boolean;
  /** A message to the user was seen while the bot's call still ran: the turn ends when the call returns. */
  replied: Evidence | null;
  /** Dark until then, after such a message. */
  darkUntil: number;
  /** Deliveries of the push so far, in pass mode. */
  deliveries: number;
  /** The turn ends then, unless another delivery comes. */
  lapsesAt: number | null;
}

export interface EndedTurn {
  id: string;
  /** Its message has been seen; false while only its end is known, which can be faster. */
  seen: boolean;
  by: Evidence;
  openedAt: number;
  at: number;
}

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
  kind: 'show' | 'hide';
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
  | { is: 'acknowledged' | 'missed'; turn: string; at: number }
  | { is: 'message'; by: Evidence; at: number; sentAt: number };

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
};
