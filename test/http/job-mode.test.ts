import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
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
import { type HandClock, endingBy, handClock, noon } from '../support/clock.ts';
import { xmlOf } from '../support/wechat.ts';

const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const never = (): Promise<never> => new Promise(() => {});
const decided = async () => ({ is: 'decided' }) as const;
/** Offers the answer to whoever holds the connection. */
async function offer(scene: Scene, count = 1): Promise<void> {
  await scene.journal.when('wait', count);
  const holder = scene.journal.of('hold')[count - 1]?.holder ?? '';
  scene.holds.offered(holder);
}

/** A scene whose journal says when the waiting for an answer begins. */
function holding(options: SceneOptions = {}): Promise<Scene> {
  const journal = options.journal ?? createJournal();
  return openScene({
    ...options,
    journal,
    accounts: [wechat({ journal }), nxcloud()],
    holds: (made) => ({
      ...made,
      wait: (id, holder, how) => {
        const answer = made.wait(id, holder, how);
        journal.record({ is: 'wait', limitMs: how.limitMs });
        return answer;
      },
    }),
  });
}

describe('a push is acknowledged', () => {
  test.each([
    ['NXCloud', pushNxcloud, '{}'],
    ['WeChat', pushWechat, 'success'],
  ])('to %s only when its job is in Redis', async (_, push, word) => {
    const stored = createGate();
    const scene = await openScene({
      intake: { enqueue: () => stored.passed },
      deliveries: { hold: decided },
    });
    const { answer, sofar } = push(scene);
    await scene.journal.when('enqueue');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    stored.open();
    expect(await answer).toMatchObject({ status: 200, body: Buffer.from(word) });
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test('with its turn told to the typing, and its bytes to the queue', async () => {
    const scene = await openScene({ deliveries: { hold: decided } });
    await pushWechat(scene).answer;
    expect(scene.journal.of('tell')).toMatchObject([
      { phase: 'working', happenings: [{ is: 'inbound', user: 'openid1', opensTurn: true }] },
    ]);
    expect(scene.journal.of('enqueue')).toMatchObject([
      { key: 'openid1-1234567890123456789', push: { body: Buffer.from(xmlOf(wechatText)) } },
    ]);
    expect(scene.journal.of('hold')[0]?.id).toBe('wechat/default/openid1-1234567890123456789');
  });

  test.each([
    ['refuses', away],
    ['hangs', () => new Promise<void>(() => {})],
  ])('whether or not the typing’s Redis %s', async (_, tell) => {
    const scene = await openScene({ intake: { tell }, deliveries: { hold: decided } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });

  test('to NXCloud without a hold: its webhook answers hold no message', async () => {
    const scene = await openScene();
    await pushNxcloud(scene).answer;
    expect(scene.journal.of('hold')).toEqual([]);
  });

  test('when it was stored but cannot be held: the worker sends the answer', async () => {
    const scene = await openScene({ deliveries: { hold: away } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('asked')).toEqual([]);
    expect(scene.journal.of('giveBackLater')).toMatchObject([{ holder: 'web-1.1' }]);
  });
});

describe('a push costs one round trip to Redis', () => {
  test('everything that a push of WeChat says is sent before any of it is answered', async () => {
    const scene = await openScene({
      intake: { tell: never, enqueue: never },
      deliveries: { hold: never },
    });
    const { sofar } = pushWechat(scene);
    await Promise.all([
      scene.journal.when('tell'),
      scene.journal.when('enqueue'),
      scene.journal.when('hold'),
    ]);
    await scene.roundTrip();
    expect(scene.journal.kinds().sort()).toEqual(['enqueue', 'hold', 'tell']);
    expect(sofar()).toBe(null);
  });

  test('so is everything that one of NXCloud says', async () => {
    const scene = await openScene({ intake: { tell: never, enqueue: never } });
    pushNxcloud(scene);
    await Promise.all([scene.journal.when('tell'), scene.journal.when('enqueue')]);
    await scene.roundTrip();
    expect(scene.journal.kinds().sort()).toEqual(['enqueue', 'tell']);
  });
});

/** Redis takes so long for each push. */
const slowFor = (ms: number, time: HandClock) => ({
  clock: time,
  intake: { enqueue: async () => time.pass(ms) },
});

describe('the hold counts from the arrival of the push', () => {
  test.each([
    [0, 300],
    [200, 100],
    [300, 0],
    [5_000, 0],
  ])('of 300 ms, %i of which Redis took, %i are left', async (took, left) => {
    const scene = await holding({ ...slowFor(took, handClock(noon, endingBy(0))), holdMs: 300 });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('wait')).toEqual([{ is: 'wait', limitMs: left }]);
  });

  test('an answer that is offered within what is left of it is written', async () => {
    const time = handClock(noon, endingBy(0));
    const scene = await holding({
      ...slowFor(59_000, time),
      holdMs: 60_000,
      deliveries: { claim: async () => passiveReply },
    });
    const push = pushWechat(scene);
    await offer(scene);
    expectRelayed(await push.answer, passiveReply);
    expect(scene.journal.of('wait')).toEqual([{ is: 'wait', limitMs: 1_000 }]);
  });
});

describe('a held connection', () => {
  test.each([
    ['a message', passiveReply],
    ['anything', oddAnswer],
    ['nothing', { status: 200, headers: [], body: Buffer.alloc(0) }],
  ])('gets %s byte for byte when it is offered', async (_, answer) => {
    const scene = await holding({ deliveries: { claim: async () => answer } });
    const push = pushWechat(scene);
    await offer(scene);
    expectRelayed(await push.answer, answer);
    expect(scene.journal.of('claim')).toEqual([
      { is: 'claim', id: 'wechat/default/openid1-1234567890123456789', holder: 'web-1.1' },
    ]);
    expect(scene.journal.of('giveBack')).toEqual([]);
  });

  test('gets the bytes that an earlier delivery got', async () => {
    const scene = await openScene({
      deliveries: { hold: async () => ({ is: 'answer', answer: oddAnswer }) },
    });
    expectRelayed(await pushWechat(scene).answer, oddAnswer);
  });

  test('loses the lines that belong to the bot’s connection', async () => {
    const headers = [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', '1'],
      ['Keep-Alive', 'timeout=5'],
      ['Content-Length', '999'],
      ['X-Stays', '1'],
    ] as const;
    const answer = { status: 200, headers, body: Buffer.from('hi') };
    const scene = await openScene({ deliveries: { hold: async () => ({ is: 'answer', answer }) } });
    const got = await pushWechat(scene).answer;
    expect(linesOf(got.headers, 'content-length')).toEqual(['2']);
    expect(linesOf(got.headers, 'x-hop')).toEqual([]);
    expect(linesOf(got.headers, 'x-stays')).toEqual(['1']);
  });

  test('is acknowledged at its end, when it has been left', async () => {
    const scene = await holding({ holdMs: 10 });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    await scene.journal.when('written');
    expect(scene.journal.kinds().join()).toBe('tell,enqueue,hold,wait,isMute,leave,written');
  });

  test('gets an answer that comes with its end', async () => {
    const scene = await openScene({ holdMs: 10, deliveries: { leave: async () => passiveReply } });
    expectRelayed(await pushWechat(scene).answer, passiveReply);
  });

  test.each([
    ['the claim', { claim: away }],
    ['the end', { leave: away }],
  ])('is acknowledged when Redis fails at %s', async (_, deliveries) => {
    const scene = await holding({ holdMs: 'claim' in deliveries ? 60_000 : 10, deliveries });
    const push = pushWechat(scene);
    await offer(scene);
    expect(await push.answer).toMatchObject(success);
    expect(scene.log.lines).toMatchObject([{ level: 'warn' }]);
    // The claim may have been carried out all the same.
    expect(scene.journal.of('giveBackLater')).toMatchObject([{ holder: 'web-1.1' }]);
    expect(scene.journal.of('redeliverLater')).toEqual([]);
  });

  test('that was claimed without our knowing is delivered another way', async () => {
    const scene = await holding({ deliveries: { claim: away }, later: { giveBack: async () => true } });
    const push = pushWechat(scene);
    await offer(scene);
    expect(await push.answer).toMatchObject(success);
    expect(await scene.journal.when('redeliverLater')).toMatchObject({ key: 'openid1-1234567890123456789' });
  });

  test('of a push that is decided is not asked about again because its adding failed', async () => {
    for (const hold of [decided, async () => ({ is: 'answer', answer: passiveReply }) as const]) {
      const scene = await openScene({ intake: { enqueue: away }, deliveries: { hold } });
      expect((await pushWechat(scene).answer).status).toBe(200);
      expect(scene.journal.of('asked')).toEqual([]);
      expect(scene.journal.of('forfeit')).toEqual([]);
    }
  });
});

/** The answer is claimed as the platform is gone already. */
async function claimedTooLate(options: SceneOptions): Promise<Scene> {
  const left = { leave: async () => passiveReply };
  const scene = await holding({ ...options, deliveries: { ...left, ...options.deliveries } });
  const { hangUp } = pushWechat(scene);
  await scene.journal.when('wait');
  hangUp();
  await scene.journal.when('giveBack');
  return scene;
}

describe('when the platform hangs up', () => {
  test('before the job is stored, nobody waits for an answer', async () => {
    const stored = createGate();
    const scene = await holding({ intake: { enqueue: () => stored.passed } });
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('enqueue');
    hangUp();
    await scene.journal.when('hungUp');
    stored.open();
    expect(await scene.journal.when('leave')).toMatchObject({ holder: 'web-1.1' });
  });

  test('before an answer, nothing is given back: the worker sends it', async () => {
    const scene = await holding();
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('wait');
    hangUp();
    await scene.journal.when('leave');
    await scene.roundTrip();
    expect(scene.journal.of('giveBack')).toEqual([]);
    expect(scene.journal.of('redeliver')).toEqual([]);
  });

  test('before a claimed answer is written, it is given back and delivered another way', async () => {
    const scene = await claimedTooLate({ deliveries: { giveBack: async () => true } });
    expect(await scene.journal.when('redeliver')).toMatchObject({
      key: 'openid1-1234567890123456789',
      push: { body: Buffer.from(xmlOf(wechatText)) },
    });
    expect(scene.journal.of('giveBack')).toMatchObject([
      { id: 'wechat/default/openid1-1234567890123456789', holder: 'web-1.1' },
    ]);
    expect(scene.journal.of('sent')).toEqual([]);
  });

  test('and the answer has gone another way already, nothing more is done', async () => {
    const scene = await claimedTooLate({ deliveries: { giveBack: async () => false } });
    await scene.roundTrip();
    expect(scene.journal.of('redeliver')).toEqual([]);
    expect(scene.journal.of('sent')).toEqual([]);
  });

  const failing: [string, SceneOptions][] = [
    ['the giving back', { deliveries: { giveBack: away } }],
    ['the queue', { deliveries: { giveBack: async () => true }, intake: { redeliver: away } }],
  ];

  test.each(failing)('and Redis fails at %s, both are done when it is back', async (_, options) => {
    const scene = await claimedTooLate({ ...options, later: { giveBack: async () => true } });
    expect(await scene.journal.when('redeliverLater')).toMatchObject({ key: 'openid1-1234567890123456789' });
    expect(scene.journal.of('giveBackLater')).toMatchObject([{ holder: 'web-1.1' }]);
    expect(scene.journal.of('sent')).toEqual([]);
  });
});

const heldAt = (deliveries: number) => async () => ({ is: 'held', deliveries }) as const;

describe('an account that may not send', () => {
  const mute = { isMute: async () => true, holdMs: 10 };

  test.each([1, 2])('is not acknowledged at delivery %i: WeChat is left to repeat', async (deliveries) => {
    const scene = await holding({ ...mute, deliveries: { hold: heldAt(deliveries) } });
    const { hangUp, sofar } = pushWechat(scene);
    await scene.journal.when('isMute');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    expect(scene.journal.of('leave')).toEqual([]);
    hangUp();
    await scene.journal.when('leave');
    expect(scene.log.lines).toEqual([]);
  });

  test('still gets its answer after the usual hold', async () => {
    const scene = await holding({ ...mute, deliveries: { claim: async () => passiveReply } });
    const push = pushWechat(scene);
    await scene.journal.when('isMute');
    await offer(scene);
    expectRelayed(await push.answer, passiveReply);
  });

  test('is acknowledged at the third delivery, and its loss said', async () => {
    const scene = await holding({ ...mute, deliveries: { hold: heldAt(3) } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.log.lines).toMatchObject([
      { level: 'error', fields: { push: 'wechat/default/openid1-1234567890123456789' } },
    ]);
    expect(scene.log.lines[0]?.message).toMatch(/lost to the user/);
  });

  test.each([1, 3])('is acknowledged at delivery %i when Redis cannot say', async (deliveries) => {
    const scene = await holding({ isMute: away, holdMs: 10, deliveries: { hold: heldAt(deliveries) } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
  });
});

test('a push whose connection ends in the middle of its body is nothing', async () => {
  const scene = await openScene({ deliveries: { hold: decided } });
  const { hostname, port } = new URL(scene.url);
  const socket = connect(Number(port), hostname);
  socket.end(`POST ${signedPath()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<xml>`);
  await new Promise((resolve) => socket.resume().once('close', resolve));
  await scene.roundTrip();
  expect([scene.journal.of('tell'), scene.journal.of('enqueue')]).toEqual([[], []]);
  expect(await pushWechat(scene).answer).toMatchObject(success);
});
