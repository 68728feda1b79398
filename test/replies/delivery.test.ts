import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../src/redis/keys.ts';
import { createDeliveries, type Deliveries, type DeliveryState } from '../../src/replies/delivery.ts';
import { deliveryId } from '../../src/replies/run.ts';
import { type ReplyJob, storePush } from '../../src/typing/jobs.ts';
import { recordLog } from '../support/log.ts';
import { answerOf } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const now = 1_000_000;
const lease = 15_000;
const leaseUntil = now + lease;
const until = now + 4_500;
const repeats = 60_000;
const answer = answerOf('<xml>你好</xml>');

/** The owner, a connection of its own, and those of another process; a worker of a third. */
const own = 'p1.t1';
const ownHold = { name: 'p1.1', until };
const other = 'p2.t1';
const otherHold = { name: 'p2.1', until };
const worker = 'job:7:p3.w1';

let pushes = 0;

function newPush(): ReplyJob {
  const key = `push-${(pushes += 1)}`;
  const bytes = { method: 'POST', rawQuery: '', headers: [], body: Buffer.from('<xml/>') };
  return { channel: 'wechat', account: 'shop', key, user: 'u', turns: [], push: storePush(bytes) };
}

describe.each(await redisKinds())('on the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;
  let deliveries: Deliveries;

  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
    deliveries = createDeliveries(redis);
  });
  afterAll(() => server.stop());

  const stateOf = async (id: string): Promise<DeliveryState | null> => (await deliveries.standing(id)).state;
  const ownerOf = async (id: string): Promise<string | null> => (await deliveries.standing(id)).owner;
  const isInsured = async (id: string): Promise<boolean> =>
    (await redis.zscore(keys.insured, id)) !== null &&
    ((await redis.hget(keys.delivery(id), 'push')) ?? '') !== '';

  const take = (id: string, owner = own, at = now, hold: typeof ownHold | null = ownHold, dead?: string) =>
    deliveries.take({ id, owner, now: at, leaseUntil: at + lease, insurance: null }, hold, dead);
  const takeForWorker = (id: string, owner: string) =>
    deliveries.take({ id, owner, now, leaseUntil: 0, insurance: null }, otherHold);
  const takeOver = (id: string, owner = worker, at = leaseUntil, same = 'job:7:') =>
    deliveries.takeOver({ id, owner, now: at, leaseUntil: at + lease, same });
  const send = (id: string, owner = own, at: number | null = null) => deliveries.send({ id, owner }, now, at);
  const write = (id: string, owner = own) => deliveries.write({ id, owner }, repeats);
  const offer = (id: string, owner = own, holder?: string) => deliveries.offer({ id, owner }, answer, holder);
  const giveBack = async (id: string, holder = otherHold.name, owner = other) =>
    (await deliveries.giveBack({ id, owner }, holder, leaseUntil)) !== null;
  const leave = (id: string, owner = own) => deliveries.leave(id, { owner, now });

  const states = [
    'none',
    'owned',
    'offered',
    'written',
    'claimed',
    'sending',
    'sent',
    'failed',
    'unknown',
    'left',
  ] as const;

  /** An insured push whose delivery stands so. `written`: by its owner; `claimed`: by another process. */
  async function stand(at: (typeof states)[number]): Promise<string> {
    const push = newPush();
    const id = deliveryId(push);
    if (at === 'none') return id;
    await deliveries.take({ id, owner: own, now, leaseUntil, insurance: push }, ownHold);
    if (at === 'left') await leave(id);
    if (at === 'written') await write(id);
    if (at === 'offered' || at === 'claimed') {
      await take(id, other, now, otherHold);
      await offer(id);
    }
    if (at === 'claimed') await deliveries.claim(id, otherHold.name);
    if (at === 'sending' || at === 'sent' || at === 'failed' || at === 'unknown') await send(id);
    if (at === 'sent' || at === 'failed' || at === 'unknown')
      await deliveries.settle(id, { state: at, repeats });
    return id;
  }

  /** All that is due, by all workers. */
  async function found(at: number, workers = 1): Promise<string[]> {
    const asked = Array.from({ length: workers }, () => deliveries.overdue(at));
    return (await Promise.all(asked)).flat().map((push) => deliveryId(push));
  }

  /** Offered, with something else in the place of the answer. */
  async function offeredAs(json: string): Promise<string> {
    const id = await stand('offered');
    await redis.hset(keys.delivery(id), 'answer', json);
    return id;
  }

  describe('each move, from each state', () => {
    /** The state after the move; null: none. Where it is the same, the move is forbidden there, or has nothing to do. */
    type Row = readonly (DeliveryState | null)[];
    const same: Row = [
      null,
      'direct',
      'offered',
      'inline',
      'inline',
      'sending',
      'sent',
      'failed',
      'unknown',
      null,
    ];
    const but = (changes: Partial<Record<(typeof states)[number], DeliveryState | null>>): Row =>
      states.map((state, index) => {
        const change = changes[state];
        return change === undefined ? (same[index] ?? null) : change;
      });
    const moves: Record<string, { make: (id: string) => Promise<unknown>; to: Row }> = {
      'take by the owner': { make: (id) => take(id), to: but({ none: 'direct', offered: 'inline' }) },
      'take by another': {
        make: (id) => take(id, other, now, otherHold),
        to: but({ none: 'direct', offered: 'inline' }),
      },
      'take for a worker': {
        make: (id) => takeForWorker(id, other),
        to: but({ none: 'direct', offered: 'inline' }),
      },
      'take by another when the owner is dead': {
        make: (id) => take(id, other, now, otherHold, own),
        to: but({ none: 'direct', offered: 'inline', written: 'direct', claimed: 'direct' }),
      },
      'takeOver within the lease': { make: (id) => takeOver(id, worker, now), to: but({}) },
      'takeOver after the lease': { make: (id) => takeOver(id), to: but({ owned: null }) },
      'renew by the owner': { make: (id) => deliveries.renew({ id, owner: own }, now + 30_000), to: but({}) },
      'leave by the owner': { make: (id) => leave(id), to: but({ owned: null, sending: null }) },
      'leave by another': { make: (id) => leave(id, other), to: but({}) },
      'leave of a silent owner within the lease': {
        make: (id) => deliveries.leave(id, { now: leaseUntil - 1 }),
        to: but({}),
      },
      'leave of a silent owner after the lease': {
        make: (id) => deliveries.leave(id, { now: leaseUntil }),
        to: but({ owned: null }),
      },
      'write by the owner': {
        make: (id) => write(id),
        to: but({ none: 'inline', owned: 'inline', offered: 'inline' }),
      },
      // Where nothing is known of an owner, as Redis could not take it, whoever asks is one.
      'write by another': { make: (id) => write(id, other), to: but({ none: 'inline' }) },
      'send by the owner': {
        make: (id) => send(id),
        to: but({ none: 'sending', owned: 'sending', offered: 'sending', written: 'sending' }),
      },
      'send by another': { make: (id) => send(id, other), to: but({ none: 'sending' }) },
      'offer by the owner': {
        make: (id) => offer(id),
        to: but({ none: 'offered', owned: 'offered', written: 'offered', claimed: 'offered' }),
      },
      'offer by another': { make: (id) => offer(id, other), to: but({ none: 'offered' }) },
      'claim by the holder': {
        make: (id) => deliveries.claim(id, otherHold.name),
        to: but({ offered: 'inline' }),
      },
      'claim by another': { make: (id) => deliveries.claim(id, 'p4.1'), to: but({}) },
      'giveBack by the holder': { make: (id) => giveBack(id), to: but({ claimed: 'direct' }) },
      'giveBack by another': { make: (id) => giveBack(id, 'p4.1'), to: but({}) },
      reopen: {
        make: (id) => deliveries.reopen(id),
        to: but({ owned: null, offered: null, written: null, claimed: null, failed: null, unknown: null }),
      },
    };
    const cases = Object.entries(moves).flatMap(([name, { make, to }]) =>
      states.map((before, index) => ({ name, make, before, after: to[index] ?? null })),
    );

    test.each(cases)('$name: $before → $after', async ({ make, before, after }) => {
      const id = await stand(before);
      await make(id);
      expect(await stateOf(id)).toBe(after);
    });
  });

  describe('a push', () => {
    test('is the first one’s that takes it; others are held, and told how often it has come', async () => {
      const id = await stand('none');
      expect(await take(id)).toEqual({ is: 'owned', attempt: 1, deliveries: 1 });
      expect(await take(id, other, now, otherHold)).toEqual({ is: 'held', deliveries: 2 });
      expect(await take(id, 'p4.t1', now, null)).toEqual({ is: 'held', deliveries: 3 });
      expect(await ownerOf(id)).toBe(own);
    });

    test('is its owner’s still when the word of that was lost, and it asks again', async () => {
      const id = await stand('none');
      await take(id);
      expect(await take(id)).toMatchObject({ is: 'owned' });
      expect(await ownerOf(id)).toBe(own);
    });

    test('is the next one’s that takes it when the lease has run out, for another call of the bot', async () => {
      const id = await stand('owned');
      expect(await take(id, other, leaseUntil - 1, otherHold)).toMatchObject({ is: 'held' });
      expect(await take(id, other, leaseUntil, otherHold)).toMatchObject({ is: 'owned', attempt: 2 });
      expect(await ownerOf(id)).toBe(other);
    });

    test('of a silent owner may be delivered by who took it over, and by no other', async () => {
      for (const make of [write, send, offer]) {
        const id = await stand('owned');
        expect(await takeOver(id)).toMatchObject({ is: 'owned', attempt: 2, answer: null, isKnown: true });
        const before = await redis.hgetall(keys.delivery(id));
        expect([false, { is: 'lost' }]).toContainEqual(await make(id));
        expect(await redis.hgetall(keys.delivery(id))).toEqual(before);
        expect([true, { is: 'may' }]).toContainEqual(await make(id, worker));
      }
    });

    test('is not renewed by whom it is not any more, nor when it is decided', async () => {
      const id = await stand('owned');
      expect(await deliveries.renew({ id, owner: own }, leaseUntil + 1)).toBe(true);
      await takeOver(id, worker, leaseUntil + 1);
      expect(await deliveries.renew({ id, owner: own }, leaseUntil * 2)).toBe(false);
      expect(await deliveries.renew({ id: await stand('written'), owner: own }, leaseUntil)).toBe(false);
      expect(await deliveries.renew({ id: await stand('sent'), owner: own }, leaseUntil)).toBe(false);
    });

    test('whose lease is moved on is not taken over before it runs out', async () => {
      const id = await stand('owned');
      await deliveries.renew({ id, owner: own }, leaseUntil + 5_000);
      expect(await takeOver(id)).toEqual({ is: 'held', until: leaseUntil + 5_000 });
      expect(await takeOver(id, worker, leaseUntil + 5_000)).toMatchObject({ is: 'owned' });
    });

    test('that only waits for a worker is held for it, and becomes its', async () => {
      const id = await stand('none');
      expect(await takeForWorker(id, own)).toMatchObject({ is: 'owned', deliveries: 1 });
      await leave(id);
      expect(await take(id, other)).toEqual({ is: 'held', deliveries: 2 });
      expect(await takeOver(id, worker, now)).toMatchObject({ is: 'owned', attempt: 1, isKnown: true });
    });

    test('of which nothing is known any more is said to be so', async () => {
      expect(await takeOver(await stand('none'))).toMatchObject({ is: 'owned', attempt: 1, isKnown: false });
    });

    test('of an earlier run of the same job is its next run’s at once', async () => {
      const id = await stand('owned');
      await takeOver(id);
      expect(await takeOver(id, 'job:7:p4.w9')).toMatchObject({ is: 'owned', attempt: 3 });
      expect(await takeOver(id, 'job:8:p4.w9', leaseUntil, 'job:8:')).toMatchObject({ is: 'held' });
    });

    test.each([
      ['sending', { is: 'sending', since: now, answer: null, sentUpTo: 0 }],
      ['sent', { is: 'decided', state: 'sent', why: null }],
      ['written', { is: 'decided', state: 'inline', why: null }],
      ['claimed', { is: 'decided', state: 'inline', why: null }],
      ['failed', { is: 'decided', state: 'failed', why: null }],
    ] as const)('that is %s is not taken over', async (state, said) => {
      expect(await takeOver(await stand(state))).toEqual(said);
    });

    test('that is sending in parts is not taken over either: how far it came is known', async () => {
      const id = await stand('sending');
      expect(await deliveries.part({ id, owner: own }, now + 5, { answer, upTo: 900 })).toBe(true);
      expect(await deliveries.part({ id, owner: other }, now, { answer, upTo: 0 })).toBe(false);
      expect(await takeOver(id)).toEqual({ is: 'sending', since: now + 5, answer, sentUpTo: 900 });
      await deliveries.settle(id, { state: 'unknown', repeats });
      expect(await deliveries.part({ id, owner: own }, now, { answer, upTo: 1_800 })).toBe(false);
    });

    test('whose answer is offered is taken over with it', async () => {
      expect(await takeOver(await stand('offered'))).toMatchObject({ is: 'owned', answer });
    });
  });

  describe('asked again after the word was lost', () => {
    test.each([
      ['write', write, true],
      ['send', send, { is: 'may' }],
      ['offer then write', async (id: string) => (await offer(id), write(id)), true],
    ] as const)('%s says the same', async (_, make, said) => {
      const id = await stand('owned');
      expect(await make(id)).toEqual(said);
      const after = await redis.hgetall(keys.delivery(id));
      expect(await make(id)).toEqual(said);
      expect(await redis.hgetall(keys.delivery(id))).toEqual(after);
    });
  });

  describe('a connection of another process', () => {
    test('is who waits for the answer, while it waits', async () => {
      const id = await stand('owned');
      await take(id, other, now, otherHold);
      expect(await send(id, own, until - 1)).toEqual({ is: 'held', holder: 'p2.1' });
      expect(await stateOf(id)).toBe('direct');
      expect(await send(id, own, until)).toEqual({ is: 'may' });
    });

    test('is not waited for where the owner knows that nobody does', async () => {
      const id = await stand('owned');
      await take(id, other, now, otherHold);
      expect(await send(id)).toEqual({ is: 'may' });
    });

    test('is not the owner’s own, which it has looked at', async () => {
      expect(await send(await stand('owned'), own, now)).toEqual({ is: 'may' });
    });

    test('claims the offered answer once, bytes and headers as the bot gave them', async () => {
      const id = await stand('offered');
      expect(await deliveries.claim(id, 'p4.1')).toBeNull();
      expect(await deliveries.claim(id, 'p2.1')).toEqual(answer);
      expect(await deliveries.claim(id, 'p2.1')).toBeNull();
    });

    test('that claims at the last moment has it: it is not sent as well, however often that is asked', async () => {
      const id = await stand('claimed');
      expect(await send(id)).toEqual({ is: 'written' });
      expect(await send(id)).toEqual({ is: 'written' });
      expect(await stateOf(id)).toBe('inline');
    });

    test('that claims too late has nothing', async () => {
      const id = await stand('offered');
      expect(await send(id)).toEqual({ is: 'may' });
      expect(await deliveries.claim(id, 'p2.1')).toBeNull();
    });

    test('of a repeat takes the place of the one before', async () => {
      const id = await stand('owned');
      await take(id, other, now, otherHold);
      await take(id, 'p4.t1', now, { name: 'p4.1', until });
      expect(await send(id, own, now)).toEqual({ is: 'held', holder: 'p4.1' });
    });

    test('that comes when the answer is offered gets it at once, and so do later ones', async () => {
      const id = await stand('offered');
      expect(await take(id, 'p4.t1', now, { name: 'p4.1', until })).toEqual({ is: 'answer', answer });
      expect(await take(id, 'p5.t1', now, { name: 'p5.1', until })).toEqual({ is: 'answer', answer });
      expect(await send(id)).toEqual({ is: 'written' });
    });

    test.each(['sending', 'sent', 'failed', 'unknown'] as const)(
      'has nothing to wait for when it is %s',
      async (state) => {
        expect(await take(await stand(state), other, now, otherHold)).toEqual({ is: 'decided', state });
      },
    );

    test('learns who wrote it, and gets the bytes when that one puts them up again', async () => {
      const id = await stand('written');
      expect(await take(id, other, now, otherHold)).toEqual({ is: 'inline', owner: own });
      expect(await offer(id, own, 'p2.1')).toBe(true);
      expect(await deliveries.claim(id, 'p2.1')).toEqual(answer);
    });

    test('takes the push when that one is dead, and is its only owner then', async () => {
      const id = await stand('written');
      expect(await take(id, other, now, otherHold, own)).toMatchObject({ is: 'owned', attempt: 2 });
      expect(await write(id)).toBe(false);
      expect(await send(id)).toEqual({ is: 'lost' });
      expect(await write(id, other)).toBe(true);
      // Its own connection was gone, and the dead one's does not count.
      expect(await send(id, other)).toEqual({ is: 'may' });
    });

    test('does not take it from another than the dead one', async () => {
      const id = await stand('written');
      expect(await take(id, other, now, otherHold, 'p9.t1')).toEqual({ is: 'inline', owner: own });
    });
  });

  test('an offered answer is not for who holds no connection', async () => {
    const id = await stand('offered');
    expect(await take(id, 'p4.t1', now, null)).toEqual({ is: 'decided', state: 'offered' });
    expect(await send(id)).toEqual({ is: 'may' });
  });

  test('a claimed answer is not for who holds no connection', async () => {
    const id = await stand('claimed');
    expect(await take(id, 'p4.t1', now, null)).toEqual({ is: 'decided', state: 'inline' });
    expect(await giveBack(id)).toBe(true);
  });

  describe('an answer that could not be written', () => {
    test('is sent by its owner, if nobody else has it', async () => {
      expect(await send(await stand('written'))).toEqual({ is: 'may' });
      const id = await stand('written');
      await take(id, other, now, otherHold);
      await offer(id, own, 'p2.1');
      await deliveries.claim(id, 'p2.1');
      expect(await send(id)).toEqual({ is: 'written' });
    });

    test('is its claimer’s to send', async () => {
      const id = await stand('claimed');
      expect(await deliveries.giveBack({ id, owner: other }, otherHold.name, leaseUntil)).toEqual(answer);
      // Where the word of that was lost, and it asks again.
      expect(await deliveries.giveBack({ id, owner: other }, otherHold.name, leaseUntil)).toEqual(answer);
      expect(await giveBack(id, otherHold.name, 'p4.t1')).toBe(false);
      expect(await send(id)).toEqual({ is: 'lost' });
      expect(await send(id, other)).toEqual({ is: 'may' });
    });

    test('is not sent while its first owner has written it', async () => {
      const id = await stand('written');
      await take(id, other, now, otherHold);
      await offer(id, own, 'p2.1');
      await deliveries.claim(id, 'p2.1');
      expect(await giveBack(id)).toBe(false);
    });

    test.each([
      ['p2.1', 'p4.1'],
      ['p4.1', 'p2.1'],
    ])('is the last one’s of those that had it: %s, %s', async (first, last) => {
      const id = await stand('claimed');
      await take(id, 'p4.t1', now, { name: 'p4.1', until });
      expect(await giveBack(id, first)).toBe(false);
      expect(await giveBack(id, first)).toBe(false);
      expect(await stateOf(id)).toBe('inline');
      expect(await giveBack(id, last)).toBe(true);
    });
  });

  describe('the insurance', () => {
    const due = leaseUntil;

    test('falls due when the lease runs out, for one worker at a time', async () => {
      await redis.del(keys.insured);
      const ids = [await stand('owned'), await stand('offered'), await stand('sending')];
      expect(await found(due - 1)).toEqual([]);
      expect((await found(due, 3)).toSorted()).toEqual(ids.toSorted());
      expect(await found(due, 3)).toEqual([]);
      // The one that took them up is gone, too.
      expect((await found(due + 5_000, 3)).toSorted()).toEqual(ids.toSorted());
    });

    test('is the push, byte for byte', async () => {
      await redis.del(keys.insured);
      const push = { ...newPush(), arrivedAt: 7 };
      const id = deliveryId(push);
      await deliveries.take({ id, owner: own, now, leaseUntil, insurance: push }, null);
      expect(await deliveries.overdue(due)).toEqual([push]);
    });

    test('moves with the lease', async () => {
      await redis.del(keys.insured);
      const id = await stand('owned');
      await deliveries.renew({ id, owner: own }, due + 1_000);
      expect(await found(due)).toEqual([]);
      expect(await found(due + 1_000)).toEqual([id]);
    });

    test('is not due where the lease was moved on as it was found', async () => {
      await redis.del(keys.insured);
      const id = await stand('owned');
      await redis.hset(keys.delivery(id), 'lease', due + 1);
      expect(await found(due)).toEqual([]);
    });

    test.each<[string, (id: string) => Promise<unknown>]>([
      ['write', (id) => write(id)],
      ['settle', (id) => deliveries.settle(id, { state: 'sent', repeats })],
      ['leave', (id) => leave(id)],
    ])('goes with %s', async (_, make) => {
      const id = await stand('owned');
      expect(await isInsured(id)).toBe(true);
      await make(id);
      expect(await redis.zscore(keys.insured, id)).toBeNull();
      expect(await redis.hget(keys.delivery(id), 'push')).toBeNull();
    });

    test('goes when a repeat gets the offered answer at once', async () => {
      const id = await stand('offered');
      await take(id, 'p4.t1', now, { name: 'p4.1', until });
      expect(await isInsured(id)).toBe(false);
    });

    test('goes when another process has claimed the answer, too', async () => {
      const id = await stand('offered');
      expect(await isInsured(id)).toBe(true);
      await deliveries.claim(id, 'p2.1');
      expect(await isInsured(id)).toBe(false);
    });

    test('stays while the answer is sent: who finds it says that nobody knows', async () => {
      const id = await stand('sending');
      expect(await isInsured(id)).toBe(true);
      expect(await takeOver(id)).toEqual({ is: 'sending', since: now, answer: null, sentUpTo: 0 });
    });

    test('of what is decided, or gone, is taken away by who finds it', async () => {
      const [over, gone] = [await stand('sent'), await stand('none')];
      for (const id of [over, gone]) await redis.zadd(keys.insured, now, id);
      await found(due);
      for (const id of [over, gone]) expect(await redis.zscore(keys.insured, id)).toBeNull();
    });

    test('that this release cannot read is told once, and left to another', async () => {
      await redis.del(keys.insured);
      const id = await stand('owned');
      await redis.hset(keys.delivery(id), 'push', '{"secret":');
      const log = recordLog();
      const told = createDeliveries(redis, { log });
      expect(await told.overdue(due)).toEqual([]);
      expect(await told.overdue(due + 5_000)).toEqual([]);
      expect(log.lines).toEqual([{ level: 'error', fields: { delivery: id }, message: expect.any(String) }]);
      expect(JSON.stringify(log.lines)).not.toContain('secret');
      expect(await isInsured(id)).toBe(true);
    });
  });

  test.each([
    ['owned', 20],
    ['offered', 20],
    ['written', 1],
    ['sending', 20],
    ['sent', 1],
    ['failed', 1],
    ['unknown', 1],
  ] as const)('%s is kept for %i minutes', async (state, minutes) => {
    const since = performance.now();
    const left = await redis.pttl(keys.delivery(await stand(state)));
    expect(left).toBeGreaterThan(minutes * 60_000 - 5_000 - (performance.now() - since));
    expect(left).toBeLessThanOrEqual(minutes * 60_000);
  });

  test.each(['sent', 'failed', 'unknown'] as const)(
    'what is %s keeps neither push nor answer, only what a repeat has to know',
    async (state) => {
      const id = await stand('offered');
      await deliveries.settle(id, { state, why: 'a reason', repeats });
      expect(await redis.hgetall(keys.delivery(id))).toEqual({
        state,
        owner: own,
        calls: '1',
        why: 'a reason',
      });
      expect(await takeOver(id)).toEqual({ is: 'decided', state, why: 'a reason' });
    },
  );

  test('what failed is asked anew by hand, and it is known how often the bot was called', async () => {
    const id = await stand('owned');
    await takeOver(id);
    await deliveries.settle(id, { state: 'failed', repeats });
    expect(await deliveries.reopen(id)).toBe(2);
    expect(await redis.exists(keys.delivery(id))).toBe(0);
    expect(await deliveries.reopen(id)).toBe(0);
  });

  describe('never inline and sent', () => {
    test('whoever asks at the same moment, one side gets the answer', async () => {
      const others = [server.connect(), server.connect()].map((each) => createDeliveries(each));
      const sides = [deliveries, ...others];
      const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6, maxLength: 6 });
      await fc.assert(
        fc.asyncProperty(order, async (moves) => {
          const id = await stand('offered');
          const results = await Promise.all(
            moves.map(async (move, index) => {
              const side = sides[index % sides.length] ?? deliveries;
              if (move < 2) return (await side.claim(id, 'p2.1')) ? 'inline' : 'no';
              if (move < 4)
                return (await side.send({ id, owner: own }, now, null)).is === 'may' ? 'sending' : 'no';
              const asks = { id, owner: 'p4.t1', now, leaseUntil, insurance: null };
              return (await side.take(asks, { name: 'p4.1', until })).is === 'answer' ? 'inline' : 'no';
            }),
          );
          const got = new Set(results.filter((result) => result !== 'no'));
          expect([...got]).toEqual([await stateOf(id)]);
        }),
        { numRuns: 40, seed: 1 },
      );
    });

    test('whatever is done in whatever order', async () => {
      const kinds = ['take', 'offer', 'claim', 'write', 'send', 'giveBack', 'takeOver'] as const;
      const move = fc.record({ kind: fc.constantFrom(...kinds), n: fc.constantFrom(1, 2) });
      await fc.assert(
        fc.asyncProperty(fc.array(move, { minLength: 4, maxLength: 14 }), async (moves) => {
          const id = await stand('owned');
          // Connections that have the answer and have not given it back: the user sees it through them.
          const writing = new Set<string>();
          let sending = false;
          const wrong: string[] = [];
          for (const { kind, n } of moves) {
            const [owner, holder] = [`p${n}.t1`, `p${n}.1`];
            const hold = { name: holder, until };
            if (kind === 'take' && (await take(id, owner, now, hold)).is === 'answer') writing.add(holder);
            // Its own connection was gone.
            if (kind === 'offer' && (await offer(id, owner))) writing.delete(owner);
            if (kind === 'claim' && (await deliveries.claim(id, holder))) writing.add(holder);
            if (kind === 'write' && (await write(id, owner))) writing.add(owner);
            if (kind === 'takeOver') await takeOver(id, worker);
            if (kind === 'send') {
              // Its own connection was gone.
              if ((await stateOf(id)) === 'inline' && (await ownerOf(id)) === owner) writing.delete(owner);
              sending = (await send(id, owner)).is === 'may' || sending;
            }
            if (kind === 'giveBack') {
              // What is put up again is not another way's; and who has it already hears so again.
              const state = await stateOf(id);
              const hasIt = state === 'direct' && (await ownerOf(id)) === owner;
              const last = state !== 'offered' && writing.delete(holder) && writing.size === 0;
              if ((await giveBack(id, holder, owner)) !== last && !hasIt) wrong.push(kind);
            }
            if (writing.size > 0 && sending) wrong.push(`two sides after ${kind}`);
          }
          expect(wrong).toEqual([]);
        }),
        { numRuns: 300, seed: 1 },
      );
    });
  });

  describe('an answer that cannot be read', () => {
    const spoilt = ['{"status":200', '{"status":"200","headers":[],"body":""}', '[]', 'secret'];

    test.each(spoilt)('%j is as none: whoever finds it asks the bot, and sends that', async (json) => {
      const id = await offeredAs(json);
      expect(await takeOver(id)).toMatchObject({ is: 'owned', answer: null });
      expect(await send(id, worker)).toEqual({ is: 'may' });
    });

    test.each(spoilt)('%j is nothing for a connection', async (json) => {
      expect(await deliveries.claim(await offeredAs(json), 'p2.1')).toBeNull();
      expect(await take(await offeredAs(json), 'p4.t1', now, otherHold)).toEqual({
        is: 'decided',
        state: 'inline',
      });
    });

    test('is told once, by the name of its push alone', async () => {
      const id = await offeredAs('secret');
      const log = recordLog();
      const told = createDeliveries(redis, { log });
      for (let time = 0; time < 3; time += 1) await told.claim(id, 'p2.1');
      for (let time = 0; time < 3; time += 1)
        await told.take({ id, owner: other, now, leaseUntil, insurance: null }, otherHold);
      expect(log.lines).toEqual([{ level: 'error', fields: { delivery: id }, message: expect.any(String) }]);
      expect(JSON.stringify(log.lines)).not.toContain('secret');
    });
  });
});
