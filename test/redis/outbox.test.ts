import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createOutbox } from '../../src/redis/outbox.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { deferred } from '../support/queue-fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function stage() {
  const redis = { isAway: false, isFull: false };
  const listeners: (() => void)[] = [];
  const clock = handClock();
  const log = recordLog();
  const done: string[] = [];
  const outbox = createOutbox({
    health: {
      isAway: () => redis.isAway,
      onBack: (listener) => void listeners.push(listener),
    },
    clock,
    log,
  });
  /** Work that Redis takes, or refuses. */
  const work = (what: string) => async () => {
    if (redis.isAway || redis.isFull) throw new Error('Redis refuses');
    done.push(what);
  };
  const back = async (): Promise<void> => {
    redis.isAway = false;
    for (const listener of listeners) listener();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { redis, clock, log, done, outbox, work, back };
}

test('what Redis takes is done when the telling is over', async () => {
  const { outbox, done, work } = stage();
  await outbox.tell('a', work('one'));
  expect(done).toEqual(['one']);
  expect(outbox.size()).toBe(0);
  await outbox.idle();
});

describe('while Redis is away', () => {
  test('what it does not take waits; it is done when Redis is back, in its order', async () => {
    const { outbox, redis, done, work, back } = stage();
    redis.isAway = true;
    const tried = vi.fn(work('one'));
    await outbox.tell('a', tried);
    await outbox.tell('a', work('two'));
    await outbox.tell('b', work('other'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(tried).toHaveBeenCalledTimes(1);
    expect(outbox.size()).toBe(3);
    await back();
    await outbox.idle();
    expect(done.filter((what) => what !== 'other')).toEqual(['one', 'two']);
    expect(done).toContain('other');
    expect(outbox.size()).toBe(0);
  });

  test('the telling is over at once', async () => {
    const { outbox, redis } = stage();
    redis.isAway = true;
    // A connection that is away refuses at once.
    await expect(outbox.tell('a', () => Promise.reject(new Error('away')))).resolves.toBeUndefined();
    expect(outbox.size()).toBe(1);
  });

  test('so much waits and no more, which is said once', async () => {
    const { outbox, redis, log, work, done, back } = stage();
    redis.isAway = true;
    for (let n = 0; n < 10_003; n += 1) await outbox.tell(`name-${n}`, work(`${n}`));
    expect(outbox.size()).toBe(10_000);
    expect(log.lines.filter(({ level }) => level !== 'debug')).toMatchObject([{ level: 'error' }]);
    await back();
    await outbox.idle();
    expect(done).toHaveLength(10_000);
    await outbox.tell('later', work('later'));
    expect(done.at(-1)).toBe('later');
  });

  test('what is older than a turn may be is not told any more', async () => {
    const { outbox, redis, clock, work, done, back } = stage();
    redis.isAway = true;
    await outbox.tell('a', work('old'));
    clock.pass(20 * 60_000);
    await outbox.tell('a', work('new'));
    await back();
    await outbox.idle();
    expect(done).toEqual(['new']);
  });
});

describe('what Redis refuses', () => {
  test('is tried again until it is taken', async () => {
    const { outbox, redis, work, done } = stage();
    redis.isFull = true;
    const tried = vi.fn(work('one'));
    await outbox.tell('a', tried);
    await vi.advanceTimersByTimeAsync(2_000);
    expect(tried.mock.calls.length).toBeGreaterThan(2);
    redis.isFull = false;
    await vi.advanceTimersByTimeAsync(500);
    await outbox.idle();
    expect(done).toEqual(['one']);
  });

  test('is told before what comes later by the same name, and keeps no other name back', async () => {
    const { outbox, redis, work, done } = stage();
    redis.isFull = true;
    await outbox.tell('a', work('one'));
    redis.isFull = false;
    const later = outbox.tell('a', work('two'));
    await outbox.tell('b', work('other'));
    expect(done).toEqual(['other']);
    await later;
    await vi.advanceTimersByTimeAsync(500);
    await outbox.idle();
    expect(done).toEqual(['other', 'one', 'two']);
  });

  test('comes before what is learned while it is being told', async () => {
    const { outbox, redis, work, done, back } = stage();
    const slow = deferred();
    redis.isAway = true;
    const one = vi.fn(async () => {
      if (redis.isAway) throw new Error('away');
      await slow.promise;
      done.push('one');
    });
    await outbox.tell('a', one);
    await back();
    await outbox.tell('a', work('two'));
    await vi.advanceTimersByTimeAsync(2_000);
    expect(one).toHaveBeenCalledTimes(2);
    expect(done).toEqual([]);
    slow.resolve();
    await outbox.idle();
    expect(done).toEqual(['one', 'two']);
  });
});

test('a closed one says what is lost with it, and tries nothing more', async () => {
  const { outbox, redis, log, work, done, back } = stage();
  redis.isAway = true;
  await outbox.tell('a', work('one'));
  outbox.close();
  await back();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(done).toEqual([]);
  const said = log.lines.filter(({ level }) => level !== 'debug');
  expect(said).toMatchObject([{ level: 'error', fields: { count: 1 } }]);
});

describe('a Redis that may have lost what it was told last', () => {
  test('is told it again when it is back, in its order, and before what has waited since', async () => {
    const { outbox, redis, done, work, back } = stage();
    await outbox.tell('a', work('one'));
    await outbox.tell('b', work('other'));
    await outbox.tell('a', work('two'));
    redis.isAway = true;
    await outbox.tell('a', work('three'));
    done.length = 0;
    await back();
    await outbox.idle();
    expect(done.filter((what) => what !== 'other')).toEqual(['one', 'two', 'three']);
    expect(done).toContain('other');
  });

  test('is told too what it knew some other way, and the work knows that it is done again', async () => {
    const { outbox, redis, back } = stage();
    const [tell, told] = [vi.fn(async () => {}), vi.fn(async () => {})];
    await outbox.tell('a', tell);
    outbox.told('a', told);
    expect(told).not.toHaveBeenCalled();
    redis.isAway = true;
    await back();
    await outbox.idle();
    expect(tell.mock.calls).toEqual([
      [false, false],
      [true, true],
    ]);
    expect(told.mock.calls).toEqual([[true, true]]);
  });

  test('hears each thing again at every outage, as it may be another one each time', async () => {
    const { outbox, done, work, back } = stage();
    await outbox.tell('a', work('one'));
    await back();
    await outbox.idle();
    await back();
    await outbox.idle();
    expect(done).toEqual(['one', 'one', 'one']);
  });

  test('has kept what it was told a while ago; only while it is away does that grow no older', async () => {
    const { outbox, redis, clock, done, work, back } = stage();
    await outbox.tell('a', work('old'));
    clock.pass(5_000);
    await vi.advanceTimersByTimeAsync(5_000);
    await outbox.tell('a', work('new'));
    redis.isAway = true;
    clock.pass(60_000);
    await vi.advanceTimersByTimeAsync(60_000);
    done.length = 0;
    await back();
    await outbox.idle();
    expect(done).toEqual(['new']);
  });

  test('is told no more than so much again', async () => {
    const { outbox, done, work, back } = stage();
    for (let n = 0; n < 10_001; n += 1) await outbox.tell(`name-${n}`, work(`${n}`));
    done.length = 0;
    await back();
    await outbox.idle();
    expect(done).toHaveLength(10_000);
    expect(done).not.toContain('0');
  });

  test('is told nothing again where as much waits as may', async () => {
    const { outbox, redis, done, work, back } = stage();
    await outbox.tell('before', work('before'));
    redis.isAway = true;
    for (let n = 0; n < 10_000; n += 1) await outbox.tell(`name-${n}`, work(`${n}`));
    done.length = 0;
    await back();
    await outbox.idle();
    expect(done).toHaveLength(10_000);
    expect(done).not.toContain('before');
  });
});
