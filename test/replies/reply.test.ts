import { Job, Queue, UnrecoverableError } from 'bullmq';
import type { Redis } from 'ioredis';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BotRetry } from '../../src/core/bot.ts';
import type { Notice, Observe } from '../../src/core/notice.ts';
import type { LatePart, LateSend } from '../../src/core/platform.ts';
import { initialState, type State } from '../../src/core/state.ts';
import { newTurn } from '../../src/core/turns.ts';
import { type Answer, headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import type { Work } from '../../src/redis/outbox.ts';
import { createDeliveries, type Deliveries, type DeliveryState } from '../../src/replies/delivery.ts';
import { createOwned } from '../../src/replies/owned.ts';
import { createReplyProcessor, type ReplyDeps } from '../../src/replies/reply.ts';
import { deliveryId } from '../../src/replies/run.ts';
import { type ReplyJob, storeAnswer, storePush } from '../../src/typing/jobs.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createShares, type Shares } from '../../src/typing/shares.ts';
import { type HandClock, handClock, noon, sleepUntilAborted } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import {
  answerOf,
  atMost,
  deferred,
  type RecordedEvents,
  recordEvents,
  textOf,
} from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let deliveries: Deliveries;
let replies: Queue<ReplyJob>;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
  deliveries = createDeliveries(redis);
  replies = new Queue(queueNames.replies, { connection: redis, prefix: keys.prefix });
});
afterAll(async () => {
  await replies.close();
  await server.stop();
});

const message = answerOf('<xml>你好</xml>');
const refused = new NoAnswer('ECONNREFUSED', { begun: false });
const reset = new NoAnswer('ECONNRESET', { begun: true });
const timeout = new NoAnswer('no answer within 120000 ms', { begun: true, timedOut: true });

interface Run {
  data?: ReplyJob;
  job?: string;
}

interface Stage extends ReplyDeps {
  clock: HandClock;
  events: RecordedEvents;
  platform: ScriptedPlatform;
  /** What the bot was asked. */
  asked: OutboundRequest[];
  job: ReplyJob;
  id: string;
  /** What the job says after its last run. */
  noted: ReplyJob[];
  /** A run of the job; rejects with what makes it come again, or fail. */
  run: (changes?: Run) => Promise<void>;
}

interface Options extends Scripted {
  bot?: Answer | NoAnswer | ((request: OutboundRequest) => Promise<Answer>);
  retry?: BotRetry;
  /** How many turns the push opens, each of another user. @default 1 */
  users?: number;
  /**
   * A web process holds the connection and claims what is offered. `late`: when the worker gives it up. `deaf`: never.
   * `gone`: nobody hears the offer.
   */
  holder?: 'claims' | 'late' | 'deaf' | 'gone';
  configured?: 'no account' | 'no bot';
  /** What blocks shows while the answer is sent. */
  block?: string;
  shares?: Shares;
  observe?: Observe;
  /** The account's own limit. */
  concurrency?: number;
  /** The account may not send. */
  isMute?: boolean;
  /** The state of the conversation after an event; null: not known. */
  stateAfter?: Parameters<typeof recordEvents>[0];
  /** For how long Redis has been back (ms). */
  back?: number;
  /** The bot has outlived its caller and answered. */
  answeredSince?: boolean;
  /** The push's. @default a new one */
  key?: string;
}

const holdName = 'web.1';
let pushes = 0;

async function stage(options: Options = {}): Promise<Stage> {
  const { bot = message, retry = 'safe', users = 1, holder, configured } = options;
  const clock = handClock();
  const platform = scriptedPlatform(options);
  const asked: OutboundRequest[] = [];
  const { key = `key-${(pushes += 1)}` } = options;
  const turns = Array.from({ length: users }, (_, n) => ({
    user: `openid-${key}-${n}`,
    turn: `${key}-${n}`,
  }));
  const push = { method: 'POST', rawQuery: 'nonce=1', headers: [], body: Buffer.from('<xml>ask</xml>') };
  const job: ReplyJob = {
    channel: platform.channel,
    account: platform.account,
    key,
    user: turns[0]?.user ?? null,
    turns,
    push: storePush(push),
  };
  const id = deliveryId(job);
  const events = recordEvents(options.stateAfter ?? (() => initialState));
  const log = recordLog();
  const send: Deliveries['send'] = async (who, at, now) => {
    if (holder === 'late' && now === null) await deliveries.claim(who.id, holdName);
    return deliveries.send(who, at, now);
  };
  const outbox = {
    tell: async (_: string, work: Work) => void (await work(false, false)),
    told: () => {},
  };
  const owned = createOwned({ deliveries, outbox, clock, log });
  const learned = createLearned({ redis, clock, log, isAuto: () => false });
  if (options.isMute) await learned.mute(platform);
  const deps: ReplyDeps = {
    deliveries: { ...deliveries, send },
    events,
    outbox,
    owned,
    name: 'p1',
    health: { isAway: () => false, backFor: () => options.back ?? Infinity },
    learned,
    clock,
    log,
    holds: { waits: () => false, give: async () => false },
    shares: options.shares ?? atMost(1_000),
    observe: options.observe,
    send: async (request) => {
      asked.push(request);
      if (bot instanceof NoAnswer) throw bot;
      return typeof bot === 'function' ? bot(request) : bot;
    },
    answeredSince: async () => options.answeredSince ?? false,
    makeWay: async () => options.block ?? null,
    notify: async (name) => {
      if (holder === 'gone') return 0;
      if (holder === 'claims') await deliveries.claim(id, name);
      return 1;
    },
    platformOf: () => (configured === 'no account' ? null : platform),
    botOf: () =>
      configured === 'no bot'
        ? null
        : { url: 'http://bot/wx', timeoutMs: 120_000, retry, concurrency: options.concurrency ?? null },
  };
  if (holder) await held(id, clock.now());
  const process = createReplyProcessor(deps, async () => {});
  const noted: ReplyJob[] = [];
  const run = ({ data = noted.at(-1) ?? job, job: name = 'j1' }: Run = {}): Promise<void> =>
    process(jobWith(name, data, noted));
  return Object.assign(deps, { clock, events, platform, asked, job, id, noted, run });
}

/** A web holds a connection for the push, and has left it to a worker. */
async function held(id: string, now: number): Promise<void> {
  const owner = 'crowded.t1';
  const hold = { name: holdName, until: now + 4_500 };
  await deliveries.take({ id, owner, now, leaseUntil: 0, insurance: null }, hold);
  await deliveries.leave(id, { owner, now });
}

/** As BullMQ hands it over; one that is put back rejects with how long it waits. */
function jobWith(id: string, data: ReplyJob, noted: ReplyJob[]): Job<ReplyJob> {
  return Object.assign(new Job<ReplyJob>(replies, 'reply', data, {}, id), {
    updateData: async (to: ReplyJob) => {
      noted.push(to);
    },
    moveToDelayed: async (until: number) => {
      throw new PutBack(until - Date.now());
    },
  });
}

class PutBack extends Error {
  /** To within the time that the test itself takes. */
  readonly waitMs: number;

  constructor(waitMs: number) {
    super('put back');
    this.waitMs = waitMs;
  }
}

/** `user-0 ended passive-reply`: what the typing queue was told. */
function told({ events }: Stage): string[] {
  return events.told.map(({ user, event }) => {
    const by = event.is === 'ended' ? ` ${event.by}${event.message ? ' with a message' : ''}` : '';
    return `${user.slice(user.lastIndexOf('-') + 1)} ${event.is}${by}`;
  });
}

const stateOf = async ({ id }: Stage): Promise<DeliveryState | null> => (await deliveries.standing(id)).state;
const answerOn = ({ id }: Stage): Promise<string | null> => redis.hget(keys.delivery(id), 'answer');

const hanging = ({ signal }: OutboundRequest): Promise<Answer> =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(reset)));

/** The error that the run ends with. */
async function failureOf(running: Promise<void>): Promise<Error> {
  const error: unknown = await running.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('the run did not fail');
  return error;
}

describe('a job that a late Redis hands out again', () => {
  test('while this process is still at it: the second run comes after the first, and finds all done', async () => {
    const thinking = deferred<Answer>();
    const it = await stage({ bot: () => thinking.promise });
    const runs = [it.run(), it.run(), it.run()];
    await expect.poll(() => it.asked).toHaveLength(1);
    thinking.resolve(message);
    await Promise.all(runs);
    expect(it.asked).toHaveLength(1);
    expect(it.platform.sent).toHaveLength(1);
  });

  test('while this process is still at it, and its answer is refused: that is kept for whoever runs the job by hand', async () => {
    const thinking = deferred<Answer>();
    const sendLate = { is: 'refused', code: 45047, reason: 'too many', mayNotSend: false } as const;
    const kept = storeAnswer(message).body;
    const it = await stage({ bot: () => thinking.promise, sendLate });
    const runs = [it.run({ data: it.job }), it.run({ data: it.job })].map(failureOf);
    await expect.poll(() => it.asked).toHaveLength(1);
    thinking.resolve(message);
    await Promise.all(runs);
    expect(it.noted).toHaveLength(2);
    expect(it.noted.map(({ answer }) => answer?.body)).toEqual([kept, kept]);
  });

  test('while another process is at it: it is put back until that one’s lease has run out', async () => {
    const it = await stage();
    const now = it.clock.now();
    const other = { id: it.id, owner: 'job:j1:p2.w1', now, leaseUntil: now + 15_000, same: 'job:j1:p2.' };
    await deliveries.takeOver(other);
    await expect(it.run()).rejects.toThrow('put back');
    expect(it.asked).toEqual([]);
    it.clock.pass(15_000);
    await it.run();
    expect(it.asked).toHaveLength(1);
  });
});

/** A web had called the bot, and has died. */
const stageDead = async (options: Options): Promise<Stage> => {
  const it = await stage({ channel: 'nxcloud', sendLate: 'absent', ...options });
  const now = it.clock.now() - 15_000;
  const who = { id: it.id, owner: 'gone.t1', now, leaseUntil: now + 15_000, insurance: it.job };
  await deliveries.take(who, null);
  return it;
};

describe('a bot that has answered since its caller died', () => {
  test('is not called again', async () => {
    const it = await stageDead({ answeredSince: true });
    await it.run();
    expect(it.asked).toEqual([]);
    expect(told(it)).toEqual([]);
    expect(await stateOf(it)).toBe('sent');
  });

  test('is called when somebody runs the job again by hand', async () => {
    const it = await stageDead({ answeredSince: true });
    await it.run({ data: { ...it.job, failure: { unknown: false } } });
    expect(it.asked).toHaveLength(1);
  });

  test('and one that has not is called again', async () => {
    const it = await stageDead({});
    await it.run();
    expect(it.asked).toHaveLength(1);
  });
});

describe('the bot is asked', () => {
  test("with the platform's own request, a key for repeats and the number of the attempt", async () => {
    const it = await stage();
    await it.run({ data: { ...it.job, calls: 2 } });
    const [request] = it.asked;
    expect(request).toMatchObject({ method: 'POST', url: 'http://bot/wx?nonce=1', timeoutMs: 120_000 });
    expect(request?.body).toEqual(Buffer.from('<xml>ask</xml>'));
    expect(headerOf(request?.headers ?? [], 'Idempotency-Key')).toBe(it.job.key);
    expect(headerOf(request?.headers ?? [], 'X-Keeptyping-Attempt')).toBe('3');
  });

  test('and when the process has to stop meanwhile, nothing is told: the job goes back, for anybody', async () => {
    const it = await stage({ bot: hanging });
    const running = failureOf(it.run());
    await expect.poll(() => it.asked.length).toBe(1);
    await it.owned.stop(0);
    expect(await running).toBeInstanceOf(PutBack);
    expect(told(it)).toEqual([]);
    expect(await deliveries.standing(it.id)).toEqual({ state: null, owner: null });
  });

  test.each(['no account', 'no bot'] as const)('unless there is %s any more', async (configured) => {
    const it = await stage({ configured });
    const failure = await failureOf(it.run());
    expect(failure).toBeInstanceOf(UnrecoverableError);
    expect(failure.message).toBe(
      'The account wechat/shop has no bot any more: configure it and run the job again.',
    );
    expect(it.asked).toEqual([]);
  });
});

describe('an answer with a message', () => {
  test('ends each turn, then goes back on the held connection', async () => {
    const it = await stage({ users: 2, holder: 'claims' });
    await it.run();
    expect(told(it)).toEqual([
      '0 ended passive-reply with a message',
      '1 ended passive-reply with a message',
    ]);
    expect(await stateOf(it)).toBe('inline');
    expect(it.platform.sent).toEqual([]);
  });

  test.each([undefined, 'gone'] as const)(
    'goes through the API at once where nobody can write it (%s)',
    async (holder) => {
      const it = await stage(holder ? { holder } : {});
      await it.run();
      expect(it.platform.sent).toEqual([{ user: it.job.user, body: '<xml>你好</xml>' }]);
      expect(it.clock.slept).toEqual([]);
      expect(await stateOf(it)).toBe('sent');
    },
  );

  test('goes through the API when the holder does not claim it within 500 ms', async () => {
    const it = await stage({ holder: 'deaf' });
    await it.run();
    expect(it.platform.sent).toHaveLength(1);
    expect(it.clock.slept.reduce((sum, ms) => sum + ms, 0)).toBe(500);
  });

  test.each([
    ['the repeat that comes', 'fetches', 'inline'],
    ['none', 'does not come', 'sent'],
  ] as const)('of an account that may not send waits for %s', async (_, repeat, state) => {
    const it = await stage({ isMute: true });
    let looks = 0;
    it.clock.sleep = async (ms) => {
      it.clock.slept.push(ms);
      looks += 1;
      if (repeat === 'fetches' && looks === 20) await held(it.id, it.clock.now());
    };
    await it.run();
    expect(await stateOf(it)).toBe(state);
    expect(it.platform.sent).toHaveLength(state === 'sent' ? 1 : 0);
    // What the platform has accepted shows that it may send.
    expect(it.learned.isMute(it.platform)).toBe(state === 'inline');
    expect(it.clock.slept.reduce((sum, ms) => sum + ms, 0)).toBe(repeat === 'fetches' ? 5000 : 6000);
  });

  test('claimed just when the worker gives the holder up is not sent as well', async () => {
    const it = await stage({ holder: 'late' });
    await it.run();
    expect(it.platform.sent).toEqual([]);
    expect(await stateOf(it)).toBe('inline');
  });

  test('goes through the API when the hold is over', async () => {
    const it = await stage({ holder: 'claims' });
    it.clock.set(it.clock.now() + 4500);
    await it.run();
    expect(it.platform.sent).toHaveLength(1);
  });
});

const waiting: State = {
  ...initialState,
  turns: [newTurn({ id: 'other', openedAt: 1, sentAt: 0, phase: 'working' })],
};

describe('while a late answer is sent', () => {
  test('nothing of ours begins; what says that it is out ends that', async () => {
    const it = await stage({ block: 'the-block' });
    await it.run();
    expect(told(it).at(-1)).toBe('0 interaction');
    expect(it.events.released).toEqual(['the-block']);
  });

  test('a compressed one is sent as it reads, one that nobody can read not at all', async () => {
    const encoded = (body: Uint8Array, encoding: string): Answer => ({
      ...message,
      headers: [...message.headers, ['Content-Encoding', encoding]],
      body,
    });
    const it = await stage({ bot: encoded(gzipSync(message.body), 'gzip') });
    await it.run();
    expect(it.platform.sent.map(({ body }) => Buffer.from(body))).toEqual([Buffer.from(message.body)]);
    const unreadable = await stage({ bot: encoded(message.body, 'compress') });
    expect((await failureOf(unreadable.run())).message).toContain('Content-Encoding');
    expect(unreadable.platform.sent).toEqual([]);
  });

  test.each([
    { is: 'refused', code: 45047, reason: 'too many', mayNotSend: false },
    { is: 'impossible', reason: 'a kind without a counterpart' },
    { is: 'unknown', cause: 'a timeout' },
  ] as const)('and what was not sent ends it too: $is', async (sendLate) => {
    const it = await stage({ block: 'the-block', sendLate });
    await failureOf(it.run());
    expect(it.events.released).toEqual(['the-block']);
  });
});

const secondWaits: Options['stateAfter'] = ({ user }) => (user.endsWith('-1') ? waiting : initialState);

describe('what is out', () => {
  test('to the holder is an interaction of every user as soon as one of them waits for something', async () => {
    const it = await stage({ users: 2, holder: 'claims', stateAfter: secondWaits });
    await it.run();
    expect(told(it).slice(2)).toEqual(['0 interaction', '1 interaction']);
  });

  test('to the holder is none where nobody waits for anything any more', async () => {
    const it = await stage({ users: 2, holder: 'claims' });
    await it.run();
    expect(told(it).slice(2)).toEqual([]);
  });

  const ways = [
    ['to the holder', 'claims', false],
    ['to the holder at the last moment', 'late', false],
    ['past a deaf holder', 'deaf', true],
    ['without a holder', undefined, true],
  ] as const;

  test.each(ways)('%s: a message is an interaction where another turn is open', async (_, holder, sent) => {
    const it = await stage({ stateAfter: () => waiting, ...(holder ? { holder } : {}) });
    await it.run();
    expect(told(it)).toEqual(['0 ended passive-reply with a message', '0 interaction']);
    expect(it.events.told[1]?.event).toMatchObject({ sent });
  });

  test.each(ways)('%s: it is one where nobody can say whether one is', async (_, holder) => {
    const it = await stage({ stateAfter: () => null, ...(holder ? { holder } : {}) });
    await it.run();
    expect(told(it).slice(1)).toEqual(['0 interaction']);
  });

  test.each(ways)('%s: a bare acknowledgement is none', async (_, holder) => {
    const how = { answer: 'acknowledgement', stateAfter: () => waiting } as const;
    const it = await stage({ ...how, ...(holder ? { holder } : {}) });
    await it.run();
    expect(told(it)).toEqual(['0 acknowledged']);
    expect(await stateOf(it)).toBe(holder === 'claims' || holder === 'late' ? 'inline' : 'sent');
  });

  test.each([
    ['sent late', undefined, true],
    ['taken by the holder', 'claims', false],
  ] as const)('is one though its push opened no turn, %s', async (_, holder, sent) => {
    const it = await stage(holder ? { holder } : {});
    await it.run({ data: { ...it.job, turns: [] } });
    expect(it.events.told).toMatchObject([{ user: it.job.user, event: { is: 'interaction', sent } }]);
  });

  test('of an account that may not send: a bare acknowledgement waits for no repeat, and is no interaction', async () => {
    const it = await stage({ answer: 'acknowledgement', isMute: true, stateAfter: () => waiting });
    await it.run();
    expect(it.clock.slept).toEqual([]);
    expect(told(it)).toEqual(['0 acknowledged']);
    expect(await stateOf(it)).toBe('sent');
  });
});

describe('a bare acknowledgement', () => {
  test('moves each turn on, and goes back on the held connection', async () => {
    const it = await stage({ answer: 'acknowledgement', users: 2, holder: 'claims' });
    await it.run();
    expect(told(it)).toEqual(['0 acknowledged', '1 acknowledged']);
    expect(await stateOf(it)).toBe('inline');
  });

  test('has nothing to send late', async () => {
    const it = await stage({ answer: 'acknowledgement' });
    await it.run();
    expect(it.platform.sent).toEqual([]);
    expect(await stateOf(it)).toBe('sent');
  });

  test('of a platform whose webhook answers hold no messages sends nothing', async () => {
    const it = await stage({ channel: 'nxcloud', answer: 'acknowledgement', sendLate: 'absent' });
    await it.run();
    expect(told(it)).toEqual(['0 acknowledged']);
    expect(it.platform.sent).toEqual([]);
    expect(await stateOf(it)).toBe('sent');
  });
});

describe('a bot that fails', () => {
  const verdicts: [how: string, retry: BotRetry, calls: number, bot: Answer | NoAnswer][] = [
    ['a refused connection', 'safe', 3, refused],
    ['502', 'safe', 3, answerOf('', 502)],
    ['503', 'safe', 3, answerOf('', 503)],
    ['500', 'safe', 1, answerOf('', 500)],
    ['504', 'safe', 1, answerOf('', 504)],
    ['404', 'safe', 1, answerOf('', 404)],
    ['a reset', 'safe', 1, reset],
    ['a timeout', 'safe', 1, timeout],
    ['a reset', 'always', 3, reset],
    ['500', 'always', 3, answerOf('', 500)],
    ['504', 'always', 3, answerOf('', 504)],
    ['404', 'always', 1, answerOf('', 404)],
    ['a timeout', 'always', 1, timeout],
    ['a refused connection', 'never', 1, refused],
    ['503', 'never', 1, answerOf('', 503)],
  ];

  test.each(verdicts)('by %s, BOT_RETRY=%s: is called %i times', async (_, retry, calls, bot) => {
    const it = await stage({ bot, retry });
    expect(await failureOf(it.run())).toBeInstanceOf(UnrecoverableError);
    const attempts = it.asked.map(({ headers }) => headerOf(headers, 'X-Keeptyping-Attempt'));
    expect(attempts).toEqual(['1', '2', '3'].slice(0, calls));
    expect(it.clock.slept).toEqual([1_000, 1_000].slice(0, calls - 1));
    expect(told(it)).toEqual(['0 ended reply-failed']);
    expect(await stateOf(it)).toBe('failed');
  });

  test('with a 502 after a while is not called again: it may be at it still', async () => {
    const it = await stage({
      bot: async () => {
        it.clock.pass(30_000);
        return answerOf('', 502);
      },
    });
    await failureOf(it.run());
    expect(it.asked).toHaveLength(1);
  });

  test('and answers at the next call has answered', async () => {
    const answers = [answerOf('', 503), message];
    const it = await stage({ bot: async () => answers.shift() ?? answerOf('', 500) });
    await it.run();
    expect(told(it)[0]).toBe('0 ended passive-reply with a message');
    expect(it.platform.sent).toHaveLength(1);
  });

  test('for good ends each turn without a message, and says why without the bot’s words', async () => {
    const it = await stage({ bot: answerOf('secret', 503), users: 2 });
    const failure = await failureOf(it.run());
    expect(failure.message).toBe('The bot at http://bot/wx answered with status 503');
    expect(told(it)).toEqual(['0 ended reply-failed', '1 ended reply-failed']);
    expect(it.platform.sent).toEqual([]);
  });

  test('without a word says what kept it', async () => {
    const it = await stage({ bot: refused });
    expect((await failureOf(it.run())).message).toBe(
      'The bot at http://bot/wx did not answer: connection refused (ECONNREFUSED)',
    );
  });

  test.each([
    ['its own failure', answerOf('Internal Server Error', 500), 500],
    ['a 502 where it said nothing', timeout, 502],
  ] as const)('shows %s on the held connection', async (_, bot, status) => {
    const shown: (Answer | null)[] = [];
    const it = await stage({ bot, holder: 'deaf' });
    it.notify = async (name) => shown.push(await deliveries.claim(it.id, name));
    await failureOf(it.run());
    expect(shown.map((answer) => answer?.status)).toEqual([status]);
  });

  test('leaves nothing that could be sent to the user by hand: the bot would be asked again', async () => {
    const it = await stage({ bot: answerOf('Internal Server Error', 500) });
    await failureOf(it.run());
    expect(await answerOn(it)).toBeNull();
    expect(it.noted).toMatchObject([{ failure: { unknown: false } }]);
    expect(it.noted[0]).not.toHaveProperty('answer');
  });
});

/** A push whose owner, a web or another worker, died in that state. */
async function interrupted(state: DeliveryState, options: Options = {}): Promise<Stage> {
  const it = await stage(options);
  const who = { id: it.id, owner: 'p9.t1' };
  const now = it.clock.now();
  await deliveries.take({ ...who, now, leaseUntil: now, insurance: it.job }, null);
  if (state === 'offered') await deliveries.offer(who, message);
  if (state === 'inline') await deliveries.write(who, 60_000);
  if (state === 'sending') await deliveries.send(who, now, null);
  if (state === 'sent' || state === 'failed' || state === 'unknown')
    await deliveries.settle(it.id, { state, why: 'the reason', repeats: 60_000 });
  expect(await stateOf(it)).toBe(state);
  return it;
}

describe('a job whose push somebody had', () => {
  test('who is silent: the bot is called again, and its answer delivered', async () => {
    const it = await interrupted('direct');
    await it.run();
    expect(headerOf(it.asked[0]?.headers ?? [], 'X-Keeptyping-Attempt')).toBe('2');
    expect(it.platform.sent).toHaveLength(1);
    expect(await stateOf(it)).toBe('sent');
  });

  test('who may still be at it waits until the lease has run out', async () => {
    const it = await stage();
    const now = it.clock.now();
    const who = { id: it.id, owner: 'p9.t1', now, leaseUntil: now + 7_000, insurance: it.job };
    await deliveries.take(who, null);
    const put = await failureOf(it.run());
    expect(put).toBeInstanceOf(PutBack);
    expect(put instanceof PutBack && put.waitMs).toBeCloseTo(7_000, -2);
    expect(it.asked).toEqual([]);
  });

  test('when its answer was offered: it is delivered, and the bot is not asked again', async () => {
    const it = await interrupted('offered');
    await it.run();
    expect(it.asked).toEqual([]);
    expect(told(it)).toEqual(['0 interaction']);
    expect(it.platform.sent.map(({ body }) => body)).toEqual([textOf(message.body)]);
    expect(await stateOf(it)).toBe('sent');
  });

  test('when what was offered cannot be read: the bot is asked again, and its answer sent once', async () => {
    const it = await interrupted('offered');
    await redis.hset(keys.delivery(it.id), 'answer', '{"status":');
    await it.run();
    expect(it.asked).toHaveLength(1);
    expect(it.platform.sent.map(({ body }) => body)).toEqual([textOf(message.body)]);
    await it.run();
    expect(it.platform.sent).toHaveLength(1);
  });

  test('when another one may still be sending: it waits, and asks nobody', async () => {
    const it = await interrupted('sending');
    it.clock.pass(5_000);
    const put = await failureOf(it.run());
    expect(put instanceof PutBack && put.waitMs).toBeCloseTo(15_000, -2);
    expect(it.asked).toEqual([]);
    expect(await stateOf(it)).toBe('sending');
  });

  test('when it died while it sent: nobody knows, and it is not sent again', async () => {
    const it = await interrupted('sending');
    it.clock.pass(20_000);
    const failure = await failureOf(it.run());
    expect(failure).toBeInstanceOf(UnrecoverableError);
    expect(failure.message).toMatch(/^outcome unknown/);
    expect(it.noted).toMatchObject([{ failure: { unknown: true } }]);
    expect([it.asked, it.platform.sent]).toEqual([[], []]);
    expect(await stateOf(it)).toBe('unknown');
  });

  test.each(['failed', 'unknown'] as const)(
    'when it was %s: it fails with that reason and the answer, until reopened',
    async (state) => {
      const it = await interrupted(state);
      const data = { ...it.job, answer: storeAnswer(message) };
      const failure = await failureOf(it.run({ data }));
      expect(failure.message).toBe('the reason');
      expect(it.noted).toMatchObject([
        { answer: storeAnswer(message), failure: { unknown: state === 'unknown' } },
      ]);
      expect([it.asked, it.platform.sent]).toEqual([[], []]);
      await deliveries.reopen(it.id);
      await it.run();
      expect(it.asked).toEqual([]);
      expect(it.platform.sent).toHaveLength(1);
    },
  );

  test.each(['inline', 'sent'] as const)('when it was %s: nothing', async (state) => {
    const it = await interrupted(state);
    await it.run();
    expect([it.asked, told(it), it.platform.sent]).toEqual([[], [], []]);
    expect(await stateOf(it)).toBe(state);
  });

  test('so long ago that its record may be gone: nobody knows, and the bot is not asked', async () => {
    const it = await stage();
    const data = { ...it.job, arrivedAt: it.clock.now() - 10 * 60_000 };
    expect((await failureOf(it.run({ data }))).message).toMatch(/^outcome unknown/);
    expect(it.asked).toEqual([]);
    await it.run({ data: { ...data, calls: 1 } });
    expect(it.asked).toHaveLength(1);
  });

  test('when Redis has just come back: it waits for what others have learned meanwhile', async () => {
    const it = await stage({ back: 1_000 });
    const put = await failureOf(it.run());
    expect(put instanceof PutBack && put.waitMs).toBeCloseTo(2_000, -2);
    expect(await stateOf(it)).toBeNull();
  });
});

describe('what becomes of an answer that is sent late', () => {
  const failures: [LateSend, DeliveryState, string][] = [
    [
      { is: 'refused', code: 45015, reason: 'response out of time limit', mayNotSend: false },
      'failed',
      'The platform refused the answer with 45015: response out of time limit',
    ],
    [
      { is: 'impossible', reason: 'transfer_customer_service has no late form.' },
      'failed',
      'The answer cannot be sent late: transfer_customer_service has no late form.',
    ],
    [{ is: 'unknown', cause: 'ECONNRESET' }, 'unknown', 'outcome unknown: ECONNRESET'],
  ];

  test.each(failures)('$is: fails for good, and is kept', async (sendLate, state, reason) => {
    const it = await stage({ sendLate, users: 2 });
    const failure = await failureOf(it.run());
    expect(failure).toBeInstanceOf(UnrecoverableError);
    expect(failure.message).toBe(reason);
    expect(await stateOf(it)).toBe(state);
    // The job has it, for whoever runs it again; the record does not.
    expect(await answerOn(it)).toBeNull();
    expect(it.noted).toMatchObject([
      { answer: storeAnswer(message), failure: { unknown: state === 'unknown' } },
    ]);
    expect(told(it).slice(2)).toEqual(['0 undelivered', '1 undelivered']);
    expect(it.learned.isMute(it.platform)).toBe(false);
  });

  test('refused because the account may not send: it is taken for mute for an hour', async () => {
    const sendLate = { is: 'refused', code: 48001, reason: 'api unauthorized', mayNotSend: true } as const;
    const it = await stage({ sendLate });
    await failureOf(it.run());
    it.clock.pass(3_600_000 - 1);
    expect(it.learned.isMute(it.platform)).toBe(true);
    it.clock.pass(1);
    expect(it.learned.isMute(it.platform)).toBe(false);
  });

  test('not sent: it is tried again, without the bot, and fails with the last try', async () => {
    const it = await stage({ sendLate: { is: 'not-sent', cause: 'ECONNREFUSED' } });
    const failure = await failureOf(it.run());
    expect(failure.message).toBe('The answer was not sent: ECONNREFUSED');
    expect(it.asked).toHaveLength(1);
    expect(it.platform.sent).toHaveLength(3);
    expect(it.clock.slept).toEqual([1_000, 1_000]);
    expect(told(it)).toEqual(['0 ended passive-reply with a message', '0 undelivered']);
    expect(await stateOf(it)).toBe('failed');
  });

  test('met by a minute’s quota: it is tried again in the next minute, and nobody takes the sender for dead', async () => {
    const sends: LateSend[] = [{ is: 'not-sent', cause: '45011', perMinute: true }, { is: 'sent' }];
    const it = await stage({ sendLate: () => sends.shift() ?? { is: 'sent' }, block: 'the-block' });
    // 20 s past a minute.
    it.clock.set(Math.floor(noon / 60_000) * 60_000 + 20_000);
    const { sleep } = it.clock;
    const seen: unknown[] = [];
    it.clock.sleep = async (ms, signal) => {
      const asked = { id: it.id, owner: 'job:j2:p9.w1', same: 'job:j2:', now: it.clock.now() };
      seen.push(await deliveries.takeOver({ ...asked, leaseUntil: it.clock.now() + 15_000 }));
      await sleep(ms, signal);
    };
    const began = it.clock.now();
    await it.run();
    expect(it.clock.slept).toEqual([41_000]);
    expect(seen).toMatchObject([{ is: 'sending', since: began + 41_000 }]);
    // What kept typing away while it was sent does not while it waits.
    expect(told(it).slice(1)).toEqual(['0 unblocked', '0 interaction']);
    expect(it.platform.sent).toHaveLength(2);
    expect(await stateOf(it)).toBe('sent');
  });

  test('met by a minute’s quota as the process stops: another one sends it, and the bot is not called again', async () => {
    const sends: LateSend[] = [{ is: 'not-sent', cause: '45011', perMinute: true }];
    const it = await stage({ sendLate: () => sends.shift() ?? { is: 'sent' } });
    const { sleep } = it.clock;
    const sleeping = sleepUntilAborted(it.clock);
    const running = failureOf(it.run());
    await sleeping;
    await it.owned.stop(0);
    expect((await running).message).toBe('put back');
    expect(it.platform.sent).toHaveLength(1);
    expect(await stateOf(it)).toBeNull();
    expect(told(it).filter((each) => each.includes('failed'))).toEqual([]);
    it.clock.sleep = sleep;
    const next = await stage({ key: it.job.key });
    await next.run({ data: it.noted.at(-1) ?? it.job });
    expect(next.asked).toEqual([]);
    expect(next.platform.sent).toHaveLength(1);
    expect(await stateOf(next)).toBe('sent');
  });

  test('a push that names no user has nobody to send to', async () => {
    const it = await stage();
    const failure = await failureOf(it.run({ data: { ...it.job, user: null } }));
    expect(failure.message).toBe('The answer cannot be sent late: The push names no user.');
    expect(it.platform.sent).toEqual([]);
  });
});

const having =
  (sends: number): Options['stateAfter'] =>
  () => ({ ...initialState, sends });
const interactions = (it: Stage): number => told(it).filter((each) => each === '0 interaction').length;

/**
 * Others have lost the ends of long answers: https://github.com/w7corp/easywechat/issues/2742 and
 * https://github.com/w7corp/easywechat/issues/1383
 */
describe('an answer that goes in parts', () => {
  const shape = { isLateOnly: true, isLong: true };
  const whole = 1_000;

  /** Each message takes 300 of 1,000. `fates`: what becomes of the messages that do not go out, by where they begin. */
  function longAnswer(fates: Record<number, LateSend> = {}): { parts: LatePart[]; options: Options } {
    const parts: LatePart[] = [];
    const sendLate = (part: LatePart): LateSend => {
      parts.push(part);
      const fate = fates[part.from];
      if (fate) {
        delete fates[part.from];
        return fate;
      }
      const from = part.from + 300;
      return from < whole ? { is: 'sent', rest: { from, says: `${whole - from} of 1000` } } : { is: 'sent' };
    };
    return { parts, options: { shape, sendLate, stateAfter: () => initialState } };
  }

  test('is sent one after the other, and each of them takes the indicator away', async () => {
    const { parts, options } = longAnswer();
    const ways: string[] = [];
    const observe: Observe = (notice) => notice.is === 'delivery' && ways.push(notice.way);
    const it = await stage({ ...options, observe, block: 'the-block' });
    await it.run();
    expect(parts.map(({ from }) => from)).toEqual([0, 300, 600, 900]);
    expect(interactions(it)).toBe(4);
    expect(it.events.released).toHaveLength(4);
    expect(ways).toEqual(['sent']);
    expect(await stateOf(it)).toBe('sent');
    // Between them typing goes on; the last one ends the wait.
    const told = it.events.told.map(({ event }) => event.is).filter((is) => is !== 'unblocked');
    const last = ['ended', 'interaction'];
    expect(told).toEqual(['acknowledged', 'interaction', 'interaction', 'interaction', ...last]);
  });

  test('of which a part is refused ends the wait all the same', async () => {
    const refused = { is: 'refused', code: 45015, reason: 'too late', mayNotSend: false } as const;
    const it = await stage({ ...longAnswer({ 300: refused }).options, block: 'the-block' });
    await it.run().catch(() => {});
    expect(it.events.told.map(({ event }) => event.is)).toContain('ended');
  });

  test.each([
    [0, 4],
    [1, 3],
    [3, 1],
    [4, 1],
  ])('after %i sends takes %i at most: one is kept where it can be', async (sends, most) => {
    const { parts, options } = longAnswer();
    const it = await stage({ ...options, stateAfter: having(sends) });
    await it.run().catch(() => {});
    expect(parts.map((part) => part.most)).toEqual(Array.from({ length: most }, (_, n) => most - n));
  });

  test('that may not all go out fails with how much is left, and goes on there by hand', async () => {
    const { parts, options } = longAnswer();
    const it = await stage({ ...options, stateAfter: having(2) });
    expect((await failureOf(it.run())).message).toBe(
      'The platform allows no more messages until the user writes again: run the job again then. 400 of 1000 remain.',
    );
    expect(it.noted).toMatchObject([
      { answer: storeAnswer(message), sentUpTo: 600, failure: { unknown: false } },
    ]);
    expect(told(it)).not.toContain('0 undelivered');
    await deliveries.reopen(it.id);
    await it.run();
    expect(it.asked).toHaveLength(1);
    expect(parts.map(({ from }) => from)).toEqual([0, 300, 600, 900]);
  });

  test.each([
    [
      'an unknown outcome',
      { is: 'unknown', cause: 'ECONNRESET' },
      'outcome unknown: ECONNRESET. 700 of 1000 remain.',
    ],
    [
      'a refusal',
      { is: 'refused', code: 45047, reason: 'customer message count out of limit', mayNotSend: false },
      'The platform refused the answer with 45047: customer message count out of limit. 700 of 1000 remain.',
    ],
  ] as const)('is stopped by %s, and goes on there by hand', async (_, fate, reason) => {
    const { parts, options } = longAnswer({ 300: fate });
    const it = await stage(options);
    expect((await failureOf(it.run())).message).toBe(reason);
    expect(parts.map(({ from }) => from)).toEqual([0, 300]);
    expect(it.noted).toMatchObject([{ sentUpTo: 300, failure: { unknown: fate.is === 'unknown' } }]);
    expect(told(it)).not.toContain('0 undelivered');
    await deliveries.reopen(it.id);
    await it.run();
    expect(parts.slice(2).map(({ from }) => from)).toEqual([300, 600, 900]);
    expect(it.asked).toHaveLength(1);
  });

  test('whose process dies on the way goes on by hand where it stopped, without the bot', async () => {
    const { parts, options } = longAnswer();
    const it = await stage(options);
    const [now, who] = [it.clock.now(), { id: it.id, owner: 'p9.t1' }];
    await deliveries.take({ ...who, now, leaseUntil: now, insurance: it.job }, null);
    await deliveries.send(who, now, null);
    await deliveries.part(who, now, { answer: message, upTo: 600 });
    it.clock.pass(20_000);
    expect((await failureOf(it.run())).message).toMatch(/^outcome unknown/);
    expect(parts).toEqual([]);
    await deliveries.reopen(it.id);
    await it.run();
    expect(parts.map(({ from }) => from)).toEqual([600, 900]);
    expect(it.asked).toEqual([]);
  });

  test('stops when another process has its delivery', async () => {
    const { parts, options } = longAnswer();
    const it = await stage(options);
    it.makeWay = async () => {
      await deliveries.settle(it.id, { state: 'unknown', repeats: 60_000 });
      return null;
    };
    await it.run();
    expect(parts).toHaveLength(1);
    expect(await stateOf(it)).toBe('unknown');
  });

  test('leaves the connection to an acknowledgement: the platform would show nothing of it there', async () => {
    const { parts, options } = longAnswer();
    const it = await stage(options);
    const given: string[] = [];
    it.holds = { waits: () => true, give: async (_, { body }) => given.push(textOf(body)) > 0 };
    await it.run();
    expect(given).toEqual(['success']);
    expect(parts).toHaveLength(4);
    expect(await stateOf(it)).toBe('sent');
  });
});

function lone(clock = handClock()): Shares {
  return createShares({ places: 1_000, reserve: 0, accounts: () => 1, clock });
}

describe('an account whose jobs fill its places', () => {
  test('has the next ones come again, the later the more there are', async () => {
    const clock = handClock();
    const shares = lone(clock);
    const it = await stage({ shares, concurrency: 1 });
    shares.enter(it.job);
    expect(await failureOf(it.run({ job: 'a' }))).toMatchObject({ waitMs: expect.closeTo(100, -2) });
    clock.pass(1_000);
    expect(await failureOf(it.run({ job: 'b' }))).toMatchObject({ waitMs: expect.closeTo(2_000, -2) });
    expect(it.asked).toEqual([]);
  });

  test('is told of a job’s wait once, when it has found its place', async () => {
    const lags: Notice[] = [];
    const shares = lone();
    const observe: Observe = (notice) => notice.is === 'lag' && lags.push(notice);
    const it = await stage({ shares, concurrency: 1, observe });
    const data = { ...it.job, arrivedAt: it.clock.now() };
    const leave = shares.enter(it.job);
    await failureOf(it.run({ data }));
    await failureOf(it.run({ data }));
    leave();
    it.clock.set(it.clock.now() + 700);
    await it.run({ data });
    expect(lags).toMatchObject([{ queue: 'replies', ms: 700 }]);
  });

  test('takes the next one when a place is free, whatever became of the one before', async () => {
    const shares = lone();
    const failing = await stage({ shares, concurrency: 1, bot: answerOf('', 500) });
    await failureOf(failing.run());
    const it = await stage({ shares, concurrency: 1 });
    await it.run();
    expect(it.asked).toHaveLength(1);
    expect(shares.isCrowded(it.job, 1)).toBe(false);
  });
});
