import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { createTakeover, createTicker, signOfLife, silence } from '../../src/redis/leader.ts';
import { keys } from '../../src/redis/keys.ts';
import { recordLog } from '../support/log.ts';
import { deferred } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

describe('a ticker', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('works at once and then every so often', async () => {
    const work = vi.fn(async () => {});
    createTicker(1000, work, () => {});
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(3000);
    expect(work).toHaveBeenCalledTimes(4);
  });

  test('never works twice at a time: the pause begins when the work is done', async () => {
    const first = deferred();
    const work = vi.fn(() => first.promise);
    createTicker(1000, work, () => {});
    await vi.advanceTimersByTimeAsync(5000);
    expect(work).toHaveBeenCalledTimes(1);
    first.resolve();
    await vi.advanceTimersByTimeAsync(999);
    expect(work).toHaveBeenCalledTimes(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(work).toHaveBeenCalledTimes(2);
  });

  test('goes on after work that failed, and hands the error on', async () => {
    const error = new Error('Redis is away');
    const failed = vi.fn();
    const work = vi.fn(() => Promise.reject(error));
    createTicker(1000, work, failed);
    await vi.advanceTimersByTimeAsync(1000);
    expect(work).toHaveBeenCalledTimes(2);
    expect(failed.mock.calls).toEqual([[error], [error]]);
  });

  test('stops after the work that is under way, and not before', async () => {
    const work = deferred();
    const stopped = vi.fn();
    const worked = vi.fn(() => work.promise);
    const ticker = createTicker(1000, worked, () => {});
    const stopping = ticker.stop().then(stopped);
    await vi.advanceTimersByTimeAsync(5000);
    expect(stopped).not.toHaveBeenCalled();
    work.resolve();
    await stopping;
    await vi.advanceTimersByTimeAsync(5000);
    expect(worked).toHaveBeenCalledTimes(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('that is stopped between two works works no more', async () => {
    const work = vi.fn(async () => {});
    const ticker = createTicker(1000, work, () => {});
    await vi.advanceTimersByTimeAsync(500);
    await ticker.stop();
    await vi.advanceTimersByTimeAsync(5000);
    expect(work).toHaveBeenCalledTimes(1);
  });
});

/** A takeover, what it did, and the ends of the drains in their order. */
function stage() {
  const done: string[] = [];
  const drained: (() => void)[] = [];
  const log = recordLog();
  let started = 0;
  const start = () => {
    const name = (started += 1);
    const end = deferred();
    drained.push(() => end.resolve());
    done.push(`start ${name}`);
    return {
      drain: () => {
        done.push(`drain ${name}`);
        return end.promise;
      },
      close: async () => {
        done.push(`close ${name}`);
      },
    };
  };
  return { done, drained, log, takeover: createTakeover(start, log) };
}

describe('the takeover', () => {
  test.each([
    ['a worker lives all along', [true, true], []],
    ['there is no worker', [false, false, false], ['start 1']],
    ['the worker dies', [true, false, false], ['start 1']],
    ['a worker comes', [false, true, true], ['start 1', 'drain 1']],
    [
      'the worker dies again before all is handed over',
      [false, true, false],
      ['start 1', 'drain 1', 'start 2'],
    ],
  ])('when %s', (_, alive, expected) => {
    const { done, log, takeover } = stage();
    for (const each of alive) takeover.see(each);
    expect(done).toEqual(expected);
    expect(log.lines).toHaveLength(expected.length);
  });

  test('closes what runs and what is still being handed over, once', async () => {
    const { done, takeover } = stage();
    await takeover.close();
    expect(done).toEqual([]);
    for (const alive of [false, true, false]) takeover.see(alive);
    await takeover.close();
    expect(done.slice(3).toSorted()).toEqual(['close 1', 'close 2']);
  });

  test('has nothing to close where all was handed over', async () => {
    const { done, drained, takeover } = stage();
    for (const alive of [false, true]) takeover.see(alive);
    drained[0]?.();
    await new Promise(setImmediate);
    await takeover.close();
    expect(done).toEqual(['start 1', 'drain 1']);
  });
});

describe('a sign of life', () => {
  let server: TestRedis;
  beforeAll(async () => {
    server = await startRedis('embedded');
  });
  afterAll(() => server.stop());

  test('is there, and gone 3 s after the last', async () => {
    const redis = server.connect();
    expect(await redis.exists(keys.heartbeat)).toBe(0);
    const since = performance.now();
    await signOfLife(redis);
    expect(await redis.exists(keys.heartbeat)).toBe(1);
    const left = await redis.pttl(keys.heartbeat);
    expect(left).toBeGreaterThan(silence - 1000 - (performance.now() - since));
    expect(left).toBeLessThanOrEqual(silence);
  });
});
