/** Events, wake-ups and reply jobs on their way through real queues and workers. */
import { once } from 'node:events';
import { Queue, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Happening, LateSend, Outcome, Platform } from '../../src/core/platform.ts';
import type { Clock } from '../../src/core/ports.ts';
import { type Event, initialState } from '../../src/core/state.ts';
import { type Answer, headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { createOutbox } from '../../src/redis/outbox.ts';
import { oneShard } from '../../src/redis/shards.ts';
import { createDeliveries } from '../../src/replies/delivery.ts';
import { listFailed, retryFailed } from '../../src/replies/failed.ts';
import { createIntake, type Intake } from '../../src/replies/intake.ts';
import { acknowledgeOrphans, addReplyJob, insureOverdue } from '../../src/replies/jobs.ts';
import { createOwned } from '../../src/replies/owned.ts';
import { deliveryId } from '../../src/replies/run.ts';
import { pushedOf } from '../../src/replies/turns.ts';
import { createEventQueue, type EventQueue } from '../../src/typing/events.ts';
import { type ReplyJob, storePush, type TypingJob } from '../../src/typing/jobs.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createApply } from '../../src/typing/perform.ts';
import { createStore } from '../../src/typing/store.ts';
import { createWakes } from '../../src/typing/wakes.ts';
import { createWorkers, type Workers } from '../../src/wiring/workers.ts';
import { machineClock } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import {
  answerOf,
  atMost,
  deferred,
  newConversation,
  recordEvents,
  noPressure,
} from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let typing: Queue<TypingJob>;
let replies: Queue<ReplyJob>;
let events: EventQueue;
const releases: (() => Promise<unknown>)[] = [];

const clock = machineClock;
/** Redis has never been away. */
const backFor = (): number => Infinity;
/** No account is known where it is told. */
const knowsNobody = async (): Promise<null> => null;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  const shared = {
    connection: redis,
    prefix: keys.prefix,
    streams: { events: { maxLen: server.eventsMaxLen } },
  };
  typing = new Queue(queueNames.typing, shared);
  replies = new Queue(queueNames.replies, shared);
  events = createEventQueue({ queueOf: () => typing, apply: knowsNobody });
});
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
  await typing.obliterate({ force: true });
  await replies.obliterate({ force: true });
});
afterAll(async () => {
  await typing.close();
  await replies.close();
  await server.stop();
});

/** This process's clock, and one that is a minute ahead of it: BullMQ reads the first. */
const clocks = [
  ['the same as', clock],
  ['a minute ahead of', { ...clock, now: () => Date.now() + 60_000 }],
] as const;

function inbound(turn: string, phase: 'working' | 'passed' = 'working'): Event {
  const message = { sentAt: 0, messageId: turn, opensTurn: true, interaction: true } as const;
  return { is: 'inbound', turn, ...message, phase, at: clock.now() };
}

/** Works off the typing queue, one job at a time; resolves with its first events. */
function firstEvents(count: number): Promise<Event[]> {
  const seen: Event[] = [];
  const all = deferred<Event[]>();
  const worker = new Worker<TypingJob>(
    queueNames.typing,
    async ({ data }) => {
      seen.push(data.event);
      if (seen.length === count) all.resolve(seen);
    },
    { connection: redis, prefix: keys.prefix },
  );
  worker.on('error', () => {});
  releases.push(() => worker.close());
  return all.promise;
}

/** A worker whose every job fails. */
function failingWorker(reason: () => Error): Worker {
  const options = { connection: redis, prefix: keys.prefix };
  const worker = new Worker<TypingJob>(queueNames.typing, () => Promise.reject(reason()), options);
  worker.on('error', () => {});
  return worker;
}

async function left(queue: Queue): Promise<number> {
  return queue.getJobCountByTypes('waiting', 'active', 'delayed', 'prioritized', 'failed', 'completed');
}

describe('an event', () => {
  test('that asks for work is a job, for each delivery of a push', async () => {
    const conversation = newConversation();
    expect(await events.tell(conversation, inbound('a'))).toBeNull();
    expect(await events.tell(conversation, inbound('a', 'passed'))).toBeNull();
    expect(await left(typing)).toBe(2);
  });

  test('that asks for none is taken at once, and is no job', async () => {
    const taken: Event[] = [];
    const quiet = createEventQueue({
      queueOf: () => typing,
      apply: async (_, event) => {
        taken.push(event);
        return { state: initialState, sooner: null };
      },
    });
    expect(await quiet.tell(newConversation(), { is: 'left', at: 1 })).toBe(initialState);
    expect(await left(typing)).toBe(0);
    // A message asks for a show nearly always: it is not tried.
    expect(await quiet.tell(newConversation(), inbound('b'))).toBeNull();
    expect(taken.map(({ is }) => is)).toEqual(['left']);
    expect(await left(typing)).toBe(1);
  });

  test('that ends something comes before messages', async () => {
    const conversation = newConversation();
    await events.tell(conversation, inbound('c'));
    await events.tell(conversation, inbound('d'));
    await events.tell(conversation, { is: 'left', at: clock.now() });
    expect((await firstEvents(3)).map(({ is }) => is)).toEqual(['left', 'inbound', 'inbound']);
  });

  test.each<Event>([{ is: 'left', at: 1 }, inbound('e')])(
    'is not lost when Redis fails while it is judged: $is',
    async (event) => {
      const failing = failingWorker(() => new Error('out of memory'));
      await events.tell(newConversation(), event);
      await once(failing, 'failed');
      await failing.close();
      expect(await left(typing)).toBe(1);
      const [job] = await typing.getDelayed();
      await job?.promote();
      expect((await firstEvents(1))[0]?.is).toBe(event.is);
    },
  );
});

interface Bot {
  /** The attempts that the bot was asked in. */
  attempts: string[];
  asked: Promise<OutboundRequest>;
  send: (request: OutboundRequest) => Promise<Answer>;
}

function botThat(answers: (request: OutboundRequest) => Promise<Answer>): Bot {
  const attempts: string[] = [];
  const asked = deferred<OutboundRequest>();
  return {
    attempts,
    asked: asked.promise,
    send: (request) => {
      attempts.push(headerOf(request.headers, 'X-Keeptyping-Attempt') ?? '');
      asked.resolve(request);
      return answers(request);
    },
  };
}

let processes = 0;

/** One process's workers. */
function work(
  platform: Platform,
  bot: Bot,
  how: { log?: RecordedLog; places?: number; replies?: number; clock?: Clock } = {},
): Workers {
  const { log = recordLog(), places = 8, replies: most = 1_000, clock: time = clock } = how;
  const connection = server.connect();
  const store = createStore(oneShard(connection));
  const learned = createLearned({ redis: connection, clock: time, log, isAuto: () => false });
  const platformOf = (): Platform => platform;
  const wakes = createWakes({ shards: oneShard(connection), clock: time, log });
  const perform = {
    store,
    wakes,
    learned,
    clock: time,
    log,
    platformOf,
    backFor,
    shares: atMost(places),
    name: 'p',
    pressure: noPressure,
  };
  const deliveries = createDeliveries(connection);
  const health = { isAway: () => false, backFor, onBack: () => {} };
  const outbox = createOutbox({ health, clock: time, log });
  const apply = createApply(perform);
  const settings = { typingConcurrency: 10, replyConcurrency: 10 };
  const workers = createWorkers({ ...settings, perform, wakes, log });
  workers.add({
    connection,
    keys,
    reply: {
      events: createEventQueue({ queueOf: () => typing, apply }),
      outbox,
      health,
      owned: createOwned({ deliveries, outbox, clock: time, log }),
      name: `p${(processes += 1)}`,
      holds: { waits: () => false, give: async () => false },
      learned,
      clock: time,
      log,
      platformOf,
      shares: atMost(most),
      deliveries,
      send: bot.send,
      notify: async () => 0,
      makeWay: async () => null,
      botOf: () => ({ url: 'http://bot/', timeoutMs: 1000, retry: 'safe', concurrency: null }),
    },
  });
  releases.push(async () => outbox.close());
  releases.push(() => workers.close(100));
  return workers;
}

let pushes = 0;

const channel = 'wechat';
const account = 'shop';

/** A push of one message, as the web insures it. */
function push(): ReplyJob {
  const key = `push-${(pushes += 1)}`;
  const user = `openid-of-${key}`;
  const bytes = { method: 'POST', rawQuery: 'nonce=1', headers: [], body: Buffer.from([0, 255, 10]) };
  return { channel, account, key, user, turns: [{ user, turn: key }], push: storePush(bytes) };
}

const enqueue = (data: ReplyJob): Promise<string> => addReplyJob(replies, data);

const strangers = { learn: () => Promise.resolve() };

function intakeWith(told: EventQueue = events): Intake {
  return createIntake({ events: told, store: createStore(oneShard(redis)), identities: strangers, clock });
}

describe('the typing worker', () => {
  test.each(['CN.13491208655302741918:1', 'a/b%2Fc', '{你好} *', '+86-138'])(
    'shows, renews and hides for a user called %s',
    async (user) => {
      const platform = scriptedPlatform({ rules: { lifetime: 1_000, renewMargin: 5, hideRetry: 10 } });
      work(
        platform,
        botThat(() => Promise.reject(new Error('no bot'))),
      );
      const conversation = { ...newConversation(), user };
      await events.tell(conversation, inbound(`turn-${user}`));
      await expect.poll(() => platform.calls.length, { interval: 5 }).toBeGreaterThan(1);
      await events.tell(conversation, { is: 'left', at: clock.now() });
      await expect.poll(() => platform.calls.at(-1), { interval: 5 }).toBe(`hide ${user}`);
      expect(platform.calls.slice(0, 2)).toEqual([`show ${user}`, `show ${user}`]);
      await expect.poll(() => left(typing), { interval: 5 }).toBe(0);
    },
  );
});

test('what has to come again in a moment is not waited for in whole seconds', async () => {
  const monitor = await server.connect().monitor();
  releases.push(async () => monitor.disconnect());
  const waits = new Promise<number>((resolve) => {
    monitor.on('monitor', (_: string, [command, key, seconds]: string[]) => {
      const isOurs = command === 'bzpopmin' && key?.endsWith(`${queueNames.typing}:marker`);
      if (isOurs && Number(seconds) < 1) resolve(Number(seconds));
    });
  });
  work(
    scriptedPlatform(),
    botThat(() => Promise.reject(new Error('no bot'))),
  );
  const data = { conversation: newConversation(), event: inbound('late') };
  await typing.add('inbound', data, { delay: 300 });
  expect(await waits).toBeGreaterThan(0);
});

const answering = (): Bot => botThat(async () => answerOf('<xml>hello</xml>'));

describe('a reply job', () => {
  test('is carried through once, and leaves nothing of the push behind', async () => {
    const platform = scriptedPlatform();
    const bot = answering();
    const received = push();
    expect(await enqueue(received)).toBe(await enqueue(received));
    expect(await left(replies)).toBe(1);
    work(platform, bot);
    const { body } = await bot.asked;
    expect(body).toEqual(Buffer.from([0, 255, 10]));
    await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
    expect(platform.sent).toEqual([{ user: `openid-of-${received.key}`, body: '<xml>hello</xml>' }]);
    // Added once more, by somebody who did not hear that it is done: the record knows.
    await enqueue(received);
    await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
    expect(platform.sent).toHaveLength(1);
    const stored = await redis.keys(`${keys.prefix}:${queueNames.replies}:*`);
    expect(stored.filter((key) => /:[0-9a-f]{32}$/.test(key))).toEqual([]);
    expect(await redis.hkeys(keys.delivery(deliveryId(received)))).not.toContain('push');
  });

  test('names no user in its id, which stands in the event stream', async () => {
    const received = push();
    expect(await enqueue(received)).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each(clocks)(
    'goes back to the queue when its process stops, and another one asks the bot again at once (our clock is %s the local one)',
    async (_, time) => {
      const platform = scriptedPlatform();
      const hanging = botThat(
        ({ signal }) =>
          new Promise((_, reject) => {
            signal?.addEventListener('abort', () => reject(new NoAnswer('aborted', { begun: true })));
          }),
      );
      const stopping = work(platform, hanging, { clock: time });
      await enqueue(push());
      await hanging.asked;
      await stopping.close(1);
      expect(platform.sent).toEqual([]);
      expect(await left(replies)).toBe(1);
      const bot = answering();
      work(platform, bot, { clock: time });
      await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
      expect(hanging.attempts).toEqual(['1']);
      expect(bot.attempts).toEqual(['2']);
      expect(platform.sent).toHaveLength(1);
    },
  );

  test('that only had to wait for a place is a first call all the same', async () => {
    const platform = scriptedPlatform();
    const gate = deferred<Answer>();
    const [slow, quick] = [botThat(() => gate.promise), answering()];
    const bot: Bot = {
      ...quick,
      send: (request) => (slow.attempts.length === 0 ? slow : quick).send(request),
    };
    work(platform, bot, { replies: 1 });
    await enqueue(push());
    await slow.asked;
    await enqueue(push());
    await expect.poll(async () => (await replies.getDelayedCount()) > 0, { interval: 5 }).toBe(true);
    gate.resolve(answerOf('success'));
    await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
    expect([slow.attempts, quick.attempts]).toEqual([['1'], ['1']]);
  });

  test('that can end within the grace is left to end', async () => {
    const platform = scriptedPlatform();
    const answer = deferred<Answer>();
    const bot = botThat(() => answer.promise);
    const workers = work(platform, bot);
    await enqueue(push());
    await bot.asked;
    const closed = workers.close(10_000);
    answer.resolve(answerOf('<xml>hello</xml>'));
    await closed;
    expect(platform.sent).toHaveLength(1);
    expect(await left(replies)).toBe(0);
  });

  test('that failed for good is not tried again, and is kept with its push and reason', async () => {
    const platform = scriptedPlatform();
    const log = recordLog();
    const bot = botThat(async () => answerOf('secret words', 500));
    const received = push();
    work(platform, bot, { log });
    await enqueue(received);
    await expect.poll(() => replies.getFailedCount(), { interval: 5 }).toBe(1);
    const [job] = await replies.getFailed();
    expect(job?.failedReason).toBe('The bot at http://bot/ answered with status 500');
    expect(job?.data).toMatchObject({ key: received.key, push: { rawQuery: 'nonce=1' } });
    expect(job?.opts.removeOnFail).toEqual({ age: 24 * 60 * 60, count: 1000 });
    expect(bot.attempts).toEqual(['1']);
    expect(JSON.stringify(log.lines)).not.toContain('secret words');
  });

  test('ends its turn when the bot cannot be reached, called again and again', async () => {
    const platform = scriptedPlatform();
    const bot = botThat(async () => answerOf('', 503));
    const received = push();
    const [turn] = received.turns;
    const log = recordLog();
    work(platform, bot, { log });
    await events.tell({ channel, account, user: turn?.user ?? '' }, inbound(turn?.turn ?? ''));
    await expect.poll(() => platform.calls.length, { interval: 5 }).toBeGreaterThan(0);
    await enqueue(received);
    await expect.poll(() => replies.getFailedCount(), { interval: 5 }).toBe(1);
    expect(bot.attempts).toEqual(['1', '2', '3']);
    const ends = () => log.lines.filter(({ message }) => message === 'turn ended');
    await expect.poll(ends, { interval: 5 }).toMatchObject([{ fields: { by: 'reply-failed' } }]);
  });
});

describe('a push whose web is silent', () => {
  test('becomes a job when its lease has run out, once, and the bot is called again', async () => {
    const platform = scriptedPlatform();
    const bot = answering();
    const deliveries = createDeliveries(redis);
    const received = push();
    const id = deliveryId(received);
    const now = clock.now();
    const insurance = received;
    await deliveries.take({ id, owner: 'gone.t1', now, leaseUntil: now + 15_000, insurance }, null);
    const log = recordLog();
    const lookAt = (at: number) => insureOverdue({ deliveries, replies, clock: { now: () => at }, log });
    await lookAt(now + 14_999);
    expect(await left(replies)).toBe(0);
    await Promise.all([lookAt(now + 15_000), lookAt(now + 15_000)]);
    expect(await left(replies)).toBe(1);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { push: id } }]);
    work(platform, bot);
    await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
    expect(bot.attempts).toEqual(['2']);
    expect(platform.sent).toHaveLength(1);
    await lookAt(now + 60_000);
    expect(await left(replies)).toBe(0);
  });
});

describe('pushes of a process that has died', () => {
  test('count as acknowledged where the bot answers by the API: its message ends the turn', async () => {
    const deliveries = createDeliveries(redis);
    const byApi = scriptedPlatform({ channel: 'nxcloud', sendLate: 'absent' });
    const platformOf = ({ channel }: { channel: string }): Platform =>
      channel === 'nxcloud' ? byApi : scriptedPlatform();
    const now = clock.now();
    const [theirs, alive, held] = [push(), push(), push()];
    const take = (insurance: ReplyJob, owner: string) =>
      deliveries.take({ id: deliveryId(insurance), owner, now, leaseUntil: now + 15_000, insurance }, null);
    const ofApi = (one: ReplyJob): ReplyJob => ({ ...one, channel: 'nxcloud', account: byApi.account });
    await take(ofApi(theirs), 'gone.t1');
    await take(ofApi(alive), 'here.t1');
    await take(held, 'gone.t2');
    const heard = recordEvents();
    const asked: string[] = [];
    const isDead = async (name: string): Promise<boolean> => {
      asked.push(name);
      return name === 'gone';
    };
    const health = { backFor };
    await acknowledgeOrphans({ deliveries, events: heard, clock, platformOf, isDead, health });
    expect(heard.told).toMatchObject([
      {
        user: theirs.turns[0]?.user,
        event: { is: 'acknowledged', turn: theirs.turns[0]?.turn, orphan: true },
      },
    ]);
    expect(asked.toSorted()).toEqual(['gone', 'here']);
    for (const one of [ofApi(theirs), ofApi(alive), held])
      await deliveries.settle(deliveryId(one), { state: 'sent', repeats: 1 });
  });

  test('are not taken for such while those who live may not hear anything yet, as Redis has just come back', async () => {
    const deliveries = createDeliveries(redis);
    const platform = scriptedPlatform({ channel: 'nxcloud', sendLate: 'absent' });
    const insurance: ReplyJob = { ...push(), channel: 'nxcloud', account: platform.account };
    const id = deliveryId(insurance);
    const leaseUntil = clock.now() + 15_000;
    await deliveries.take({ id, owner: 'here.t1', now: clock.now(), leaseUntil, insurance }, null);
    let back = 100;
    const sleep = async (ms: number): Promise<void> => void (back += ms);
    const heard = recordEvents();
    await acknowledgeOrphans({
      deliveries,
      events: heard,
      clock: { ...clock, sleep },
      platformOf: () => platform,
      isDead: async () => back < 2_000,
      health: { backFor: () => back },
    });
    expect(heard.told).toEqual([]);
    await deliveries.settle(id, { state: 'sent', repeats: 1 });
  });
});

describe('a job that failed for good', () => {
  test('is listed with its reason and without its message, and runs again by hand', async () => {
    const outcomes: LateSend[] = [{ is: 'unknown', cause: 'ECONNRESET' }];
    const sent: string[] = [];
    const platform: Platform = {
      ...scriptedPlatform(),
      sendLate: async (user) => {
        sent.push(user);
        return outcomes.shift() ?? { is: 'sent' };
      },
    };
    const bot = answering();
    const received = push();
    work(platform, bot);
    expect(await listFailed([{ replies }])).toBe('No reply job has failed.\n');
    await enqueue(received);
    await expect.poll(() => replies.getFailedCount(), { interval: 5 }).toBe(1);
    const line = await listFailed([{ replies }]);
    expect(line).toMatch(/outcome unknown: ECONNRESET\n$/);
    expect(line).toContain(`wechat/shop/${received.key}`);
    expect(line).not.toContain('hello');
    const deliveries = createDeliveries(redis);
    const [id = ''] = line.split(' ');
    expect(await retryFailed([{ replies, deliveries }], id)).toBe(`The reply job ${id} runs again.\n`);
    await expect.poll(() => left(replies), { interval: 5 }).toBe(0);
    expect(sent).toHaveLength(2);
    expect(bot.attempts).toEqual(['1']);
  });

  test('that is not there is said so', async () => {
    const deliveries = createDeliveries(redis);
    expect(await retryFailed([{ replies, deliveries }], '999')).toBe(
      'There is no failed reply job 999: npm run replies lists them.\n',
    );
  });
});

describe('a job that has to wait', () => {
  test.each(clocks)(
    'for another process that may still be sending comes back then, and counts no try (our clock is %s the local one)',
    async (_, time) => {
      const platform = scriptedPlatform();
      const received = push();
      const deliveries = createDeliveries(redis);
      const id = `wechat/shop/${received.key}`;
      const who = { id, owner: 'gone.t1' };
      const now = time.now();
      await deliveries.take({ ...who, now, leaseUntil: now, insurance: received }, null);
      await deliveries.send(who, now - 18_500, null);
      await enqueue(received);
      work(platform, answering(), { clock: time });
      await expect.poll(() => replies.getFailedCount(), { interval: 5 }).toBe(1);
      const [job] = await replies.getFailed();
      expect(job?.failedReason).toMatch(/^outcome unknown/);
      expect(job?.attemptsStarted).toBe(2);
      expect(job?.attemptsMade).toBe(1);
      expect(platform.sent).toEqual([]);
    },
  );

  test.each(clocks)(
    'for a place among the calls of its account gets one at once (our clock is %s the local one)',
    async (_, time) => {
      const arrived = deferred();
      const first = deferred<Outcome>();
      const answers = [first.promise];
      const platform = scriptedPlatform({
        show: () => {
          arrived.resolve();
          return answers.shift() ?? { is: 'done' };
        },
      });
      const log = recordLog();
      work(platform, answering(), { log, places: 1, clock: time });
      const [one, other] = [newConversation(), newConversation()];
      await events.tell(one, { ...inbound(one.user), at: time.now() });
      await arrived.promise;
      await events.tell(other, { ...inbound(other.user), at: time.now() });
      await expect.poll(() => typing.getDelayedCount(), { interval: 5 }).toBeGreaterThan(0);
      first.resolve({ is: 'done' });
      await expect
        .poll(() => platform.calls, { interval: 5 })
        .toEqual([`show ${one.user}`, `show ${other.user}`]);
      expect(log.lines.filter(({ level }) => level === 'warn')).toEqual([]);
    },
  );
});

describe('what a push says', () => {
  const happening = { is: 'inbound', user: 'u', key: 'k', messageId: 'm', type: 'text', sentAt: 7 } as const;
  const platform: ScriptedPlatform = scriptedPlatform();

  async function toldOf(...happenings: Happening[]): Promise<object[]> {
    const told = recordEvents();
    await intakeWith(told).tell(platform, happenings, 'working');
    return told.told.map(({ user, event: { at, ...event } }) => ({ user, ...event, dated: at > 0 }));
  }

  test.each<[string, Happening, object[]]>([
    [
      'a message',
      { ...happening, opensTurn: true, interaction: true },
      [
        {
          user: 'u',
          is: 'inbound',
          turn: 'k',
          sentAt: 7,
          messageId: 'm',
          opensTurn: true,
          interaction: true,
          phase: 'working',
        },
      ],
    ],
    [
      'an act that is neither question nor interaction',
      { ...happening, opensTurn: false, interaction: false },
      [],
    ],
    [
      'a status',
      { is: 'evidence', user: 'u', evidence: 'status', sentAt: 9, messageId: 'out' },
      [{ user: 'u', is: 'message', by: 'status', sentAt: 9, id: 'out' }],
    ],
    [
      'a human who hands back',
      { is: 'handoff', user: 'u', on: false },
      [{ user: 'u', is: 'resumed', by: 'session' }],
    ],
    ['a user who left', { is: 'left', user: 'u' }, [{ user: 'u', is: 'left' }]],
  ])('%s', async (_, said, expected) => {
    expect(await toldOf(said)).toEqual(expected.map((event) => ({ ...event, dated: true })));
  });

  test('a human who takes over has the conversation for half an hour', async () => {
    const before = clock.now();
    const [paused] = await toldOf({ is: 'handoff', user: 'u', on: true });
    expect(paused).toMatchObject({ user: 'u', is: 'paused' });
    const until = paused && 'until' in paused ? Number(paused.until) : 0;
    expect(until - before).toBeGreaterThanOrEqual(30 * 60_000);
    expect(until - clock.now()).toBeLessThanOrEqual(30 * 60_000);
  });

  test('is recorded and added together, in one round trip', () => {
    const asked: string[] = [];
    const never = (what: string) => () => {
      asked.push(what);
      return new Promise<never>(() => {});
    };
    const slow = {
      events: { ...recordEvents(), tell: never('told') },
      store: { ...createStore(oneShard(redis)), record: never('recorded') },
      identities: strangers,
      clock,
    };
    const two = ['one', 'two'].map((user) => ({ ...happening, user, opensTurn: true, interaction: true }));
    void createIntake(slow).tell(platform, two, 'working');
    expect(asked.sort()).toEqual(['recorded', 'recorded', 'told', 'told']);
  });

  test('only an interaction is recorded as one', async () => {
    const store = createStore(oneShard(redis));
    const of = (user: string) => store.last({ channel: 'wechat', account: 'shop', user });
    await toldOf({ ...happening, user: 'spoke', opensTurn: false, interaction: true });
    await toldOf({ ...happening, user: 'read', opensTurn: true, interaction: false });
    expect((await of('spoke')).messageId).toBe('m');
    expect((await of('read')).at).toBeNull();
  });

  test('the insurance names the turns that its answer ends', () => {
    const said: Happening[] = [
      { is: 'evidence', user: 'one', evidence: 'status', sentAt: 1, messageId: null },
      { ...happening, user: 'two', key: 'two-key', opensTurn: true, interaction: true },
      { ...happening, user: 'three', opensTurn: false, interaction: true },
    ];
    expect(pushedOf(platform, { key: 'k', happenings: said })).toEqual({
      channel: 'wechat',
      account: 'shop',
      key: 'k',
      user: 'one',
      turns: [{ user: 'two', turn: 'two-key' }],
    });
  });
});

const failedOf = async (queue: Queue) => (await queue.getFailed()).map(({ failedReason }) => failedReason);

describe('a job whose data this release cannot read', () => {
  const once = { attempts: 2, backoff: { type: 'fixed', delay: 10 } } as const;

  test.each([
    [
      'an event of an unknown kind',
      { conversation: newConversation(), event: { is: 'dance', at: 1 } },
      'event.is',
    ],
    ['a renamed field', { conversation: newConversation(), event: { is: 'typed', at: 1 } }, 'event.on'],
    ['no data', null, ''],
  ])('of the typing queue, with %s: is tried again, then kept, and stops no other', async (_, data, at) => {
    const platform = scriptedPlatform();
    work(platform, answering());
    await typing.add('event', data as never, once);
    await expect
      .poll(() => failedOf(typing), { interval: 5 })
      .toEqual([`This release cannot read the job's data (${at}).`]);
    expect((await typing.getFailed())[0]?.attemptsMade).toBe(2);
    await events.tell(newConversation(), inbound(`after-${at}`));
    await expect.poll(() => platform.calls.length, { interval: 5 }).toBeGreaterThan(0);
  });

  test('of the replies is tried again, then kept, and nobody hears of it', async () => {
    const platform = scriptedPlatform();
    const bot = answering();
    work(platform, bot);
    const { push: _, ...rest } = {
      channel: 'wechat',
      account: 'shop',
      key: 'k',
      user: 'u',
      turns: [],
      push: '',
    };
    await replies.add('reply', rest as never, once);
    await expect
      .poll(() => failedOf(replies), { interval: 5 })
      .toEqual(["This release cannot read the job's data (push)."]);
    expect(bot.attempts).toEqual([]);
    await enqueue(push());
    await expect.poll(() => platform.sent.length, { interval: 5 }).toBe(1);
  });
});

test('a job says of its failure whether the user may have the answer', async () => {
  const outcomes: LateSend[] = [
    { is: 'unknown', cause: 'ECONNRESET' },
    { is: 'refused', code: 45047, reason: 'too many', mayNotSend: false },
  ];
  const platform: Platform = {
    ...scriptedPlatform(),
    sendLate: async () => outcomes.shift() ?? { is: 'sent' },
  };
  work(platform, answering());
  for (const unknown of [true, false]) {
    const received = push();
    await enqueue(received);
    const failed = async () => (await replies.getFailed()).find(({ data }) => data.key === received.key);
    await expect.poll(failed, { interval: 5 }).toMatchObject({ data: { failure: { unknown } } });
  }
});
