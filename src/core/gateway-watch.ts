import type { GatewayPlatform, Verdict } from './platform.ts';

/** A message of the bot that is on its way to the user. */
export interface Sending {
  /** A show of ours was in flight and awaited: the time that this took is not the gateway's. */
  waitedForShow: boolean;
  /** Called exactly once, however the call ends, before the bot has the whole of the platform's answer. */
  over(verdict: Verdict): void;
}

/** Who learns what the bot's own calls say about its users. Nothing here throws. */
export interface GatewayWatch {
  /** Before a message leaves: no show begins until it is over. Never rejects, and resolves within 500 ms; at once when Redis is away. */
  sending(platform: GatewayPlatform, user: string): Promise<Sending>;
  /** After the bot's own typing call (`on`) or its end. */
  typed(platform: GatewayPlatform, user: string, typed: { on: boolean; verdict: Verdict }): void;
}
