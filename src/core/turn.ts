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
  /** Deliveries of the push so far, in pass mode. */
  deliveries: number;
  /** The turn ends then, unless another delivery comes. */
  lapsesAt: number | null;
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
}
