import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Conversation } from '../../src/core/platform.ts';
import { keys, keysOf } from '../../src/redis/keys.ts';
import { createLayout, type Layout, shardOf } from '../../src/redis/shards.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let clock: HandClock;
let log: RecordedLog;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
});
beforeEach(() => {
  clock = handClock();
  log = recordLog();
});
afterEach(() => redis.flushall());
afterAll(() => server.stop());

const of = (user: string): Conversation => ({ channel: 'wechat', account: 'shop', user });
const idOf = (user: string): string => `wechat/shop/${user}`;

/** A process that wants so many; all shards are on the one Redis. */
function layout(
  shards: number,
  has = async (_: number, all: readonly string[]) => (await redis.exists(...all)) > 0,
): Layout {
  const states = async function* (shard: number) {
    const start = keysOf(shard).state('');
    yield (await redis.keys(`${start}*`)).map((key) => key.slice(start.length));
  };
  return createLayout({ redis, shards, clock, log, has, states });
}

/** Somebody has run here before. */
const used = () => redis.set(keys.heartbeat, '1');

/** The same for a user whose shard is another one with so many. */
function mover(from: number, to: number): string {
  for (let n = 0; ; n += 1) if (shardOf(idOf(`u${n}`), from) !== shardOf(idOf(`u${n}`), to)) return `u${n}`;
}

const half = 15_000;
const hour = 3_600_000;

describe('the shard of a conversation', () => {
  test('is the same in every process and release', () => {
    expect(['a', 'b', 'oUser_1', '用户'].map((id) => shardOf(id, 7))).toEqual([6, 6, 5, 6]);
    expect(shardOf('a', 1)).toBe(0);
  });

  test.each([2, 3, 16])('is any of %i, evenly', (shards) => {
    const counts = Array.from({ length: shards }, () => 0);
    for (let n = 0; n < 1_000 * shards; n += 1) {
      const shard = shardOf(idOf(`user-${n}`), shards);
      counts[shard] = (counts[shard] ?? 0) + 1;
    }
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(150);
  });
});

describe('how many shards there are', () => {
  test('is what a new installation wants, at once', async () => {
    const one = layout(4);
    await one.follow();
    expect(one.inUse()).toEqual([0, 1, 2, 3]);
    expect(one.of(of('u1'))).toBe(shardOf(idOf('u1'), 4));
    const next = layout(4);
    await next.follow();
    expect(await redis.get(keys.shards)).toContain('"before":[]');
  });

  test('is one where nobody says anything, and that is not written', async () => {
    await layout(1).follow();
    expect(await redis.exists(keys.shards)).toBe(0);
  });

  test('changes in all processes at the same moment, the release before included', async () => {
    await used();
    const [before, after] = [layout(1), layout(3)];
    await before.follow();
    await after.follow();
    const user = mover(1, 3);
    expect([before.of(of(user)), after.of(of(user))]).toEqual([0, 0]);
    clock.pass(half);
    await before.follow();
    expect([before.of(of(user)), after.of(of(user))]).toEqual([0, 0]);
    // All serve what there will be before anything is there.
    expect([before.inUse(), after.inUse()]).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ]);
    clock.pass(half);
    const next = shardOf(idOf(user), 3);
    expect(await Promise.all([before.of(of(user)), after.of(of(user))])).toEqual([next, next]);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { shards: 3 } }]);
  });

  test.each([
    ['its state', (user: string) => keysOf(shardOf(idOf(user), 2)).state(idOf(user))],
    ['the record of its push', (user: string) => keysOf(shardOf(idOf(user), 2)).delivery('a push')],
  ])('moves nothing that is open: a conversation stays where %s is', async (_, keyOf) => {
    await layout(2).follow();
    await used();
    const many = layout(5);
    await many.follow();
    const user = mover(2, 5);
    const key = keyOf(user);
    await redis.set(key, 'open');
    clock.pass(2 * half);
    expect(await many.of(of(user), 'a push')).toBe(shardOf(idOf(user), 2));
    await redis.del(key);
    expect(await many.of(of(user), 'a push')).toBe(shardOf(idOf(user), 5));
  });

  test('less leaves the shards that were in use for 25 hours, and then looks there no more', async () => {
    await layout(4).follow();
    await used();
    const asked: number[] = [];
    const fewer = layout(2, async (shard) => {
      asked.push(shard);
      return false;
    });
    await fewer.follow();
    clock.pass(2 * half);
    const user = mover(4, 2);
    expect(await fewer.of(of(user))).toBe(shardOf(idOf(user), 2));
    expect(asked).toEqual([shardOf(idOf(user), 4)]);
    expect(fewer.inUse()).toEqual([0, 1, 2, 3]);
    clock.pass(25 * hour);
    expect(fewer.inUse()).toEqual([0, 1]);
    expect(fewer.of(of(user))).toBe(shardOf(idOf(user), 2));
    expect(asked).toHaveLength(1);
  });

  test('what is left where only the number before finds it is kept in sight: a long pause', async () => {
    await layout(2).follow();
    await used();
    const many = layout(5);
    await many.follow();
    const user = mover(2, 5);
    const paused = keysOf(shardOf(idOf(user), 2)).state(idOf(user));
    await redis.set(paused, 'paused for a month');
    for (let day = 0; day < 3; day += 1) {
      for (let passed = 0; passed < 24; passed += 1) {
        clock.pass(hour);
        await many.keep();
        await many.follow();
      }
      expect(await many.of(of(user))).toBe(shardOf(idOf(user), 2));
    }
    await redis.del(paused);
    for (let passed = 0; passed < 30; passed += 1) {
      clock.pass(hour);
      await many.keep();
      await many.follow();
    }
    expect(JSON.parse((await redis.get(keys.shards)) ?? '')).toMatchObject({ shards: 5 });
    expect(many.of(of(user))).toBe(shardOf(idOf(user), 5));
  });

  test('while they change, a conversation may be where it was or where it will be', async () => {
    await layout(2).follow();
    await used();
    const many = layout(5);
    await many.follow();
    const user = mover(2, 5);
    const [was, will] = [shardOf(idOf(user), 2), shardOf(idOf(user), 5)];
    expect(many.maybe(of(user))).toEqual([was]);
    clock.pass(2 * half);
    expect(many.maybe(of(user))).toEqual([will, was]);
    clock.pass(26 * hour);
    expect(many.maybe(of(user))).toEqual([will]);
  });

  test('changed twice: what was open with any number before is found', async () => {
    await layout(1).follow();
    await used();
    await layout(2).follow();
    clock.pass(2 * half);
    const last = layout(3);
    await last.follow();
    clock.pass(2 * half);
    const user = mover(1, 3);
    await redis.set(keysOf(0).state(idOf(user)), 'open since there was one');
    expect(await last.of(of(user))).toBe(0);
  });

  test('that is taken back before it came into force changes nothing', async () => {
    await used();
    const [one, more] = [layout(1), layout(4)];
    await one.follow();
    await more.follow();
    clock.pass(half);
    const again = layout(1);
    await again.follow();
    clock.pass(10 * half);
    for (const each of [one, more, again]) await each.follow();
    const all: Layout[] = [one, more, again];
    for (let n = 0; n < 20; n += 1) expect(all.map((each) => each.of(of(`u${n}`)))).toEqual([0, 0, 0]);
  });

  test('that is taken back as it comes into force: what began under it, where that was not known, is found', async () => {
    await used();
    const [one, more] = [layout(1), layout(4)];
    await one.follow();
    await more.follow();
    clock.pass(2 * half - 5_000);
    const again = layout(1);
    await again.follow();
    clock.pass(6_000);
    const user = mover(1, 4);
    const there = await more.of(of(user));
    expect(there).toBe(shardOf(idOf(user), 4));
    await redis.set(keysOf(there).state(idOf(user)), 'begun');
    for (const each of [one, more]) await each.follow();
    for (const passed of [0, 5 * half, 20 * hour]) {
      clock.pass(passed);
      expect(await Promise.all([one, more, again].map(async (each) => each.of(of(user))))).toEqual([
        there,
        there,
        there,
      ]);
      expect(await again.of(of('another'))).toBe(0);
    }
    expect(again.inUse()).toEqual([0, 1, 2, 3]);
  });

  test('what began with the new number, at a process whose clock is a little ahead, is found by the others', async () => {
    await used();
    const one = layout(1);
    await one.follow();
    await layout(3).follow();
    await one.follow();
    const user = mover(1, 3);
    const there = shardOf(idOf(user), 3);
    await redis.set(keysOf(there).state(idOf(user)), 'begun');
    clock.pass(2 * half - 1_000);
    expect(await one.of(of(user))).toBe(there);
    expect(await one.of(of('another'))).toBe(0);
  });

  test('that Redis has lost is written again: what is open is not left', async () => {
    const one = layout(3);
    await one.follow();
    await redis.flushall();
    await one.follow();
    expect(one.inUse()).toEqual([0, 1, 2]);
    const next = layout(3);
    await next.follow();
    expect(JSON.parse((await redis.get(keys.shards)) ?? '')).toMatchObject({ shards: 3 });
    expect(log.lines).toMatchObject([{ level: 'error', fields: { shards: 3 } }]);
  });

  test('of two that start at once, one is said', async () => {
    const [a, b] = [layout(2), layout(2)];
    await Promise.all([a.follow(), b.follow()]);
    expect(JSON.parse((await redis.get(keys.shards)) ?? '')).toMatchObject({ shards: 2, before: [] });
    expect([a.inUse(), b.inUse()]).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });

  test('a shard before that says nothing, or is away, is not waited for', async () => {
    await layout(2).follow();
    await used();
    const silent = layout(5, () => new Promise(() => {}));
    const away = layout(5, () => Promise.reject(new Error('away')));
    await silent.follow();
    await away.follow();
    clock.pass(2 * half);
    const user = mover(2, 5);
    const next = shardOf(idOf(user), 5);
    expect(await Promise.all([silent.of(of(user)), away.of(of(user))])).toEqual([next, next]);
  });

  test('that cannot be read is as none', async () => {
    await redis.set(keys.shards, 'spoilt');
    const one = layout(1);
    await one.follow();
    expect(one.of(of('u'))).toBe(0);
  });
});
