import { setTimeout as delay } from 'node:timers/promises';

/**
 * What is dear to read, for all who ask: read again at most once in so many ms. Whoever asks meanwhile waits for the
 * next reading, so that no answer is older than its question.
 */
export function readSeldom<Found>(
  read: () => Promise<Found>,
  { clock, everyMs }: { clock: { now: () => number }; everyMs: number },
): () => Promise<Found> {
  let begunAt = -Infinity;
  let next: Promise<Found> | null = null;
  const readNext = async (): Promise<Found> => {
    await delay(Math.min(everyMs, Math.max(0, begunAt + everyMs - clock.now())));
    begunAt = clock.now();
    next = null;
    return read();
  };
  return () => (next ??= readNext());
}
