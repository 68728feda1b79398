/** A real bot's queue and workers, and the watch on them. */
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { DelayedError, type Job, type JobsOptions, type Processor, Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { EndBotJob } from '../../src/bot-queue/ends.ts';
import { type BotQueueOptions, createBotQueueWatch, createOutage } from '../../src/bot-queue/follow.ts';
import { type BotJobTarget, createProgress, type MemoryCommands } from '../../src/bot-queue/target.ts';
import { keys } from '../../src/redis/keys.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { deferred } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const kinds = await redisKinds();
const poll = { interval: 5 };
const prefix = 'bull';
const releases: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

interface Told {
  target: BotJobTarget;
  how: 'completed' | 'failed';
  at: number;
}

/** Notes what is told; `knows` says which targets are known. */
function recordEnds(knows: (target: BotJobTarget) => boolean = () => true) {
  const told: Told[] = [];
  const ended: EndBotJob = async (target, how, at) => {
    if (!knows(target)) return 'unknown';
    told.push({ target, how, at });
    return 'known';
  };
  /** `how messageId` or `how user`, in order. */
  const words = (): string[] =>
    told.map(({ target, how }) => `${how} ${target.messageId ?? target.user ?? 'nobody'}`);
  return { told, words, ended };
}

const messages = (log: RecordedLog): string[] => log.lines.map(({ level, message }) => `${level} ${message}`);

const wamid = 'wamid.HBgNODYxMzgwMDEzODAwMBUCABIYFjNFQjA/QkI=';
const someone = { channel: 'wechat', account: 'shop', user: 'o1' };

describe.each(kinds)('the bot’s queue on the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;
  let bots = 0;
  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
  });
  afterAll(() => server.stop());

  /** A bot with a queue of its own. */
  function createBot() {
    bots += 1;
    const name = `answers-${bots}`;
    const queue = new Queue(name, { connection: redis, prefix });
    releases.push(() => queue.close());
    const work = (processor: Processor, options = {}): Worker => {
      const worker = new Worker(name, processor, {
        connection: redis,
        prefix,
        drainDelay: 1,
        ...options,
      });
      worker.on('error', () => {});
      releases.push(() => worker.close(true));
      return worker;
    };
    const add = (data: object, options: JobsOptions = {}): Promise<Job> => queue.add('answer', data, options);
    return { name, queue, add, work };
  }

  /** Takes the job as a worker does that dies with it. */
  async function takeAndDie(name: string): Promise<void> {
    const worker = new Worker(name, null, { connection: redis, prefix, lockDuration: 20 });
    worker.on('error', () => {});
    await worker.getNextJob('dead');
    await worker.close(true);
  }

  /** The way to that Redis, which can be cut. */
  async function createWay() {
    const target = new URL(server.url);
    const sockets = new Set<Socket>();
    const way = createServer((socket) => {
      const onward = connect(Number(target.port), target.hostname);
      for (const [end, other] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        sockets.add(end);
        end.on('error', () => {});
        end.on('close', () => other.destroy());
        end.pipe(other);
      }
    });
    way.listen(0, '127.0.0.1');
    await once(way, 'listening');
    const { port } = way.address() as AddressInfo;
    const url = new URL(server.url);
    url.port = String(port);
    const cut = async (): Promise<void> => {
      way.close();
      for (const socket of sockets) socket.destroy();
      await once(way, 'close');
    };
    const mend = async (): Promise<void> => {
      way.listen(port, '127.0.0.1');
      await once(way, 'listening');
    };
    releases.push(async () => (way.listening ? cut() : null));
    // A template that is never connected, as the bot's Redis may be another than ours.
    return { cut, mend, connection: new Redis(url.href, { lazyConnect: true }) };
  }

  async function watch(name: string, ended: EndBotJob, options: Partial<BotQueueOptions> = {}) {
    const log = recordLog();
    const watch = await createBotQueueWatch({
      queue: name,
      prefix,
      connection: redis,
      memory: redis,
      log,
      ended,
      ...options,
    });
    releases.push(() => watch.stop());
    return { ...watch, log };
  }

  /** Following begins when the first cursor is saved: what happens before is past. */
  async function begun(name: string): Promise<void> {
    await expect.poll(() => redis.get(keys.botQueue.cursor(`${prefix}:${name}`)), poll).not.toBeNull();
  }

  async function watched(ended: EndBotJob, options: Partial<BotQueueOptions> = {}) {
    const bot = createBot();
    const following = await watch(bot.name, ended, options);
    await begun(bot.name);
    return { ...bot, following };
  }

  const learned = (name: string): Promise<string[]> =>
    redis.keys(keys.botQueue.job(`${prefix}:${name}`, '*'));

  describe('a job', () => {
    test('that completes ends the turn of the message that its id is', async () => {
      const { told, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: wamid });
      const before = Date.now();
      bot.work(async () => 'done');
      await expect.poll(() => told, poll).toHaveLength(1);
      expect(told[0]).toMatchObject({ target: { messageId: wamid }, how: 'completed' });
      expect(told[0]?.at).toBeGreaterThanOrEqual(before - 1);
      expect(told[0]?.at).toBeLessThanOrEqual(Date.now() + 1);
    });

    test('that fails ends it, too', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: wamid });
      bot.work(() => Promise.reject(new Error('no answer')));
      await expect.poll(words, poll).toEqual([`failed ${wamid}`]);
    });

    test.each([
      ['a user', someone, undefined, someone],
      ['a message', { messageId: 'm1' }, undefined, { messageId: 'm1' }],
      ['a message in its return value', {}, { messageId: 'm2' }, { messageId: 'm2' }],
      ['a user in its return value', {}, someone, someone],
      [
        'a user, and a message in its return value',
        someone,
        { messageId: 'm3' },
        { ...someone, messageId: 'm3' },
      ],
    ])('ends the turn of %s that it names', async (_, data, returnValue, target) => {
      const { told, ended } = recordEnds(
        ({ messageId }) => messageId === undefined || messageId.startsWith('m'),
      );
      const bot = await watched(ended);
      bot.work(async () => returnValue);
      await bot.add(data);
      await expect.poll(() => told, poll).toHaveLength(1);
      expect(told[0]?.target).toEqual(target);
    });

    test.each([
      ['completed', async () => {}],
      ['failed', () => Promise.reject(new Error('no answer'))],
    ])('that is gone when it has %s counts all the same', async (how, process) => {
      const { words, ended } = recordEnds(({ user }) => user !== undefined);
      const bot = await watched(ended);
      const job = await bot.add(
        { ...someone, text: 'private' },
        { removeOnComplete: true, removeOnFail: true },
      );
      await expect.poll(() => learned(bot.name), poll).toHaveLength(1);
      const [key = ''] = await learned(bot.name);
      expect(JSON.parse((await redis.get(key)) ?? '')).toEqual(someone);
      expect(await redis.pttl(key)).toBeGreaterThan(60_000);
      bot.work(process);
      await expect.poll(words, poll).toEqual([`${how} o1`]);
      expect(await bot.queue.getJob(job.id ?? '')).toBeUndefined();
      await expect.poll(() => learned(bot.name), poll).toEqual([]);
    });

    test('is asked once more at its end what it names', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({ messageId: 'm1' });
      const stream = `${prefix}:${bot.name}:events`;
      bot.work(async (job) => {
        // By then all that came before has been learned.
        const [last] = await redis.xrevrange(stream, '+', '-', 'COUNT', 1);
        const cursor = keys.botQueue.cursor(`${prefix}:${bot.name}`);
        await expect.poll(() => redis.get(cursor), poll).toBe(last?.[0]);
        await job.updateData({ messageId: 'm2' });
      });
      await expect.poll(words, poll).toEqual(['completed m2']);
    });

    test('that is tried again is running: its turn ends once, completed', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: 'm1', attempts: 4, backoff: { type: 'fixed', delay: 20 } });
      await bot.add({}, { jobId: 'm2', attempts: 2 });
      bot.work(async ({ attemptsMade, id }) => {
        if (attemptsMade < (id === 'm1' ? 3 : 1)) throw new Error('not yet');
      });
      await expect.poll(() => words().toSorted(), poll).toEqual(['completed m1', 'completed m2']);
    });

    test('that fails at every try ends its turn once, after the last', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: 'm1', attempts: 3, backoff: { type: 'fixed', delay: 20 } });
      let tries = 0;
      const triesAtEnd: number[] = [];
      bot.work(async () => {
        tries += 1;
        triesAtEnd.push(words().length);
        throw new Error('no answer');
      });
      await expect.poll(words, poll).toEqual(['failed m1']);
      expect([tries, triesAtEnd]).toEqual([3, [0, 0, 0]]);
    });

    test('that is put back and that waits is running', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: 'm1' });
      bot.work(async (job, token) => {
        if (job.attemptsStarted > 1) return;
        await job.moveToDelayed(Date.now() + 20, token);
        throw new DelayedError();
      });
      await expect.poll(words, poll).toEqual(['completed m1']);
    });

    test('whose worker died is running until another has done it', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: 'm1' });
      await takeAndDie(bot.name);
      bot.work(async () => {}, { stalledInterval: 30 });
      await expect.poll(words, poll).toEqual(['completed m1']);
      const events = await redis.xrange(`${prefix}:${bot.name}:events`, '-', '+');
      expect(events.map(([, fields]) => fields)).toContainEqual(['event', 'stalled', 'jobId', 'm1']);
    });

    test('whose worker died too often has failed', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.add({}, { jobId: 'm1' });
      await takeAndDie(bot.name);
      bot.work(async () => {}, { stalledInterval: 30, maxStalledCount: 0 });
      await expect.poll(words, poll).toEqual(['failed m1']);
    });

    test.each([
      ['waits', {}],
      ['is delayed', { delay: 60_000 }],
      ['has a priority', { priority: 3 }],
    ])('that is removed while it %s has failed', async (_, options) => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      const job = await bot.add({}, { ...options, jobId: 'm1' });
      await job.remove();
      await expect.poll(words, poll).toEqual(['failed m1']);
    });

    test('that is removed for the user’s next one leaves the user’s turns open', async () => {
      const { words, ended } = recordEnds(({ messageId }) => messageId === undefined);
      const bot = await watched(ended);
      const deduplication = { id: 'o1', ttl: 60_000, extend: true, replace: true };
      const dropped = await bot.add({ ...someone, text: 1 }, { delay: 30, deduplication });
      await expect.poll(() => learned(bot.name), poll).toHaveLength(1);
      const kept = await bot.add({ ...someone, text: 2 }, { delay: 30, deduplication });
      expect(await bot.queue.getJob(dropped.id ?? '')).toBeUndefined();
      bot.work(async () => {});
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(1);
      await expect.poll(words, poll).toEqual(['completed o1']);
      expect((await bot.queue.getCompleted())[0]?.id).toBe(kept.id);
    });

    test('that is removed after its end has ended once', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      const job = await bot.add({}, { jobId: 'm1' });
      bot.work(async () => {});
      await expect.poll(words, poll).toEqual(['completed m1']);
      await job.remove();
      await bot.add({}, { jobId: 'm2' });
      await expect.poll(words, poll).toEqual(['completed m1', 'completed m2']);
    });
  });

  describe('what happened while nobody followed', () => {
    test('is caught up in order', async () => {
      const { words, ended } = recordEnds(({ messageId }) => messageId !== undefined);
      const bot = await watched(ended);
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(words, poll).toEqual(['completed m1']);
      await bot.following.stop();
      const missed = Array.from({ length: 120 }, (_, index) => `m${index + 2}`);
      for (const jobId of missed) await bot.add({}, { jobId });
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(121);
      expect(words()).toHaveLength(1);
      await watch(bot.name, ended);
      await expect.poll(words, poll).toHaveLength(121);
      expect(words().slice(1)).toEqual(missed.map((id) => `completed ${id}`));
    });

    test('is past at the very first start', async () => {
      const { words, ended } = recordEnds();
      const bot = createBot();
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(1);
      await watch(bot.name, ended);
      await begun(bot.name);
      await bot.add({}, { jobId: 'm2' });
      await expect.poll(words, poll).toEqual(['completed m2']);
    });

    test('counts when nothing had happened before the first start', async () => {
      const { words, ended } = recordEnds();
      const bot = await watched(ended);
      await bot.following.stop();
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(1);
      const { log } = await watch(bot.name, ended);
      await expect.poll(words, poll).toEqual(['completed m1']);
      expect(log.lines).toEqual([]);
    });

    test('includes the end of a job that another process learned of, and that is gone', async () => {
      const { words, ended } = recordEnds(({ user }) => user !== undefined);
      const bot = await watched(ended);
      await bot.add(someone, { removeOnComplete: true });
      await expect.poll(() => learned(bot.name), poll).toHaveLength(1);
      await bot.following.stop();
      bot.work(async () => {});
      await expect.poll(() => bot.queue.getJobCounts('wait', 'active'), poll).toEqual({ wait: 0, active: 0 });
      await watch(bot.name, ended);
      await expect.poll(words, poll).toEqual(['completed o1']);
    });

    test('and was trimmed is said once to be lost; the rest counts', async () => {
      const { words, ended } = recordEnds(({ messageId }) => messageId?.startsWith('m') ?? false);
      const bot = await watched(ended);
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(words, poll).toEqual(['completed m1']);
      await bot.following.stop();
      for (const jobId of ['m2', 'm3']) await bot.add({}, { jobId });
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(3);
      await bot.queue.trimEvents(0);
      await bot.add({}, { jobId: 'm4' });
      const { log } = await watch(bot.name, ended);
      await expect.poll(words, poll).toEqual(['completed m1', 'completed m4']);
      expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
        [
          'warn',
          `The queue ${prefix}:${bot.name} has dropped events that were not read: some turns may end late.`,
        ],
      ]);
    });

    test('counts also in a stream whose events are older than the last one that was handled', async () => {
      const { words, ended } = recordEnds();
      const bot = createBot();
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(1);
      const future = `${Date.now() + 3_600_000}-0`;
      const cursor = keys.botQueue.cursor(`${prefix}:${bot.name}`);
      await redis.set(cursor, future);
      await watch(bot.name, ended);
      await expect.poll(() => redis.get(cursor), poll).not.toBe(future);
      await bot.add({}, { jobId: 'm2' });
      await expect.poll(words, poll).toEqual(['completed m2']);
    });
  });

  describe('a cursor that is none', () => {
    test.each(['nonsense', '{"id":"1-1"}', '-1', ''])(
      '%j: what is past stays past, and the queue is followed',
      async (spoilt) => {
        const { words, ended } = recordEnds();
        const bot = createBot();
        bot.work(async () => {});
        await bot.add({}, { jobId: 'm1' });
        await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(1);
        const cursor = keys.botQueue.cursor(`${prefix}:${bot.name}`);
        await redis.set(cursor, spoilt);
        await watch(bot.name, ended);
        await expect.poll(() => redis.get(cursor), poll).toMatch(/^\d+-\d+$/);
        await bot.add({}, { jobId: 'm2' });
        await expect.poll(words, poll).toEqual(['completed m2']);
      },
    );
  });

  describe('an end that nobody knows', () => {
    test('is told again until it is known, and holds up no other', async () => {
      let push = false;
      const { words, ended } = recordEnds(({ messageId }) => messageId === 'm2' || push);
      const bot = await watched(ended);
      bot.work(async () => {});
      await bot.add({ messageId: 'm1' });
      await bot.add({ messageId: 'm2' });
      await expect.poll(words, poll).toEqual(['completed m2']);
      expect(await learned(bot.name)).not.toEqual([]);
      push = true;
      await expect.poll(words, poll).toEqual(['completed m2', 'completed m1']);
      await expect.poll(() => learned(bot.name), poll).toEqual([]);
    });

    test('is dropped after a while, with a quiet line', async () => {
      const asked: BotJobTarget[] = [];
      const bot = await watched(async (target) => {
        asked.push(target);
        return 'unknown';
      });
      bot.work(async () => {});
      await bot.add({});
      await expect.poll(() => bot.following.log.lines, poll).toHaveLength(1);
      expect(bot.following.log.lines[0]?.level).toBe('debug');
      expect(asked).toEqual(Array.from({ length: 6 }, () => ({ messageId: '1' })));
    });

    test('is one of many: no warning of Node’s about them', async () => {
      const warned: string[] = [];
      const warning = ({ name }: Error): void => void warned.push(name);
      process.on('warning', warning);
      const bot = await watched(async () => 'unknown');
      bot.work(async () => {}, { concurrency: 20 });
      await bot.queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'answer', data: {} })));
      await expect.poll(() => bot.following.log.lines, poll).toHaveLength(20);
      process.off('warning', warning);
      expect(warned).toEqual([]);
    });

    test('is told again after a fault', async () => {
      const { words, ended } = recordEnds();
      const faults = [new Error('away'), new Error('away')];
      const bot = await watched(async (...args) => {
        const fault = faults.shift();
        if (fault) throw fault;
        return ended(...args);
      });
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(words, poll).toEqual(['completed m1']);
      expect(bot.following.log.lines.map(({ level }) => level)).toEqual(['warn', 'warn']);
    });

    test('is left to the next process when this one stops meanwhile', async () => {
      let asked = 0;
      const bot = await watched(async () => {
        asked += 1;
        return 'unknown';
      });
      bot.work(async () => {});
      await bot.add(someone, { removeOnComplete: true });
      // The job's id and the user, twice: now the third time is waited for.
      await expect.poll(() => asked, poll).toBe(4);
      await bot.following.stop();
      const { words, ended } = recordEnds(({ user }) => user !== undefined);
      await watch(bot.name, ended);
      await expect.poll(words, poll).toEqual(['completed o1']);
    });
  });

  describe('an outage of the bot’s Redis', () => {
    test('is one line in the log, and what happened meanwhile is caught up', async () => {
      const { words, ended } = recordEnds();
      const way = await createWay();
      const bot = await watched(ended, { connection: way.connection });
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(words, poll).toEqual(['completed m1']);
      await way.cut();
      await bot.add({}, { jobId: 'm2' });
      await expect.poll(() => messages(bot.following.log), poll).toHaveLength(1);
      await expect.poll(() => bot.queue.getCompletedCount(), poll).toBe(2);
      await way.mend();
      await expect.poll(words, poll).toEqual(['completed m1', 'completed m2']);
      await expect
        .poll(() => messages(bot.following.log), poll)
        .toEqual([
          `warn The bot's queue ${bot.name} is out of reach; trying again.`,
          `info The bot's queue ${bot.name} is followed again.`,
        ]);
    });

    test('at the start is waited for, and stops nothing', async () => {
      const { words, ended } = recordEnds();
      const way = await createWay();
      await way.cut();
      const bot = createBot();
      const { log } = await watch(bot.name, ended, { connection: way.connection });
      await expect.poll(() => log.lines, poll).toHaveLength(1);
      expect(log.lines[0]?.fields).toEqual({ cause: 'ECONNREFUSED' });
      await way.mend();
      await begun(bot.name);
      bot.work(async () => {});
      await bot.add({}, { jobId: 'm1' });
      await expect.poll(words, poll).toEqual(['completed m1']);
    });

    test('or its absence leaves no connection behind when the watch stops', async () => {
      const duplicate = vi.spyOn(redis, 'duplicate');
      const bot = await watched(recordEnds().ended);
      const [made] = duplicate.mock.results;
      duplicate.mockRestore();
      await bot.following.stop();
      await expect.poll(() => made?.value.status, poll).toBe('end');
    });

    test('does not keep the watch from stopping', async () => {
      const way = await createWay();
      await way.cut();
      const following = await watch('none', recordEnds().ended, { connection: way.connection });
      await expect.poll(() => messages(following.log), poll).toHaveLength(1);
      await following.stop();
      expect(messages(following.log)).toHaveLength(1);
    });

    test('of its own Redis does not, either', async () => {
      const never = deferred<never>().promise;
      const memory: MemoryCommands = { get: () => never, set: () => never, del: () => never };
      const following = await watch('none', recordEnds().ended, { memory });
      await expect(following.stop()).resolves.toBeUndefined();
    });
  });

  test('that has much to do costs one write of the cursor now and then', async () => {
    const { words, ended } = recordEnds();
    const writes = vi.fn();
    const memory: MemoryCommands = {
      get: (key) => redis.get(key),
      del: (key) => redis.del(key),
      set: (key: string, value: string, ...px: ['PX', number] | []) => {
        if (px.length === 0) writes(Date.now());
        return px.length === 0 ? redis.set(key, value) : redis.set(key, value, ...px);
      },
    };
    const bot = await watched(ended, { memory });
    bot.work(async () => {}, { concurrency: 10 });
    const start = Date.now();
    await Promise.all(Array.from({ length: 100 }, (_, index) => bot.add({}, { jobId: `m${index}` })));
    await expect.poll(words, poll).toHaveLength(100);
    const most = Math.ceil((Date.now() - start) / 100) + 1;
    expect(writes.mock.calls.length).toBeLessThanOrEqual(most);
    await bot.following.stop();
    const events = await redis.xrange(`${prefix}:${bot.name}:events`, '-', '+');
    const lastEnd = events.findLastIndex(([, fields]) => fields.includes('completed'));
    const cursor = await redis.get(keys.botQueue.cursor(`${prefix}:${bot.name}`));
    expect(events.findIndex(([id]) => id === cursor)).toBeGreaterThanOrEqual(lastEnd);
  });
});

function stage() {
  const saved: string[] = [];
  const progress = createProgress('0-0', async (id) => {
    saved.push(id);
  });
  return { saved, progress };
}

describe('the cursor', () => {
  test('stays before the oldest event that is held, whatever is handled after it', async () => {
    const { saved, progress } = stage();
    progress.handled('1-0');
    const first = progress.hold('2-0');
    const second = progress.hold('3-0');
    progress.handled('4-0');
    expect(progress.at()).toBe('4-0');
    await progress.flush();
    second.release();
    await progress.flush();
    first.release();
    await progress.flush();
    expect(saved).toEqual(['1-0', '4-0']);
  });

  test('is saved again when a save failed', async () => {
    const answers = [() => Promise.reject(new Error('away')), async () => {}];
    const saved: string[] = [];
    const progress = createProgress('0-0', async (id) => {
      saved.push(id);
      await answers.shift()?.();
    });
    progress.handled('1-0');
    await expect(progress.flush()).rejects.toThrow('away');
    await progress.flush();
    await progress.flush();
    expect(saved).toEqual(['1-0', '1-0']);
  });
});

test('an outage is one line, however many commands fail', () => {
  const log = recordLog();
  const connection = new EventEmitter();
  const outage = createOutage(connection, { queue: 'answers', log });
  outage.over();
  connection.emit('error', Object.assign(new Error('connect ETIMEDOUT'), { code: 'ETIMEDOUT' }));
  for (let tries = 0; tries < 3; tries += 1) outage.seen(new Error('given up'));
  expect(outage.now()).toBe(true);
  outage.over();
  outage.over();
  expect(log.lines).toEqual([
    {
      level: 'warn',
      fields: { cause: 'ETIMEDOUT' },
      message: "The bot's queue answers is out of reach; trying again.",
    },
    { level: 'info', fields: {}, message: "The bot's queue answers is followed again." },
  ]);
});
