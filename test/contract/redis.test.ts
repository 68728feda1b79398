/**
 * What keeptyping needs of a Redis, feature by feature, on each kind that it may run on. A server that passes will do.
 */
import { EventEmitter, once } from 'node:events';
import {
  DelayedError,
  type Job,
  type JobsOptions,
  type Processor,
  Queue,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { closeConnection } from '../../src/redis/connect.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const PREFIX = '{keeptyping}';

/** Saves a state unless it has moved on, arms its timer and lets it expire: the shape of our own scripts. */
const SAVE = `
local version = redis.call('HGET', KEYS[1], 'v')
if version and version ~= ARGV[1] then return {0, version} end
redis.call('HSET', KEYS[1], 'v', ARGV[1] + 1, 'state', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], KEYS[1])
local time = redis.call('TIME')
return {1, tonumber(time[1]), redis.call('HGETALL', KEYS[1]), cjson.decode(ARGV[2]).is}
`;

describe.each(await redisKinds())('the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;
  let queues = 0;
  const releases: (() => Promise<unknown>)[] = [];

  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
  });
  afterEach(async () => {
    for (const release of releases.splice(0).toReversed()) await release();
  });
  afterAll(() => server.stop());

  function newQueue(): Queue {
    queues += 1;
    const streams = { events: { maxLen: server.eventsMaxLen } };
    const queue = new Queue(`queue-${queues}`, { connection: redis, prefix: PREFIX, streams });
    releases.push(() => queue.close());
    return queue;
  }

  function work(queue: Queue, processor: Processor, options: Partial<WorkerOptions> = {}): Worker {
    const worker = new Worker(queue.name, processor, { connection: redis, prefix: PREFIX, ...options });
    worker.on('error', () => {});
    releases.push(() => worker.close());
    return worker;
  }

  /** Works off the queue and resolves with the names of its first jobs in the order of their turns. */
  function firstJobs(queue: Queue, count: number, options: Partial<WorkerOptions> = {}): Promise<string[]> {
    const names: string[] = [];
    const take = (resolve: (names: string[]) => void) => async (job: Job) => {
      names.push(job.name);
      if (names.length === count) resolve(names);
    };
    return new Promise((resolve) => void work(queue, take(resolve), options));
  }

  describe('keys and scripts', () => {
    test('a script is called by its hash and is carried out as one', async () => {
      await redis.script('FLUSH');
      redis.defineCommand('save', { numberOfKeys: 2, lua: SAVE });
      const save = (version: number): Promise<unknown> => {
        const command: unknown = Reflect.get(redis, 'save');
        if (typeof command !== 'function') throw new Error('no such command');
        return command.call(redis, 'state', 'timers', version, '{"is":"lit"}', 60_000, 1_700_000_000_123);
      };
      const since = Math.floor(Date.now() / 1000);
      const time = expect.toSatisfy((seconds: number) => seconds >= since && seconds <= Date.now() / 1000);
      expect(await save(1)).toEqual([1, time, ['v', '2', 'state', '{"is":"lit"}'], 'lit']);
      expect(await save(1)).toEqual([0, '2']);
      expect(await redis.hgetall('state')).toEqual({ v: '2', state: '{"is":"lit"}' });
      expect(await redis.pttl('state')).toBeGreaterThan(59_000);
      expect(await redis.zrangebyscore('timers', '-inf', 1_700_000_000_123, 'WITHSCORES')).toEqual([
        'state',
        '1700000000123',
      ]);
    });

    test('a script without its hash is sent whole', async () => {
      expect(await redis.eval('return {KEYS[1], ARGV[1], false}', 1, 'key', 'value')).toEqual([
        'key',
        'value',
        null,
      ]);
    });

    test('SET NX PX takes a free key and leaves a taken one', async () => {
      expect(await redis.set('lock', 'one', 'PX', 60_000, 'NX')).toBe('OK');
      expect(await redis.set('lock', 'two', 'PX', 60_000, 'NX')).toBeNull();
      expect(await redis.get('lock')).toBe('one');
      expect(await redis.del('lock')).toBe(1);
      expect(await redis.get('lock')).toBeNull();
    });

    test('a heartbeat that is not renewed is gone', async () => {
      await redis.set('heartbeat', '1', 'PX', 30);
      await expect.poll(() => redis.exists('heartbeat'), { interval: 5 }).toBe(0);
    });

    test('bytes come back as they went in', async () => {
      const bytes = Buffer.from(Array.from({ length: 256 }, (_, value) => value));
      await redis.hset('bytes', { body: bytes });
      expect((await redis.hgetallBuffer('bytes'))['body']).toEqual(bytes);
    });

    test('a pipeline answers in order, and one failure spares the others', async () => {
      const answers = await redis.pipeline().set('p', '1').hget('p', 'field').incr('p').exec();
      expect(answers?.map(([error, value]) => (error === null ? value : error.name))).toEqual([
        'OK',
        'ReplyError',
        2,
      ]);
    });

    test('PUBLISH reaches the subscriber and tells how many there are', async () => {
      expect(await redis.publish('channel', 'nobody')).toBe(0);
      const subscriber = server.connect();
      const heard = new Promise((resolve) => subscriber.on('message', (...message) => resolve(message)));
      await subscriber.subscribe('channel');
      expect(await redis.publish('channel', '{"to":"one"}')).toBe(1);
      expect(await heard).toEqual(['channel', '{"to":"one"}']);
      await closeConnection(subscriber);
    });

    test('TIME tells seconds and microseconds', async () => {
      const since = Math.floor(Date.now() / 1000);
      const [seconds, microseconds] = await redis.time();
      expect(Number(seconds)).toBeGreaterThanOrEqual(since);
      expect(Number(seconds)).toBeLessThanOrEqual(Date.now() / 1000);
      expect(Number(microseconds)).toBeLessThan(1_000_000);
    });
  });

  describe('queues', () => {
    test('a job is done by a worker with its data and leaves nothing behind', async () => {
      const queue = newQueue();
      const done = new Promise((resolve) => {
        work(queue, async (job) => job.data.text).on('completed', (_, result) => resolve(result));
      });
      await queue.add('push', { text: '你好' }, { removeOnComplete: true });
      expect(await done).toBe('你好');
      expect(await queue.getJobCounts()).toMatchObject({ waiting: 0, active: 0, completed: 0, failed: 0 });
    });

    test('many jobs run at once', async () => {
      const queue = newQueue();
      let running = 0;
      const released = new EventEmitter().setMaxListeners(30);
      work(
        queue,
        async () => {
          running += 1;
          await once(released, 'now');
        },
        { concurrency: 30 },
      );
      await queue.addBulk(Array.from({ length: 30 }, () => ({ name: 'long', data: {} })));
      await expect.poll(() => running).toBe(30);
      released.emit('now');
    });

    test('a repeat is ignored while its deduplication lasts, also after the job is done and gone', async () => {
      const queue = newQueue();
      const options: JobsOptions = {
        deduplication: { id: 'message-1', ttl: 60_000 },
        removeOnComplete: true,
      };
      await queue.add('first', {}, options);
      await queue.add('repeat-at-once', {}, options);
      const names: string[] = [];
      const worker = work(queue, async (job) => {
        names.push(job.name);
      });
      await expect.poll(() => names).toEqual(['first']);
      await expect.poll(async () => (await queue.getJobCounts())['active']).toBe(0);
      await queue.add('repeat-later', {}, options);
      await queue.add('other', {}, { removeOnComplete: true });
      await expect.poll(() => names).toEqual(['first', 'other']);
      expect(worker.isRunning()).toBe(true);
    });

    test('a deduplication ends with its time', async () => {
      const queue = newQueue();
      const add = (name: string, id: string, ttl: number) =>
        queue.add(name, {}, { deduplication: { id, ttl } });
      const first = await add('first', 'lasting', 60_000);
      expect((await add('repeat', 'lasting', 60_000)).id).toBe(first.id);
      const brief = await add('first', 'brief', 50);
      await expect
        .poll(async () => (await add('again', 'brief', 50)).id, { interval: 10 })
        .not.toBe(brief.id);
    });

    test('a job id is taken once', async () => {
      const queue = newQueue();
      await queue.add('first', {}, { jobId: 'timer-1', delay: 60_000 });
      await queue.add('second', {}, { jobId: 'timer-1', delay: 60_000 });
      expect(await queue.getDelayedCount()).toBe(1);
      expect((await queue.getJob('timer-1'))?.name).toBe('first');
    });

    test('a delayed job fires when it is due and not before', async () => {
      const queue = newQueue();
      // A worker that were not woken would look again in a minute.
      const fired = firstJobs(queue, 1, { drainDelay: 60 });
      const due = Date.now() + 150;
      await queue.add('wake', {}, { delay: 150 });
      expect(await fired).toEqual(['wake']);
      expect(Date.now()).toBeGreaterThanOrEqual(due - 2);
    });

    test('a delayed job is removed by its id and its deduplication with it', async () => {
      const queue = newQueue();
      const options: JobsOptions = { jobId: 'timer-2', delay: 60_000, deduplication: { id: 'timer-2' } };
      await queue.add('wake', {}, options);
      expect(await queue.remove('timer-2')).toBe(1);
      expect(await queue.getDelayedCount()).toBe(0);
      await queue.add('wake', {}, options);
      expect(await queue.getDelayedCount()).toBe(1);
    });

    test('lifo goes before what waits', async () => {
      const queue = newQueue();
      await queue.add('one', {});
      await queue.add('two', {});
      await queue.add('urgent', {}, { lifo: true });
      expect(await firstJobs(queue, 3)).toEqual(['urgent', 'one', 'two']);
    });

    test('priorities are kept: none first, then the small ones', async () => {
      const queue = newQueue();
      await queue.add('renewal', {}, { priority: 3 });
      await queue.add('show', {}, { priority: 2 });
      await queue.add('another renewal', {}, { priority: 3 });
      await queue.add('cancel', {}, { priority: 1 });
      await queue.add('push', {});
      expect(await firstJobs(queue, 5)).toEqual(['push', 'cancel', 'show', 'renewal', 'another renewal']);
    });

    test('a job moves itself on and comes back with what it noted', async () => {
      const queue = newQueue();
      const job = await queue.add('renew', { round: 0 });
      const rounds: { round: number; attempts: number }[] = [];
      const finished = new Promise((resolve) => {
        work(queue, async (current: Job<{ round: number }>, token) => {
          rounds.push({ round: current.data.round, attempts: current.attemptsMade });
          if (rounds.length === 3) return;
          await current.updateData({ round: current.data.round + 1 });
          await current.moveToDelayed(Date.now() + 20, token);
          throw new DelayedError();
        }).on('completed', resolve);
      });
      await finished;
      expect(rounds).toEqual([0, 1, 2].map((round) => ({ round, attempts: 0 })));
      expect(await job.getState()).toBe('completed');
    });

    test('the job of a worker that died is done by another, however often that happens', async () => {
      const queue = newQueue();
      await queue.add('reply', {});
      for (let death = 1; death <= 2; death += 1) await dieAtWork(queue);
      const done = new Promise<Job>((resolve) => {
        work(queue, async () => 'done', quick).on('completed', resolve);
      });
      expect((await done).stalledCounter).toBe(2);
    });

    test('a failed job is tried again after its pause and then kept, to be run again by hand', async () => {
      const queue = newQueue();
      let broken = true;
      const job = await queue.add('reply', {}, { attempts: 2, backoff: { type: 'fixed', delay: 10 } });
      const worker = work(queue, async () => {
        if (broken) throw new Error('bot is away');
      });
      await expect.poll(() => job.getState(), { interval: 5 }).toBe('failed');
      const failed = await queue.getJob(job.id ?? '');
      expect(failed).toMatchObject({ attemptsMade: 2, failedReason: 'bot is away' });
      broken = false;
      const completed = new Promise<Job>((resolve) => worker.on('completed', resolve));
      await failed?.retry();
      expect((await completed).id).toBe(job.id);
    });

    test('failed jobs are kept up to a number', async () => {
      const queue = newQueue();
      for (const name of ['a', 'b', 'c'])
        await queue.add(name, {}, { removeOnFail: { age: 3600, count: 2 } });
      work(queue, () => Promise.reject(new Error('no')));
      await expect.poll(async () => (await queue.getFailed()).map(({ name }) => name)).toEqual(['c', 'b']);
    });

    test('failed jobs are kept up to an age, looked at when the next one fails', async () => {
      const queue = newQueue();
      const options: JobsOptions = { removeOnFail: { age: 1, count: 1000 } };
      await queue.add('old', {}, options);
      await queue.add('young', {}, { ...options, delay: 2100 });
      work(queue, () => Promise.reject(new Error('no')));
      await expect.poll(async () => (await queue.getFailed()).map(({ name }) => name)).toEqual(['old']);
      await expect.poll(async () => (await queue.getFailed()).map(({ name }) => name)).toEqual(['young']);
    });

    test('every key of a queue is in one slot of a cluster', async () => {
      const queue = newQueue();
      await queue.add('push', {}, { priority: 1, deduplication: { id: 'm' } });
      const keys = (await redis.keys('*')).filter((key) => key.includes(queue.name));
      expect(keys.length).toBeGreaterThan(2);
      expect(keys.filter((key) => !key.startsWith(`${PREFIX}:`))).toEqual([]);
    });
  });

  const quick: Partial<WorkerOptions> = { lockDuration: 1000, stalledInterval: 500, maxStalledCount: 1000 };

  /** A worker takes the job and is gone without a word. */
  async function dieAtWork(queue: Queue): Promise<void> {
    const taken = new Promise<Worker>((resolve) => {
      const worker = work(
        queue,
        () => {
          resolve(worker);
          return new Promise(() => {});
        },
        quick,
      );
    });
    await (await taken).close(true);
  }
});
