/** How a conversation hears of what happens: taken into its state by whoever learns it; work is a worker's. */
import { type Job, Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Conversation, conversationId } from '../../src/core/platform.ts';
import type { Event } from '../../src/core/state.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import type { Work } from '../../src/redis/outbox.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { createBlocks } from '../../src/typing/blocks.ts';
import { addTimers, createEventQueue, createKeptEvents, type EventQueue } from '../../src/typing/events.ts';
import type { TypingJob } from '../../src/typing/jobs.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createApply, createTyping, type PerformDeps } from '../../src/typing/perform.ts';
import { createStore, type Store } from '../../src/typing/store.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import { atMost, newConversation, noPressure, inboundEvent } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let store: Store;
let queue: Queue<TypingJob>;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  store = createStore(oneShard(redis));
  queue = new Queue(queueNames.typing, { connection: redis, prefix: keys.prefix });
});
beforeEach(() => queue.obliterate({ force: true }));
afterAll(async () => {
  await queue.close();
  await server.stop();
});

type Happening = Event extends infer E ? (E extends unknown ? Omit<E, 'at'> : never) : never;

interface Stage {
  clock: HandClock;
  platform: ScriptedPlatform;
  conversation: Conversation;
  events: EventQueue;
  tell(event: Happening, how?: { release?: string }): ReturnType<EventQueue['tell']>;
  /** The jobs that wait, next first. */
  jobs(): Promise<Job<TypingJob>[]>;
  /** The worker does all that waits. */
  work(): Promise<void>;
  state(): ReturnType<Store['load']>;
  wakeAt(): Promise<string | null>;
  /** When the worker looks by itself (ms). */
  planned: (number | null)[];
}

const waitingJobs: Stage['jobs'] = () => queue.getJobs(['waiting'], 0, -1, true);

function stage(script: { unknown?: boolean } = {}): Stage {
  const clock = handClock();
  const platform = scriptedPlatform();
  const conversation = newConversation();
  const log = recordLog();
  const planned: Stage['planned'] = [];
  const learned = createLearned({ redis, clock, log, isAuto: () => false });
  const shared = { store, learned, clock, log, backFor: () => Infinity };
  const worker: PerformDeps = {
    ...shared,
    name: 'worker',
    pressure: noPressure,
    shares: atMost(8),
    platformOf: () => platform,
    wakes: { set: (_, timer) => void planned.push(timer?.at ?? null) },
  };
  // A web looks at nothing by itself.
  const web = { ...shared, platformOf: () => (script.unknown ? null : platform), wakes: { set: () => {} } };
  const events = createEventQueue({ queueOf: () => queue, apply: createApply(web) });
  const { process } = createTyping(worker, async () => {});
  return {
    clock,
    platform,
    conversation,
    events,
    planned,
    jobs: waitingJobs,
    tell: (event, how) => events.tell(conversation, { ...event, at: clock.now() }, how),
    work: async () => {
      const waiting = await waitingJobs();
      await queue.obliterate({ force: true });
      for (const job of waiting) await process(job);
    },
    state: () => store.load(conversation),
    wakeAt: () => redis.zscore(keys.wakes, conversationId(conversation)),
  };
}

const ends = (turn: string, message = false): Happening => ({
  is: 'ended',
  turn,
  by: message ? 'passive-reply' : 'reply-failed',
  message,
});

async function shown(it: Stage, ...turns: string[]): Promise<void> {
  for (const turn of turns) await it.tell(inboundEvent(turn));
  await it.work();
  expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
  it.clock.pass(3_000);
}

describe('what somebody has learned', () => {
  test('is taken into the state at once: an end that asks for no call is no job', async () => {
    const it = stage();
    await shown(it, 'a');
    // The answer takes the indicator away by itself.
    const state = await it.tell(ends('a', true));
    expect(state).toMatchObject({ turns: [], ended: [{ id: 'a', by: 'passive-reply' }] });
    expect((await it.state()).state).toEqual(state);
    expect(await it.jobs()).toEqual([]);
    expect(await it.wakeAt()).toBeNull();
  });

  test('nor is one of several turns, while another one goes on', async () => {
    const it = stage();
    await shown(it, 'a', 'b');
    const due = await it.wakeAt();
    expect(await it.tell(ends('a'))).toMatchObject({ turns: [{ id: 'b' }] });
    expect(await it.jobs()).toEqual([]);
    expect(await it.wakeAt()).toBe(due);
  });

  test('stands in the state though it asks for a call: the call is due at once, and a job', async () => {
    const it = stage();
    await shown(it, 'a');
    const state = await it.tell(ends('a'));
    expect(state).toMatchObject({ turns: [], call: null, timer: { at: it.clock.now() } });
    expect(await it.wakeAt()).toBe(String(it.clock.now()));
    expect(it.platform.calls).toHaveLength(1);
    expect((await it.jobs()).map(({ data }) => data.event)).toEqual([
      { is: 'wake', timer: state?.timer?.n, at: it.clock.now() },
    ]);
    await it.work();
    expect(it.platform.calls.at(-1)).toBe(`hide ${it.conversation.user}`);
    expect(await it.wakeAt()).toBeNull();
  });

  test('that makes a show due earlier than planned is a job: no worker would look before', async () => {
    const it = stage();
    await shown(it, 'a');
    const planned = Number(await it.wakeAt());
    const state = await it.tell({ is: 'message', by: 'gateway', sentAt: 0, id: '1' });
    const due = state?.timer?.at ?? 0;
    expect(due).toBeLessThan(planned);
    expect(await it.jobs()).toHaveLength(1);
    await it.work();
    expect(it.planned.at(-1)).toBe(due);
    expect(await it.wakeAt()).toBe(String(due));
  });

  test('goes before messages that wait for their shows', async () => {
    const it = stage();
    await shown(it, 'a');
    await it.tell(inboundEvent('b'));
    await it.tell({ is: 'over', by: 'control', turns: 'all' });
    expect((await it.jobs()).map(({ name }) => name)).toEqual(['wake', 'inbound']);
  });

  test('whose job was lost on its way to Redis is told again with one', async () => {
    const it = stage();
    await shown(it, 'a');
    const add = vi.spyOn(queue, 'add').mockRejectedValueOnce(new Error('Redis is away'));
    await expect(it.tell(ends('a'))).rejects.toThrow('away');
    add.mockRestore();
    await it.tell(ends('a'));
    await it.work();
    expect(it.platform.calls.at(-1)).toBe(`hide ${it.conversation.user}`);
  });

  test('ends the block of whoever sent the message, with a job and without', async () => {
    const it = stage();
    await shown(it, 'a');
    const blocks = createBlocks(oneShard(redis));
    for (const event of [ends('nobody', true), ends('a')]) {
      await blocks.begin(it.conversation, { holder: 'sender', now: it.clock.now() });
      expect((await it.state()).blockedUntil).toBeGreaterThan(it.clock.now());
      await it.tell(event, { release: 'sender' });
      expect((await it.state()).blockedUntil).toBe(0);
    }
  });

  test('of an account that is not known here is a job as it is, for whoever knows it', async () => {
    const it = stage({ unknown: true });
    expect(await it.tell(ends('a'))).toBeNull();
    expect((await it.state()).raw).toBeNull();
    expect((await it.jobs()).map(({ data }) => data.event)).toEqual([{ ...ends('a'), at: it.clock.now() }]);
    await it.work();
    expect((await it.state()).state.ended).toMatchObject([{ id: 'a' }]);
  });
});

test('a message is a job: it asks for a show', async () => {
  const it = stage();
  expect(await it.tell(inboundEvent('a'))).toBeNull();
  expect((await it.state()).raw).toBeNull();
  expect((await it.jobs()).map(({ name, data }) => [name, data.conversation])).toEqual([
    ['inbound', it.conversation],
  ]);
});

test('of several messages the first waits no longer than the last', async () => {
  const it = stage();
  for (const turn of ['a', 'b', 'c']) await it.tell(inboundEvent(turn));
  const turns = (await it.jobs()).map(({ data: { event } }) => 'turn' in event && event.turn);
  expect(turns).toEqual(['a', 'b', 'c']);
});

describe('events that are kept while Redis is away', () => {
  const conversation = newConversation();
  const event: Event = { is: 'left', at: 1 };

  test('are told by the outbox, by the name of their conversation', async () => {
    const names: string[] = [];
    const it = stage();
    const kept = createKeptEvents(it.events, () => ({
      tell: async (name, work) => {
        names.push(name);
        await work(false, false);
      },
    }));
    expect(await kept.tell(conversation, event)).toMatchObject({ turns: [] });
    expect(names).toEqual([conversationId(conversation)]);
  });

  test('ask for no show before what waits behind them is told: a message that was answered meanwhile', async () => {
    const it = stage();
    const waiting: Work[] = [];
    const kept = createKeptEvents(it.events, () => ({ tell: async (_, work) => void waiting.push(work) }));
    await kept.tell(it.conversation, { ...inboundEvent('a'), at: it.clock.now() });
    await kept.tell(it.conversation, { ...ends('a', true), at: it.clock.now() });
    for (const work of waiting) {
      await work(true, false);
      expect(await it.jobs()).toEqual([]);
    }
    const [job] = await queue.getJobs(['delayed']);
    expect(job?.data.event).toMatchObject({ is: 'wake' });
    expect((await it.state()).state).toMatchObject({ turns: [], ended: [{ id: 'a' }] });
  });

  test('ask for one a little later, where nobody has answered yet', async () => {
    const it = stage();
    const kept = createKeptEvents(it.events, () => ({
      tell: async (_, work) => void (await work(true, false)),
    }));
    await kept.tell(it.conversation, { ...inboundEvent('a'), at: it.clock.now() });
    const [job] = await queue.getJobs(['delayed']);
    expect(job?.opts.delay).toBe(500);
    await job?.promote();
    await it.work();
    expect(it.platform.calls).toEqual([`show ${it.conversation.user}`]);
  });

  test('ask at once for what takes an indicator away', async () => {
    const it = stage();
    await shown(it, 'a');
    const kept = createKeptEvents(it.events, () => ({
      tell: async (_, work) => void (await work(true, false)),
    }));
    await kept.tell(it.conversation, { ...ends('a'), at: it.clock.now() });
    expect(await queue.getJobs(['delayed'])).toEqual([]);
    await it.work();
    expect(it.platform.calls.at(-1)).toBe(`hide ${it.conversation.user}`);
  });

  test('resolve without a state while they wait', async () => {
    const kept = createKeptEvents({ tell: () => Promise.reject(new Error('away')) }, () => ({
      tell: async () => {},
    }));
    expect(await kept.tell(conversation, event)).toBeNull();
  });
});

test('what a worker that leaves was to look at becomes jobs of the state’s own timers, where that is soon', async () => {
  const it = stage();
  await shown(it, 'a');
  const timer = (await it.state()).state.timer;
  const left = { conversation: it.conversation, timer: timer ?? { at: 0, n: 0 } };
  const far = { conversation: newConversation(), timer: { at: it.clock.now() + 90_000, n: 1 } };
  await addTimers(() => queue, [left, far], it.clock.now());
  const [job, ...more] = await queue.getJobs(['delayed']);
  expect(more).toEqual([]);
  expect(job?.opts.delay).toBe(Math.ceil(left.timer.at - it.clock.now()));
  it.clock.set(left.timer.at);
  await job?.promote();
  await it.work();
  expect(it.platform.calls).toEqual([`show ${it.conversation.user}`, `show ${it.conversation.user}`]);
});
