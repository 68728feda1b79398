import type { Outcome } from './platform.ts';
import type { Evidence, Pause } from './state.ts';

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
  /** Somebody who knows asks for typing: opens the turn, or renews it although the bot has acknowledged. */
  | { is: 'started'; turn: string; messageId: string | null }
  /** The bot has taken the message and will answer some other way, or not. `renew`: it asks for typing until then. */
  | { is: 'acknowledged'; turn: string; renew?: boolean }
  /** Pass mode: a delivery ended without an answer. */
  | { is: 'missed'; turn: string }
  /** The turn is over. `message`: by a message to the user, which goes out now (`true`) or may be `out` already. */
  | { is: 'ended'; turn: string; by: Evidence; message: boolean | 'out' }
  /** Somebody says that the user waits no more; whether a message went out is not known. */
  | { is: 'over'; by: Evidence; turns: 'all' | 'acknowledged' }
  /** That message did not go out after all. */
  | { is: 'undelivered' }
  /**
   * A message to the user was seen; to which turn it belongs is not known. `sentAt`: platform seconds, 0 unknown.
   * `id`: what the platform calls it; the same message is often seen in two ways.
   */
  | { is: 'message'; by: Evidence; sentAt: number; id: string | null }
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
