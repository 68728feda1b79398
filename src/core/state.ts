/** What keeptyping knows of one conversation: JSON-safe, replaced whole, kept in Redis by the queue. */
import type { Outcome } from './platform.ts';

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
  | { is: 'acknowledged'; turn: string; at: number; renew?: boolean; orphan?: true }
  | { is: 'missed'; turn: string; at: number; delivery?: string }
  /** `all`: it ended every open turn, not only those that were acknowledged. */
  | { is: 'message'; by: Evidence; at: number; sentAt: number; slack?: number; from?: string; all?: boolean };

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

/** Everything that can happen to a conversation. `at`: ms on the clock that all processes share. */
export type Event = { at: number } & (
  | {
      is: 'inbound';
      turn: string;
      sentAt: number;
      messageId: string | null;
      opensTurn: boolean;
      interaction: boolean;
      /** `acknowledged` when there is no bot to call; `passed` when each delivery is handed to the bot. */
      phase: 'working' | 'acknowledged' | 'passed';
      /** To which of the account's numbers, where it has several. */
      to?: string;
    }
  /** Somebody who knows asks for typing: opens the turn, or renews it although the bot has acknowledged. */
  | { is: 'started'; turn: string; messageId: string | null }
  /** The bot had failed with that turn's push, and is called again. */
  | { is: 'again'; turn: string }
  /**
   * The bot has taken the message and will answer some other way, or not. `renew`: it asks for typing until then.
   * `orphan`: nobody has heard so, for whoever called it has died.
   */
  | { is: 'acknowledged'; turn: string; renew?: boolean; orphan?: true }
  /** Pass mode: a delivery ended without an answer, and which one. */
  | { is: 'missed'; turn: string; delivery?: string }
  /** The turn is over. `message`: by a message to the user, which goes out now (`true`) or may be `out` already. */
  | { is: 'ended'; turn: string; by: Evidence; message: boolean | 'out' }
  /** Somebody says that the user waits no more; whether a message went out is not known. */
  | { is: 'over'; by: Evidence; turns: 'all' | 'acknowledged' }
  /** That message did not go out after all. */
  | { is: 'undelivered' }
  /**
   * A message to the user was seen; to which turn it belongs is not known. `sentAt`: platform seconds, 0 unknown.
   * `id`: what the platform calls it; the same message is often seen in two ways. `slack`, `from`: as in `Happening`.
   */
  | { is: 'message'; by: Evidence; sentAt: number; slack?: number; from?: string; id: string | null }
  /** The platform says that a message to the user has failed. */
  | { is: 'failed'; sentAt: number; id: string | null; from?: string }
  /** The platform will report this id as it does a message's, and it is no answer: a reaction. */
  | { is: 'aside'; id: string }
  /** The user was known by another name, too, whose conversation that was. */
  | { is: 'joined'; other: State }
  /** A message of ours reached the user. `sent`: it counts among those that may be sent. */
  | { is: 'interaction'; sent: boolean }
  /** The bot has switched its own indicator on or off, and the platform has accepted it. */
  | { is: 'typed'; on: boolean }
  /** A message that was about to go out did not, or nobody knows (`doubt`): nothing keeps the indicator dark any more. */
  | { is: 'unblocked'; doubt: boolean }
  | { is: 'paused'; until: number; by: Pause }
  /** By whoever had it paused; a person may end any pause, and nobody else a person's. */
  | { is: 'resumed'; by: Pause }
  | { is: 'left' }
  /** Nothing is to be remembered of the user. */
  | { is: 'forgotten' }
  | { is: 'wake'; timer: number }
  | { is: 'outcome'; call: number; outcome: Outcome }
  /** The job found that an earlier try of itself died somewhere on its way. */
  | { is: 'recovered'; by: string }
);

/** One message that waits for its answer, and how that can end. */

/** What ended a turn. The first that fires wins. */
export type Evidence =
  /** The bot's webhook answer held a message. */
  | 'passive-reply'
  /** The platform said that a message to the user went out (NXCloud `sent`). */
  | 'status'
  /** A human answered from the phone app (`smb_message_echoes`). */
  | 'echo'
  /** A message to the user passed the gateway, and the platform accepted it. */
  | 'gateway'
  /** The job of the bot's own queue ended. */
  | 'queue'
  /** Somebody said so by the control API. */
  | 'control'
  /** The bot said, with its webhook answer, that no answer will come, or that it is out. */
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

/** Ends that tell nothing of an answer. */
export const unanswered: readonly Evidence[] = [
  'deadline',
  'deliveries',
  'left',
  'crowded',
  'handoff',
  'reply-failed',
];

/** One inbound message that waits for its answer. */
export interface Turn {
  id: string;
  openedAt: number;
  /** The platform's time of the message, whole seconds; 0 when it named none. */
  sentAt: number;
  /** `working`: the bot is being called; `acknowledged`: it has taken the message and answers some other way. */
  phase: 'working' | 'acknowledged';
  /** To which of the account's numbers it was written, where it has several; and what the platform calls it there. */
  to?: string;
  messageId?: string;
  /** An indicator has run in this turn. */
  shown: boolean;
  /** Renewed after an acknowledgement whatever the rules say: somebody who knows has asked for it. */
  renews: boolean;
  /** The bot has switched its own indicator off: none of ours until it switches one on. */
  hushed: boolean;
  /** The interim text has been sent, or tried. */
  interim: boolean;
  /** A message to the user was seen while the bot's call still ran: the turn ends when the call returns. */
  replied: Evidence | null;
  /** Dark until then, after such a message. */
  darkUntil: number;
  /** Deliveries of the push so far, in pass mode; which of them have ended without an answer. */
  deliveries: number;
  missed?: string[];
  /** The turn ends then, unless another delivery comes. */
  lapsesAt: number | null;
  /** When the bot's call has ended, as it was told (ms). */
  doneAt?: number;
  /** Whoever called the bot has died: of the bot's messages, each answers one of these. */
  orphan?: true;
  /** The platform has said of a message that answered it that it failed. */
  failed?: true;
  /** When the platform had first accepted an indicator, and for how long one has run since (ms). */
  litFrom: number | null;
  litMs: number;
}

export interface EndedTurn {
  id: string;
  /** Its message has been seen; false while only its end is known, which can be faster. */
  seen: boolean;
  by: Evidence;
  /** Typing was asked for by hand until then, whatever acknowledgements mean. */
  asked: boolean;
  openedAt: number;
  at: number;
  /** Its caller had died, and a message of the bot's, which has lived on, ended it while nothing else waited for one. */
  answered?: true;
}
