/** What is not told as it happens, but looked up when somebody scrapes. */
import type { Channel } from '../core/platform.ts';

export interface QueueSize {
  queue: 'typing' | 'replies';
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

/** What stands in Redis. */
export interface Stock {
  queues: readonly QueueSize[];
  /** A worker has shown a sign of life in the last seconds. */
  worker: boolean;
  /** Conversations with a turn that waits for its answer; null: nobody counts them. */
  conversations: number | null;
}

/** An account of this process, and whether the platform lets it type. */
export interface AccountSwitch {
  channel: Channel;
  account: string;
  typing: 'on' | 'off';
}

export interface Source {
  /** Asks Redis. Rejects when it is away. */
  stock(): Promise<Stock>;
  accounts(): readonly AccountSwitch[];
}
