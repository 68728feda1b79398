import type { Reply } from './server.ts';

/** One message that the bot is to answer. */
export interface BotMessage {
  user: string;
  text: string;
  /** The answer to give in the webhook's answer; null where the platform has no such thing. */
  inline: ((text: string) => Reply) | null;
  /** The webhook's answer that passes the user on to a human; null where there is no such thing. */
  transfer: (() => Reply) | null;
  /** Sends by the platform's API. Resolves with the platform's code. */
  send: (text: string) => Promise<number>;
  /** Shows typing by the platform's API. Resolves with the platform's code. */
  type: () => Promise<number>;
}

/** A webhook request as the bot understands it. */
export interface BotPush {
  acknowledgement: Reply;
  messages: BotMessage[];
}
