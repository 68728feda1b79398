import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BotRetry } from '../../src/core/bot.ts';
import type { Notice, Observe } from '../../src/core/notice.ts';
import type { LateSend } from '../../src/core/platform.ts';
import { initialState } from '../../src/core/state.ts';
import { newTurn } from '../../src/core/turns.ts';
import { type Answer, headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { keys } from '../../src/redis/keys.ts';
import { createDeliveries, type Deliveries, type DeliveryState } from '../../src/replies/delivery.ts';
import { reply } from '../../src/replies/reply.ts';
import { deliveryId, type ReplyDeps, ReplyFailed, type ReplyRun } from '../../src/replies/run.ts';
import { type ReplyJob, storePush } from '../../src/typing/jobs.ts';
import { createLearned } from '../../src/typing/learned.ts';
import { createShares, type Shares } from '../../src/typing/shares.ts';
import { createStore } from '../../src/typing/store.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import { answerOf, atMost, type RecordedEvents, recordEvents, textOf } from '../support/queue-fakes.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let deliveries: Deliveries;

beforeAll(async () => {
  server = await startRedis('embedded');
  deliveries = createDeliveries(server.connect());
});
afterAll(() => server.stop());

const message = answerOf('<xml>你好</xml>');
const refused = new NoAnswer('ECONNREFUSED', { begun: false });
const reset = new NoAnswer('ECONNRESET', { begun: true });
const timeout = new NoAnswer('no answer within 120000 ms', { begun: true, timedOut: true });

interface Stage extends ReplyDeps {
  clock: HandClock;
  events: RecordedEvents;
  platform: ScriptedPlatform;
  /** What the bot was asked. */
  asked: OutboundRequest[];
  job: ReplyJob;
  id: string;
  run: (changes?: Partial<ReplyRun>) => Promise<void>;
}

interface Options extends Scripted {
  bot?: Answer | NoAnswer;
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
}

let pushes = 0;

async function stage(options: Options = {}): Promise<Stage> {
  const { bot = message, retry = 'safe', users = 1, holder, configured } = options;
  const clock = handClock();
  const redis = server.connect();
  const platform = scriptedPlatform(options);
  const asked: OutboundRequest[] = [];
  const key = `key-${(pushes += 1)}`;
  const turns = Array.from({ length: users }, (_, n) => ({
    user: `openid-${key}-${n}`,
    turn: `${key}-${n}`,
  }));
  const push = { method: 'POST', rawQuery: 'nonce=1', headers: [], body: Buffer.from('<xml>ask</xml>') };
  const job = {
    channel: platform.channel,
    account: platform.account,
    key,
    user: turns[0]?.user ?? null,
    turns,
    push: storePush(push),
  };
  const id = deliveryId(job);
  const events = recordEvents();
  const take = async (offered: string, at: number): Promise<boolean> => {
    if (holder === 'late') await deliveries.claim(offered, 'web.1');
    return deliveries.take(offered, at);
  };
  const deps: ReplyDeps = {
    deliveries: { ...deliveries, take },
    events,
    store: createStore(redis),
    learned: createLearned({ redis, clock, log: recordLog(), isAuto: () => false }),
    clock,
    log: recordLog(),
    shares: options.shares ?? atMost(1_000),
    observe: options.observe,
    send: async (request) => {
      asked.push(request);
      if (bot instanceof NoAnswer) throw bot;
      return bot;
    },
    makeWay: async () => options.block ?? null,
    notify: async (name, offered) => {
      if (holder === 'gone') return 0;
      if (holder === 'claims') await deliveries.claim(offered, name);
      return 1;
    },
    platformOf: () => (configured === 'no account' ? null : platform),
    botOf: () =>
      configured === 'no bot'
        ? null
        : { url: 'http://bot/wx', timeoutMs: 120_000, retry, concurrency: options.concurrency ?? null },
  };
  if (holder) await deliveries.hold(id, 'web.1', clock.now() + 4500);
  const run = (changes: Partial<ReplyRun> = {}): Promise<void> =>
    reply(deps, {
      job: 'j1',
      data: job,
      attempt: 1,
      last: false,
      signal: new AbortController().signal,
      ...changes,
    });
  return Object.assign(deps, { clock, events, platform, asked, job, id, run });
}

/** `user-0 ended passive-reply`: what the typing queue was told. */
function told({ events }: Stage): string[] {
  return events.told.map(({ user, event }) => {
    const by = event.is === 'ended' ? ` ${event.by}${event.message ? ' with a message' : ''}` : '';
    return `${user.slice(user.lastIndexOf('-') + 1)} ${event.is}${by}`;
  });
}

const stateOf = async ({ id }: Stage): Promise<DeliveryState | null> => (await deliveries.standing(id)).state;

/** The error that the run ends with. */
async function failureOf(running: Promise<void>): Promise<Error> {
  const error: unknown = await running.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof Error)) throw new Error('the run did not fail');
  return error;
}

describe('the bot is asked', () => {
  test("with the platform's own request, a key for repeats and the number of the attempt", async () => {
    const it = await stage();
    await it.run({ attempt: 3 });
    const [request] = it.asked;
    expect(request).toMatchObject({ method: 'POST', url: 'http://bot/wx?nonce=1', timeoutMs: 120_000 });
    expect(request?.body).toEqual(Buffer.from('<xml>ask</xml>'));
    expect(headerOf(request?.headers ?? [], 'Idempotency-Key')).toBe(it.job.key);
    expect(headerOf(request?.headers ?? [], 'X-Keeptyping-Attempt')).toBe('3');
  });

  test('and when the process has to stop meanwhile, nothing is told: the job goes back', async () => {
    const it = await stage({ bot: reset });
    const stopping = AbortSignal.abort(new Error('the process stops'));
    expect(await failureOf(it.run({ signal: stopping }))).toBe(stopping.reason);
    expect(told(it)).toEqual([]);
    expect(await stateOf(it)).toBeNull();
  });

  test.each(['no account', 'no bot'] as const)('unless there is %s any more', async (configured) => {
    const it = await stage({ configured });
    const failure = await failureOf(it.run());
    expect(failure).toBeInstanceOf(ReplyFailed);
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
    expect(await deliveries.standing(it.id)).toMatchObject({ state: 'inline', answer: message });
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
    const it = await stage();
    await it.learned.mute(it.platform);
    let looks = 0;
    it.clock.sleep = async (ms) => {
      it.clock.slept.push(ms);
      looks += 1;
      if (repeat === 'fetches' && looks === 20) await deliveries.hold(it.id, 'web.2', it.clock.now());
    };
    await it.run();
    expect(await stateOf(it)).toBe(state);
    expect(it.platform.sent).toHaveLength(state === 'sent' ? 1 : 0);
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

/** The other open turn of the job's user, as the typing queue keeps it; `its own`: the one that the bot has acknowledged. */
async function openTurn(it: Stage, whose: 'another' | 'its own', n = 0): Promise<void> {
  const { user, turn } = it.job.turns[n] ?? { user: '', turn: '' };
  const open = { openedAt: 1, sentAt: 0 } as const;
  const opened =
    whose === 'another'
      ? newTurn({ ...open, id: 'other', phase: 'working' })
      : newTurn({ ...open, id: turn, phase: 'acknowledged' });
  const to = { ...initialState, turns: [opened] };
  await it.store.save({ channel: 'wechat', account: 'shop', user }, { from: null, to, keepMs: 60_000 });
}

describe('while a late answer is sent', () => {
  test('nothing of ours begins; what says that it is out ends that', async () => {
    const it = await stage({ block: 'the-block' });
    await it.run();
    expect(told(it).at(-1)).toBe('0 interaction');
    expect(it.events.released).toEqual(['the-block']);
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

describe('what is out', () => {
  test('counts as an interaction where another turn is open, and only there', async () => {
    const it = await stage({ users: 2, holder: 'claims' });
    await openTurn(it, 'another', 1);
    await it.run();
    expect(told(it).slice(2)).toEqual(['1 interaction']);
  });

  const ways = [
    ['to the holder', 'claims'],
    ['to the holder at the last moment', 'late'],
    ['past a deaf holder', 'deaf'],
    ['without a holder', undefined],
  ] as const;
  const cases = ways.flatMap(([way, holder]) =>
    (['another', 'its own'] as const).map((whose) => ({ way, holder, whose })),
  );

  test.each(cases)('$way: a message is an interaction of $whose turn', async ({ holder, whose }) => {
    const it = await stage(holder ? { holder } : {});
    await openTurn(it, whose);
    await it.run();
    expect(told(it)).toEqual(['0 ended passive-reply with a message', '0 interaction']);
  });

  test.each(cases)('$way: a bare acknowledgement is none of $whose turn', async ({ holder, whose }) => {
    const it = await stage({ answer: 'acknowledgement', ...(holder ? { holder } : {}) });
    await openTurn(it, whose);
    await it.run();
    expect(told(it)).toEqual(['0 acknowledged']);
    expect(await stateOf(it)).toBe(holder === 'claims' || holder === 'late' ? 'inline' : 'sent');
  });

  test.each([
    ['sent late', undefined, true],
    ['taken by the holder', 'claims', false],
  ] as const)('though its push opened no turn, %s', async (_, holder, sent) => {
    const it = await stage(holder ? { holder } : {});
    await openTurn(it, 'another');
    await it.run({ data: { ...it.job, turns: [] } });
    expect(it.events.told).toMatchObject([{ user: it.job.user, event: { is: 'interaction', sent } }]);
  });

  test('of an account that may not send: a bare acknowledgement waits for no repeat, and is no interaction', async () => {
    const it = await stage({ answer: 'acknowledgement' });
    await it.learned.mute(it.platform);
    await openTurn(it, 'another');
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

  test('of a platform whose webhook answers hold no messages leaves nothing behind', async () => {
    const it = await stage({ channel: 'nxcloud', answer: 'acknowledgement', sendLate: 'absent' });
    await it.run();
    expect(told(it)).toEqual(['0 acknowledged']);
    expect(await stateOf(it)).toBeNull();
  });
});

describe('a bot that fails', () => {
  const verdicts: [how: string, retry: BotRetry, verdict: 'again' | 'for good', bot: Answer | NoAnswer][] = [
    ['a refused connection', 'safe', 'again', refused],
    ['502', 'safe', 'again', answerOf('', 502)],
    ['503', 'safe', 'again', answerOf('', 503)],
    ['500', 'safe', 'for good', answerOf('', 500)],
    ['a reset', 'safe', 'for good', reset],
    ['a reset', 'always', 'again', reset],
    ['500', 'always', 'again', answerOf('', 500)],
    ['a timeout', 'always', 'for good', timeout],
    ['a refused connection', 'never', 'for good', refused],
  ];

  test.each(verdicts)('by %s, BOT_RETRY=%s: %s', async (_, retry, verdict, bot) => {
    const it = await stage({ bot, retry });
    const failure = await failureOf(it.run());
    expect(failure instanceof ReplyFailed).toBe(verdict === 'for good');
    expect(told(it)).toEqual(verdict === 'for good' ? ['0 ended reply-failed'] : []);
    expect(await stateOf(it)).toBe(verdict === 'for good' ? 'failed' : null);
  });

  test('at its last try fails for good, and each turn ends without a message', async () => {
    const it = await stage({ bot: refused, users: 2 });
    const failure = await failureOf(it.run({ last: true }));
    expect(failure).toBeInstanceOf(ReplyFailed);
    expect(failure.message).toBe('The bot did not answer: ECONNREFUSED');
    expect(told(it)).toEqual(['0 ended reply-failed', '1 ended reply-failed']);
    expect(it.platform.sent).toEqual([]);
  });

  test('shows its own failure on the held connection', async () => {
    const it = await stage({ bot: answerOf('Internal Server Error', 500), holder: 'claims' });
    const failure = await failureOf(it.run());
    expect(failure.message).toBe('The bot answered with status 500.');
    expect(await deliveries.standing(it.id)).toMatchObject({
      state: 'inline',
      answer: answerOf('Internal Server Error', 500),
    });
  });

  test('without any answer is a 502 on the held connection', async () => {
    const it = await stage({ bot: timeout, holder: 'claims' });
    await failureOf(it.run());
    expect((await deliveries.standing(it.id)).answer?.status).toBe(502);
  });

  test('leaves nothing that could be sent to the user by hand: the bot would be asked again', async () => {
    const it = await stage({ bot: answerOf('Internal Server Error', 500) });
    await failureOf(it.run());
    expect(await deliveries.standing(it.id)).toMatchObject({ state: 'failed', answer: null });
  });
});

/** A push whose run died in that state. */
async function interrupted(state: DeliveryState, options: Options = {}): Promise<Stage> {
  const it = await stage(options);
  if (state === 'direct') {
    await deliveries.forfeit(it.id);
    return it;
  }
  await deliveries.offer(it.id, message, it.clock.now());
  if (state === 'inline') await deliveries.hold(it.id, 'web.2', it.clock.now());
  if (state !== 'offered' && state !== 'inline') await deliveries.take(it.id, it.clock.now());
  if (state === 'sent' || state === 'failed' || state === 'unknown') await deliveries.settle(it.id, state);
  expect(await stateOf(it)).toBe(state);
  return it;
}

describe('a job that is run again', () => {
  test('when its answer was offered: it is delivered, and the bot is not asked again', async () => {
    const it = await interrupted('offered');
    await it.run({ attempt: 2 });
    expect(it.asked).toEqual([]);
    expect(told(it)).toEqual(['0 interaction']);
    expect(it.platform.sent.map(({ body }) => body)).toEqual([textOf(message.body)]);
    expect(await stateOf(it)).toBe('sent');
  });

  test('when what was offered cannot be read: the bot is asked again, and its answer sent once', async () => {
    const it = await interrupted('offered');
    await server.connect().hset(keys.delivery(it.id), 'answer', '{"status":');
    await it.run({ attempt: 2 });
    expect(it.asked).toHaveLength(1);
    expect(it.platform.sent.map(({ body }) => body)).toEqual([textOf(message.body)]);
    expect(await stateOf(it)).toBe('sent');
    await it.run({ attempt: 3 });
    expect(it.platform.sent).toHaveLength(1);
  });

  test('when another one may still be sending: it waits, and asks nobody', async () => {
    const it = await interrupted('sending');
    it.clock.set(it.clock.now() + 5000);
    expect(await failureOf(it.run({ attempt: 2 }))).toMatchObject({ name: 'Postponed', waitMs: 15_000 });
    expect(it.asked).toEqual([]);
    expect(await stateOf(it)).toBe('sending');
  });

  test('when it died while it sent: nobody knows, and it is not sent again', async () => {
    const it = await interrupted('sending');
    it.clock.set(it.clock.now() + 20_000);
    const failure = await failureOf(it.run({ attempt: 2 }));
    expect(failure).toBeInstanceOf(ReplyFailed);
    expect(failure.message).toMatch(/^outcome unknown/);
    expect(it.asked).toEqual([]);
    expect(it.platform.sent).toEqual([]);
    expect(await stateOf(it)).toBe('unknown');
  });

  test.each(['failed', 'unknown'] as const)(
    'when it was %s: it fails again, until reopened',
    async (state) => {
      const it = await interrupted(state);
      expect(await failureOf(it.run({ attempt: 2 }))).toBeInstanceOf(ReplyFailed);
      expect(it.asked).toEqual([]);
      expect(it.platform.sent).toEqual([]);
      expect(await stateOf(it)).toBe(state);
      await deliveries.reopen(it.id);
      await it.run({ attempt: 3 });
      expect(it.asked).toEqual([]);
      expect(it.platform.sent).toHaveLength(1);
    },
  );

  test.each(['inline', 'sent', 'direct'] as const)('when it was %s: nothing', async (state) => {
    const it = await interrupted(state);
    await it.run({ attempt: 2 });
    expect(it.asked).toEqual([]);
    expect(told(it)).toEqual([]);
    expect(it.platform.sent).toEqual([]);
    expect(await stateOf(it)).toBe(state);
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
    expect(failure).toBeInstanceOf(ReplyFailed);
    expect(failure.message).toBe(reason);
    expect(await deliveries.standing(it.id)).toMatchObject({ state, answer: message });
    expect(told(it).slice(2)).toEqual(['0 undelivered', '1 undelivered']);
    expect(it.learned.of(it.platform).muteUntil).toBe(0);
  });

  test('refused because the account may not send: it is taken for mute for an hour', async () => {
    const sendLate = { is: 'refused', code: 48001, reason: 'api unauthorized', mayNotSend: true } as const;
    const it = await stage({ sendLate });
    await failureOf(it.run());
    expect(it.learned.of(it.platform).muteUntil).toBe(it.clock.now() + 3_600_000);
  });

  test('not sent: another try delivers it without the bot, the last one fails', async () => {
    const it = await stage({ sendLate: { is: 'not-sent', cause: 'ECONNREFUSED' } });
    const first = await failureOf(it.run());
    expect(first).not.toBeInstanceOf(ReplyFailed);
    expect(await deliveries.standing(it.id)).toMatchObject({ state: 'offered', answer: message });
    expect(told(it)).toEqual(['0 ended passive-reply with a message']);
    const last = await failureOf(it.run({ attempt: 2, last: true }));
    expect(last).toBeInstanceOf(ReplyFailed);
    expect(last.message).toBe('The answer was not sent: ECONNREFUSED');
    expect(it.asked).toHaveLength(1);
    expect(it.platform.sent).toHaveLength(2);
    expect(told(it)).toEqual(['0 ended passive-reply with a message', '0 undelivered']);
    expect(await stateOf(it)).toBe('failed');
  });

  test('a push that names no user has nobody to send to', async () => {
    const it = await stage();
    const failure = await failureOf(it.run({ data: { ...it.job, user: null } }));
    expect(failure.message).toBe('The answer cannot be sent late: The push names no user.');
    expect(it.platform.sent).toEqual([]);
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
    expect(await failureOf(it.run({ job: 'a' }))).toMatchObject({ name: 'Postponed', waitMs: 100 });
    clock.set(clock.now() + 1_000);
    expect(await failureOf(it.run({ job: 'b' }))).toMatchObject({ name: 'Postponed', waitMs: 2_000 });
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
    await failureOf(failing.run({ last: true }));
    const it = await stage({ shares, concurrency: 1 });
    await it.run();
    expect(it.asked).toHaveLength(1);
    expect(shares.isCrowded(it.job, 1)).toBe(false);
  });
});
