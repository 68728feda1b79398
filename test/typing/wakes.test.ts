/** When a conversation is looked at again, and by whom: workers of their own beside each other, on a real Redis. */
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import type { Clock } from '../../src/core/ports.ts';
import { keys, keysOf } from '../../src/redis/keys.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { Postponed } from '../../src/typing/shares.ts';
import { createWakes, type Left, type Look, type Wakes, type Waking } from '../../src/typing/wakes.ts';
import { recordLog } from '../support/log.ts';
import { deferred, newConversation } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

interface Worker extends Wakes, Waking {
  looks: { user: string; isFound: boolean }[];
}

const refuse = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const now = (): number => Math.round(performance.timeOrigin + performance.now());

for (const kind of await redisKinds()) {
  describe(`a conversation that has to be looked at again, on the ${kind} Redis`, () => {
    let server: TestRedis;
    let redis: Redis;
    const opened: Waking[] = [];

    beforeAll(async () => {
      server = await startRedis(kind);
      redis = server.connect();
    });
    beforeEach(async () => void (await redis.del(keys.wakes)));
    afterEach(async () => void (await Promise.all(opened.splice(0).map((each) => each.stop()))));
    afterAll(() => server.stop());

    /** By default it does what a look does that finds nothing due any more. */
    function work(
      look: Look = async (conversation) => void (await redis.zrem(keys.wakes, conversationId(conversation))),
      clock: Pick<Clock, 'now'> = { now },
    ): Worker {
      const looks: Worker['looks'] = [];
      const wakes = createWakes({ shards: oneShard(redis), clock, log: recordLog() });
      const waking = wakes.start(async (conversation, due) => {
        looks.push({ user: conversation.user, isFound: due.isFound });
        await look(conversation, due);
      });
      opened.push(waking);
      return { ...wakes, ...waking, looks };
    }

    /** As a worker does that saves a state. */
    async function plan(conversation: Conversation, at: number, by?: Wakes): Promise<void> {
      await redis.zadd(keys.wakes, at, conversationId(conversation));
      by?.set(conversation, { at, n: 1 });
    }
    const at = (conversation: Conversation): Promise<string | null> =>
      redis.zscore(keys.wakes, conversationId(conversation));

    test('is looked at in time by the worker that planned it, and by no other', async () => {
      const [mine, other] = [work(), work()];
      const conversation = newConversation();
      const due = now() + 100;
      await plan(conversation, due, mine);
      await expect.poll(() => mine.looks, { interval: 2 }).toHaveLength(1);
      expect(now()).toBeGreaterThanOrEqual(due);
      expect(await other.takeOverdue()).toBe(0);
      expect(mine.looks).toEqual([{ user: conversation.user, isFound: false }]);
      expect(other.looks).toEqual([]);
    });

    test('that was planned by a worker that has died is looked at in time by the one that is started for it', async () => {
      const [conversation, overdue] = [newConversation(), newConversation()];
      const due = now() + 150;
      await plan(conversation, due);
      await plan(overdue, now() - 100);
      const other = work();
      await other.adopt();
      await expect.poll(() => other.looks.map(({ user }) => user)).toContain(overdue.user);
      await expect.poll(() => other.looks, { interval: 2 }).toHaveLength(2);
      expect(now()).toBeGreaterThanOrEqual(due);
      expect(other.looks.map(({ isFound }) => isFound)).toEqual([false, false]);
    });

    test('that somebody else looks at, too, is left to whoever has moved its time', async () => {
      const [mine, other] = [work(), work()];
      const conversation = newConversation();
      await plan(conversation, now() + 100, mine);
      await other.adopt();
      await plan(conversation, now() + 300, mine);
      await expect.poll(() => mine.looks, { interval: 2 }).toHaveLength(1);
      await expect.poll(() => at(conversation)).toBeNull();
      expect(other.looks).toEqual([]);
    });

    test('a shard whose Redis is away holds up none of another', async () => {
      const away = {
        redis: { zcount: refuse, zscore: refuse, zrange: refuse, eval: refuse, evalsha: refuse },
        keys: keysOf(1),
      };
      const there = { redis, keys };
      const looks: string[] = [];
      const wakes = createWakes({
        shards: { of: () => there, all: () => [away, there] },
        clock: { now },
        log: recordLog(),
      });
      opened.push(wakes.start(async ({ user }) => void looks.push(user)));
      const conversation = newConversation();
      await plan(conversation, now() - 2_000);
      expect(await wakes.takeOverdue()).toBe(1);
      await expect.poll(() => looks).toEqual([conversation.user]);
    });

    test('a later plan takes the place of an earlier one, and none that of both', async () => {
      const worker = work();
      const [moved, dropped, last] = [newConversation(), newConversation(), newConversation()];
      await plan(moved, now() + 50, worker);
      await plan(moved, now() + 60_000, worker);
      await plan(dropped, now() + 50, worker);
      worker.set(dropped, null);
      await plan(last, now() + 100, worker);
      await expect.poll(() => worker.looks).toEqual([{ user: last.user, isFound: false }]);
    });

    test('is not looked at where somebody has moved it, or taken it away, meanwhile', async () => {
      const worker = work();
      const [moved, ended, last] = [newConversation(), newConversation(), newConversation()];
      for (const each of [moved, ended]) await plan(each, now() + 50, worker);
      await redis.zadd(keys.wakes, now() + 60_000, conversationId(moved));
      await redis.zrem(keys.wakes, conversationId(ended));
      await plan(last, now() + 100, worker);
      await expect.poll(() => worker.looks).toEqual([{ user: last.user, isFound: false }]);
    });

    test('is looked at when it is due by the clock of all, though the timer was early', async () => {
      let behind = 0;
      const worker = work(undefined, { now: () => now() - behind });
      const conversation = newConversation();
      const due = now() + 50;
      await plan(conversation, due, worker);
      // The clock was measured anew.
      behind = 200;
      await expect.poll(() => worker.looks, { interval: 2 }).toHaveLength(1);
      expect(now() - behind).toBeGreaterThanOrEqual(due);
    });

    test('of a worker that is gone is taken up by another one a second after it was due, by one alone', async () => {
      const dead = work();
      const conversation = newConversation();
      const due = now() + 50;
      await plan(conversation, due, dead);
      await dead.stop();
      const others = [work(), work()];
      const looks = () => others.flatMap((other) => other.looks);
      await expect
        .poll(async () => {
          await Promise.all(others.map((other) => other.takeOverdue()));
          return looks();
        })
        .toEqual([{ user: conversation.user, isFound: true }]);
      expect(now()).toBeGreaterThanOrEqual(due + 1_000);
      expect(dead.looks).toEqual([]);
    });

    test('is another’s again when the one that took it up has died of it', async () => {
      const first = work(() => new Promise(() => {}));
      // Nobody waits for what hangs.
      opened.pop();
      const conversation = newConversation();
      const due = now() - 1_000;
      await plan(conversation, due);
      expect(await first.takeOverdue()).toBe(1);
      const left = Number(await at(conversation)) - now();
      expect(left).toBeGreaterThan(0);
      expect(left).toBeLessThanOrEqual(3_000);
      expect(await work().takeOverdue()).toBe(0);
      const later = work(undefined, { now: () => now() + 4_001 });
      expect(await later.takeOverdue()).toBe(1);
      expect(later.looks).toEqual([{ user: conversation.user, isFound: true }]);
    });

    test('of a worker that is only busy is not stolen from itself: it comes once, and comes though its time has moved', async () => {
      let late = 0;
      const worker = work(undefined, { now: () => now() + late });
      const conversation = newConversation();
      await plan(conversation, now() + 300, worker);
      // As when the timers of a process that stood still are later than its look at what is overdue.
      late = 2_000;
      expect(await worker.takeOverdue()).toBe(1);
      expect(worker.looks).toEqual([]);
      await expect.poll(() => worker.looks).toEqual([{ user: conversation.user, isFound: true }]);
      expect(await at(conversation)).toBeNull();
    });

    test('that another worker planned for earlier, and left, does not wait for the later plan here', async () => {
      const worker = work();
      const conversation = newConversation();
      worker.set(conversation, { at: now() + 60_000, n: 1 });
      await plan(conversation, now() - 1_000);
      expect(await worker.takeOverdue()).toBe(1);
      expect(worker.looks).toEqual([{ user: conversation.user, isFound: true }]);
    });

    test('all that a worker has left are taken up at once', async () => {
      const many = Array.from({ length: 250 }, (_, n) => [now() - 5_000, `wechat/shop/left-${n}`]).flat();
      await redis.zadd(keys.wakes, ...many);
      const worker = work();
      expect(await worker.takeOverdue()).toBe(250);
      expect(new Set(worker.looks.map(({ user }) => user)).size).toBe(250);
    });

    test('for which there was no place is looked at when there may be one', async () => {
      const refusals: Error[] = [new Postponed(20), new Error('Redis is away')];
      const worker = work(async (conversation) => {
        const refusal = refusals.shift();
        if (refusal) throw refusal;
        await redis.zrem(keys.wakes, conversationId(conversation));
      });
      await plan(newConversation(), now() + 10, worker);
      await expect.poll(() => worker.looks).toHaveLength(3);
    });

    test('of a worker that leaves is handed over, and so is what its last jobs plan', async () => {
      const worker = work();
      const [first, last] = [newConversation(), newConversation()];
      const [firstTimer, lastTimer] = [
        { at: now() + 20, n: 7 },
        { at: now() + 30, n: 8 },
      ];
      const left: Left[] = [];
      worker.set(first, firstTimer);
      worker.leave(async (more) => void left.push(...more));
      worker.set(last, lastTimer);
      await worker.stop();
      worker.set(newConversation(), { at: now(), n: 9 });
      expect(left).toEqual([
        { conversation: first, timer: firstTimer },
        { conversation: last, timer: lastTimer },
      ]);
      expect(worker.looks).toEqual([]);
      expect(await worker.takeOverdue()).toBe(0);
    });

    test('is still looked at where one that had left its process to another ends only then', async () => {
      const worker = work();
      worker.leave(async () => {});
      const looks: string[] = [];
      opened.push(worker.start(async ({ user }) => void looks.push(user)));
      const conversation = newConversation();
      await plan(conversation, now() + 50, worker);
      worker.leave(async () => {});
      await worker.stop();
      await expect.poll(() => looks).toEqual([conversation.user]);
    });

    test('of a worker that cannot hand it over is still found by others', async () => {
      const [worker, other] = [work(), work()];
      await plan(newConversation(), now() - 2_000, worker);
      worker.leave(() => Promise.reject(new Error('Redis is away')));
      await worker.stop();
      expect(await other.takeOverdue()).toBe(1);
    });

    test('of a worker that stops is looked at to the end, and no other any more', async () => {
      const looking = deferred();
      const ending = deferred();
      const worker = work(async () => {
        looking.resolve();
        await ending.promise;
      });
      await plan(newConversation(), now(), worker);
      await looking.promise;
      await plan(newConversation(), now() + 20, worker);
      let stopped = false;
      const stopping = worker.stop().then(() => (stopped = true));
      await redis.ping();
      expect(stopped).toBe(false);
      ending.resolve();
      await stopping;
      expect(await worker.takeOverdue()).toBe(0);
      expect(worker.looks).toHaveLength(1);
    });
  });
}
