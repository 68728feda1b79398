/** Pushes that webs have taken, on a Redis that is there, is away, or is full; and what other webs know of them. */
import { Queue, UnrecoverableError, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, headerOf, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { createHolds, type Hold, type Holds } from '../../src/http/holds.ts';
import { keys, queueNames } from '../../src/redis/keys.ts';
import { createOutbox, type Outbox } from '../../src/redis/outbox.ts';
import { createDeliveries, type Deliveries, processOf } from '../../src/replies/delivery.ts';
import type { ReplyQueue } from '../../src/replies/jobs.ts';
import { createOwned, type Owned } from '../../src/replies/owned.ts';
import { deliveryId } from '../../src/replies/run.ts';
import { createTurns, type Taken, type TakenPush, type Turns } from '../../src/replies/turns.ts';
import type { ReplyJob } from '../../src/typing/jobs.ts';
import { type HandClock, noon, patientClock, sleepUntilAborted } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { type Scripted, scriptedPlatform, type ScriptedPlatform } from '../support/platforms.ts';
import {
  answerOf,
  atMost,
  deferred,
  type RecordedEvents,
  recordEvents,
  textOf,
  noPressure,
} from '../support/queue-fakes.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const message = answerOf('<xml>你好</xml>');
const refusal = answerOf('Internal Server Error', 500);

/** The Redis of all webs of a test: it can be away, full, a replica, or do what it is asked and not be heard. */
interface Fault {
  is: 'none' | 'away' | 'full' | 'replica' | 'unheard';
}

const listeners = new WeakMap<Fault, (() => void)[]>();

/** Redis takes writes again. */
function mend(fault: Fault): void {
  fault.is = 'none';
  for (const listener of listeners.get(fault) ?? []) listener();
}

const refusals = {
  full: "OOM command not allowed when used memory > 'maxmemory'.",
  replica: "READONLY You can't write against a read only replica.",
} as const;

/** What webs ask of it. One that takes no writes can still be read. */
function failing(redis: Redis, fault: Fault): Deliveries {
  const refusal = (): string | null =>
    fault.is === 'full' || fault.is === 'replica' ? refusals[fault.is] : null;
  const through = async <Result>(ask: () => Promise<Result>): Promise<Result> => {
    const { is } = fault;
    const said = is === 'none' || is === 'unheard' ? await ask() : null;
    if (is === 'none') return said as Result;
    throw new Error(refusal() ?? 'Redis is away');
  };
  const deliveries = createDeliveries({
    evalsha: (...asked) => through(() => redis.evalsha(...asked)),
    eval: (...asked) => through(() => redis.eval(...asked)),
    zcount: (...asked) => redis.zcount(...asked),
    zrange: (...asked) => redis.zrange(...asked),
  });
  const reads = createDeliveries(redis);
  return {
    ...deliveries,
    standing: (id) => (refusal() === null ? deliveries.standing(id) : reads.standing(id)),
  };
}

interface Web {
  turns: Turns;
  holds: Holds;
  owned: Owned;
  outbox: Outbox;
  events: RecordedEvents;
  log: RecordedLog;
}

interface World {
  fault: Fault;
  clock: HandClock;
  platform: ScriptedPlatform;
  asked: OutboundRequest[];
  /** Its name is `p1`, `p2`…; `fault`: what its own way to Redis is like. */
  web: (over?: { places?: number; add?: ReplyQueue['add']; fault?: Fault }) => Web;
  /** It is gone without a word. */
  kill: (name: string) => void;
}

async function fail(): Promise<never> {
  throw new UnrecoverableError('The bot failed.');
}

type BotScript = (request: OutboundRequest) => Promise<Answer>;

/** The bot takes so long (ms). */
function after({ clock }: World, ms: number, answer: Answer): Answer {
  clock.pass(ms);
  return answer;
}

/** What came of a delivery of a push to a web. */
interface Came {
  became: Taken;
  hold: Hold;
  /** What its connection got; null: nothing by its end. */
  got: Promise<Answer | null>;
  /** The platform hangs up. */
  hangUp: () => void;
  /** What was to be brought late, each over in its time. */
  late: Promise<void>[];
}

const id = ({ platform, key }: TakenPush): string => deliveryId({ ...platform, key });

/** The platform delivers the push there, and waits for the answer. `writes`: whether it is still there then. */
async function come(web: Web, push: TakenPush, { writes = true } = {}): Promise<Came> {
  const hold = web.holds.open(id(push));
  const gone = deferred();
  const onClose = (leave: () => void): void => void gone.promise.then(leave);
  const brought: Promise<void>[] = [];
  const late = (): void => void brought.push(web.turns.bringLate(push, hold.name));
  const waiting = hold.wait({ limitMs: 60_000, onClose, late }).then(async (gift) => {
    gift?.written(writes);
    if (gift && !writes && gift.isOffered) await web.turns.bringLate(push, hold.name);
    return gift && writes ? gift.answer : null;
  });
  const became = await web.turns.take(push, { name: hold.name, until: push.arrivedAt + 6_000 });
  if (became.is !== 'waits') hold.close();
  const got = became.is === 'answer' ? Promise.resolve(became.answer) : waiting;
  return { became, hold, got, hangUp: () => gone.resolve(), late: brought };
}

const over = ({ became }: Came): Promise<boolean> =>
  became.is === 'waits' ? became.over : Promise.resolve(true);

const attempts = ({ asked }: World): (string | null)[] =>
  asked.map(({ headers }) => headerOf(headers, 'X-Keeptyping-Attempt'));

describe.each(await redisKinds())('on the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;
  let replies: Queue<ReplyJob>;
  let deliveries: Deliveries;
  const releases: (() => void)[] = [];

  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
    replies = new Queue(queueNames.replies, { connection: redis, prefix: keys.prefix });
    deliveries = createDeliveries(redis);
  });
  afterEach(async () => {
    for (const release of releases.splice(0)) release();
    await replies.obliterate({ force: true });
    await redis.del(keys.insured);
  });
  afterAll(async () => {
    await replies.close();
    await server.stop();
  });

  /** What a worker does with the jobs of what has failed. */
  async function failJobs(): Promise<void> {
    const connection = server.connect();
    const worker = new Worker(queueNames.replies, fail, { connection, prefix: keys.prefix });
    await expect.poll(() => replies.getJobCounts('wait', 'failed')).toMatchObject({ wait: 0, failed: 1 });
    await worker.close();
  }

  let worlds = 0;

  function openWorld(
    bot: BotScript = async () => message,
    script: Scripted = {},
    { isMute = false } = {},
  ): World {
    worlds += 1;
    const fault: Fault = { is: 'none' };
    listeners.set(fault, []);
    const clock = patientClock();
    const platform = scriptedPlatform(script);
    const asked: OutboundRequest[] = [];
    const webs = new Map<string, Web>();
    const of = (name: string): Web | undefined => webs.get(processOf(name));
    const send = (request: OutboundRequest): Promise<Answer> => {
      asked.push(request);
      const given = new Promise<never>((_, reject) => {
        request.signal?.addEventListener('abort', () => reject(new NoAnswer('aborted', { begun: true })));
      });
      return Promise.race([bot(request), given]);
    };
    const web: World['web'] = ({ places = 1_000, add, fault: own = fault } = {}) => {
      const name = `${worlds}-p${webs.size + 1}`;
      const log = recordLog();
      const health = {
        isAway: () => own.is === 'away',
        backFor: () => Infinity,
        onBack: (listener: () => void) => void listeners.get(fault)?.push(listener),
      };
      const outbox = createOutbox({ health, clock, log });
      const faulty = failing(redis, own);
      const owned = createOwned({ deliveries: faulty, outbox, clock, log });
      const holds = createHolds({ name, deliveries: faulty });
      const events = recordEvents();
      const turns = createTurns({
        deliveries: faulty,
        events,
        outbox,
        health,
        learned: { isMute: () => isMute, mute: async () => {}, switchOn: async () => {} },
        clock,
        log,
        holds,
        send,
        notify: async (holder) => {
          of(holder)?.holds.offered(holder);
          return of(holder) ? 1 : 0;
        },
        makeWay: async () => null,
        replies: { add: add ?? replies.add.bind(replies), remove: replies.remove.bind(replies) },
        owned,
        name,
        shares: atMost(places),
        pressure: noPressure,
        storedPushLimit: 1_000,
        askOwner: async (owner, { id: push, holder }) => {
          if (own.is === 'away') throw new Error('Redis is away');
          void of(owner)?.turns.repeat(push, holder);
          return of(owner) ? 1 : 0;
        },
      });
      const one = { turns, holds, owned, outbox, events, log };
      webs.set(name, one);
      releases.push(() => {
        void owned.stop(0);
        outbox.close();
      });
      return one;
    };
    return { fault, clock, platform, asked, web, kill: (name) => void webs.delete(`${worlds}-${name}`) };
  }

  /** A world with one web, and a push to it. */
  function openWithPush(...how: Parameters<typeof openWorld>): { world: World; push: TakenPush; web: Web } {
    const world = openWorld(...how);
    return { world, push: pushTo(world), web: world.web() };
  }

  /** Whether the account may send is in doubt; the bot works, and the platform has hung up. */
  async function openInDoubt() {
    const bot = deferred<Answer>();
    const opened = openWithPush(() => bot.promise, {}, { isMute: true });
    const first = await come(opened.web, opened.push);
    first.hangUp();
    return { ...opened, bot, first };
  }

  /** Two webs, and a push that the first one carries: its bot works, and the platform has hung up. */
  async function openWithTwo(own?: Fault) {
    const bot = deferred<Answer>();
    const world = openWorld(() => bot.promise);
    const push = pushTo(world);
    const [one, two] = [world.web(), world.web(own ? { fault: own } : {})];
    const first = await come(one, push);
    first.hangUp();
    return { bot, world, push, one, two, first };
  }

  /**
   * What the second one claims is carried out, and the word of that lost. `then`: what its way to Redis is like from
   * then on, and the first one's.
   */
  async function openClaimsUnheard(then: Fault['is'] = 'none', others: Fault['is'] = 'none') {
    const own: Fault = { is: 'none' };
    const opened = await openWithTwo(own);
    const { world, two } = opened;
    const offered = two.holds.offered.bind(two.holds);
    // Redis is to know the script: one that it does not know it does not carry out.
    await deliveries.claim('nobody', 'nobody');
    two.holds.offered = (holder) => {
      own.is = 'unheard';
      const was = offered(holder);
      own.is = then;
      world.fault.is = others;
      return was;
    };
    return { ...opened, own };
  }

  /** Redis has given the offered answer to a repeat's connection, or to several, and not been able to say so. */
  async function givenUnheard(repeats = 1) {
    const { bot, world, push, two, first } = await openWithTwo();
    const owner = (await deliveries.standing(id(push))).owner ?? '';
    await deliveries.offer({ id: id(push), owner }, message);
    world.fault.is = 'unheard';
    const came = await Promise.all(Array.from({ length: repeats }, () => come(two, push)));
    world.fault.is = 'none';
    expect(await stateOf(push)).toBe('inline');
    return { world, bot, first, second: came.at(-1) ?? first };
  }

  let pushes = 0;

  function pushTo({ platform, clock }: World, bytes = '<xml>ask</xml>'): TakenPush {
    const key = `push-${(pushes += 1)}`;
    const user = `user-of-${key}`;
    const said = { is: 'inbound', user, key, messageId: key, type: 'text', sentAt: 0 } as const;
    return {
      platform,
      bot: { url: 'http://bot/', timeoutMs: 1_000, retry: 'safe', concurrency: null },
      key,
      happenings: [{ ...said, opensTurn: true, interaction: true }],
      push: { method: 'POST', rawQuery: '', headers: [], body: Buffer.from(bytes) },
      arrivedAt: clock.now(),
    };
  }

  /** A full web has left a push to a worker, and has died before there is a job. */
  async function leaveHalf() {
    const world = openWorld();
    const push = pushTo(world);
    void come(world.web({ places: 0, add: () => new Promise(() => {}) }), push);
    await expect.poll(() => isInsured(push)).toBe(true);
    world.kill('p1');
    return { world, push };
  }

  const stateOf = async (push: TakenPush) => (await deliveries.standing(id(push))).state;

  const isInsured = async (push: TakenPush): Promise<boolean> =>
    (await redis.zscore(keys.insured, id(push))) !== null;

  /** Takes back what is written of the push after this. */
  async function remember(push: TakenPush): Promise<() => Promise<void>> {
    const record = keys.delivery(id(push));
    const [fields, insured] = [await redis.hgetall(record), await redis.zscore(keys.insured, id(push))];
    return async () => {
      await redis.del(record);
      if (Object.keys(fields).length > 0) await redis.hset(record, fields);
      if (insured === null) await redis.zrem(keys.insured, id(push));
      else await redis.zadd(keys.insured, insured, id(push));
    };
  }

  /** LangBot, CowAgent, and Dify's plugin for WeChat live on its repeats. */
  describe('a bot that waits for the platform’s next delivery', () => {
    const bare = answerOf('success');
    const error = answerOf('', 500);
    const open = (said: ((world: World) => Answer)[], bot: Partial<TakenPush['bot']> = {}) => {
      const world: World = openWorld(async () => said.shift()?.(world) ?? error, {
        rules: { deliveries: 3, patience: 5_000 },
        reads: (body) => (body === 'success' ? 'acknowledgement' : 'message'),
      });
      const push = pushTo(world);
      return { world, web: world.web(), push: { ...push, bot: { ...push.bot, redeliver: true, ...bot } } };
    };

    test.each([
      ['an error of its own', (world: World) => after(world, 4_800, error)],
      ['success too late', (world: World) => after(world, 5_100, bare)],
    ])('%s: is called again with the same, three times in all', async (_, says) => {
      const { world, web, push } = open([says, says, () => message]);
      const came = await come(web, push);
      expect(await came.got).toEqual(message);
      expect(attempts(world)).toEqual(['1', '2', '3']);
      const [first, ...others] = world.asked.map(({ body, url }) => ({ body, url }));
      expect(others).toEqual([first, first]);
      expect(web.log.lines.filter(({ message: line }) => line.startsWith('The bot waits for'))).toHaveLength(
        2,
      );
    });

    test('is called no later than the platform would: its last delivery is all that a mute account has', async () => {
      const times: number[] = [];
      const says = (ms: number) => (world: World) => {
        times.push(world.clock.now() - noon);
        return after(world, ms, error);
      };
      const { web, push } = open([says(4_800), says(0), says(0)]);
      await over(await come(web, push));
      expect(times).toEqual([0, 5_000, 6_000]);
    });

    test('and says nothing better to the third has said that', async () => {
      const { world, web, push } = open([]);
      const came = await come(web, push);
      expect(await came.got).toEqual(error);
      await over(came);
      expect(attempts(world)).toEqual(['1', '2', '3']);
      expect(web.events.told.filter(({ event }) => event.is === 'ended')).toHaveLength(1);
    });

    test.each([
      ['a router’s error', (world: World) => after(world, 4_000, answerOf('', 502)), {}],
      ['an error after WeChat has closed', (world: World) => after(world, 5_001, error), {}],
      ['success in time', () => bare, {}],
      ['success when no delivery would have lived', (world: World) => after(world, 10_001, bare), {}],
      ['what the account does not want', () => error, { redeliver: false }],
    ])('is not one that answers %s', async (_, says, bot) => {
      const { world, web, push } = open([says, () => message], bot);
      await over(await come(web, push));
      expect(attempts(world)).toEqual(['1']);
    });
  });

  describe('a push', () => {
    test('is insured before the bot has answered; its answer goes back on the connection', async () => {
      const bot = deferred<Answer>();
      const world = openWorld(() => bot.promise);
      const push = pushTo(world);
      const came = await come(world.web(), push);
      expect(came.became).toMatchObject({ is: 'waits', deliveries: 1, isInsured: true });
      expect(await isInsured(push)).toBe(true);
      bot.resolve(message);
      expect(await came.got).toEqual(message);
      expect(await over(came)).toBe(true);
      expect(await stateOf(push)).toBe('inline');
      expect(await isInsured(push)).toBe(false);
      expect(world.platform.sent).toEqual([]);
    });

    test('is known for as long as repeats may come, one that opens no turn for ten minutes', async () => {
      const script: Scripted = {
        channel: 'nxcloud',
        sendLate: 'absent',
        rules: { repeats: 2 * 60 * 60_000 },
      };
      const { push, web } = openWithPush(async () => message, script);
      const status = { ...push, key: `${push.key}-status`, happenings: [] };
      const kept = async (one: TakenPush): Promise<number> => {
        await over(await come(web, one));
        return redis.pttl(keys.delivery(id(one)));
      };
      expect(await kept(push)).toBeGreaterThan(60 * 60_000);
      expect(await kept(status)).toBeLessThanOrEqual(10 * 60_000);
    });

    test('whose connection is gone has its answer sent', async () => {
      const bot = deferred<Answer>();
      const world = openWorld(() => bot.promise);
      const push = pushTo(world);
      const came = await come(world.web(), push);
      came.hangUp();
      expect(await came.got).toBeNull();
      bot.resolve(message);
      await over(came);
      expect(world.platform.sent.map(({ body }) => body)).toEqual([textOf(message.body)]);
      expect(await stateOf(push)).toBe('sent');
    });

    test('whose answer cannot be written as the platform hangs up has it sent, once', async () => {
      const world = openWorld();
      const push = pushTo(world);
      await over(await come(world.web(), push, { writes: false }));
      expect(world.platform.sent).toHaveLength(1);
      expect(await stateOf(push)).toBe('sent');
    });

    test('that is too big to be kept is owned all the same, and not insured', async () => {
      const world = openWorld();
      const push = pushTo(world, 'x'.repeat(1_001));
      const came = await come(world.web(), push);
      expect(came.became).toMatchObject({ is: 'waits', isInsured: false });
      expect(await came.got).toEqual(message);
      expect(await isInsured(push)).toBe(false);
      expect(await stateOf(push)).toBe('inline');
    });

    test('whose bot fails leaves a job for whoever looks after them, and its connection the failure', async () => {
      const world = openWorld(async () => refusal);
      const push = pushTo(world);
      const came = await come(world.web(), push);
      expect(await came.got).toEqual(refusal);
      expect(await over(came)).toBe(false);
      await expect.poll(() => stateOf(push)).toBe('failed');
      await expect.poll(() => replies.getJobs()).toHaveLength(1);
      const [job] = await replies.getJobs();
      expect(job?.data).toMatchObject({ key: push.key });
      // The bot's own failure is nothing that could be sent to the user.
      expect(job?.data).not.toHaveProperty('answer');
      expect(await redis.hget(keys.delivery(id(push)), 'answer')).toBeNull();
    });

    test('whose bot fails when a worker has it says nothing of that one’s call', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      const now = world.clock.now() + 15_000;
      const worker = { id: id(push), owner: 'job:1:p9.w1' };
      await deliveries.takeOver({ ...worker, same: 'job:1:', now, leaseUntil: now + 15_000 });
      bot.resolve(refusal);
      await over(came);
      expect(await deliveries.standing(id(push))).toEqual({ state: null, owner: worker.owner });
      expect(await deliveries.send(worker, now, null)).toEqual({ is: 'may' });
      expect(await replies.getJobs()).toEqual([]);
    });

    /** https://developers.weixin.qq.com miniprogram_callback/Order_notification: repeated for exactly this. */
    test('whose bot fails calls the bot again at the platform’s next try, on any web', async () => {
      const said = [refusal, message];
      const { world, push, web } = openWithPush(async () => said.shift() ?? message);
      const first = await come(web, push);
      expect(await first.got).toEqual(refusal);
      await over(first);
      expect(await stateOf(push)).toBe('failed');
      const next = await come(world.web(), push);
      expect(await next.got).toEqual(message);
      await over(next);
      expect(attempts(world)).toEqual(['1', '2']);
      // What failed once is no failed job any more.
      expect(await replies.getJobCountByTypes('wait', 'failed', 'delayed')).toBe(0);
      expect(await stateOf(push)).toBe('inline');
    });

    test('whose bot fails calls it again on the same web too, and while Redis is away', async () => {
      const { world, push, web } = openWithPush(async () => refusal);
      await over(await come(web, push));
      await over(await come(web, push));
      world.fault.is = 'away';
      const last = await come(web, push);
      expect(await last.got).toEqual(refusal);
      expect(attempts(world)).toEqual(['1', '2', '3']);
      world.fault.is = 'none';
    });

    test('whose bot fails first and is not heard then leaves a job with its answer', async () => {
      const sendLate = { is: 'refused', code: 45047, reason: 'too many', mayNotSend: false } as const;
      const said = [refusal, message];
      const { world, push, web } = openWithPush(async () => said.shift() ?? message, { sendLate });
      await over(await come(web, push));
      await failJobs();
      await over(await come(world.web(), push, { writes: false }));
      const [job] = await replies.getJobs();
      expect(job?.data.answer).toMatchObject({ body: Buffer.from(message.body).toString('base64') });
    });

    test('whose answer the platform refuses leaves a job with it: nobody asks the bot again', async () => {
      const sendLate = { is: 'refused', code: 45047, reason: 'too many', mayNotSend: false } as const;
      const world = openWorld(async () => message, { sendLate });
      const push = pushTo(world);
      const came = await come(world.web(), push, { writes: false });
      expect(await over(came)).toBe(true);
      const [job] = await replies.getJobs();
      expect(job?.data.answer).toMatchObject({ body: Buffer.from(message.body).toString('base64') });
      expect(await redis.hget(keys.delivery(id(push)), 'answer')).toBeNull();
      expect(await stateOf(push)).toBe('failed');
    });
  });

  describe('a repeat in the same process', () => {
    test('while the bot works waits for the same answer, which goes to the newest connection', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const first = await come(web, push);
      first.hangUp();
      const second = await come(web, push);
      expect(second.became).toMatchObject({ is: 'waits', deliveries: 2 });
      bot.resolve(message);
      expect([await first.got, await second.got]).toEqual([null, message]);
      expect(world.asked).toHaveLength(1);
      expect(world.platform.sent).toEqual([]);
    });

    test('that comes while Redis has not yet said whose the push is calls the bot once', async () => {
      const { world, push, web } = openWithPush();
      const both = await Promise.all([come(web, push), come(web, push)]);
      expect(await both[1].got).toEqual(message);
      expect(world.asked).toHaveLength(1);
    });

    test('after it was answered gets the same bytes', async () => {
      const { world, push, web } = openWithPush();
      expect(await over(await come(web, push))).toBe(true);
      expect((await come(web, push)).became).toEqual({ is: 'answer', answer: message });
      expect(world.asked).toHaveLength(1);
    });

    test('after it was answered gets them at once, in a crowd too', async () => {
      const { push, web } = openWithPush();
      await over(await come(web, push));
      const { became } = await come(web, { ...push, crowd: new Promise(() => {}) });
      expect(became).toEqual({ is: 'answer', answer: message });
    });

    test('while Redis is away gets the answer, where nothing could be sent', async () => {
      const { bot, world, push, web, first } = await openInDoubt();
      const looked = deferred();
      const repeated = deferred();
      world.clock.sleep = async () => {
        looked.resolve();
        await repeated.promise;
      };
      world.fault.is = 'away';
      bot.resolve(message);
      await looked.promise;
      const second = await come(web, push);
      repeated.resolve();
      expect(await second.got).toEqual(message);
      mend(world.fault);
      await over(first);
      expect(world.platform.sent).toEqual([]);
    });

    test('that does not come leaves what its own connection did not take to be sent, where that was in doubt', async () => {
      const { world, push, web } = openWithPush(async () => message, {}, { isMute: true });
      await over(await come(web, push, { writes: false }));
      expect(world.platform.sent).toHaveLength(1);
      expect(await stateOf(push)).toBe('sent');
    });

    test('that does not come while Redis is full leaves it to be sent, where that was in doubt', async () => {
      const { bot, world, first } = await openInDoubt();
      world.fault.is = 'full';
      bot.resolve(message);
      await over(first);
      expect(world.platform.sent).toHaveLength(1);
    });

    test('that does not come while a replica is asked leaves it until the primary says whose it is', async () => {
      const { bot, world, first } = await openInDoubt();
      world.fault.is = 'replica';
      bot.resolve(message);
      await vi.waitFor(() => expect(world.clock.slept.filter((ms) => ms === 1_000)).not.toHaveLength(0));
      expect(world.platform.sent).toEqual([]);
      mend(world.fault);
      await over(first);
      expect(world.platform.sent).toHaveLength(1);
    });

    test('after the answer was sent has nothing to wait for', async () => {
      const { world, push, web } = openWithPush();
      await over(await come(web, push, { writes: false }));
      expect((await come(web, push)).became).toEqual({ is: 'decided' });
      expect([world.asked.length, world.platform.sent.length]).toEqual([1, 1]);
    });
  });

  describe('a repeat in another process', () => {
    test('while the bot works gets the answer there, and it is not sent', async () => {
      const { bot, world, push, two, first } = await openWithTwo();
      const second = await come(two, push);
      expect(second.became).toMatchObject({ is: 'waits', deliveries: 2, isInsured: true });
      bot.resolve(message);
      expect(await second.got).toEqual(message);
      await over(first);
      expect(world.asked).toHaveLength(1);
      expect(world.platform.sent).toEqual([]);
      expect(await stateOf(push)).toBe('inline');
    });

    test('which was given the answer, and the word of that lost, gets it', async () => {
      const { world, bot, first, second } = await givenUnheard();
      bot.resolve(message);
      expect(await second.got).toEqual(message);
      await Promise.all([over(first), over(second)]);
      expect(world.platform.sent).toEqual([]);
    });

    test('which was given the answer, as the one before, and neither heard of it, gets it', async () => {
      const { world, bot, first, second } = await givenUnheard(2);
      bot.resolve(message);
      expect(await second.got).toEqual(message);
      await Promise.all([over(first), over(second)]);
      expect(world.platform.sent).toEqual([]);
    });

    test('which was given the answer, and has gone before the word of that, has it sent', async () => {
      const { world, bot, first, second } = await givenUnheard();
      second.hangUp();
      bot.resolve(message);
      await vi.waitFor(() => expect(world.platform.sent).toHaveLength(1));
      await Promise.all([over(first), over(second)]);
      expect(world.platform.sent).toHaveLength(1);
    });

    test('whose claim of the answer was carried out, and the word of that lost, gets it', async () => {
      const { bot, world, push, two, first } = await openClaimsUnheard();
      const second = await come(two, push);
      bot.resolve(message);
      expect(await second.got).toEqual(message);
      await Promise.all([over(first), ...second.late]);
      expect(world.platform.sent).toEqual([]);
      expect(await stateOf(push)).toBe('inline');
    });

    test('whose claim was not heard as its connection to Redis was cut has the answer sent, once', async () => {
      const { bot, world, push, two, first, own } = await openClaimsUnheard('away');
      const second = await come(two, push);
      bot.resolve(message);
      await over(first);
      second.hangUp();
      own.is = 'none';
      expect(second.late).toHaveLength(1);
      await Promise.all(second.late);
      expect(world.platform.sent).toHaveLength(1);
      expect(await stateOf(push)).toBe('sent');
    });

    test.each(['none', 'away'] as const)(
      'whose claim was not heard as Redis went away (%s for who offered it) has the answer sent, once',
      async (others) => {
        const { bot, world, push, one, two, first, own } = await openClaimsUnheard('away', others);
        const second = await come(two, push);
        bot.resolve(message);
        await vi.waitFor(() => expect(second.late).toHaveLength(1));
        second.hangUp();
        expect(world.platform.sent).toEqual([]);
        // What was told last is told again.
        mend(world.fault);
        await Promise.all([over(first), one.outbox.idle()]);
        own.is = 'none';
        await Promise.all(second.late);
        expect(world.platform.sent).toHaveLength(1);
        expect(await stateOf(push)).toBe('sent');
      },
    );

    test('whose answer was claimed as who offered it lost Redis has it, and nobody sends it', async () => {
      const { bot, world, push, two, first } = await openWithTwo({ is: 'none' });
      const offered = two.holds.offered.bind(two.holds);
      two.holds.offered = (holder) => {
        world.fault.is = 'away';
        return offered(holder);
      };
      const second = await come(two, push);
      bot.resolve(message);
      expect(await second.got).toEqual(message);
      mend(world.fault);
      await over(first);
      expect(world.platform.sent).toEqual([]);
      expect(await stateOf(push)).toBe('inline');
    });

    test('whose first claim failed gets nothing by a second one that it would give back', async () => {
      const own: Fault = { is: 'none' };
      const { bot, world, push, two, first } = await openWithTwo(own);
      const second = await come(two, push);
      const asksAgain = deferred();
      const sleep = world.clock.sleep.bind(world.clock);
      world.clock.sleep = (ms, signal) => (ms === 1_000 ? asksAgain.promise : sleep(ms, signal));
      own.is = 'away';
      two.holds.offered(second.hold.name);
      await vi.waitFor(() => expect(second.late).toHaveLength(1));
      own.is = 'none';
      bot.resolve(message);
      await over(first);
      asksAgain.resolve();
      await Promise.all(second.late);
      second.hangUp();
      expect([await second.got, world.platform.sent.length]).toEqual([null, 1]);
    });

    test('which may have the answer, of which its owner has not heard as it stops, leaves it in a job', async () => {
      const { bot, world, push, one, two, first } = await openWithTwo({ is: 'none' });
      two.holds.offered = () => {
        world.fault.is = 'away';
        return true;
      };
      await come(two, push);
      bot.resolve(message);
      await vi.waitFor(() => expect(world.fault.is).toBe('away'));
      await Promise.all([one.owned.stop(0), over(first)]);
      mend(world.fault);
      await one.outbox.idle();
      const [job] = await replies.getJobs();
      expect(job?.data.answer).toMatchObject({ body: Buffer.from(message.body).toString('base64') });
      expect(world.platform.sent).toEqual([]);
    });

    test('whose process stops before Redis has said whether the answer is its to send says so', async () => {
      const { bot, push, two, first } = await openClaimsUnheard('away');
      const second = await come(two, push);
      bot.resolve(message);
      await over(first);
      await vi.waitFor(() => expect(second.late).toHaveLength(1));
      await two.owned.stop(0);
      await Promise.all(second.late);
      expect(two.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    });

    test('which does not take it in time loses it: it is sent, and the repeat has nothing', async () => {
      const { bot, world, push, two, first } = await openWithTwo();
      const second = await come(two, push);
      world.kill('p2');
      bot.resolve(message);
      await over(first);
      expect(world.platform.sent).toHaveLength(1);
      two.holds.offered(second.hold.name);
      second.hangUp();
      expect(await second.got).toBeNull();
    });

    test('whose connection cannot write the offered answer sends it itself, once', async () => {
      const { bot, world, push, two, first } = await openWithTwo();
      const second = await come(two, push, { writes: false });
      bot.resolve(message);
      await Promise.all([over(first), second.got]);
      expect(world.platform.sent).toHaveLength(1);
      expect(world.asked).toHaveLength(1);
      expect(await stateOf(push)).toBe('sent');
    });

    test('that has given its answer back leaves nothing for the next one at its owner: it was sent', async () => {
      const { bot, world, push, one, two, first } = await openWithTwo();
      const second = await come(two, push, { writes: false });
      bot.resolve(message);
      await Promise.all([over(first), second.got]);
      expect((await come(one, push)).became).toEqual({ is: 'decided' });
      expect(world.platform.sent).toHaveLength(1);
    });

    test('after it was answered gets the same bytes from its owner, who lives', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const [one, two] = [world.web(), world.web()];
      await over(await come(one, push));
      const repeat = await come(two, push);
      expect(repeat.became).toMatchObject({ is: 'waits' });
      expect(await repeat.got).toEqual(message);
      expect(world.asked).toHaveLength(1);
      expect(world.platform.sent).toEqual([]);
    });

    test('after it was answered by one that is dead calls the bot again: nobody else has the bytes', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const [one, two] = [world.web(), world.web()];
      await over(await come(one, push));
      world.kill('p1');
      const repeat = await come(two, push);
      expect(await repeat.got).toEqual(message);
      expect(attempts(world)).toEqual(['1', '2']);
    });

    test('after it was sent has nothing to wait for', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const [one, two] = [world.web(), world.web()];
      await over(await come(one, push, { writes: false }));
      expect((await come(two, push)).became).toEqual({ is: 'decided' });
      expect(world.asked).toHaveLength(1);
    });

    test('when the lease of a silent owner has run out is that process’s push, and nobody else delivers', async () => {
      const bots = [deferred<Answer>(), deferred<Answer>()];
      const world = openWorld(() => bots[world.asked.length - 1]?.promise ?? Promise.reject(new Error('no')));
      const push = pushTo(world);
      const [one, two] = [world.web(), world.web()];
      const first = await come(one, push);
      world.clock.pass(15_000);
      const second = await come(two, push);
      expect(attempts(world)).toEqual(['1', '2']);
      bots[0]?.resolve(answerOf('too late'));
      await over(first);
      expect(await Promise.race([first.got, Promise.resolve('nothing yet')])).toBe('nothing yet');
      bots[1]?.resolve(message);
      expect(await second.got).toEqual(message);
      expect(world.platform.sent).toEqual([]);
    });
  });

  describe('a Redis that comes back without its last writes', () => {
    test.each([
      ['inline', true],
      ['sent', false],
    ] as const)('hears again that the answer is out (%s): nobody takes it over', async (state, writes) => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push, { writes });
      const forget = await remember(push);
      bot.resolve(message);
      await over(came);
      await forget();
      expect(await isInsured(push)).toBe(true);
      mend(world.fault);
      await web.outbox.idle();
      expect([await stateOf(push), await isInsured(push)]).toEqual([state, false]);
    });

    test('hears again of a push that the bot still works on, which is insured as before', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const forget = await remember(push);
      const came = await come(web, push);
      await forget();
      expect(await isInsured(push)).toBe(false);
      mend(world.fault);
      await web.outbox.idle();
      expect([await stateOf(push), await isInsured(push)]).toEqual(['direct', true]);
      bot.resolve(message);
      expect(await came.got).toEqual(message);
    });

    test('and without the push, whose repeat another web has by now: one answer, of that one', async () => {
      const bots = [deferred<Answer>(), deferred<Answer>()];
      const world: World = openWorld(() => bots[world.asked.length - 1]?.promise ?? fail());
      const push = pushTo(world);
      const [web, other] = [world.web(), world.web()];
      const forget = await remember(push);
      const first = await come(web, push, { writes: false });
      await forget();
      const second = await come(other, push);
      mend(world.fault);
      await web.outbox.idle();
      for (const bot of bots) bot.resolve(message);
      expect(await second.got).toEqual(message);
      await Promise.all([over(first), over(second)]);
      expect(world.platform.sent).toEqual([]);
    });

    test('says nothing anew of a push that the bot had not taken and has again by now', async () => {
      const bot = deferred<Answer>();
      const world: World = openWorld(async () =>
        world.asked.length === 1 ? answerOf('', 500) : bot.promise,
      );
      const push = pushTo(world);
      const [web, other] = [world.web(), world.web()];
      await over(await come(web, push));
      const again = await come(other, push);
      mend(world.fault);
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('direct');
      bot.resolve(message);
      expect(await again.got).toEqual(message);
    });
  });

  describe('while Redis is away', () => {
    test('the bot is called, and its answer goes back; that is told when Redis is back', async () => {
      const { world, push, web } = openWithPush();
      world.fault.is = 'away';
      const came = await come(web, push);
      expect(came.became).toMatchObject({ is: 'waits', isInsured: false });
      expect(await came.got).toEqual(message);
      await over(came);
      expect(await stateOf(push)).toBeNull();
      mend(world.fault);
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('inline');
      expect(await isInsured(push)).toBe(false);
      expect(world.asked).toHaveLength(1);
    });

    test('repeats that come at the same moment call the bot once', async () => {
      const { world, push, web } = openWithPush();
      world.fault.is = 'away';
      const both = await Promise.all([come(web, push), come(web, push)]);
      expect(await both[1].got).toEqual(message);
      expect(world.asked).toHaveLength(1);
    });

    test('a push is insured as soon as Redis is back, if the bot still works on it', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      world.fault.is = 'away';
      const came = await come(web, push);
      mend(world.fault);
      await expect.poll(() => came.became).toMatchObject({ isInsured: true });
      expect(await isInsured(push)).toBe(true);
      bot.resolve(message);
      expect(await came.got).toEqual(message);
      await over(came);
      expect(await stateOf(push)).toBe('inline');
      expect(await isInsured(push)).toBe(false);
    });

    test('an answer that has no connection is sent, and a repeat of it has nothing to wait for', async () => {
      const { world, push, web } = openWithPush();
      world.fault.is = 'away';
      await over(await come(web, push, { writes: false }));
      expect(world.platform.sent).toHaveLength(1);
      expect((await come(web, push)).became).toEqual({ is: 'decided' });
      mend(world.fault);
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('sent');
      expect((await come(world.web(), push)).became).toEqual({ is: 'decided' });
    });

    test('it is away when the bot answers: the owner is the owner still', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      world.fault.is = 'away';
      bot.resolve(message);
      expect(await came.got).toEqual(message);
      await over(came);
      mend(world.fault);
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('inline');
      expect(await isInsured(push)).toBe(false);
      expect(world.asked).toHaveLength(1);
    });

    test('a bot that fails leaves its job when Redis is back', async () => {
      const { world, push, web } = openWithPush(async () => answerOf('', 500));
      world.fault.is = 'away';
      const came = await come(web, push);
      expect((await came.got)?.status).toBe(500);
      expect(await over(came)).toBe(false);
      mend(world.fault);
      await web.outbox.idle();
      expect(await replies.getJobs()).toHaveLength(1);
      expect(await stateOf(push)).toBe('failed');
    });
  });

  describe('a Redis that is full when the bot has answered', () => {
    test('does not keep the answer from the user, and the bot is called once', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      world.fault.is = 'full';
      bot.resolve(message);
      expect(await came.got).toEqual(message);
      await over(came);
      expect(world.asked).toHaveLength(1);
      world.fault.is = 'none';
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('inline');
    });

    test('can still be read: what is another’s by now is not delivered here', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      await deliveries.takeOver({
        id: id(push),
        owner: 'job:1:p9.w1',
        same: 'job:1:',
        now: world.clock.now() + 15_000,
        leaseUntil: world.clock.now() + 30_000,
      });
      world.fault.is = 'full';
      bot.resolve(message);
      await over(came);
      expect(await Promise.race([came.got, Promise.resolve('nothing')])).toBe('nothing');
      expect(world.platform.sent).toEqual([]);
    });

    test.skipIf(kind === 'embedded')('is one whose memory is at its limit, in truth', async () => {
      const bot = deferred<Answer>();
      const { world, push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      await redis.config('SET', 'maxmemory', '1');
      bot.resolve(message);
      expect(await came.got).toEqual(message);
      await over(came);
      expect(world.asked).toHaveLength(1);
      await redis.config('SET', 'maxmemory', '0');
      await web.outbox.idle();
      expect(await stateOf(push)).toBe('inline');
    });
  });

  describe('a process that stops', () => {
    test('gives back what it carries: a worker calls the bot again', async () => {
      const { world, push, web } = openWithPush(() => new Promise(() => {}));
      const came = await come(web, push);
      await web.owned.stop(0);
      expect(await over(came)).toBe(false);
      const [job] = await replies.getJobs();
      expect(job?.data).toMatchObject({ key: push.key, turns: [{ turn: push.key }] });
      expect(await isInsured(push)).toBe(false);
      const worker = { owner: 'job:1:p9.w1', same: 'job:1:', now: world.clock.now(), leaseUntil: 0 };
      expect(await deliveries.takeOver({ id: id(push), ...worker })).toMatchObject({
        is: 'owned',
        attempt: 2,
      });
      expect(web.events.told).toEqual([]);
    });

    test('lets what can end within its time end', async () => {
      const bot = deferred<Answer>();
      const { push, web } = openWithPush(() => bot.promise);
      const came = await come(web, push);
      const stopped = web.owned.stop(60_000);
      bot.resolve(message);
      await stopped;
      expect(await came.got).toEqual(message);
      expect(await replies.getJobs()).toEqual([]);
    });

    test('gives back what the bot had failed with before, too', async () => {
      const said = [Promise.resolve(refusal)];
      const { world, push, web } = openWithPush(() => said.shift() ?? new Promise(() => {}));
      await over(await come(web, push));
      await failJobs();
      const last = world.web();
      await come(last, push);
      await last.owned.stop(0);
      await expect.poll(() => replies.getJobCounts('wait', 'failed')).toEqual({ wait: 1, failed: 0 });
    });

    test('while an answer waits for the platform’s next minute leaves it to be sent: the bot is not called again', async () => {
      const sendLate = { is: 'not-sent', cause: '45011', perMinute: true } as const;
      const { world, push, web } = openWithPush(async () => message, { sendLate });
      const sleeping = sleepUntilAborted(world.clock);
      await come(web, push, { writes: false });
      await sleeping;
      await web.owned.stop(0);
      await expect.poll(() => replies.getJobs()).toHaveLength(1);
      const [job] = await replies.getJobs();
      expect(job?.data.answer?.body).toBe(Buffer.from(message.body).toString('base64'));
      await expect.poll(() => stateOf(push)).toBeNull();
      expect(world.platform.sent).toHaveLength(1);
    });

    test('says of a push that was too big to be kept that it is lost', async () => {
      const world = openWorld(() => new Promise(() => {}));
      const push = pushTo(world, 'x'.repeat(1_001));
      const web = world.web();
      await come(web, push);
      await web.owned.stop(0);
      expect(web.log.lines).toMatchObject([{ level: 'error', fields: { push: id(push) } }]);
      expect(await replies.getJobs()).toEqual([]);
    });
  });

  describe('a process whose places are taken', () => {
    test('leaves a push to a worker, and its connection still waits for the answer', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const web = world.web({ places: 0 });
      const came = await come(web, push);
      expect(came.became).toMatchObject({ is: 'waits', deliveries: 1, isInsured: true });
      expect(world.asked).toEqual([]);
      expect((await replies.getJobs()).map(({ data }) => data.key)).toEqual([push.key]);
      const worker = { id: id(push), owner: 'job:1:p9.w1' };
      const now = world.clock.now();
      await deliveries.takeOver({ ...worker, same: 'job:1:', now, leaseUntil: now + 15_000 });
      const held = await deliveries.send(worker, now, now);
      expect(held).toEqual({ is: 'held', holder: came.hold.name });
      await deliveries.offer(worker, message);
      web.holds.offered(came.hold.name);
      expect(await came.got).toEqual(message);
    });

    test('leaves a repeat of it too, and adds its job once', async () => {
      const world = openWorld();
      const push = pushTo(world);
      await come(world.web({ places: 0 }), push);
      expect((await come(world.web({ places: 0 }), push)).became).toMatchObject({ deliveries: 2 });
      expect((await come(world.web(), push)).became).toMatchObject({ deliveries: 3 });
      expect(await replies.getJobs()).toHaveLength(1);
      expect(world.asked).toEqual([]);
    });

    test('gives a repeat the bytes that another one has written', async () => {
      const { world, push, web } = openWithPush();
      expect(await (await come(web, push)).got).toEqual(message);
      expect(await (await come(world.web({ places: 0 }), push)).got).toEqual(message);
      expect(world.asked).toHaveLength(1);
    });

    test('leaves a push that the bot has failed with to a worker anew: the failed job is not in the way', async () => {
      const { push, web, world } = openWithPush(async () => refusal);
      await over(await come(web, push));
      await failJobs();
      const next = await come(world.web({ places: 0 }), push);
      expect(next.became).toMatchObject({ is: 'waits' });
      expect(await replies.getJobCounts('wait', 'failed')).toEqual({ wait: 1, failed: 0 });
    });

    describe('and that dies before it has made a job of a push', () => {
      test('has it called for by the platform’s repeat, elsewhere', async () => {
        const { world, push } = await leaveHalf();
        expect(await (await come(world.web(), push)).got).toEqual(message);
        expect(attempts(world)).toEqual(['1']);
      });

      test('leaves it to a worker, without a repeat', async () => {
        const { world, push } = await leaveHalf();
        const now = world.clock.now() + 5_000;
        expect(await deliveries.overdue(now)).toMatchObject([{ key: push.key }]);
        await deliveries.leave(id(push), { now });
        const worker = { id: id(push), owner: 'job:1:p9.w1', same: 'job:1:', now, leaseUntil: now + 15_000 };
        expect(await deliveries.takeOver(worker)).toMatchObject({ is: 'owned', attempt: 1 });
      });
    });

    test('carries a push itself of which it could make no job', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const web = world.web({ places: 0, add: () => Promise.reject(new Error('Command timed out')) });
      expect(await (await come(web, push)).got).toEqual(message);
      expect(attempts(world)).toEqual(['1']);
      expect(await stateOf(push)).toBe('inline');
    });

    test('carries it itself while Redis is away: there is nobody else', async () => {
      const world = openWorld();
      const push = pushTo(world);
      const web = world.web({ places: 0 });
      world.fault.is = 'away';
      expect(await (await come(web, push)).got).toEqual(message);
    });

    test('carries what is too big for a worker itself', async () => {
      const world = openWorld();
      const push = pushTo(world, 'x'.repeat(1_001));
      expect(await (await come(world.web({ places: 0 }), push)).got).toEqual(message);
      expect(await replies.getJobs()).toEqual([]);
    });
  });
});
