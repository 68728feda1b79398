import { describe, expect, test } from 'vitest';
import { createRedisClock } from '../../src/redis/clock.ts';

/** A local clock that a fake Redis moves: each TIME takes the given milliseconds there and back. */
function world(options: { ahead: number; trips: [there: number, back: number][] }) {
  let local = 1_000_000;
  const trips = [...options.trips];
  return {
    local: () => local,
    time: async () => {
      const [there, back] = trips.shift() ?? [0, 0];
      local += there;
      const now = local + options.ahead;
      local += back;
      return [String(Math.floor(now / 1000)), String((now % 1000) * 1000)];
    },
  };
}

describe('the clock that all processes share', () => {
  test('is the local one until it has been compared', () => {
    expect(createRedisClock({ local: () => 1234.4 }).now()).toBe(1234);
  });

  test('tells the time of Redis, the way back taken off', async () => {
    const redis = world({
      ahead: 5000,
      trips: [
        [20, 20],
        [20, 20],
        [20, 20],
      ],
    });
    const clock = createRedisClock(redis);
    await clock.sync(redis);
    expect(clock.now()).toBe(redis.local() + 5000);
  });

  test('trusts the quickest of its measurements', async () => {
    // What waits on one way only makes the half of the round trip wrong.
    const redis = world({
      ahead: -700,
      trips: [
        [0, 300],
        [1, 1],
        [300, 0],
      ],
    });
    const clock = createRedisClock(redis);
    await clock.sync(redis);
    expect(clock.now()).toBe(redis.local() - 700);
  });

  test('keeps its last comparison when Redis is out of reach', async () => {
    const redis = world({ ahead: 5000, trips: [] });
    const clock = createRedisClock(redis);
    await clock.sync(redis);
    await expect(clock.sync({ time: () => Promise.reject(new Error('away')) })).rejects.toThrow('away');
    expect(clock.now()).toBe(redis.local() + 5000);
  });

  test('stays what it was where Redis may not tell its time', async () => {
    const redis = world({ ahead: 5000, trips: [] });
    const clock = createRedisClock(redis);
    await clock.sync({ time: () => Promise.reject(new Error('NOPERM this user has no permissions')) });
    expect(clock.now()).toBe(redis.local());
  });

  test('refuses an answer that is no time', async () => {
    const clock = createRedisClock({ local: () => 0 });
    await expect(clock.sync({ time: async () => [] })).rejects.toThrow('no time');
  });

  test('sleeps, and is woken by its signal with its reason', async () => {
    const clock = createRedisClock({ local: () => 0 });
    await clock.sleep(1);
    const controller = new AbortController();
    const sleeping = clock.sleep(60_000, controller.signal);
    const reason = new Error('stopping');
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(clock.sleep(60_000, controller.signal)).rejects.toBe(reason);
  });
});
