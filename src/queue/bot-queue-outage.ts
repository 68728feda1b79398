import type { Log } from '../core/log.ts';

/** The time in which the queue cannot be followed. */
export interface Outage {
  /** It is going on. */
  now(): boolean;
  seen(error: unknown): void;
  over(): void;
}

interface ConnectionEvents {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
}

/** One line when it begins, one when it is over; ioredis reports every single retry. */
export function createOutage(redis: ConnectionEvents, { queue, log }: { queue: string; log: Log }): Outage {
  let now = false;
  // Why a command fails is told by the connection: the command itself says only that it was given up.
  let cause: string | null = null;
  redis.on('error', (error: Error) => (cause = causeOf(error)));
  redis.on('ready', () => (cause = null));
  return {
    now: () => now,
    seen: (error) => {
      if (now) return;
      now = true;
      log.warn({ cause: cause ?? causeOf(error) }, `The bot's queue ${queue} is out of reach; trying again.`);
    },
    over: () => {
      if (now) log.info({}, `The bot's queue ${queue} is followed again.`);
      now = false;
    },
  };
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
