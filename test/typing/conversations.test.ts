/** What is asked and told from outside, on a real Redis: told by real queues, judged by real workers. */
import { saidElsewhere } from '../../src/core/said.ts';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/core/platform.ts';
import { standsWell } from '../../src/core/ports.ts';
import type { Event } from '../../src/core/state.ts';
import type { View } from '../../src/core/view.ts';
import { FAIL_FAST_QUEUE } from '../../src/redis/connect.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { createOutbox } from '../../src/redis/outbox.ts';
import type { Health } from '../../src/redis/watchdog.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { createDeliveries } from '../../src/replies/delivery.ts';
import { createOwned } from '../../src/replies/owned.ts';
import { type Conversations, createConversations, type Which } from '../../src/typing/conversations.ts';
import { createEventQueue, type EventQueue } from '../../src/typing/events.ts';
import type { TypingJob } from '../../src/typing/jobs.ts';
import { createLearned, type LearnedAccounts } from '../../src/typing/learned.ts';
import { createApply, type PerformDeps } from '../../src/typing/perform.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { createWakes, type Wakes } from '../../src/typing/wakes.ts';
import { createWorkers, type Workers } from '../../src/wiring/workers.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import { atMost, noPressure, inboundEvent } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let typing: Queue<TypingJob>;
let events: EventQueue;
let store: Store;
let clock: HandClock;
let workers: Workers | null;
let learned: LearnedAccounts;
let wakes: Wakes;
let judging: Omit<PerformDeps, 'name' | 'pressure' | 'shares'>;
const platforms = new Map<string, ScriptedPlatform>();

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  store = createStore(oneShard(redis));
  typing = new Queue(queueNames.typing, { connection: redis, prefix: keys.prefix });
});
beforeEach(() => {
  clock = handClock();
  workers = null;
  learned = createLearned({ redis, clock, log: recordLog(), isAuto: () => false });
  wakes = createWakes({ shards: oneShard(redis), clock, log: recordLog() });
  judging = { store, wakes, learned, clock, log: recordLog(), platformOf, backFor: () => Infinity };
  events = createEventQueue({ queueOf: () => typing, apply: createApply(judging) });
});
afterEach(async () => {
  await workers?.close(0);
  await typing.obliterate({ force: true });
});
afterAll(async () => {
  await typing.close();
  await server.stop();
});

interface Stage {
  platform: ScriptedPlatform;
  conversations: Conversations;
  tell(event: Told): Promise<void>;
  read(): Promise<View>;
  start(messageId?: string): Promise<string>;
  stop(which?: Which): Promise<void>;
  /** Resolves when every event has been judged. */
  judged(): Promise<void>;
}

type Told = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;

const user = 'openid';

/** An account of its own for each test, for what is learned of accounts outlives a test. */
function stage(script: Scripted = {}): Stage {
  const platform = Object.assign(scriptedPlatform(script), { account: `shop-${platforms.size}` });
  platforms.set(platform.account, platform);
  const conversation = { channel: platform.channel, account: platform.account, user };
  const conversations = createConversations({ store, events, learned, clock });
  return {
    platform,
    conversations,
    tell: async (event) => void (await events.tell(conversation, { ...event, at: clock.now() })),
    read: () => conversations.read(platform, user),
    start: async (messageId) => {
      const started = await conversations.start(platform, user, messageId ?? null);
      return started.is === 'started' ? started.turn : started.error;
    },
    stop: (which = { is: 'all' }) => conversations.stop(platform, user, which),
    judged: async () => {
      work();
      await expect.poll(() => typing.getJobCountByTypes('waiting', 'active'), { interval: 5 }).toBe(0);
    },
  };
}

const platformOf = ({ account }: { account: string }) => platforms.get(account) ?? null;

/** Begins to judge what waits, and what is told from then on. */
function work(): void {
  const log = recordLog();
  const deliveries = createDeliveries(redis);
  const outbox = createOutbox({ health: alwaysThere, clock, log });
  if (workers) return;
  workers = createWorkers({
    wakes,
    perform: { ...judging, name: 'worker', pressure: noPressure, shares: atMost(8) },
    typingConcurrency: 4,
    replyConcurrency: 1,
    log,
  });
  workers.add({
    connection: redis,
    keys,
    reply: {
      ...judging,
      platformOf,
      name: 'worker',
      shares: atMost(8),
      events,
      deliveries,
      outbox,
      health: alwaysThere,
      owned: createOwned({ deliveries, outbox, clock, log }),
      holds: { waits: () => false, give: async () => false },
      send: () => Promise.reject(new Error('no bot')),
      notify: async () => 0,
      makeWay: async () => null,
      botOf: () => null,
    },
  });
}

const alwaysThere: Health = {
  isAway: () => false,
  standing: () => standsWell,
  backFor: () => Infinity,
  refused: () => {},
  onBack: () => {},
};

describe('a start by hand', () => {
  test('of a message that no push has brought opens its turn, and typing shows', async () => {
    const it = stage();
    expect(await it.start('m1')).toBe('openid-m1');
    await it.judged();
    expect(it.platform.calls).toEqual([`show ${user}`]);
    const openedAt = clock.now();
    expect(await it.read()).toMatchObject({
      turns: [{ id: 'openid-m1', phase: 'acknowledged', openedAt, shown: true }],
      indicator: { is: 'lit', since: openedAt, until: openedAt + 15_000 },
      lastMessageId: 'm1',
      dark: null,
    });
  });

  test('without a message joins the newest open turn', async () => {
    const it = stage();
    await it.tell(inboundEvent('a'));
    await it.judged();
    await it.tell(inboundEvent('b'));
    await it.judged();
    expect(await it.start()).toBe('b');
    await it.judged();
    expect((await it.read()).turns).toHaveLength(2);
  });

  test('without a message joins the turn of one that has come and is not judged yet', async () => {
    const it = stage();
    const { channel, account } = it.platform;
    const recorded = { key: 'm1', messageId: 'm1', at: clock.now() };
    await store.record({ channel, account, user }, recorded);
    expect(await it.start()).toBe('openid-m1');
  });

  test('without anything known opens a turn of its own, said twice at once only one', async () => {
    const it = stage();
    const [first, second] = await Promise.all([it.start(), it.start()]);
    expect(first).toMatch(/^control-/);
    expect(second).toBe(first);
    await it.judged();
    expect((await it.read()).turns).toMatchObject([{ id: first, shown: true }]);
    expect(it.platform.calls).toHaveLength(1);
  });

  test('after the end of the message’s turn opens another', async () => {
    const it = stage();
    await it.start('m1');
    await it.judged();
    await it.stop();
    await it.judged();
    clock.set(clock.now() + 10);
    const turn = await it.start();
    expect(turn).toMatch(/^control-/);
    await it.judged();
    expect((await it.read()).turns).toMatchObject([{ id: turn }]);
  });

  test('where a message has to be named is refused until one is known', async () => {
    const it = stage({ channel: 'nxcloud', hide: 'absent' });
    const answer = await it.conversations.start(it.platform, user, null);
    expect(answer).toMatchObject({ is: 'refused', error: expect.stringContaining('messageId') });
    expect(await typing.count()).toBe(0);
    await it.tell(inboundEvent('wamid.1'));
    await it.judged();
    expect(await it.start()).toBe('wamid.1');
  });
});

describe('a stop by hand', () => {
  test('ends every turn, and says that it did', async () => {
    const it = stage();
    await it.tell(inboundEvent('a'));
    await it.judged();
    await it.tell(inboundEvent('b', 'acknowledged'));
    await it.judged();
    await it.stop();
    await it.judged();
    const at = clock.now();
    expect(await it.read()).toMatchObject({
      turns: [],
      indicator: { is: 'dark' },
      lastEnded: { turn: 'b', by: 'control', at },
      dark: { reason: 'nobody_waits', until: null, code: null, remedy: null },
    });
    expect(it.platform.calls).toEqual([`show ${user}`, `hide ${user}`]);
  });

  test.each([
    ['of a turn', { is: 'turn', turn: 'openid-a' }],
    ['of a message', { is: 'message', messageId: 'a' }],
  ] satisfies [string, Which][])('%s leaves the others', async (_, which) => {
    const it = stage();
    await it.start('a');
    await it.judged();
    await it.start('b');
    await it.judged();
    await it.stop(which);
    await it.judged();
    expect(await it.read()).toMatchObject({
      turns: [{ id: 'openid-b' }],
      lastEnded: { turn: 'openid-a', by: 'control' },
    });
  });

  test('of what is not there is no end of anything', async () => {
    const it = stage();
    await it.stop({ is: 'turn', turn: 'never' });
    await it.stop();
    await it.judged();
    expect(await it.read()).toMatchObject({ turns: [], lastEnded: null });
    expect(it.platform.calls).toEqual([]);
  });

  test('that has overtaken its start, and one said twice, leave nothing showing', async () => {
    const it = stage();
    await it.start('a');
    clock.set(clock.now() + 1);
    await it.stop({ is: 'message', messageId: 'a' });
    await it.stop({ is: 'message', messageId: 'a' });
    await it.judged();
    expect(await it.read()).toMatchObject({ turns: [], indicator: { is: 'dark' } });
  });

  test('that comes while its start still asks Redis is later than the start', async () => {
    const it = stage();
    const slow = createConversations({
      store: {
        ...store,
        load: async (conversation) => {
          const loaded = await store.load(conversation);
          clock.set(clock.now() + 5);
          await it.stop({ is: 'message', messageId: 'a' });
          clock.set(clock.now() + 5);
          return loaded;
        },
      },
      events,
      learned: createLearned({ redis, clock, log: recordLog(), isAuto: () => false }),
      clock,
    });
    await slow.start(it.platform, user, 'a');
    await it.judged();
    expect(await it.read()).toMatchObject({ turns: [], indicator: { is: 'dark' } });
    expect(it.platform.calls).toEqual([]);
  });
});

describe('a pause', () => {
  test('ends what is open and starts nothing until its time is over', async () => {
    const it = stage();
    await it.tell(inboundEvent('a'));
    await it.judged();
    const until = clock.now() + 60_000;
    expect(await it.conversations.pause(it.platform, user, 60)).toEqual({ until });
    await it.judged();
    await it.start('b');
    await it.judged();
    expect(await it.read()).toMatchObject({
      turns: [],
      pausedUntil: until,
      pausedBy: 'control',
      lastEnded: { turn: 'a', by: 'handoff' },
      dark: { reason: 'paused', until },
    });
    clock.set(until);
    expect(await it.read()).toMatchObject({ pausedUntil: null, pausedBy: null });
    await it.start('c');
    await it.judged();
    expect(await it.read()).toMatchObject({ turns: [{ id: 'openid-c' }], dark: null });
  });

  test('without a time ends when it is resumed', async () => {
    const it = stage();
    expect(await it.conversations.pause(it.platform, user, null)).toEqual({ until: null });
    await it.judged();
    clock.set(clock.now() + 30 * 24 * 60 * 60_000);
    expect((await it.read()).dark).toMatchObject({ reason: 'paused' });
    await it.conversations.resume(it.platform, user);
    await it.conversations.resume(it.platform, user);
    await it.judged();
    await it.start('a');
    await it.judged();
    expect(await it.read()).toMatchObject({ pausedUntil: null, dark: null });
  });
});

/** All keys of the conversation. */
const rest = (account: string): Promise<string[]> => redis.keys(`${keys.prefix}:*${account}/${user}*`);

describe('to forget a user', () => {
  test('takes back what shows, then leaves nothing in Redis', async () => {
    const it = stage();
    const { channel, account } = it.platform;
    await store.record({ channel, account, user }, { key: 'a', messageId: 'a', at: clock.now() });
    await it.tell(inboundEvent('a'));
    await it.judged();
    expect(await rest(account)).toHaveLength(2);
    await it.conversations.forget(it.platform, user);
    await it.judged();
    expect(it.platform.calls).toEqual([`show ${user}`, `hide ${user}`]);
    await expect.poll(() => rest(account)).toEqual([]);
  });

  test('leaves nothing at once where nothing shows, although nobody works', async () => {
    const it = stage();
    const { channel, account } = it.platform;
    await store.record({ channel, account, user }, { key: 'a', messageId: 'a', at: clock.now() });
    await it.conversations.forget(it.platform, user);
    expect(await rest(account)).toEqual([]);
  });

  test('keeps what is needed to take back what shows', async () => {
    const it = stage();
    await it.tell(inboundEvent('a'));
    await it.judged();
    await workers?.close(0);
    await it.conversations.forget(it.platform, user);
    expect(await rest(it.platform.account)).toContain(keys.state(`wechat/${it.platform.account}/${user}`));
  });
});

/** The last known id carries more than the platform's own. */
const refer: ScriptedPlatform['refer'] = (_, messageId, known) => ({
  turn: messageId,
  messageId: known === null ? messageId.replace(/@.*/, '') : messageId,
});

describe('a look', () => {
  test('goes by the clock: what is lit until then is dark, and a turn past its deadline is over', async () => {
    const it = stage({ rules: { deadline: 60_000 } });
    await it.tell(inboundEvent('a'));
    await it.judged();
    clock.set(clock.now() + 20_000);
    expect(await it.read()).toMatchObject({ turns: [{ id: 'a' }], indicator: { is: 'dark' } });
    clock.set(clock.now() + 40_000);
    expect(await it.read()).toMatchObject({ turns: [], lastEnded: { turn: 'a', by: 'deadline' } });
  });

  test('counts the messages that may still go out', async () => {
    const it = stage({ rules: { sendsPerMessage: 5 } });
    await it.tell(inboundEvent('a'));
    await it.judged();
    for (const id of ['1', '2']) await it.tell({ is: 'message', by: 'gateway', sentAt: 0, id });
    await it.judged();
    expect((await it.read()).sends).toEqual({ used: 2, left: 3 });
    const unlimited = stage({ rules: { sendsPerMessage: 0 } });
    expect((await unlimited.read()).sends).toEqual({ used: 0, left: null });
  });

  const refused: Extract<Outcome, { is: 'account-off' }> = {
    is: 'account-off',
    code: 48001,
    remedy: saidElsewhere('Ask for the permission.'),
  };

  test('says why the platform refuses the account, and what mends it', async () => {
    const it = stage({ show: () => refused });
    await it.tell(inboundEvent('a'));
    await it.judged();
    expect((await it.read()).dark).toEqual({
      reason: 'no_permission',
      until: clock.now() + 60_000,
      code: 48001,
      remedy: 'Ask for the permission.',
    });
  });

  test('at an account whose typing is switched off does not speak of permissions', async () => {
    const it = stage({ rules: { mode: 'off' } });
    const log = recordLog();
    const learned = createLearned({ redis, clock, log, isAuto: () => false });
    await learned.switchOff(it.platform, refused);
    await it.tell(inboundEvent('a'));
    await it.judged();
    expect((await it.read()).dark).toMatchObject({ reason: 'mode_off', remedy: null });
  });

  test('shows the message id as the platform has it', async () => {
    const it = stage();
    Object.assign(it.platform, { refer });
    await it.tell({ ...inboundEvent('wamid.1'), messageId: 'wamid.1@861' });
    await it.judged();
    expect((await it.read()).lastMessageId).toBe('wamid.1');
  });
});

describe('without Redis', () => {
  const calls: [string, (it: Conversations, platform: ScriptedPlatform) => Promise<unknown>][] = [
    ['read', (it, platform) => it.read(platform, user)],
    ['start', (it, platform) => it.start(platform, user, 'm')],
    ['stop', (it, platform) => it.stop(platform, user, { is: 'all' })],
    ['forget', (it, platform) => it.forget(platform, user)],
    ['pause', (it, platform) => it.pause(platform, user, null)],
    ['resume', (it, platform) => it.resume(platform, user)],
  ];

  test.each(calls)('%s rejects', async (_, call) => {
    const away = server.connect({ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: 500 });
    const queue = new Queue<TypingJob>(queueNames.typing, {
      connection: away,
      prefix: keys.prefix,
      ...FAIL_FAST_QUEUE,
    });
    queue.on('error', () => {});
    away.disconnect();
    const lost = createConversations({
      store: createStore(oneShard(away)),
      events: createEventQueue({
        queueOf: () => queue,
        apply: createApply({ ...judging, store: createStore(oneShard(away)) }),
      }),
      learned: createLearned({ redis: away, clock, log: recordLog(), isAuto: () => false }),
      clock,
    });
    await expect(call(lost, scriptedPlatform())).rejects.toThrow(Error);
  });
});
