import type { Log } from '../core/ports.ts';
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

/** The queues while they run in a web process. */
export interface Standby {
  /** Takes no more jobs; resolves when the running ones have ended. */
  drain(): Promise<void>;
  /** Ends in the time that a stopping process has. */
  close(): Promise<void>;
}

export interface Takeover {
  see(workerAlive: boolean): void;
  close(): Promise<void>;
}

/**
 * Runs the queues in this web process while no worker shows a sign of life, and hands them back when one does: jobs
 * that run here end here.
 */
export function createTakeover(start: () => Standby, log: Log): Takeover {
  let running: Standby | null = null;
  const draining = new Set<Standby>();
  return {
    see: (workerAlive) => {
      if (workerAlive && running) {
        log.info({}, 'A worker is alive: this web process leaves the queues to it.');
        const leaving = running;
        running = null;
        draining.add(leaving);
        void leaving.drain().finally(() => draining.delete(leaving));
      }
      if (workerAlive || running) return;
      log.info({}, 'No worker is alive: this web process runs the queues itself.');
      running = start();
    },
    close: async () => {
      const all = [...draining, ...(running ? [running] : [])];
      running = null;
      await Promise.all(all.map((standby) => standby.close()));
    },
  };
}
