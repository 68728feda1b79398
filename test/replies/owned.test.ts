import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Work } from '../../src/redis/outbox.ts';
import { createOwned, lease } from '../../src/replies/owned.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function stage(renew: () => Promise<boolean> = async () => true) {
  const clock = handClock();
  const renewed: { id: string; owner: string; until: number }[] = [];
  const waiting: Work[] = [];
  const redis = { isAway: false };
  const owned = createOwned({
    deliveries: {
      renew: ({ id, owner }, until) => {
        renewed.push({ id, owner, until: until - clock.now() });
        return renew();
      },
    },
    outbox: {
      tell: async (_, work) => {
        if (redis.isAway) waiting.push(work);
        else await work(false, false);
      },
    },
    clock,
    log: recordLog(),
  });
  const begin = (owner: string) => owned.begin({ id: 'push', owner, leaseUntil: clock.now() + lease });
  /** Time goes by, for the clock and for timers. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      clock.pass(Math.min(500, left));
      await vi.advanceTimersByTimeAsync(Math.min(500, left));
    }
  };
  return { owned, begin, pass, renewed, redis, waiting };
}

describe('a lease', () => {
  test('is moved on before it runs out, again and again, and no sooner than that', async () => {
    const { begin, pass, renewed } = stage();
    begin('p1.t1');
    await pass(lease - 8_500);
    expect(renewed).toEqual([]);
    await pass(1_000);
    expect(renewed).toEqual([{ id: 'push', owner: 'p1.t1', until: lease }]);
    await pass(lease - 8_500);
    expect(renewed).toHaveLength(2);
  });

  test('of what is over is moved on no more', async () => {
    const { begin, pass, renewed } = stage();
    begin('p1.t1').end();
    begin('p1.t2');
    await pass(lease - 7_000);
    expect(renewed.map(({ owner }) => owner)).toEqual(['p1.t2']);
  });

  test('is moved on when Redis is back, from then, unless it is over by then', async () => {
    const { begin, pass, renewed, redis, waiting } = stage();
    redis.isAway = true;
    const over = begin('p1.t1');
    begin('p1.t2');
    await pass(lease - 7_000);
    over.end();
    for (const work of waiting) await work(true, false);
    expect(renewed).toEqual([{ id: 'push', owner: 'p1.t2', until: lease }]);
  });

  test('no timer is left where nothing is under way', async () => {
    const { begin } = stage();
    begin('p1.t1').end();
    await vi.advanceTimersByTimeAsync(500);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('stopping', () => {
  test('lets what is under way end, and gives nothing up', async () => {
    const { owned, begin } = stage();
    const one = begin('p1.t1');
    const stopped = owned.stop(10_000);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(one.signal.aborted).toBe(false);
    one.end();
    await stopped;
    expect(vi.getTimerCount()).toBe(0);
  });

  test('gives up what has not ended in time, and waits until that is done', async () => {
    const { owned, begin } = stage();
    const one = begin('p1.t1');
    let isStopped = false;
    const stopped = owned.stop(10_000).then(() => (isStopped = true));
    await vi.advanceTimersByTimeAsync(9_999);
    expect(one.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(one.signal.aborted).toBe(true);
    expect(isStopped).toBe(false);
    one.end();
    await stopped;
  });

  test('moves no lease on any more of what it gives up', async () => {
    const { owned, begin, pass, renewed } = stage();
    begin('p1.t1');
    void owned.stop(0);
    await pass(lease);
    expect(renewed).toEqual([]);
  });

  test('is done at once where nothing is under way; what begins later is given up at once', async () => {
    const { owned, begin } = stage();
    await owned.stop(10_000);
    expect(begin('p1.t1').signal.aborted).toBe(true);
  });
});
