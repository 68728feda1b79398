/** What the demo page needs of the simulated platforms, phones and bot: handed in, so that it can reach nothing else. */
import type { Channel } from '../core/platform.ts';

export const channels = ['wechat', 'nxcloud'] as const satisfies readonly Channel[];

/**
 * How the user is kept company while the bot thinks: by keeptyping; by a bot's own typing calls in a plain
 * `setInterval`; not at all.
 */
export const ways = ['keeptyping', 'interval', 'nothing'] as const;
export type Way = (typeof ways)[number];

export const troubles = [
  /** The platform's API takes 2 s for each call. */
  'slow',
  /** The platform's API answers 503 to each call. */
  'down',
  /** The access token is revoked. */
  'token',
  /** The next call of the bot is answered 503. */
  'bot',
  /** keeptyping's worker stops, and starts again. */
  'worker',
] as const;
export type Trouble = (typeof troubles)[number];

/** What happened on a phone or was done to it; `at` in ms since 1970. */
export interface Mark {
  channel: Channel;
  user: string;
  at: number;
  what: string;
  detail: string;
}

export interface Phone {
  readonly marks: readonly Mark[];
  /** The share of [from, to] in which the indicator was lit, 0 to 1. */
  cover(from: number, to: number): number;
}

/** One user of a visitor's. */
export interface User {
  channel: Channel;
  way: Way;
  user: string;
}

export interface Written extends User {
  text: string;
  /** How long the bot thinks about it. */
  thinkMs: number;
}

export interface World {
  /** ms since 1970, on the clock of the marks. */
  now(): number;
  /** The name of a user who has never written, as the platform makes names. */
  newUser(channel: Channel): string;
  /** The user sends a message; its mark is there when this returns. */
  write(written: Written): void;
  phone(channel: Channel, user: string): Phone;
  /**
   * Something breaks for these users; `worker` and `token` break for all. `over` is called when it is mended, never at
   * once. Returns false when it cannot be now.
   */
  trouble(trouble: Trouble, users: readonly User[], over: () => void): boolean;
  /** The user is gone, with all that was remembered. */
  forget(channel: Channel, user: string): void;
  /** Hears every later mark of every phone. Returns the way to stop. */
  on(listener: (mark: Mark) => void): () => void;
}
