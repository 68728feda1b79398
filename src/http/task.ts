import type { Response } from 'express';
import type { Observe } from '../core/notice.ts';
import type { Happening, Platform, Received } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Served, ServedBot } from '../core/roster.ts';
import type { Event } from '../core/state.ts';
import type { Answer, RawPush } from '../core/wire.ts';
import type { Direct } from './direct.ts';
import type { Holds } from './holds.ts';

export type Phase = Extract<Event, { is: 'inbound' }>['phase'];

export interface Received2xx {
  key: string;
  happenings: readonly Happening[];
  push: RawPush;
}

/** What the queue takes from the web. Every member rejects when Redis is out of reach. */
export interface Intake {
  tell(platform: Platform, happenings: readonly Happening[], phase: Phase): Promise<void>;
  tellEvent(platform: Platform, user: string, event: Event): Promise<void>;
  enqueue(platform: Platform, received: Received2xx): Promise<void>;
  redeliver(platform: Platform, received: Received2xx): Promise<void>;
}

export type Hold = { is: 'held'; deliveries: number } | { is: 'answer'; answer: Answer } | { is: 'decided' };

export interface WebDeliveries {
  hold(id: string, holder: string, untilMs: number): Promise<Hold>;
  giveBack(id: string, holder: string): Promise<boolean>;
}

/** For what must happen when Redis did not answer in time: these wait until it does. */
export interface Later {
  /** A claim of this holder's, if it was carried out after all, is taken back and the answer sent another way. */
  giveBack(id: string, holder: string): Promise<boolean>;
  /** No worker answers this push while the web does… */
  forfeit(id: string): Promise<void>;
  /** …unless the web could not: the push becomes a job after all. Resolves with whether it may. */
  resume(id: string): Promise<boolean>;
  redeliver(platform: Platform, received: Received2xx): Promise<void>;
}

export interface WebDeps {
  intake: Intake;
  holds: Holds;
  deliveries: WebDeliveries;
  later: Later;
  /** What is sent to Redis now may be carried out, whether it is answered in time or not. */
  reachesRedis: () => boolean;
  direct: Direct;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
  holdMs: number;
  /** Bigger pushes are forwarded without being stored (bytes). */
  storedPushLimit: number;
  /** The account can send nothing through the platform's API: an answer has to come while the platform waits. */
  isMute: (platform: Platform) => boolean | Promise<boolean>;
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

/** How much is left of the hold, in ms: a Redis that does not answer takes its time from it. */
export function holdLeft({ clock, holdMs }: Pick<WebDeps, 'clock' | 'holdMs'>, { arrivedAt }: Task): number {
  return Math.max(0, arrivedAt + holdMs - clock.now());
}

/** Whom an answer to this push goes to. */
export function userOf({ received }: Task): string | null {
  return received.happenings[0]?.user ?? null;
}

export function warn(log: Log, error: unknown): null {
  log.warn(
    { cause: error instanceof Error ? error.message : String(error) },
    'Redis did not take an event in time.',
  );
  return null;
}
