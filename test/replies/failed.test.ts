import { Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { createDeliveries, type Deliveries } from '../../src/replies/delivery.ts';
import { listFailed, readFailed, runAgain } from '../../src/replies/failed.ts';
import { deliveryId } from '../../src/replies/run.ts';
import { type ReplyJob, storePush } from '../../src/typing/jobs.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let replies: Queue<ReplyJob>;
let deliveries: Deliveries;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  replies = new Queue(queueNames.replies, { connection: redis, prefix: keys.prefix });
  deliveries = createDeliveries(redis);
});
afterAll(async () => {
  await replies.close();
  await server.stop();
});

const bytes = { method: 'POST', rawQuery: '', headers: [], body: Buffer.from('secret') };

let jobs = 0;

function dataWith(more: Partial<ReplyJob> = {}): ReplyJob {
  const key = `push-${(jobs += 1)}`;
  return { channel: 'wechat', account: 'shop', key, user: 'u', turns: [], push: storePush(bytes), ...more };
}

/** A job of that data which has failed for that reason; resolves with its id. */
async function failedJob(data: unknown, reason: string): Promise<string> {
  const { id = '' } = await replies.add('reply', data as ReplyJob);
  const fails = async (): Promise<void> => {
    throw new UnrecoverableError(reason);
  };
  const worker = new Worker(queueNames.replies, fails, { connection: redis, prefix: keys.prefix });
  worker.on('error', () => {});
  await expect.poll(async () => (await replies.getJob(id))?.isFailed(), { interval: 5 }).toBe(true);
  await worker.close();
  return id;
}

async function isUnknown(id: string): Promise<boolean | undefined> {
  return (await readFailed([{ replies, deliveries }])).find(({ job }) => job === id)?.unknown;
}

/** Of that answer nobody knows whether it reached the user. */
async function settleAsUnknown(data: ReplyJob): Promise<void> {
  await deliveries.settle(deliveryId(data), { state: 'unknown', repeats: 60_000 });
}

describe('whether the user has the answer', () => {
  test('is what the job says, whatever its reason says', async () => {
    const known = await failedJob(dataWith({ failure: { unknown: false } }), 'outcome unknown: not really');
    const unknown = await failedJob(dataWith({ failure: { unknown: true } }), 'The bot answered with 500.');
    expect(await isUnknown(known)).toBe(false);
    expect(await isUnknown(unknown)).toBe(true);
    expect(await runAgain([{ replies, deliveries }], unknown, { evenUnknown: false })).toBe('unknown');
    expect(await runAgain([{ replies, deliveries }], known, { evenUnknown: false })).toBe('runs');
    expect(await runAgain([{ replies, deliveries }], unknown, { evenUnknown: true })).toBe('runs');
  });

  test('is asked anew of a job that runs again: what was known of its last failure goes', async () => {
    const id = await failedJob(dataWith({ failure: { unknown: false } }), 'reason');
    expect(await runAgain([{ replies, deliveries }], id, { evenUnknown: false })).toBe('runs');
    expect((await replies.getJob(id))?.data).not.toHaveProperty('failure');
  });

  test('is still not known when somebody has reopened its delivery and got no further', async () => {
    const data = dataWith({ failure: { unknown: true } });
    await settleAsUnknown(data);
    await deliveries.reopen(deliveryId(data));
    expect(await isUnknown(await failedJob(data, 'reason'))).toBe(true);
  });

  test('is not known either where its delivery says so', async () => {
    const data = dataWith({ failure: { unknown: false } });
    await settleAsUnknown(data);
    expect(await isUnknown(await failedJob(data, 'reason'))).toBe(true);
  });

  test.each(['outcome unknown: ECONNRESET', 'The bot answered with 500.'])(
    'is not known where the release before failed it, as “%s”: that said so in the reason alone',
    async (reason) => {
      const id = await failedJob(dataWith(), reason);
      expect(await isUnknown(id)).toBe(true);
      expect(await runAgain([{ replies, deliveries }], id, { evenUnknown: false })).toBe('unknown');
      expect(await listFailed([{ replies }])).toContain(reason);
    },
  );
});

test.each([null, 'words', { channel: 7, key: ['secret'] }])(
  'a job whose data cannot be read (%j) is listed like any other, and can be run again',
  async (data) => {
    const id = await failedJob(data, 'It cannot be read.');
    const listed = await readFailed([{ replies, deliveries }]);
    expect(listed.find(({ job }) => job === id)).toMatchObject({
      channel: '',
      user: null,
      turn: '',
      reason: 'It cannot be read.',
      unknown: true,
    });
    expect(await listFailed([{ replies }])).toContain(`${id}  `);
    expect(await redis.exists(keys.delivery('//'))).toBe(0);
    expect(await runAgain([{ replies, deliveries }], id, { evenUnknown: true })).toBe('runs');
  },
);
