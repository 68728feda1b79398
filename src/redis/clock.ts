import type { Clock } from '../core/ports.ts';
import { isRefusal } from './errors.ts';

/** The Redis command that the clock uses; it answers seconds and microseconds. */
interface TimeCommand {
  time(): Promise<readonly unknown[]>;
}

export interface RedisClock extends Clock {
  /**
   * Measures Redis's clock anew; one that refuses to tell it leaves the clock as it was. Rejects, and leaves it too, when
   * Redis is out of reach.
   */
  sync(redis: TimeCommand): Promise<void>;
}

/** It may be off by half of its round trip: an earlier measurement is worth more than one that took so long (ms). */
const slow = 200;

/** Of several measurements the one with the shortest round trip is off by the least. */
const SAMPLES = 3;

/**
 * Redis's time, told between two measurements by the local clock. Before the first it is the local time.
 * @param options.local Milliseconds since 1970; fractions are welcome.
 */
export function createRedisClock(options: { local: () => number }): RedisClock {
  let offset: number | null = null;
  return {
    now: () => Math.round(options.local() + (offset ?? 0)),
    sleep,
    sync: async (redis) => {
      try {
        const measured = await measureOffset(redis, options.local);
        if (offset === null || measured.roundTrip <= slow) offset = measured.offset;
      } catch (error) {
        if (!isRefusal(error)) throw error;
      }
    },
  };
}

async function measureOffset(
  redis: TimeCommand,
  local: () => number,
): Promise<{ roundTrip: number; offset: number }> {
  let best = { roundTrip: Infinity, offset: 0 };
  for (let sample = 0; sample < SAMPLES; sample += 1) {
    const before = local();
    const [seconds, microseconds] = await redis.time();
    const roundTrip = local() - before;
    const remote = Number(seconds) * 1000 + Number(microseconds) / 1000;
    if (!Number.isFinite(remote)) throw new Error('Redis answered TIME with something that is no time.');
    if (roundTrip < best.roundTrip) best = { roundTrip, offset: remote - (before + roundTrip / 2) };
  }
  return best;
}

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, ms);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}
