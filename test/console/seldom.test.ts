import { describe, expect, test } from 'vitest';
import { readSeldom } from '../../src/console/console.ts';
import { handClock } from '../support/clock.ts';

function counted(everyMs: number, fails = 0) {
  const clock = handClock();
  let readings = 0;
  const read = async (): Promise<number> => {
    readings += 1;
    if (readings <= fails) throw new Error('Redis is away');
    return readings;
  };
  return { ask: readSeldom(read, { clock, everyMs }), readings: () => readings, now: clock.now };
}

describe('what is dear to read', () => {
  test('is read once for all who ask at the same time', async () => {
    const { ask, readings } = counted(60_000);
    expect(await Promise.all(Array.from({ length: 50 }, ask))).toEqual(Array.from({ length: 50 }, () => 1));
    expect(readings()).toBe(1);
  });

  test('is read anew for who asks later, though not at once', async () => {
    const { ask, now } = counted(50);
    const from = now();
    expect(await ask()).toBe(1);
    expect(await Promise.all([ask(), ask()])).toEqual([2, 2]);
    expect(now() - from).toBeGreaterThan(45);
  });

  test('is read again after a reading that failed', async () => {
    const { ask } = counted(1, 1);
    await expect(ask()).rejects.toThrow('Redis is away');
    expect(await ask()).toBe(2);
  });
});
