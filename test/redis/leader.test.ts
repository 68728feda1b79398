import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { createLeader, type Leader, type LeaderOptions } from '../../src/redis/leader.ts';
import type { ScriptCommands } from '../../src/redis/script.ts';
import { recordLog } from '../support/log.ts';
import { deferred } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const kinds = await redisKinds();
const poll = { interval: 5 };
const leaders: Leader[] = [];

/** Who leads now, in the order in which they began. */
function stage(redis: ScriptCommands, { key = 'leader', ttlMs = 300 } = {}) {
  const leading: string[] = [];
  const begun: string[] = [];
  const log = recordLog();
  const join = (holder: string, options: Partial<LeaderOptions> = {}): Leader => {
    const lead = async () => {
      leading.push(holder);
      begun.push(holder);
      return {
        stop: async () => {
          leading.splice(leading.indexOf(holder), 1);
        },
      };
    };
    const leader = createLeader({ redis, key, ttlMs, holder, log, lead, ...options });
    leaders.push(leader);
    return leader;
  };
  return { leading, begun, log, join };
}

afterEach(async () => {
  vi.useRealTimers();
  await Promise.all(leaders.splice(0).map((leader) => leader.stop()));
});

describe.each(kinds)('of the processes on the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;
  let keys = 0;
  const newKey = (): string => `leader-${(keys += 1)}`;
  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
  });
  afterAll(() => server.stop());

  test('one leads, however long the others try', async () => {
    const { leading, join } = stage(redis, { key: newKey(), ttlMs: 90 });
    const rounds = vi.spyOn(redis, 'evalsha');
    for (const holder of ['a', 'b', 'c']) join(holder);
    let most = 0;
    const looked = (): number => {
      most = Math.max(most, leading.length);
      return rounds.mock.calls.length;
    };
    await expect.poll(looked, poll).toBeGreaterThan(30);
    rounds.mockRestore();
    expect(most).toBe(1);
  });

  test('another leads as soon as the leader stops', async () => {
    const { leading, join } = stage(redis, { key: newKey(), ttlMs: 60_000 });
    const a = join('a');
    await expect.poll(() => leading, poll).toEqual(['a']);
    await a.stop();
    expect(leading).toEqual([]);
    join('b');
    await expect.poll(() => leading, poll).toEqual(['b']);
  });

  test('another leads when the lock of a dead one has run out, not before', async () => {
    const key = newKey();
    await redis.set(key, 'dead', 'PX', 200);
    const { begun, join } = stage(redis, { key });
    join('b', {
      lead: async () => {
        begun.push(`b after ${await redis.get(key)}`);
        return { stop: async () => {} };
      },
    });
    await expect.poll(() => begun, poll).toEqual(['b after b']);
  });

  test('one whose lock has become another’s stops leading, and leaves the other’s lock alone', async () => {
    const key = newKey();
    const { leading, join } = stage(redis, { key });
    const a = join('a');
    await expect.poll(() => leading, poll).toEqual(['a']);
    await redis.set(key, 'b', 'PX', 60_000);
    await expect.poll(() => leading, poll).toEqual([]);
    await a.stop();
    expect(await redis.get(key)).toBe('b');
  });

  test('one whose start fails leaves the lead to the next to try', async () => {
    const { leading, log, join } = stage(redis, { key: newKey(), ttlMs: 60_000 });
    join('a', { lead: () => Promise.reject(new Error('no')) });
    await expect.poll(() => log.lines.map(({ level }) => level), poll).toContain('error');
    join('b');
    await expect.poll(() => leading, poll).toEqual(['b']);
  });
});

test('a leader that cannot reach Redis stops before another can have its lock', async () => {
  vi.useFakeTimers();
  const late = deferred<number>();
  const answers = [async () => 1, () => late.promise, async () => 0];
  const redis: ScriptCommands = {
    evalsha: () => (answers.shift() ?? (async () => 0))(),
    eval: () => Promise.reject(new Error('not asked for')),
  };
  const { leading, begun, join } = stage(redis, { ttlMs: 90 });
  join('a');
  await vi.advanceTimersByTimeAsync(89);
  expect(leading).toEqual(['a']);
  await vi.advanceTimersByTimeAsync(1);
  expect(leading).toEqual([]);
  // The answer came when the lock that it tells of could have been another's.
  await vi.advanceTimersByTimeAsync(31);
  late.resolve(1);
  await vi.advanceTimersByTimeAsync(100);
  expect(begun).toEqual(['a']);
});

test('a leader stays in office through a fault that ends in time', async () => {
  const answers = [async () => 1, () => Promise.reject(new Error('away')), async () => 1, async () => 1];
  const asked = answers.length;
  const redis: ScriptCommands = {
    evalsha: () => (answers.shift() ?? (async () => 1))(),
    eval: () => Promise.reject(new Error('not asked for')),
  };
  const { leading, begun, join } = stage(redis, { ttlMs: 300 });
  join('a');
  await expect.poll(() => answers, poll).toEqual([]);
  expect(asked).toBe(4);
  expect([leading, begun]).toEqual([['a'], ['a']]);
});

test('what is led begins anew only when the last of it has ended, also after a lock that ran out', async () => {
  vi.useFakeTimers();
  const late = deferred<number>();
  const ended = deferred();
  const answers = [async () => 1, () => late.promise];
  const redis: ScriptCommands = {
    evalsha: () => (answers.shift() ?? (async () => 1))(),
    eval: () => Promise.reject(new Error('not asked for')),
  };
  const { join } = stage(redis, { ttlMs: 90 });
  const begun = vi.fn();
  join('a', {
    lead: async () => {
      begun();
      return { stop: () => ended.promise };
    },
  });
  await vi.advanceTimersByTimeAsync(90);
  late.resolve(1);
  await vi.advanceTimersByTimeAsync(500);
  expect(begun).toHaveBeenCalledTimes(1);
  ended.resolve();
  await vi.advanceTimersByTimeAsync(100);
  expect(begun).toHaveBeenCalledTimes(2);
});

test('what is led begins anew only when the last of it has ended', async () => {
  const ended = deferred();
  const done: string[] = [];
  const answers = [1, 0, 1];
  const redis: ScriptCommands = {
    evalsha: async () => answers.shift() ?? 1,
    eval: () => Promise.reject(new Error('not asked for')),
  };
  const { join } = stage(redis, { ttlMs: 30 });
  join('a', {
    lead: async () => {
      done.push('begin');
      return {
        stop: async () => {
          done.push('stop');
          await ended.promise;
          done.push('stopped');
        },
      };
    },
  });
  await expect.poll(() => done, poll).toEqual(['begin', 'stop']);
  ended.resolve();
  await expect.poll(() => done, poll).toEqual(['begin', 'stop', 'stopped', 'begin']);
});
