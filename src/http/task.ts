import type { Response } from 'express';
import type { Observe } from '../core/notice.ts';
import type { Conversation, Platform, Received } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Served, ServedBot } from '../core/roster.ts';
import type { RawPush } from '../core/wire.ts';
import type { Intake } from '../replies/intake.ts';
import type { Turns } from '../replies/turns.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Pressure } from '../typing/pressure.ts';
import type { Holds } from './holds.ts';
import type { Bodies } from './respond.ts';

/** What a web has of the pushes of one shard. */
export interface ShardOfPush {
  turns: Pick<Turns, 'take' | 'bringLate'>;
  holds: Pick<Holds, 'open'>;
  /** Another process has what that connection waits for. @default it tells when it is there */
  lookFor?: (holder: string) => void;
}

export interface WebDeps extends ShardOfPush {
  intake: Intake;
  /** Where the push of a conversation is, by its record's id. @default all are in one shard */
  shardOf?: (conversation: Conversation, push: string) => ShardOfPush | Promise<ShardOfPush>;
  /** Kept where Redis does not take them. */
  events: EventQueue;
  pressure: Pressure;
  /** Where a push counts for as long as it is carried. @default nowhere */
  bodies?: Pick<Bodies, 'keep'>;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
  holdMs: number;
  /** The account can send nothing through the platform's API: an answer has to come while the platform waits. */
  isMute: (platform: Platform) => boolean;
  /** Looks what other processes have learned of that. */
  refreshMute: () => void;
}

export interface Task {
  served: Served;
  bot: ServedBot;
  received: Extract<Received, { is: 'push' }>;
  push: RawPush;
  response: Response;
  /** The platform's patience began then (ms). */
  arrivedAt: number;
}
