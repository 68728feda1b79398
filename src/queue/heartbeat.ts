import type { Log } from '../core/log.ts';
import { keys } from './keys.ts';

export interface HeartbeatCommands {
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  exists(key: string): Promise<number>;
}

/** A worker that has been silent for so long is taken for dead (ms). */
export const silence = 3_000;
export const beat = 1_000;

/** Something that is done every so often, one after the other, until it is stopped. */
export interface Ticker {
  stop(): Promise<void>;
}

/** Runs `work` at once and then every `everyMs`, never twice at a time; what it throws is given to `failed`. */
export function createTicker(
  everyMs: number,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): Ticker {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const tick = async (): Promise<void> => {
    await work().catch(failed);
    if (!stopped) timer = setTimeout(next, everyMs);
  };
  const next = (): void => {
    running = tick();
  };
  next();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** The worker's sign of life; web processes look for it. */
export async function signOfLife(redis: HeartbeatCommands): Promise<void> {
  await redis.set(keys.heartbeat, '1', 'PX', silence);
}

export interface Standby {
  start(): void;
  stop(): Promise<void>;
}

/**
 * Runs the queues in this web process while no worker shows a sign of life. It stops again when one does: a job that
 * both could take is taken once anyway.
 */
export function createTakeover(
  standby: Standby,
  log: Log,
): { see(workerAlive: boolean): Promise<void>; stop(): Promise<void> } {
  let running = false;
  const stop = async (): Promise<void> => {
    if (!running) return;
    running = false;
    await standby.stop();
  };
  return {
    stop,
    see: async (workerAlive) => {
      if (workerAlive && running) {
        log.info({}, 'A worker is alive: this web process leaves the queues to it.');
        await stop();
      }
      if (workerAlive || running) return;
      log.info({}, 'No worker is alive: this web process runs the queues itself.');
      running = true;
      standby.start();
    },
  };
}
