import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import { initialState, type State, type Turn } from '../../src/core/state.ts';
import { keys } from '../../src/redis/keys.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { createOpenConversations, type OpenConversations } from '../../src/typing/open-conversations.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { newConversation } from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

function turn(id: string, openedAt: number): Turn {
  const open = { shown: false, renews: false, hushed: false, interim: false, replied: null, darkUntil: 0 };
  const lit = { litFrom: null, litMs: 0 };
  return { id, openedAt, sentAt: 0, phase: 'working', ...open, ...lit, deliveries: 0, lapsesAt: null };
}

const stateWith = (...turns: Turn[]): State => ({ ...initialState, turns });

for (const kind of await redisKinds()) {
  describe(`the index of open conversations, on the ${kind} Redis`, () => {
    let server: TestRedis;
    let redis: Redis;
    let store: Store;
    let open: OpenConversations;

    beforeAll(async () => {
      server = await startRedis(kind);
      redis = server.connect();
      store = createStore(oneShard(redis));
    });
    beforeEach(async () => {
      await redis.del(keys.open);
      open = createOpenConversations(oneShard(redis));
    });
    afterAll(() => server.stop());

    const save = async (conversation: Conversation, to: State): Promise<void> => {
      const { raw } = await store.load(conversation);
      expect(await store.save(conversation, { from: raw, to, keepMs: 60_000, wakeAt: null })).toBeTypeOf(
        'string',
      );
    };
    const usersOf = async (most = 10): Promise<string[]> =>
      (await open.read(most)).longest.map(({ conversation }) => conversation.user);

    test('holds who waits, longest first, by the oldest turn', async () => {
      const [late, early] = [newConversation(), newConversation('nxcloud')];
      await save(late, stateWith(turn('a', 2_000)));
      await save(early, stateWith(turn('c', 3_000), turn('b', 1_000)));
      expect((await open.read(10)).longest).toEqual([
        expect.objectContaining({
          conversation: early,
          state: stateWith(turn('c', 3_000), turn('b', 1_000)),
        }),
        expect.objectContaining({ conversation: late }),
      ]);
      expect(await open.read(1)).toMatchObject({ count: 2, longest: [{ conversation: early }] });
    });

    test('leaves out whose turns are over, and who is forgotten', async () => {
      const [over, forgotten, waiting] = [newConversation(), newConversation(), newConversation()];
      for (const each of [over, forgotten, waiting]) await save(each, stateWith(turn('a', 1_000)));
      await save(over, { ...initialState, n: 1 });
      await store.forget(forgotten);
      expect(await usersOf()).toEqual([waiting.user]);
      expect(await redis.zcard(keys.open)).toBe(1);
    });

    test('of a save that lost against another nothing is noted', async () => {
      const conversation = newConversation();
      await save(conversation, { ...initialState, n: 1 });
      const lost = { from: null, to: stateWith(turn('a', 1_000)), keepMs: 60_000, wakeAt: null };
      expect(await store.save(conversation, lost)).toHaveProperty('raw');
      expect(await open.read(10)).toEqual({ count: 0, longest: [] });
    });

    test('loses those whose state is gone as it is read, and as it is swept', async () => {
      const [gone, swept, waiting] = [newConversation(), newConversation(), newConversation()];
      for (const each of [gone, waiting]) await save(each, stateWith(turn('a', 1_000)));
      await redis.del(keys.state(conversationId(gone)));
      expect(await open.read(10)).toMatchObject({ count: 1, longest: [{ conversation: waiting }] });
      expect(await redis.zcard(keys.open)).toBe(1);
      await save(swept, stateWith(turn('a', 1_000)));
      await redis.del(keys.state(conversationId(swept)));
      await open.sweep();
      expect(await redis.zrange(keys.open, 0, '-1')).toEqual([conversationId(waiting)]);
    });

    test('sweeps more than one page', async () => {
      const many = Array.from({ length: 1_500 }, (_, n) => [n, `wechat/shop/nobody-${n}`]).flat();
      await redis.zadd(keys.open, ...many);
      const waiting = newConversation();
      await save(waiting, stateWith(turn('a', 2_000)));
      await open.sweep();
      expect(await redis.zrange(keys.open, 0, '-1')).toEqual([conversationId(waiting)]);
    });

    test('a user’s name may hold a slash', async () => {
      const conversation = { ...newConversation(), user: 'a/b/c' };
      await save(conversation, stateWith(turn('a', 1_000)));
      expect((await open.read(10)).longest[0]?.conversation).toEqual(conversation);
    });

    test('a state that has not changed is the same object', async () => {
      await save(newConversation(), stateWith(turn('a', 1_000)));
      const [first, again] = [await open.read(10), await open.read(10)];
      expect(again.longest[0]?.state).toBe(first.longest[0]?.state);
    });
  });
}
