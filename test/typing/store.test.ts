import type { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import { initialState, type State } from '../../src/core/state.ts';
import { keys, keysOf } from '../../src/redis/keys.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { createBlocks } from '../../src/typing/blocks.ts';
import { createOpenConversations } from '../../src/typing/open-conversations.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { recordLog } from '../support/log.ts';
import { newConversation } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let store: Store;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  store = createStore(oneShard(redis));
});
afterAll(() => server.stop());

const minute = 60_000;
const stateWith = (changes: Partial<State>): State => ({ ...initialState, ...changes });

describe('a conversation’s state', () => {
  test('that was never saved is the initial one', async () => {
    const conversation = newConversation();
    expect(await store.load(conversation)).toEqual({
      conversation,
      raw: null,
      state: initialState,
      blockedUntil: 0,
      sentAt: 0,
    });
  });

  test('comes back as it was saved, and expires', async () => {
    const conversation = newConversation();
    const to = stateWith({ n: 7, messageId: '24180351648420683' });
    const since = performance.now();
    const saved = await store.save(conversation, { from: null, to, keepMs: minute, wakeAt: null });
    const { raw, state } = await store.load(conversation);
    expect(state).toEqual(to);
    expect(saved).toBe(raw);
    const left = await redis.pttl(keys.state(conversationId(conversation)));
    expect(left).toBeGreaterThan(minute - 5000 - (performance.now() - since));
    expect(left).toBeLessThanOrEqual(minute);
  });

  test('keeps what is recorded of the user for a day at most, however long it is kept itself', async () => {
    const conversation = newConversation();
    await store.save(conversation, {
      from: null,
      to: stateWith({ n: 1 }),
      keepMs: 366 * 24 * 60 * minute,
      wakeAt: null,
    });
    expect(await redis.pttl(keys.last(conversationId(conversation)))).toBeLessThanOrEqual(24 * 60 * minute);
  });

  test('takes what is recorded of the user with it, where no window outlives it', async () => {
    const conversation = newConversation();
    const last = keys.last(conversationId(conversation));
    await store.record(conversation, { key: 'a', messageId: null, at: 1, kept: 15 * minute });
    const open = { from: null, to: stateWith({ n: 1 }), keepMs: 12 * minute, wakeAt: null };
    await store.save(conversation, open);
    const { raw } = await store.load(conversation);
    expect(await redis.pttl(last)).toBeGreaterThan(12 * minute);
    await store.save(conversation, {
      from: raw,
      to: stateWith({ n: 2 }),
      keepMs: minute,
      isAll: true,
      wakeAt: null,
    });
    expect(await redis.pttl(last)).toBeLessThanOrEqual(minute);
  });

  test('of two writers that read the same, one saves', async () => {
    const conversation = newConversation();
    await store.save(conversation, { from: null, to: stateWith({ n: 1 }), keepMs: minute, wakeAt: null });
    const other = createStore(oneShard(server.connect()));
    const [mine, theirs] = await Promise.all([store.load(conversation), other.load(conversation)]);
    const saved = await Promise.all([
      store.save(conversation, { from: mine.raw, to: stateWith({ n: 2 }), keepMs: minute, wakeAt: null }),
      other.save(conversation, { from: theirs.raw, to: stateWith({ n: 3 }), keepMs: minute, wakeAt: null }),
    ]);
    const now = await store.load(conversation);
    expect(saved.filter((each) => typeof each === 'string')).toEqual([now.raw]);
    expect(now.state.n).toBe(typeof saved[0] === 'string' ? 2 : 3);
    // What the loser needs to try again.
    expect(saved).toContainEqual(now);
  });

  test('that somebody else began meanwhile is not overwritten', async () => {
    const conversation = newConversation();
    await store.save(conversation, { from: null, to: stateWith({ n: 1 }), keepMs: minute, wakeAt: null });
    const refused = await store.save(conversation, {
      from: null,
      to: initialState,
      keepMs: minute,
      wakeAt: null,
    });
    expect(refused).toEqual(await store.load(conversation));
  });

  test('that is only guessed is not saved over anything that was recorded since', async () => {
    const now = 1_700_000_000_000;
    const guess = {
      from: null,
      isGuess: true,
      to: stateWith({ n: 1, lastInteractionAt: now }),
      keepMs: minute,
      wakeAt: null,
    };
    const [message, sent, newer] = [newConversation(), newConversation(), newConversation()];
    await store.record(message, { key: 'a', messageId: 'a', at: now });
    expect(await store.save(message, guess)).toBeTypeOf('string');
    await store.record(newer, { key: 'b', messageId: 'b', at: now + 1 });
    const holder = 'somebody';
    await createBlocks(oneShard(redis)).begin(sent, { holder, now: now - 5 });
    await createBlocks(oneShard(redis)).end(sent, { holder, now });
    for (const conversation of [newer, sent])
      expect(await store.save(conversation, guess)).toEqual(await store.load(conversation));
    expect(await store.load(newer)).toMatchObject({
      raw: null,
      state: { messageId: 'b', lastInteractionAt: now + 1 },
    });
    expect(await store.load(sent)).toMatchObject({ raw: null, sentAt: now - 5 });
  });

  test('that is saved again, for the answer to the first time was lost, counts as saved', async () => {
    const conversation = newConversation();
    const change = { from: null, to: stateWith({ n: 1 }), keepMs: minute, wakeAt: null };
    const saved = await store.save(conversation, change);
    expect(saved).toBeTypeOf('string');
    expect(await store.save(conversation, change)).toBe(saved);
  });

  test('of a version that this release does not know is forgotten, and can be replaced', async () => {
    const conversation = newConversation();
    await redis.set(keys.state(conversationId(conversation)), JSON.stringify({ v: 2, n: 9 }));
    const { raw, state } = await store.load(conversation);
    expect(state).toEqual(initialState);
    expect(
      await store.save(conversation, { from: raw, to: initialState, keepMs: minute, wakeAt: null }),
    ).toBeTypeOf('string');
  });

  test('that an earlier release of this version wrote gets what it lacks', async () => {
    const conversation = newConversation();
    await redis.set(keys.state(conversationId(conversation)), JSON.stringify({ v: 1, n: 9 }));
    expect((await store.load(conversation)).state).toEqual(stateWith({ n: 9 }));
  });

  test.each([
    ['is no JSON', '{"v":1,"turns":[{"id":"secret words'],
    ['has another shape', JSON.stringify({ ...initialState, turns: 'secret words' })],
    ['has another version', JSON.stringify({ v: 2, words: 'secret words' })],
  ])('that %s is as none: told once by its name alone, and replaced by the next', async (_, spoilt) => {
    const conversation = newConversation();
    const id = conversationId(conversation);
    await redis.set(keys.state(id), spoilt);
    await redis.zadd(keys.open, 1, id);
    const log = recordLog();
    const told = createStore(oneShard(redis), { log });
    await told.load(conversation);
    const { raw, state } = await told.load(conversation);
    expect(state).toEqual(initialState);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { conversation: id } }]);
    expect(JSON.stringify(log.lines)).not.toContain('secret');
    const open = createOpenConversations(oneShard(redis));
    expect((await open.read(100)).longest.map(({ conversation }) => conversation.user)).not.toContain(
      conversation.user,
    );
    expect(await createBlocks(oneShard(redis)).look(conversation)).toEqual({ matters: true, shows: false });
    expect(
      await told.save(conversation, { from: raw, to: stateWith({ n: 1 }), keepMs: minute, wakeAt: null }),
    ).toBeTypeOf('string');
    expect((await told.load(conversation)).state).toEqual(stateWith({ n: 1 }));
    expect(await redis.zscore(keys.open, id)).toBeNull();
    expect(log.lines).toHaveLength(1);
  });
});

const wakeOf = (conversation: Conversation) => redis.zscore(keys.wakes, conversationId(conversation));

const saved = async (wakeAt: number | null): Promise<Conversation> => {
  const conversation = newConversation();
  await store.save(conversation, { from: null, to: stateWith({ n: 1 }), keepMs: minute, wakeAt });
  return conversation;
};

describe('when a conversation has to be looked at again', () => {
  test('stands beside its state, and goes with what it was for', async () => {
    const conversation = await saved(5000);
    expect(await wakeOf(conversation)).toBe('5000');
    const { raw } = await store.load(conversation);
    await store.save(conversation, { from: raw, to: stateWith({ n: 2 }), keepMs: minute, wakeAt: null });
    expect(await wakeOf(conversation)).toBeNull();
  });

  test('is not moved by a save that lost against another', async () => {
    const conversation = await saved(5000);
    const lost = { from: null, to: stateWith({ n: 2 }), keepMs: minute, wakeAt: 9000 };
    expect(await store.save(conversation, lost)).toHaveProperty('raw');
    expect(await wakeOf(conversation)).toBe('5000');
  });

  test('can be put right without a save', async () => {
    const conversation = await saved(5000);
    await store.wake(conversation, 6000);
    expect(await wakeOf(conversation)).toBe('6000');
    await store.wake(conversation, null);
    expect(await wakeOf(conversation)).toBeNull();
  });

  test('is forgotten with the user', async () => {
    const conversation = await saved(5000);
    await store.forget(conversation);
    expect(await wakeOf(conversation)).toBeNull();
  });
});

test('who is forgotten is gone from a shard before, too, where only the last interaction stands', async () => {
  const [was, is] = [keysOf(1), keys];
  const spots = [is, was].map((each) => ({ redis, keys: each }));
  const both = createStore({ of: () => ({ redis, keys: is }), all: () => spots });
  const before = createStore({ of: () => ({ redis, keys: was }), all: () => spots });
  const conversation = newConversation('nxcloud');
  await before.record(conversation, { key: 'a', messageId: 'a', at: 1 });
  await before.same(conversation, 'another-name', { kept: minute });
  await both.forget(conversation);
  const other = { ...conversation, user: 'another-name' };
  const left = [was.last(conversationId(conversation)), was.state(conversationId(other))];
  expect(await redis.exists(...left)).toBe(0);
});

const record = (conversation: Conversation, key: string, at: number, messageId: string | null = key) =>
  store.record(conversation, { key, messageId, at });

describe('the record of the last interaction', () => {
  test('is nothing at first', async () => {
    expect(await store.last(newConversation())).toEqual({ at: null, messageId: null });
  });

  test('holds time and id of the newest message, for a day', async () => {
    const conversation = newConversation();
    const since = performance.now();
    await record(conversation, 'a', 1000);
    await record(conversation, 'b', 2000);
    expect(await store.last(conversation)).toEqual({ at: 2000, messageId: 'b' });
    const left = await redis.pttl(keys.last(conversationId(conversation)));
    expect(left).toBeGreaterThan(24 * 60 * minute - 5000 - (performance.now() - since));
  });

  test('a repeat moves nothing, however many messages came between, up to seven', async () => {
    const conversation = newConversation();
    for (let n = 1; n <= 8; n += 1) await record(conversation, `key-${n}`, n * 1000);
    await record(conversation, 'key-1', 60_000);
    expect(await store.last(conversation)).toEqual({ at: 8000, messageId: 'key-8' });
  });

  test('a key that is part of another one is no repeat', async () => {
    const conversation = newConversation();
    await record(conversation, 'wamid.1%', 1000);
    await record(conversation, 'wamid.1', 2000);
    await record(conversation, 'id.1', 3000);
    expect(await store.last(conversation)).toEqual({ at: 3000, messageId: 'id.1' });
  });

  test('it remembers eight keys and no more', async () => {
    const conversation = newConversation();
    for (let n = 1; n <= 9; n += 1) await record(conversation, `key-${n}`, n * 1000);
    const seen = await redis.hget(keys.last(conversationId(conversation)), 'seen');
    expect(seen).toBe('key-9 key-8 key-7 key-6 key-5 key-4 key-3 key-2');
  });

  test('a message that is older than the last moves nothing', async () => {
    const conversation = newConversation();
    await record(conversation, 'b', 2000);
    await record(conversation, 'a', 1999);
    expect(await store.last(conversation)).toEqual({ at: 2000, messageId: 'b' });
  });

  test('a message without an id leaves the id of the one before', async () => {
    const conversation = newConversation();
    await record(conversation, 'a', 1000);
    await record(conversation, 'click', 2000, null);
    expect(await store.last(conversation)).toEqual({ at: 2000, messageId: 'a' });
  });

  test('is ahead of the state where the event still waits in the queue', async () => {
    const conversation = newConversation();
    const to = stateWith({ lastInteractionAt: 1000, messageId: 'a' });
    await store.save(conversation, { from: null, to, keepMs: minute, wakeAt: null });
    await record(conversation, 'b', 2000);
    expect((await store.load(conversation)).state).toEqual({
      ...to,
      lastInteractionAt: 2000,
      messageId: 'b',
      messageAt: 2000,
    });
  });

  test('without an id leaves the one in the state', async () => {
    const conversation = newConversation();
    const to = stateWith({ lastInteractionAt: 1000, messageId: 'a' });
    await store.save(conversation, { from: null, to, keepMs: minute, wakeAt: null });
    await record(conversation, 'click', 2000, null);
    expect((await store.load(conversation)).state).toEqual({ ...to, lastInteractionAt: 2000 });
  });

  test('is behind the state where a message of ours was the last interaction', async () => {
    const conversation = newConversation();
    await record(conversation, 'a', 1000);
    const to = stateWith({ lastInteractionAt: 3000, messageId: 'b' });
    await store.save(conversation, { from: null, to, keepMs: minute, wakeAt: null });
    expect((await store.load(conversation)).state).toEqual(to);
  });
});
