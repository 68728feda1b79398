import { describe, expect, test } from 'vitest';
import { NoAnswer, type Answer } from '../../src/core/wire.ts';
import type { Later } from '../../src/http/task.ts';
import {
  createJournal,
  expectRelayed,
  oddAnswer,
  openScene,
  passiveReply,
  pushNxcloud,
  pushWechat,
  signedPath,
  success,
  wechat,
  wechatText,
  type Scene,
} from './scene.ts';
import { createGate, linesOf } from './wire.ts';
import { endingBy, handClock, noon } from '../support/clock.ts';
import { xmlOf } from '../support/wechat.ts';

const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const refused = (): Promise<Answer> => Promise.reject(new NoAnswer('ECONNREFUSED', { begun: false }));
const decided = async () => ({ is: 'decided' }) as const;

describe('when the job cannot be stored', () => {
  const down = { enqueue: away, tell: away, tellEvent: away };

  test('the web calls the bot and relays its answer in time, byte for byte', async () => {
    for (const bots of [passiveReply, { ...oddAnswer, status: 206 }]) {
      const scene = await openScene({ intake: down, deliveries: { hold: away }, send: async () => bots });
      expectRelayed(await pushWechat(scene).answer, bots);
      const [asked] = scene.journal.of('asked');
      expect(scene.journal.of('forfeit')).toMatchObject([
        { id: 'wechat/default/openid1-1234567890123456789' },
      ]);
      expect(asked?.request).toMatchObject({
        method: 'POST',
        url: `http://bot.test/hook?own=1&${signedPath().split('?')[1]}`,
        body: Buffer.from(xmlOf(wechatText)),
        timeoutMs: 5_000,
      });
      expect(linesOf(asked?.request.headers ?? [], 'idempotency-key')).toEqual([
        'openid1-1234567890123456789',
      ]);
      expect(linesOf(asked?.request.headers ?? [], 'x-keeptyping-attempt')).toEqual(['1']);
    }
  });

  test('the web acknowledges at the end of the hold, and sends the answer late', async () => {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const scene = await openScene({
      journal,
      intake: down,
      holdMs: 10,
      send: () => answer.passed,
      accounts: [wechat({ journal })],
    });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(journal.of('sent')).toEqual([]);
    answer.open(passiveReply);
    expect((await journal.when('sent')).body).toEqual({
      touser: 'openid1',
      msgtype: 'text',
      text: { content: '慢慢来' },
    });
  });

  test('the web sends late what it could not write because the platform hung up', async () => {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const accounts = [wechat({ journal })];
    const scene = await openScene({ journal, accounts, intake: down, send: () => answer.passed });
    const { hangUp } = pushWechat(scene);
    await journal.when('asked');
    hangUp();
    await scene.roundTrip();
    answer.open(passiveReply);
    expect((await journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
  });

  test('NXCloud is acknowledged, and the bot called', async () => {
    const scene = await openScene({ intake: down, send: async () => passiveReply });
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
    expect(scene.journal.of('asked')).toHaveLength(1);
    await scene.direct.idle();
    expect(scene.journal.of('sent')).toEqual([]);
  });

  test.each([
    ['WeChat', pushWechat],
    ['NXCloud', pushNxcloud],
  ])('and the bot cannot be reached either, %s is not acknowledged: it may repeat', async (_, push) => {
    const scene = await openScene({ intake: down, send: refused });
    expect((await push(scene).answer).status).toBe(502);
    expect(scene.journal.of('asked')).toHaveLength(3);
  });

  test('repeats that meet call the bot once, and the user gets one answer', async () => {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const accounts = [wechat({ journal })];
    const scene = await openScene({ journal, accounts, intake: down, send: () => answer.passed });
    const first = pushWechat(scene);
    await journal.when('asked');
    first.hangUp();
    const second = pushWechat(scene);
    await journal.when('enqueue', 2);
    await scene.roundTrip();
    answer.open(passiveReply);
    expectRelayed(await second.answer, passiveReply);
    await scene.direct.idle();
    await scene.roundTrip();
    expect(journal.of('asked')).toHaveLength(1);
    expect(journal.of('sent')).toEqual([]);
    expect(journal.of('tellEvent')).toHaveLength(1);
  });

  test('a repeat after the answer was sent late is only acknowledged', async () => {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const accounts = [wechat({ journal })];
    const scene = await openScene({ journal, accounts, intake: down, holdMs: 10, send: () => answer.passed });
    await pushWechat(scene).answer;
    answer.open(passiveReply);
    await journal.when('sent');
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(journal.of('sent')).toHaveLength(1);
    expect(journal.of('asked')).toHaveLength(1);
  });

  test('a repeat after the answer was relayed gets the same bytes', async () => {
    const scene = await openScene({ intake: down, send: async () => passiveReply });
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expect(scene.journal.of('asked')).toHaveLength(1);
  });
});

describe('the hold counts from the arrival of the push on the direct way too', () => {
  test.each([
    [0, 300],
    [200, 100],
    [500, 0],
  ])('of 300 ms, %i of which Redis took, %i are left', async (took, left) => {
    const time = handClock(noon, endingBy(left));
    const enqueue = (): Promise<never> => {
      time.pass(took);
      return away();
    };
    const answer = createGate<Answer>();
    const scene = await openScene({
      clock: time,
      holdMs: 300,
      intake: { enqueue },
      send: () => answer.passed,
    });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(time.slept).toEqual([left]);
  });

  test('and no longer than that: the bot’s answer within it is relayed', async () => {
    const time = handClock(noon, endingBy(299));
    const answer = createGate<Answer>();
    const scene = await openScene({
      clock: time,
      holdMs: 300,
      intake: { enqueue: away },
      send: () => answer.passed,
    });
    const push = pushWechat(scene);
    await scene.journal.when('asked');
    await scene.roundTrip();
    expect(push.sofar()).toBe(null);
    answer.open(passiveReply);
    expectRelayed(await push.answer, passiveReply);
    expect(time.slept).toEqual([300]);
  });
});

const ofLater = ({ journal }: Pick<Scene, 'journal'>) =>
  journal.kinds().filter((is) => ['forfeit', 'resume', 'redeliverLater', 'written'].includes(is));

describe('a job that Redis may have taken all the same', () => {
  const id = 'wechat/default/openid1-1234567890123456789';
  const lost = { intake: { enqueue: away }, deliveries: { hold: away } };

  test('is the web’s while it asks the bot, and stays it with the answer', async () => {
    const scene = await openScene({ ...lost, send: async () => passiveReply });
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    await scene.roundTrip();
    expect(ofLater(scene)).toEqual(['forfeit', 'written']);
    expect(scene.journal.of('forfeit')).toEqual([{ is: 'forfeit', id }]);
  });

  test.each([
    ['answers', async () => passiveReply, 200, ['written']],
    // An earlier delivery of the push may have left a note: it is asked for, and here there is none.
    ['fails', refused, 502, ['resume', 'written']],
  ])(
    'cannot be where nothing reached Redis: nothing is noted, whether the bot %s',
    async (_, send, status, noted) => {
      const later = { resume: async () => false };
      const scene = await openScene({ ...lost, send, later, reachesRedis: () => false });
      expect((await pushWechat(scene).answer).status).toBe(status);
      await scene.roundTrip();
      expect(ofLater(scene)).toEqual(noted);
    },
  );

  test('reached Redis or not as the push was added, whatever comes later', async () => {
    let reaches = true;
    const enqueue = (): Promise<never> => {
      reaches = false;
      return away();
    };
    const scene = await openScene({
      intake: { enqueue },
      deliveries: { hold: away },
      reachesRedis: () => reaches,
      send: async () => passiveReply,
    });
    await pushWechat(scene).answer;
    expect(scene.journal.of('forfeit')).toHaveLength(1);
  });

  test('of a push that is too big for Redis there is none', async () => {
    const scene = await openScene({ storedPushLimit: 10, send: refused });
    expect((await pushWechat(scene).answer).status).toBe(502);
    await scene.roundTrip();
    expect(ofLater(scene)).toEqual(['written']);
  });

  test('is taken up again when the bot fails, before the platform hears of the failure', async () => {
    const [resumed, added] = [createGate<boolean>(), createGate()];
    const later = { resume: () => resumed.passed, redeliver: () => added.passed };
    const scene = await openScene({ ...lost, clock: handClock(noon, endingBy(0)), later, send: refused });
    const push = pushWechat(scene);
    expect(await scene.journal.when('resume')).toEqual({ is: 'resume', id });
    await scene.roundTrip();
    expect(push.sofar()).toBe(null);
    resumed.open(true);
    expect(await scene.journal.when('redeliverLater')).toMatchObject({ key: 'openid1-1234567890123456789' });
    await scene.roundTrip();
    expect(push.sofar()).toBe(null);
    added.open();
    expect((await push.answer).status).toBe(502);
    expect(ofLater(scene)).toEqual(['forfeit', 'resume', 'redeliverLater', 'written']);
  });

  test('is not added again when it may not be taken up', async () => {
    const scene = await openScene({ ...lost, later: { resume: async () => false }, send: refused });
    expect((await pushWechat(scene).answer).status).toBe(502);
    await scene.roundTrip();
    expect(ofLater(scene)).toEqual(['forfeit', 'resume', 'written']);
  });

  test.each<[string, Partial<Later>]>([
    ['taking it up', { resume: away }],
    ['adding it', { redeliver: away }],
  ])('leaves the platform a 502 to repeat by when Redis fails at %s', async (_, later) => {
    const scene = await openScene({ ...lost, later, send: refused });
    expect((await pushWechat(scene).answer).status).toBe(502);
    expect(scene.log.lines.filter(({ level }) => level === 'warn')).not.toEqual([]);
  });

  test.each<[string, Partial<Later>]>([
    ['taking it up', { resume: () => new Promise(() => {}) }],
    ['adding it', { redeliver: () => new Promise(() => {}) }],
  ])('delays the failure by 500 ms at most where Redis hangs at %s', async (_, later) => {
    const time = handClock(noon, endingBy(500));
    const scene = await openScene({ ...lost, clock: time, later, send: refused });
    expect((await pushWechat(scene).answer).status).toBe(502);
    expect(time.slept).toEqual([60_000, 500]);
  });

  test('is taken up again too when the bot fails after the hold', async () => {
    const answer = createGate<Answer>();
    const scene = await openScene({ ...lost, holdMs: 10, send: () => answer.passed });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    answer.open({ ...passiveReply, status: 500 });
    expect(await scene.journal.when('redeliverLater')).toMatchObject({ key: 'openid1-1234567890123456789' });
    expect(ofLater(scene)).toEqual(['forfeit', 'written', 'resume', 'redeliverLater']);
  });
});

describe('a push over the limit', () => {
  const big = xmlOf({ ...wechatText, Content: 'x'.repeat(70_000) });

  test('goes to the bot without being stored', async () => {
    const scene = await openScene({ send: async () => passiveReply });
    expectRelayed(await pushWechat(scene, big).answer, passiveReply);
    expect(scene.journal.of('enqueue')).toEqual([]);
    expect(scene.journal.of('asked')[0]?.request.body).toEqual(Buffer.from(big));
  });

  test.each([
    ['a message', passiveReply, { is: 'ended', by: 'passive-reply', message: true }],
    ['an acknowledgement', { ...passiveReply, body: Buffer.from('success') }, { is: 'acknowledged' }],
    ['a failure', { ...passiveReply, status: 500 }, { is: 'ended', by: 'reply-failed', message: false }],
  ])('ends its turn, as any other, with %s', async (_, answer, event) => {
    const scene = await openScene({ send: async () => answer });
    await pushWechat(scene, big).answer;
    expect(scene.journal.of('tellEvent')).toMatchObject([
      { user: 'openid1', event: { ...event, turn: 'openid1-1234567890123456789' } },
    ]);
  });

  test('ends its turn when the answer is late, and says so when it did not go out', async () => {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const accounts = [wechat({ journal, sends: { errcode: 48001 } })];
    const scene = await openScene({ journal, accounts, holdMs: 10, send: () => answer.passed });
    await pushWechat(scene, big).answer;
    expect(journal.of('tellEvent')).toEqual([]);
    answer.open(passiveReply);
    await journal.when('tellEvent', 2);
    expect(journal.of('tellEvent').map(({ event }) => event.is)).toEqual(['ended', 'undelivered']);
    expect(scene.log.lines).toMatchObject([{ level: 'error', fields: { code: 48001 } }]);
  });

  const transfer = {
    ...passiveReply,
    body: Buffer.from(xmlOf({ MsgType: 'transfer_customer_service' })),
  };
  const messageFirst: Answer = { ...passiveReply, headers: [['X-Typing', 'keep']] };

  /** What is told of an answer that comes after the hold. */
  async function toldLate(late: Answer, sends = {}): Promise<string[]> {
    const journal = createJournal();
    const answer = createGate<Answer>();
    const accounts = [wechat({ journal, sends: { errcode: 0, ...sends } })];
    const scene = await openScene({ journal, accounts, holdMs: 10, send: () => answer.passed });
    await pushWechat(scene, big).answer;
    answer.open(late);
    await journal.when('tellEvent', 2);
    return journal.of('tellEvent').map(({ event }) => event.is);
  }

  test('passes nobody on to a human when that comes too late: the bot keeps the user', async () => {
    expect(await toldLate(transfer)).toEqual(['paused', 'resumed']);
  });

  test.each([
    ['the answer', passiveReply, 'ended'],
    ['not yet the answer', messageFirst, 'acknowledged'],
  ])('counts a late message that is %s among those that were sent', async (_, late, is) => {
    expect(await toldLate(late)).toEqual([is, 'interaction']);
  });

  test('with a message that is not yet the answer: it takes the indicator away', async () => {
    const scene = await openScene({ send: async () => messageFirst });
    await pushWechat(scene, big).answer;
    const { event } = await scene.journal.when('tellEvent', 2);
    expect(event).toMatchObject({ is: 'interaction', sent: false });
  });

  test('is acknowledged whatever befalls the telling of its end', async () => {
    for (const tellEvent of [away, () => new Promise<void>(() => {})]) {
      const scene = await openScene({ intake: { tellEvent }, send: async () => passiveReply });
      expectRelayed(await pushWechat(scene, big).answer, passiveReply);
    }
  });

  test('of just the limit is stored', async () => {
    const body = xmlOf(wechatText);
    const storedPushLimit = Buffer.byteLength(body);
    const scene = await openScene({ storedPushLimit, deliveries: { hold: decided } });
    await pushWechat(scene, body).answer;
    expect(scene.journal.of('enqueue')).toHaveLength(1);
  });
});
