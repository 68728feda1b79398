/** Pushes that Redis does not take: the same path, whose insurance waits. */
import { describe, expect, test } from 'vitest';
import type { Deliveries } from '../../src/replies/delivery.ts';
import { NoAnswer, type Answer } from '../../src/core/wire.ts';
import {
  createJournal,
  expectRelayed,
  nxcloud,
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
  type SceneOptions,
} from './scene.ts';
import { createGate, linesOf } from './wire.ts';
import { handClock } from '../support/clock.ts';
import { xmlOf } from '../support/wechat.ts';

const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const refused = (): Promise<Answer> => Promise.reject(new NoAnswer('ECONNREFUSED', { begun: false }));
const turn = 'openid1-1234567890123456789';

const nothing: Partial<Deliveries> = {
  take: away,
  write: away,
  send: away,
  offer: away,
  claim: away,
  giveBack: away,
  settle: away,
  standing: away,
};

function withoutRedis(options: SceneOptions = {}): Promise<Scene> {
  const journal = options.journal ?? createJournal();
  const accounts = [wechat({ journal }), nxcloud()];
  return openScene({ accounts, deliveries: nothing, isAway: () => true, ...options, journal });
}

describe('while Redis is away', () => {
  test('the web calls the bot and relays its answer in time, byte for byte', async () => {
    for (const bots of [passiveReply, { ...oddAnswer, status: 206 }]) {
      const scene = await withoutRedis({ send: async () => bots });
      expectRelayed(await pushWechat(scene).answer, bots);
      const [asked] = scene.journal.of('asked');
      expect(asked?.request).toMatchObject({
        method: 'POST',
        url: `http://bot.test/hook?own=1&${signedPath().split('?')[1]}`,
        body: Buffer.from(xmlOf(wechatText)),
        timeoutMs: 5_000,
      });
      expect(linesOf(asked?.request.headers ?? [], 'idempotency-key')).toEqual([turn]);
      expect(linesOf(asked?.request.headers ?? [], 'x-keeptyping-attempt')).toEqual(['1']);
    }
  });

  test('the web acknowledges at the end of the hold, and sends the answer late', async () => {
    const answer = createGate<Answer>();
    const scene = await withoutRedis({ holdMs: 10, send: () => answer.passed });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('sent')).toEqual([]);
    answer.open(passiveReply);
    expect((await scene.journal.when('sent')).body).toEqual({
      touser: 'openid1',
      msgtype: 'text',
      text: { content: '慢慢来' },
    });
  });

  test('the web sends late what it could not write because the platform hung up', async () => {
    const answer = createGate<Answer>();
    const scene = await withoutRedis({ send: () => answer.passed });
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('asked');
    hangUp();
    await scene.journal.when('hungUp');
    answer.open(passiveReply);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
  });

  test('repeats that meet call the bot once, and the user gets one answer', async () => {
    const answer = createGate<Answer>();
    const scene = await withoutRedis({ send: () => answer.passed });
    const first = pushWechat(scene);
    await scene.journal.when('asked');
    first.hangUp();
    const second = pushWechat(scene);
    await scene.journal.when('wait', 2);
    answer.open(passiveReply);
    expectRelayed(await second.answer, passiveReply);
    await scene.roundTrip();
    expect(scene.journal.of('asked')).toHaveLength(1);
    expect(scene.journal.of('sent')).toEqual([]);
    expect(scene.journal.of('tellEvent').filter(({ event }) => event.is === 'ended')).toHaveLength(1);
  });

  test('a repeat after the answer was sent late is only acknowledged', async () => {
    const answer = createGate<Answer>();
    const scene = await withoutRedis({ holdMs: 10, send: () => answer.passed });
    await pushWechat(scene).answer;
    answer.open(passiveReply);
    await scene.journal.when('sent');
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('sent')).toHaveLength(1);
    expect(scene.journal.of('asked')).toHaveLength(1);
  });

  test('a repeat after the answer was relayed gets the same bytes', async () => {
    const scene = await withoutRedis({ send: async () => passiveReply });
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expect(scene.journal.of('asked')).toHaveLength(1);
  });

  test('and the bot cannot be reached either, WeChat is not acknowledged: it may repeat', async () => {
    const carryClock = handClock();
    const scene = await withoutRedis({ carryClock, send: refused });
    expect((await pushWechat(scene).answer).status).toBe(502);
    expect(scene.journal.of('asked')).toHaveLength(3);
    expect(carryClock.slept).toEqual([1_000, 1_000]);
  });
});

describe('NXCloud, whose message nobody but this process has', () => {
  test('is acknowledged when the bot has answered', async () => {
    const answer = createGate<Answer>();
    const scene = await withoutRedis({ send: () => answer.passed });
    const push = pushNxcloud(scene);
    await scene.journal.when('asked');
    await scene.roundTrip();
    expect(push.sofar()).toBe(null);
    answer.open(passiveReply);
    expect(await push.answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
    expect(scene.journal.of('sent')).toEqual([]);
  });

  test('is acknowledged at the end of the hold while the bot still works', async () => {
    const scene = await withoutRedis({ holdMs: 10, send: () => new Promise(() => {}) });
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });

  test('is not acknowledged when the bot fails: it may repeat', async () => {
    const scene = await withoutRedis({ send: refused });
    expect((await pushNxcloud(scene).answer).status).toBe(502);
    expect(scene.journal.of('asked')).toHaveLength(3);
  });

  test('is acknowledged at once where Redis has it, whatever the bot does', async () => {
    const scene = await openScene({ send: () => new Promise(() => {}) });
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });
});

describe('a push over the limit', () => {
  const big = xmlOf({ ...wechatText, Content: 'x'.repeat(70_000) });

  test('goes to the bot without being stored', async () => {
    const scene = await openScene({ send: async () => passiveReply });
    expectRelayed(await pushWechat(scene, big).answer, passiveReply);
    expect(scene.journal.of('take')).toMatchObject([{ push: null }]);
    expect(scene.journal.of('asked')[0]?.request.body).toEqual(Buffer.from(big));
  });

  test('that fails is no job, but said in the log', async () => {
    const scene = await openScene({ send: refused });
    expect((await pushWechat(scene, big).answer).status).toBe(502);
    await scene.journal.when('settle');
    await scene.roundTrip();
    expect(scene.journal.of('enqueue')).toEqual([]);
    expect(scene.log.lines).toMatchObject([{ level: 'error', fields: { push: `wechat/default/${turn}` } }]);
  });

  test('of just the limit is stored', async () => {
    const body = xmlOf(wechatText);
    const storedPushLimit = Buffer.byteLength(body);
    const scene = await openScene({ storedPushLimit, send: async () => passiveReply });
    await pushWechat(scene, body).answer;
    expect(scene.journal.of('take')).toMatchObject([{ push: { body: Buffer.from(body) } }]);
  });
});

/** What is told of an answer that comes after the hold. */
async function toldLate(late: Answer, sends: object = {}): Promise<{ told: string[]; scene: Scene }> {
  const journal = createJournal();
  const answer = createGate<Answer>();
  const accounts = [wechat({ journal, sends: { errcode: 0, ...sends } })];
  const scene = await withoutRedis({ journal, accounts, holdMs: 10, send: () => answer.passed });
  await pushWechat(scene).answer;
  expect(journal.of('tellEvent')).toEqual([]);
  answer.open(late);
  await journal.when('tellEvent', 2);
  return { scene, told: journal.of('tellEvent').map(({ event }) => event.is) };
}

describe('what the typing hears, with Redis or without', () => {
  const transfer = {
    ...passiveReply,
    body: Buffer.from(xmlOf({ MsgType: 'transfer_customer_service' })),
  };
  const messageFirst: Answer = { ...passiveReply, headers: [['X-Typing', 'keep']] };

  test.each([
    ['a message', passiveReply, { is: 'ended', by: 'passive-reply', message: true }],
    ['an acknowledgement', { ...passiveReply, body: Buffer.from('success') }, { is: 'acknowledged' }],
    ['a failure', { ...passiveReply, status: 500 }, { is: 'ended', by: 'reply-failed', message: false }],
  ])('of %s is the end of its turn', async (_, answer, event) => {
    const scene = await withoutRedis({ send: async () => answer });
    await pushWechat(scene).answer;
    expect(scene.journal.of('tellEvent')[0]).toMatchObject({ user: 'openid1', event: { ...event, turn } });
  });

  test('of an answer that is late and did not go out, says that', async () => {
    const { told } = await toldLate(passiveReply, { errcode: 48001 });
    expect(told).toEqual(['ended', 'undelivered']);
  });

  test('passes nobody on to a human when that comes too late: the bot keeps the user', async () => {
    expect((await toldLate(transfer)).told).toEqual(['paused', 'resumed']);
  });

  test.each([
    ['the answer', passiveReply, 'ended'],
    ['not yet the answer', messageFirst, 'acknowledged'],
  ])('counts a late message that is %s among those that were sent', async (_, late, is) => {
    const { told, scene } = await toldLate(late);
    expect(told).toEqual([is, 'interaction']);
    expect(scene.journal.of('tellEvent')[1]?.event).toMatchObject({ sent: true });
  });

  test('of a message that is not yet the answer: it takes the indicator away', async () => {
    const scene = await withoutRedis({ send: async () => messageFirst });
    await pushWechat(scene).answer;
    const { event } = await scene.journal.when('tellEvent', 2);
    expect(event).toMatchObject({ is: 'interaction', sent: false });
  });
});
