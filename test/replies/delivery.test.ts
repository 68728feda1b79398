import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { keys } from '../../src/redis/keys.ts';
import { createDeliveries, type Deliveries, type DeliveryState } from '../../src/replies/delivery.ts';
import { recordLog } from '../support/log.ts';
import { answerOf } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let deliveries: Deliveries;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  deliveries = createDeliveries(redis);
});
afterAll(() => server.stop());

const now = 1_000_000;
const until = now + 4500;
const answer = answerOf('<xml>你好</xml>');
let ids = 0;
const newId = (): string => `wechat/shop/push-${(ids += 1)}`;

/** A push whose delivery stands in that state; `held` and `none` are both before any. */
async function stand(state: DeliveryState | 'held' | 'none'): Promise<string> {
  const id = newId();
  if (state === 'none') return id;
  await deliveries.hold(id, 'web.1', until);
  if (state === 'held') return id;
  if (state === 'direct') {
    await deliveries.forfeit(id);
    return id;
  }
  await deliveries.offer(id, answer, now);
  if (state === 'inline') await deliveries.claim(id, 'web.1');
  if (['sending', 'sent', 'failed', 'unknown'].includes(state)) await deliveries.take(id, now);
  if (state === 'sent' || state === 'failed' || state === 'unknown') await deliveries.settle(id, state);
  return id;
}

const stateOf = async (id: string): Promise<DeliveryState | null> => (await deliveries.standing(id)).state;

describe('each move, from each state', () => {
  const from = [
    'none',
    'held',
    'offered',
    'inline',
    'sending',
    'sent',
    'failed',
    'unknown',
    'direct',
  ] as const;
  /** The state after the move; null: none. Where it is the same, the move is forbidden there, or has nothing to do. */
  type Row = readonly (DeliveryState | null)[];
  const moves: Record<string, { make: (id: string) => Promise<unknown>; to: Row }> = {
    offer: {
      make: (id) => deliveries.offer(id, answer, now),
      to: ['offered', 'offered', 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'claim by the holder': {
      make: (id) => deliveries.claim(id, 'web.1'),
      to: [null, null, 'inline', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'claim by another': {
      make: (id) => deliveries.claim(id, 'web.2'),
      to: [null, null, 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'leave by the holder': {
      make: (id) => deliveries.leave(id, 'web.1'),
      to: [null, null, 'inline', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'leave by another': {
      make: (id) => deliveries.leave(id, 'web.2'),
      to: [null, null, 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    hold: {
      make: (id) => deliveries.hold(id, 'web.2', until),
      to: [null, null, 'inline', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    take: {
      make: (id) => deliveries.take(id, now),
      to: [null, null, 'sending', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'giveBack by the holder': {
      make: (id) => deliveries.giveBack(id, 'web.1'),
      to: [null, null, 'offered', 'offered', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    'giveBack by another': {
      make: (id) => deliveries.giveBack(id, 'web.2'),
      to: [null, null, 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    forfeit: {
      make: (id) => deliveries.forfeit(id),
      to: ['direct', 'direct', 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', 'direct'],
    },
    resume: {
      make: (id) => deliveries.resume(id),
      to: [null, null, 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown', null],
    },
    reopen: {
      make: (id) => deliveries.reopen(id),
      to: [null, null, 'offered', null, 'sending', 'sent', 'offered', 'offered', 'direct'],
    },
  };
  const cases = Object.entries(moves).flatMap(([name, { make, to }]) =>
    from.map((before, index) => ({ name, make, before, after: to[index] ?? null })),
  );

  test.each(cases)('$name: $before → $after', async ({ make, before, after }) => {
    const id = await stand(before);
    await make(id);
    expect(await stateOf(id)).toBe(after);
  });
});

describe('a held connection', () => {
  test('learns how often the platform has delivered the push', async () => {
    const id = newId();
    expect(await deliveries.hold(id, 'web.1', until)).toEqual({ is: 'held', deliveries: 1 });
    expect(await deliveries.hold(id, 'web.2', until)).toEqual({ is: 'held', deliveries: 2 });
  });

  test('is offered the answer and claims it, bytes and headers as the bot gave them', async () => {
    const id = await stand('held');
    expect(await deliveries.offer(id, answer, now)).toBe('web.1');
    expect(await deliveries.claim(id, 'web.1')).toEqual(answer);
  });

  test('claims once', async () => {
    const id = await stand('inline');
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
  });

  test('of a repeat takes the place of the one before', async () => {
    const id = await stand('held');
    await deliveries.hold(id, 'web.2', until);
    expect(await deliveries.offer(id, answer, now)).toBe('web.2');
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
  });

  test('that comes when the answer is offered gets it at once, and nobody can take it', async () => {
    const id = await stand('offered');
    expect(await deliveries.hold(id, 'web.2', until)).toEqual({ is: 'answer', answer });
    expect(await deliveries.take(id, now)).toBe(false);
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
  });

  test('of a repeat gets the same bytes after the first was answered', async () => {
    const id = await stand('inline');
    expect(await deliveries.hold(id, 'web.2', until)).toEqual({ is: 'answer', answer });
    expect(await deliveries.hold(id, 'web.3', until)).toEqual({ is: 'answer', answer });
  });

  test.each(['sending', 'sent', 'failed', 'unknown', 'direct'] as const)(
    'has nothing to wait for when it is %s',
    async (state) => {
      expect(await deliveries.hold(await stand(state), 'web.2', until)).toEqual({ is: 'decided' });
    },
  );

  test('whose hold is over is not offered the answer', async () => {
    const id = await stand('held');
    expect(await deliveries.offer(id, answer, until)).toBeNull();
    expect(await deliveries.take(id, now)).toBe(true);
  });

  test('that has left is not offered the answer', async () => {
    const id = await stand('held');
    expect(await deliveries.leave(id, 'web.1')).toBeNull();
    expect(await deliveries.offer(id, answer, now)).toBeNull();
  });

  test('that asks before there is an answer goes on holding', async () => {
    const id = await stand('held');
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
    expect(await deliveries.offer(id, answer, now)).toBe('web.1');
  });

  test('that leaves at the last moment takes the answer along', async () => {
    expect(await deliveries.leave(await stand('offered'), 'web.1')).toEqual(answer);
  });

  test('that was replaced does not end the hold of the new one by leaving', async () => {
    const id = await stand('held');
    await deliveries.hold(id, 'web.2', until);
    await deliveries.leave(id, 'web.1');
    expect(await deliveries.offer(id, answer, now)).toBe('web.2');
  });
});

describe('an answer that could not be written', () => {
  test('is sent another way', async () => {
    const id = await stand('inline');
    expect(await deliveries.giveBack(id, 'web.1')).toBe(true);
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
    expect(await deliveries.take(id, now)).toBe(true);
  });

  test('is not sent another way while a repeat has it too', async () => {
    const id = await stand('inline');
    await deliveries.hold(id, 'web.2', until);
    expect(await deliveries.giveBack(id, 'web.1')).toBe(false);
    expect(await deliveries.take(id, now)).toBe(false);
  });

  test.each([
    ['web.1', 'web.2'],
    ['web.2', 'web.1'],
  ])('is sent another way when the last of those that had it gives it back: %s, %s', async (first, last) => {
    const id = await stand('inline');
    await deliveries.hold(id, 'web.2', until);
    expect(await deliveries.giveBack(id, first)).toBe(false);
    expect(await stateOf(id)).toBe('inline');
    expect(await deliveries.giveBack(id, last)).toBe(true);
    expect(await deliveries.giveBack(id, last)).toBe(false);
    expect(await stateOf(id)).toBe('offered');
  });

  test('that a repeat had fetched when it was offered is sent another way when that one gives it back', async () => {
    const id = await stand('offered');
    await deliveries.hold(id, 'web.2', until);
    expect(await deliveries.giveBack(id, 'web.1')).toBe(false);
    expect(await stateOf(id)).toBe('inline');
    expect(await deliveries.giveBack(id, 'web.2')).toBe(true);
  });

  test('is given back once by each: twice by one is not the other one', async () => {
    const id = await stand('inline');
    await deliveries.hold(id, 'web.2', until);
    await deliveries.giveBack(id, 'web.2');
    expect(await deliveries.giveBack(id, 'web.2')).toBe(false);
    expect(await stateOf(id)).toBe('inline');
  });

  test('is given back by nobody who has not claimed it', async () => {
    const id = await stand('inline');
    expect(await deliveries.giveBack(id, 'web.2')).toBe(false);
    expect(await deliveries.take(id, now)).toBe(false);
    expect(await deliveries.hold(id, 'web.3', until)).toEqual({ is: 'answer', answer });
  });

  test('can be fetched by a repeat after it was given back', async () => {
    const id = await stand('inline');
    await deliveries.giveBack(id, 'web.1');
    expect(await deliveries.hold(id, 'web.2', until)).toEqual({ is: 'answer', answer });
    expect(await deliveries.giveBack(id, 'web.2')).toBe(true);
  });
});

describe('a push that the web answers without Redis', () => {
  test.each(['none', 'held'] as const)('is not delivered by a worker as well (%s before)', async (before) => {
    const id = await stand(before);
    await deliveries.forfeit(id);
    expect(await deliveries.offer(id, answer, now)).toBeNull();
    expect(await deliveries.take(id, now)).toBe(false);
    expect(await deliveries.standing(id)).toMatchObject({ state: 'direct', answer: null });
  });

  test('is delivered by a worker when the web could not answer it', async () => {
    const id = await stand('direct');
    expect(await deliveries.resume(id)).toBe(true);
    expect(await redis.exists(keys.delivery(id))).toBe(0);
    await deliveries.offer(id, answer, now);
    expect(await deliveries.take(id, now)).toBe(true);
  });

  test.each(['none', 'held', 'offered', 'inline', 'sending', 'sent', 'failed', 'unknown'] as const)(
    'is not resumed where it never was the web’s: %s',
    async (state) => {
      expect(await deliveries.resume(await stand(state))).toBe(false);
    },
  );

  test('is resumed once', async () => {
    const id = await stand('direct');
    await deliveries.resume(id);
    expect(await deliveries.resume(id)).toBe(false);
  });
});

describe('an answer that was taken', () => {
  test('says since when it is being sent', async () => {
    const id = await stand('offered');
    expect((await deliveries.standing(id)).sendingAt).toBe(0);
    await deliveries.take(id, now + 7);
    expect((await deliveries.standing(id)).sendingAt).toBe(now + 7);
  });

  test('may be taken again when it certainly did not go out', async () => {
    const id = await stand('sending');
    await deliveries.settle(id, 'offered');
    expect(await deliveries.standing(id)).toMatchObject({ state: 'offered', answer });
    expect(await deliveries.take(id, now)).toBe(true);
  });

  test('is forgotten once it is sent', async () => {
    expect(await deliveries.standing(await stand('sent'))).toMatchObject({ state: 'sent', answer: null });
  });

  test.each(['failed', 'unknown'] as const)('is kept while it is %s, to be sent by hand', async (state) => {
    const id = await stand(state);
    await deliveries.reopen(id);
    expect(await deliveries.standing(id)).toMatchObject({ state: 'offered', answer });
  });

  test('when it failed and was not worth keeping, by hand the bot is asked anew', async () => {
    const id = await stand('sending');
    await deliveries.settle(id, 'failed', 'forget');
    expect(await deliveries.standing(id)).toMatchObject({ state: 'failed', answer: null });
    await deliveries.reopen(id);
    expect(await redis.exists(keys.delivery(id))).toBe(0);
  });
});

test.each([
  ['held', 20],
  ['offered', 20],
  ['inline', 1],
  ['sending', 24 * 60],
  ['sent', 10],
  ['failed', 24 * 60],
  ['unknown', 24 * 60],
  ['direct', 10],
] as const)('%s is kept for %i minutes', async (state, minutes) => {
  const since = performance.now();
  const left = await redis.pttl(keys.delivery(await stand(state)));
  expect(left).toBeGreaterThan(minutes * 60_000 - 5000 - (performance.now() - since));
  expect(left).toBeLessThanOrEqual(minutes * 60_000);
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
          moves.map((move, index) => {
            const side = sides[index % sides.length] ?? deliveries;
            if (move < 2) return side.claim(id, 'web.1').then((got) => (got ? 'inline' : 'no'));
            if (move < 4) return side.take(id, now).then((took) => (took ? 'sending' : 'no'));
            return side.hold(id, 'web.2', until).then(({ is }) => (is === 'answer' ? 'inline' : 'no'));
          }),
        );
        const got = new Set(results.filter((result) => result !== 'no'));
        expect([...got]).toEqual([await stateOf(id)]);
        expect(results.filter((result) => result === 'sending').length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 40, seed: 1 },
    );
  });

  test('whatever is done in whatever order', async () => {
    const kinds = [
      'hold',
      'offer',
      'claim',
      'leave',
      'take',
      'giveBack',
      'resend',
      'forfeit',
      'resume',
    ] as const;
    const move = fc.record({ kind: fc.constantFrom(...kinds), holder: fc.constantFrom('web.1', 'web.2') });
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 4, maxLength: 14 }), async (moves) => {
        const id = newId();
        // Connections that have the answer and have not given it back: the user sees it through them.
        const writing = new Set<string>();
        let sending = false;
        let direct = false;
        const wrong: string[] = [];
        for (const { kind, holder } of moves) {
          if (kind === 'hold' && (await deliveries.hold(id, holder, until)).is === 'answer')
            writing.add(holder);
          if (kind === 'offer') await deliveries.offer(id, answer, now);
          if (kind === 'claim' && (await deliveries.claim(id, holder))) writing.add(holder);
          if (kind === 'leave' && (await deliveries.leave(id, holder))) writing.add(holder);
          if (kind === 'take') sending = (await deliveries.take(id, now)) || sending;
          if (kind === 'giveBack') {
            const last = writing.delete(holder) && writing.size === 0;
            if ((await deliveries.giveBack(id, holder)) !== last) wrong.push(kind);
          }
          if (kind === 'forfeit') {
            await deliveries.forfeit(id);
            direct = (await stateOf(id)) === 'direct';
          }
          if (kind === 'resume') {
            if ((await deliveries.resume(id)) !== direct) wrong.push(kind);
            direct = false;
          }
          if (kind === 'resend' && sending) {
            await deliveries.settle(id, 'offered');
            sending = false;
          }
          if ([writing.size > 0, sending, direct].filter(Boolean).length > 1)
            wrong.push(`two sides after ${kind}`);
        }
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300, seed: 1 },
    );
  });
});

/** Offered, with something else in the place of the answer. */
async function offeredAs(json: string): Promise<string> {
  const id = await stand('offered');
  await redis.hset(keys.delivery(id), 'answer', json);
  return id;
}

describe('an answer that cannot be read', () => {
  const spoilt = ['{"status":200', '{"status":"200","headers":[],"body":""}', '[]', 'secret'];

  test.each(spoilt)('%j is given back by whoever claims it', async (json) => {
    const id = await offeredAs(json);
    expect(await deliveries.claim(id, 'web.1')).toBeNull();
    expect(await redis.hget(keys.delivery(id), 'state')).toBe('offered');
    expect(await deliveries.leave(await offeredAs(json), 'web.1')).toBeNull();
    const repeated = await offeredAs(json);
    expect(await deliveries.hold(repeated, 'web.2', until)).toEqual({ is: 'decided' });
    expect(await redis.hget(keys.delivery(repeated), 'state')).toBe('offered');
  });

  test.each(spoilt)('%j is as none: whoever finds it asks the bot, and sends that', async (json) => {
    const id = await offeredAs(json);
    expect(await deliveries.standing(id)).toMatchObject({ state: null, answer: null });
    expect(await deliveries.offer(id, answer, now)).toBeNull();
    expect(await deliveries.take(id, now)).toBe(true);
  });

  test('is told once, by the name of its push alone', async () => {
    const id = await offeredAs('secret');
    const log = recordLog();
    const told = createDeliveries(redis, { log });
    for (let time = 0; time < 3; time += 1) await told.standing(id);
    expect(log.lines).toEqual([{ level: 'error', fields: { delivery: id }, message: expect.any(String) }]);
    expect(JSON.stringify(log.lines)).not.toContain('secret');
  });
});
