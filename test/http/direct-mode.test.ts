import { describe, expect, test } from 'vitest';
import { NoAnswer, type Answer } from '../../src/core/wire.ts';
import { xmlOf } from '../wechat/fakes.ts';
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
} from './scene.ts';
import { createGate, linesOf } from './wire.ts';

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
