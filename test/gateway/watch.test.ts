import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { conversationId } from '../../src/core/platform.ts';
import { type Call, type Event, initialState, type State } from '../../src/core/state.ts';
import { newTurn } from '../../src/core/turns.ts';
import { createWatch, type WatchOptions } from '../../src/gateway/watch.ts';
import { keys } from '../../src/redis/keys.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { blockLimit, type Blocks, createBlocks } from '../../src/typing/blocks.ts';
import { readState } from '../../src/typing/state-schema.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { handClock, noon, realSleep } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { scriptedPlatform } from '../support/platforms.ts';
import { deferred, newConversation } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let store: Store;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  store = createStore(oneShard(redis));
});
afterAll(() => server.stop());

const start = noon;
const accepted = { is: 'accepted', messageId: 'out' } as const;
const turn = newTurn({ id: 'm', openedAt: start, sentAt: 0, phase: 'acknowledged' });
const show: Call = { n: 1, kind: 'show', at: start, by: 'job', messageId: null, crossed: false };

function openWatch(changes: Partial<WatchOptions> = {}) {
  const told: { event: Event; release: string | undefined }[] = [];
  const log = recordLog();
  // Real time is needed only by the limit, which each look at the state then races against.
  const clock = handClock(start, realSleep);
  const watch = createWatch({
    blocks: createBlocks(oneShard(redis)),
    events: {
      tell: async (_, event, how) => {
        told.push({ event, release: how?.release });
        return null;
      },
    },
    identities: { learn: () => Promise.resolve() },
    clock,
    log,
    reachesRedis: () => true,
    ...changes,
  });
  return { watch, told, log, set: (at: number) => clock.set(at) };
}

const platformOf = (account: string) => ({ ...scriptedPlatform(), account });

async function save(conversation: ReturnType<typeof newConversation>, to: Partial<State>): Promise<void> {
  const { raw } = await store.load(conversation);
  await store.save(conversation, { from: raw, to: { ...initialState, ...to }, keepMs: 60_000, wakeAt: null });
}

/** Somebody whose message has come, and may not have been judged yet. */
async function waiting(): Promise<ReturnType<typeof newConversation>> {
  const conversation = newConversation();
  await store.record(conversation, { key: 'm', messageId: 'm', at: start });
  return conversation;
}

/** Whether a show may be saved now. */
async function mayShow(conversation: ReturnType<typeof newConversation>, now = start): Promise<boolean> {
  const { raw, state } = await store.load(conversation);
  const to = { ...state, n: state.n + 1 };
  const sending = { now, unblocked: true, release: null };
  const saved = await store.save(conversation, { from: raw, to, keepMs: 60_000, wakeAt: null, sending });
  return typeof saved === 'string';
}

const away = () => Promise.reject(new Error('Redis is away'));

describe('a message of the bot on its way', () => {
  test('lets no show begin until its event is judged, and then no longer', async () => {
    const conversation = await waiting();
    const { watch, told } = openWatch();
    const sending = await watch.sending(platformOf(conversation.account), conversation.user);
    expect(sending.waitedForShow).toBe(false);
    expect((await store.load(conversation)).blockedUntil).toBe(start + blockLimit);
    expect(await mayShow(conversation)).toBe(false);
    sending.over(accepted);
    await expect.poll(() => told).toHaveLength(1);
    expect(told).toEqual([
      {
        event: { is: 'message', by: 'gateway', sentAt: 0, id: 'out', at: start },
        release: expect.any(String),
      },
    ]);
    const release = told[0]?.release ?? '';
    const { raw, blockedUntil } = await store.load(conversation, release);
    expect(blockedUntil).toBe(0);
    const sendingOver = { now: start, unblocked: true, release };
    const to = { ...initialState, n: 9 };
    expect(
      await store.save(conversation, { from: raw, to, keepMs: 60_000, wakeAt: null, sending: sendingOver }),
    ).toBeTypeOf('string');
    expect(await mayShow(conversation)).toBe(true);
  });

  test('its block ends although its event changes nothing of the state', async () => {
    const conversation = await waiting();
    await save(conversation, { n: 1, turns: [turn] });
    const { watch, told } = openWatch();
    (await watch.sending(platformOf(conversation.account), conversation.user)).over({ is: 'unknown' });
    await expect.poll(() => told).toHaveLength(1);
    const release = told[0]?.release ?? '';
    const { raw, state } = await store.load(conversation, release);
    const sending = { now: start, unblocked: false, release };
    await store.save(conversation, { from: raw, to: state, keepMs: 60_000, wakeAt: null, sending });
    expect((await store.load(conversation)).blockedUntil).toBe(0);
  });

  test('of two, each has its own block', async () => {
    const conversation = await waiting();
    const { watch, told } = openWatch();
    const platform = platformOf(conversation.account);
    const [one] = await Promise.all([1, 2].map(() => watch.sending(platform, conversation.user)));
    one?.over(accepted);
    await expect.poll(() => told).toHaveLength(1);
    const release = told[0]?.release ?? '';
    const { raw } = await store.load(conversation);
    const sending = { now: start, unblocked: false, release };
    await store.save(conversation, { from: raw, to: initialState, keepMs: 60_000, wakeAt: null, sending });
    expect(await mayShow(conversation)).toBe(false);
    expect(await mayShow(conversation, start + blockLimit)).toBe(true);
  });

  test('whose process died blocks for 5 s at most', async () => {
    const conversation = await waiting();
    await openWatch().watch.sending(platformOf(conversation.account), conversation.user);
    expect(await mayShow(conversation, start + blockLimit - 1)).toBe(false);
    expect(await mayShow(conversation, start + blockLimit)).toBe(true);
  });

  test('to somebody who does not wait is told to nobody, and leaves little for a moment', async () => {
    const [stranger, answered] = [newConversation(), await waiting()];
    await save(answered, { lastInteractionAt: start });
    const { watch, told } = openWatch();
    for (const { account, user } of [stranger, answered])
      (await watch.sending(platformOf(account), user)).over(accepted);
    const conversation = await waiting();
    (await watch.sending(platformOf(conversation.account), conversation.user)).over(accepted);
    await expect.poll(() => told).not.toEqual([]);
    expect(told).toHaveLength(1);
    // When it went: what it answers may have come to a web that could not say so yet.
    const left = keys.last(conversationId(stranger));
    await expect.poll(() => redis.hkeys(left)).toEqual(['sentAt']);
    expect(await redis.pttl(left)).toBeLessThanOrEqual(20_000);
    await expect.poll(async () => (await store.load(answered)).blockedUntil).toBe(0);
  });

  test('that is no answer takes the indicator away and ends nothing, and neither does its status', async () => {
    const conversation = await waiting();
    const { watch, told } = openWatch();
    const how = { isInterim: true } as const;
    (await watch.sending(platformOf(conversation.account), conversation.user, how)).over(accepted);
    await expect.poll(() => told).toHaveLength(2);
    expect(told).toMatchObject([
      { event: { is: 'aside', id: 'out' } },
      { event: { is: 'interaction', sent: true }, release: expect.any(String) },
    ]);
  });

  test('is told where its user has written while it was on its way', async () => {
    const conversation = newConversation();
    const { watch, told } = openWatch();
    const sending = await watch.sending(platformOf(conversation.account), conversation.user);
    await store.record(conversation, { key: 'm', messageId: 'm', at: start + 1 });
    sending.over(accepted);
    await expect.poll(() => told).toHaveLength(1);
  });

  test.each([
    ['whose turn is open', { turns: [turn], lastInteractionAt: start }],
    ['whom a human answers', { pausedBy: 'echo', lastInteractionAt: start }],
    ['where a show is in flight', { call: show, lastInteractionAt: start }],
  ] as const)('matters to somebody %s', async (_, state) => {
    const conversation = await waiting();
    await save(conversation, state as Partial<State>);
    expect(await createBlocks(oneShard(redis)).look(conversation)).toMatchObject({ matters: true });
  });

  test('lets what is recorded of the user stand', async () => {
    const conversation = await waiting();
    await store.record(conversation, { key: 'm', messageId: 'm', at: start });
    const { watch, told } = openWatch();
    (await watch.sending(platformOf(conversation.account), conversation.user)).over(accepted);
    await expect.poll(() => told).toHaveLength(1);
    const sending = { now: start, unblocked: false, release: told[0]?.release ?? '' };
    await store.save(conversation, { from: null, to: initialState, keepMs: 60_000, wakeAt: null, sending });
    expect(await store.last(conversation)).toEqual({ at: start, messageId: 'm' });
    expect(await redis.pttl(keys.last(conversationId(conversation)))).toBeGreaterThan(60 * 60_000);
  });

  test('counts from when its block stood: a show that had been decided until then is older', async () => {
    const blocks = createBlocks(oneShard(redis));
    const { watch, told, set } = openWatch({
      blocks: {
        ...blocks,
        begin: async (...asked) => {
          set(start + 3);
          return blocks.begin(...asked);
        },
      },
    });
    const conversation = await waiting();
    (await watch.sending(platformOf(conversation.account), conversation.user)).over(accepted);
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]?.event.at).toBe(start + 3);
  });

  test('waits for a show in flight', async () => {
    const conversation = await waiting();
    await save(conversation, { call: show });
    const { watch } = openWatch();
    const sending = watch.sending(platformOf(conversation.account), conversation.user);
    await expect.poll(async () => (await store.load(conversation)).blockedUntil).toBeGreaterThan(0);
    await save(conversation, { call: null });
    expect((await sending).waitedForShow).toBe(true);
  });

  test('waits for one that hangs no longer than half a second, and for a hide not at all', async () => {
    const [hanging, hiding] = [newConversation(), newConversation()];
    await save(hanging, { call: show });
    await save(hiding, { call: { ...show, kind: 'hide' } });
    const { watch } = openWatch();
    expect((await watch.sending(platformOf(hiding.account), hiding.user)).waitedForShow).toBe(false);
    expect((await watch.sending(platformOf(hanging.account), hanging.user)).waitedForShow).toBe(true);
  });

  test('goes at once while Redis is away, and fails with nothing', async () => {
    const { watch, told, log } = openWatch({ blocks: { begin: away, look: away, end: away } });
    const sending = await watch.sending(platformOf('shop'), 'u');
    expect(sending.waitedForShow).toBe(false);
    sending.over(accepted);
    // Its end is told all the same, to be kept until Redis is back.
    await expect.poll(() => told).toMatchObject([{ event: { is: 'message', id: 'out' } }]);
    expect(log.lines).toEqual([]);
    const asked = openWatch({
      reachesRedis: () => false,
      blocks: { begin: () => Promise.reject(new Error('it was asked')), look: away, end: away },
    });
    expect((await asked.watch.sending(platformOf('shop'), 'u')).waitedForShow).toBe(false);
  });

  test('is no wait for a show where Redis only hangs', async () => {
    const { watch } = openWatch({
      blocks: { begin: () => new Promise(() => {}), look: away, end: away },
    });
    expect((await watch.sending(platformOf('shop'), 'u')).waitedForShow).toBe(false);
  });

  test('still waits for shows where the Redis of another message has just said no', async () => {
    const looked = deferred();
    let isLooked = false;
    const begins: Blocks['begin'][] = [away, async () => ({ matters: true, shows: true })];
    const look = async () => {
      await looked.promise;
      isLooked = true;
      return { matters: true, shows: false };
    };
    const begin: Blocks['begin'] = (...asked) => (begins.shift() ?? away)(...asked);
    const { watch } = openWatch({ blocks: { begin, look, end: away } });
    await watch.sending(platformOf('shop'), 'of one shard');
    setTimeout(looked.resolve, 20);
    await watch.sending(platformOf('shop'), 'of another');
    expect(isLooked).toBe(true);
  });

  test('waits once for a Redis that hangs, and again only after a second', async () => {
    let asked = 0;
    const hangs = (): Promise<never> => {
      asked += 1;
      return new Promise(() => {});
    };
    const { watch, set } = openWatch({ blocks: { begin: hangs, look: away, end: away } });
    await watch.sending(platformOf('shop'), 'u');
    const from = performance.now();
    for (let count = 0; count < 20; count += 1) await watch.sending(platformOf('shop'), 'u');
    // Asked for all the same, as it may well be carried out; but not one of them waits its 500 ms.
    expect(asked).toBe(21);
    expect(performance.now() - from).toBeLessThan(2_000);
    set(start + 1_000);
    await watch.sending(platformOf('shop'), 'u');
    expect(asked).toBe(22);
  });

  test('that did not go out, or of which nobody knows, ends no turn', async () => {
    const { watch, told, log, set } = openWatch();
    const both = [await waiting(), await waiting()];
    const [refused, lost] = await Promise.all(
      both.map(({ account, user }) => watch.sending(platformOf(account), user)),
    );
    set(start + 300);
    refused?.over({ is: 'refused', code: 45047, name: 'customer message count out of limit' });
    lost?.over({ is: 'unknown' });
    await expect.poll(() => told).toHaveLength(2);
    expect(told.map(({ event }) => event)).toEqual([
      { is: 'unblocked', doubt: false, at: start + 300 },
      { is: 'unblocked', doubt: true, at: start + 300 },
    ]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      'The platform refused a message of the bot: customer message count out of limit.',
    ]);
  });
});

test("the bot's own typing call is told only where the platform accepted it", async () => {
  const { watch, told } = openWatch();
  const platform = platformOf('shop');
  watch.typed(platform, 'u', { on: true, verdict: accepted });
  watch.typed(platform, 'u', { on: false, verdict: accepted });
  watch.typed(platform, 'u', { on: true, verdict: { is: 'unknown' } });
  watch.typed(platform, 'u', { on: true, verdict: { is: 'refused', code: 45080, name: 'window' } });
  expect(told.map(({ event }) => event)).toEqual([
    { is: 'typed', on: true, at: start },
    { is: 'typed', on: false, at: start },
  ]);
});

/** The fields that scripts know of a state, beside its JSON. */
const fieldNames = ['of', 'judgedAt', 'matters', 'shows'];

const open: Partial<State> = { turns: [turn], lastInteractionAt: start };

describe.each(await redisKinds())('what scripts know of a state, on the %s Redis', (kind) => {
  let own: TestRedis;
  let redis: Redis;
  let store: Store;

  beforeAll(async () => {
    own = await startRedis(kind);
    redis = own.connect();
    store = createStore(oneShard(redis));
  });
  afterAll(() => own.stop());

  const saved = async (to: Partial<State>, keepMs = 60_000) => {
    const conversation = newConversation();
    await store.save(conversation, {
      from: null,
      to: { ...initialState, n: 1, ...to },
      keepMs,
      wakeAt: null,
    });
    return conversation;
  };

  test.each([
    ['nobody waits', {}, false, false],
    ['a turn is open', open, true, false],
    ['a human answers', { pausedBy: 'echo' }, true, false],
    ['a show is in flight', { call: show }, true, true],
    ['a text of ours is in flight', { call: { ...show, kind: 'interim' } }, true, true],
    ['a hide is in flight', { call: { ...show, kind: 'hide' } }, false, false],
  ] as const)('where %s', async (_, to, matters, shows) => {
    const conversation = await saved(to);
    expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters, shows });
    expect(await createBlocks(oneShard(redis)).begin(conversation, { holder: 'h', now: start })).toEqual({
      matters,
      shows,
    });
    expect((await store.load(conversation)).blockedUntil).toBeGreaterThan(0);
  });

  test('is not read from its JSON: no word of it may matter', async () => {
    const words = '"call":{"kind":"show"},"pausedBy":"x","lastInteractionAt":9999999999999';
    const conversation = await saved({ heard: [words], messageId: words });
    expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters: false, shows: false });
  });

  test('changes with it, in the same script: not where somebody else has saved first', async () => {
    const conversation = await saved({});
    const stale = { from: 'another state', to: { ...initialState, ...open }, keepMs: 60_000, wakeAt: null };
    expect(await store.save(conversation, stale)).toHaveProperty('raw');
    expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters: false, shows: false });
    const { raw } = await store.load(conversation);
    expect(await store.save(conversation, { ...stale, from: raw })).toBeTypeOf('string');
    expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters: true, shows: false });
  });

  test('is kept as long as it, and goes with it', async () => {
    const conversation = await saved(open, 7_200_000);
    expect(await redis.pttl(keys.last(conversationId(conversation)))).toBeGreaterThan(7_190_000);
    await store.forget(conversation);
    expect(await redis.exists(keys.last(conversationId(conversation)))).toBe(0);
    await store.record(conversation, { key: 'm', messageId: 'm', at: start });
    const shorter = { from: null, to: { ...initialState, n: 1 }, keepMs: 60_000, wakeAt: null };
    expect(await store.save(conversation, shorter)).toBeTypeOf('string');
    expect(await redis.pttl(keys.last(conversationId(conversation)))).toBeGreaterThan(7_200_000);
  });

  describe('of the release before, which wrote no such fields', () => {
    test.each([
      ['where nobody waits', {}, false],
      ['where a show is in flight', { call: show }, true],
      ['where a hide is in flight', { call: { ...show, kind: 'hide' } }, false],
    ] as const)('%s: the message matters, and what is in flight is waited for', async (_, to, shows) => {
      const conversation = newConversation();
      const state = { ...initialState, ...(to as Partial<State>) };
      await redis.set(keys.state(conversationId(conversation)), JSON.stringify(state), 'PX', 60_000);
      expect(await createBlocks(oneShard(redis)).begin(conversation, { holder: 'h', now: start })).toEqual({
        matters: true,
        shows,
      });
      expect((await store.load(conversation)).blockedUntil).toBe(start + blockLimit);
    });

    test('the fields of a state that it has replaced are not taken for its own', async () => {
      const conversation = await saved({});
      const replaced = JSON.stringify({ ...initialState, call: show });
      await redis.set(keys.state(conversationId(conversation)), replaced, 'PX', 60_000);
      expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters: true, shows: true });
      const { raw, state } = await store.load(conversation);
      expect(raw).toBe(replaced);
      expect(
        await store.save(conversation, {
          from: raw,
          to: { ...state, call: null },
          keepMs: 60_000,
          wakeAt: null,
        }),
      ).toBeTypeOf('string');
      expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({
        matters: false,
        shows: false,
      });
    });

    test('its state stays one string of JSON, which it can read', async () => {
      const conversation = await saved(open);
      // What it lacks is as at the beginning.
      expect(readState((await redis.get(keys.state(conversationId(conversation)))) ?? '')).toEqual({
        ...initialState,
        n: 1,
        ...open,
      });
      const others = Object.keys(await redis.hgetall(keys.last(conversationId(conversation))));
      expect(others.toSorted()).toEqual(fieldNames.toSorted());
    });
  });
});
