/** An account as it is examined against the live platform: what only the adapter knows. */
import type { Finding } from './finding.ts';
import type { BotAnswer, Channel } from './platform.ts';
import type { Answer } from './wire.ts';

/** A request as the platform makes it on a webhook URL, signed. */
export interface Knock {
  method: 'GET' | 'POST';
  /** Without the leading "?". */
  rawQuery: string;
  headers: readonly (readonly [name: string, value: string])[];
  body: string | null;
  /** The text that must come back; null: any 2xx will do. */
  expects: string | null;
}

/** No member throws. */
export interface Examiner {
  readonly channel: Channel;
  readonly account: string;
  /** Asks the platform's API what it makes of the account. Nobody's phone shows anything of it. */
  ask(): Promise<Finding[]>;
  /** What no bot answers: it asks whether somebody is there who knows the secret. */
  knock(): Knock;
  /** A text message of a user who does not exist. */
  message(): Knock;
  /** What the bot's answer to that message means. */
  readAnswer(answer: Answer): BotAnswer;
}
