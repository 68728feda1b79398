import type { Outcome } from './platform.ts';
import type { Evidence } from './state.ts';

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
    }
  /** The bot has taken the message and will answer some other way, or not. */
  | { is: 'acknowledged'; turn: string }
  /** Pass mode: a delivery ended without an answer. */
  | { is: 'missed'; turn: string }
  /** The turn is over. `message`: by a message to the user, which goes out now. */
  | { is: 'ended'; turn: string; by: Evidence; message: boolean }
  /** That message did not go out after all. */
  | { is: 'undelivered' }
  /** A message to the user was seen; to which turn it belongs is not known. `sentAt`: platform seconds, 0 unknown. */
  | { is: 'message'; by: Evidence; sentAt: number }
  /** A message of ours reached the user. */
  | { is: 'interaction' }
  | { is: 'paused'; until: number }
  | { is: 'resumed' }
  | { is: 'left' }
  | { is: 'wake'; timer: number }
  | { is: 'outcome'; call: number; outcome: Outcome }
  /** The job found that an earlier try of itself died somewhere on its way. */
  | { is: 'recovered'; by: string }
);
