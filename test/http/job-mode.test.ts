import { connect } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { Served } from '../../src/core/roster.ts';
import type { Answer, OutboundRequest } from '../../src/core/wire.ts';
import type { Take } from '../../src/replies/delivery.ts';
import {
  createJournal,
  expectRelayed,
  forged,
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
import { handClock, realSleep } from '../support/clock.ts';
import { xmlOf } from '../support/wechat.ts';

const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));
const never = (): Promise<never> => new Promise(() => {});
const decided = async () => ({ is: 'decided', state: 'sent' }) as const;
const heldAt = (deliveries: number) => async () => ({ is: 'held', deliveries }) as const;
const answered = async () => ({ is: 'answer', answer: passiveReply }) as const;
const giveBack = async (): Promise<Answer> => passiveReply;
const ownedAt = (deliveries: number) => async () => ({ is: 'owned', attempt: 1, deliveries }) as const;
const id = 'wechat/default/openid1-1234567890123456789';

/** A scene whose WeChat account notes what it sends. */
function holding(options: SceneOptions = {}): Promise<Scene> {
  const journal = options.journal ?? createJournal();
  return openScene({ accounts: [wechat({ journal }), nxcloud()], ...options, journal });
}

/** Another process, which owns the push, offers the answer to whoever holds the connection. */
async function offer(scene: Scene): Promise<void> {
  await scene.journal.when('wait');
  await scene.journal.when('take');
  scene.holds.offered(scene.journal.of('hold')[0]?.holder ?? '');
}

describe('a push is acknowledged', () => {
  test('to NXCloud only when Redis has it', async () => {
    const stored = createGate();
    const take = async () => {
      await stored.passed;
      return { is: 'owned', attempt: 1, deliveries: 1 } as const;
    };
    const scene = await holding({ deliveries: { take }, send: never });
    const { answer, sofar } = pushNxcloud(scene);
    await scene.journal.when('take');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    stored.open();
    expect(await answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });

  test.each([
    ['hangs', { take: never }],
    ['refuses', { take: away }],
    ['takes it', {}],
  ])('to WeChat at the end of the hold, whether Redis %s', async (_, deliveries) => {
    const scene = await holding({ holdMs: 10, deliveries, send: never });
    expect(await pushWechat(scene).answer).toMatchObject(success);
  });

  // Of a hold of a minute that leaves 1.5 s, or nothing: it was late to read the push, and its timers will be as late.
  test.each([
    ['is behind', { isBusy: () => true, lateMs: (): number => 29_250 }],
    ['is further behind than the hold is long', { lateMs: (): number => 30_000 }],
  ])('to WeChat sooner where the process %s: so many need their time', async (_, pressure) => {
    const scene = await holding({ pressure, send: never });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('take')).toHaveLength(1);
  });

  test('but not where Redis does not have it: then nobody else could answer', async () => {
    const taken = createGate();
    const take = async () => {
      await taken.passed;
      return { is: 'owned', attempt: 1, deliveries: 1 } as const;
    };
    const pressure = { isBusy: () => true, lateMs: (): number => 29_250 };
    const scene = await holding({ pressure, deliveries: { take }, send: never });
    const { answer, sofar } = pushWechat(scene);
    await scene.journal.when('take');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    taken.open();
    expect(await answer).toMatchObject(success);
  });

  test('with its turn told to the typing, and its bytes insured', async () => {
    const scene = await holding({ deliveries: { take: decided } });
    await pushWechat(scene).answer;
    expect(scene.journal.of('tell')).toMatchObject([
      { phase: 'working', happenings: [{ is: 'inbound', user: 'openid1', opensTurn: true }] },
    ]);
    expect(scene.journal.of('take')).toMatchObject([
      { id, holder: 'web-1.1', push: { body: Buffer.from(xmlOf(wechatText)) } },
    ]);
  });

  test('whether or not the typing’s Redis hangs', async () => {
    const scene = await holding({ intake: { tell: never }, send: async () => passiveReply });
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
  });

  test('to NXCloud without a hold: its webhook answers hold no message', async () => {
    const scene = await holding({ send: async () => passiveReply });
    await pushNxcloud(scene).answer;
    expect(scene.journal.of('hold')).toEqual([]);
    expect(scene.journal.of('take')).toMatchObject([{ holder: null }]);
  });

  test('at once where it is decided already: the bot is not called', async () => {
    const scene = await holding({ deliveries: { take: decided } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(await pushNxcloud(scene).answer).toMatchObject({ status: 200, body: Buffer.from('{}') });
    expect(scene.journal.of('asked')).toEqual([]);
  });
});

test('nobody but keeptyping tells the bot which push it is, and which attempt', async () => {
  let asked: OutboundRequest | null = null;
  const send = async (request: OutboundRequest) => {
    asked = request;
    return passiveReply;
  };
  const scene = await holding({ send });
  const headers = ['X-Theirs', '1', ...forged];
  await scene.call(signedPath(), { headers, body: xmlOf(wechatText) }).answer;
  expect(asked).toMatchObject({
    headers: [
      ['X-Theirs', '1'],
      ['Idempotency-Key', 'openid1-1234567890123456789'],
      ['X-Keeptyping-Attempt', '1'],
    ],
  });
});

describe('a push costs one round trip to Redis before the bot is called', () => {
  test.each([
    ['WeChat', pushWechat, ['hold', 'take', 'tell', 'wait']],
    ['NXCloud', pushNxcloud, ['take', 'tell']],
  ])('everything that one of %s says is sent before any of it is answered', async (_, push, kinds) => {
    const scene = await holding({ intake: { tell: never }, deliveries: { take: never } });
    const { sofar } = push(scene);
    await Promise.all([scene.journal.when('tell'), scene.journal.when('take')]);
    await scene.roundTrip();
    expect(scene.journal.kinds().sort()).toEqual(kinds);
    expect(sofar()).toBe(null);
  });
});

describe('the hold counts from the arrival of the push', () => {
  test.each([
    [0, 300],
    [200, 100],
    [5_000, 0],
  ])('of 300 ms, %i of which it took to read the push, %i are left', async (took, left) => {
    const clock = handClock();
    const served = wechat();
    const { platform } = served;
    const slow: Served = {
      ...served,
      platform: {
        ...platform,
        receive: async (push) => {
          clock.pass(took);
          return platform.receive(push);
        },
      },
    };
    const scene = await holding({ clock, holdMs: 300, accounts: [slow], send: never });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('wait')).toEqual([{ is: 'wait', limitMs: left }]);
  });
});

describe('a held connection', () => {
  test.each([
    ['a message', passiveReply],
    ['anything', { ...oddAnswer, status: 206 }],
    ['nothing', { status: 200, headers: [], body: Buffer.alloc(0) }],
  ])('gets %s byte for byte when the bot answers', async (_, answer) => {
    const scene = await holding({ send: async () => answer });
    expectRelayed(await pushWechat(scene).answer, answer);
    await scene.journal.when('written');
    expect(scene.journal.of('write')).toEqual([{ is: 'write', id }]);
    expect(scene.journal.of('sent')).toEqual([]);
  });

  test('gets the bot’s own failure, and its job is kept', async () => {
    const scene = await holding({ send: async () => oddAnswer });
    expectRelayed(await pushWechat(scene).answer, oddAnswer);
    expect(await scene.journal.when('settle')).toMatchObject({ id, state: 'failed' });
    expect(await scene.journal.when('enqueue')).toMatchObject({ key: 'openid1-1234567890123456789' });
  });

  test('gets what another process offers, byte for byte', async () => {
    const scene = await holding({ deliveries: { take: heldAt(2), claim: async () => passiveReply } });
    const push = pushWechat(scene);
    await offer(scene);
    expectRelayed(await push.answer, passiveReply);
    expect(scene.journal.of('claim')).toEqual([{ is: 'claim', id }]);
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test('gets the bytes that an earlier delivery got', async () => {
    const scene = await holding({ deliveries: { take: async () => ({ is: 'answer', answer: oddAnswer }) } });
    expectRelayed(await pushWechat(scene).answer, oddAnswer);
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test('loses the lines that belong to the bot’s connection', async () => {
    const headers = [
      ['Connection', 'close, X-Hop'],
      ['X-Hop', '1'],
      ['Keep-Alive', 'timeout=5'],
      ['Content-Length', '999'],
      ['X-Stays', '1'],
    ] as const;
    const scene = await holding({ send: async () => ({ status: 200, headers, body: Buffer.from('hi') }) });
    const got = await pushWechat(scene).answer;
    expect(linesOf(got.headers, 'content-length')).toEqual(['2']);
    expect(linesOf(got.headers, 'x-hop')).toEqual([]);
    expect(linesOf(got.headers, 'x-stays')).toEqual(['1']);
  });

  test('is acknowledged at its end; what the bot answers then is sent', async () => {
    const answer = createGate<Answer>();
    const scene = await holding({ holdMs: 10, send: () => answer.passed });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('sent')).toEqual([]);
    answer.open(passiveReply);
    expect((await scene.journal.when('sent')).body).toEqual({
      touser: 'openid1',
      msgtype: 'text',
      text: { content: '慢慢来' },
    });
    expect(await scene.journal.when('settle')).toMatchObject({ state: 'sent' });
  });

  test('hears of the turn’s end only after the typing has', async () => {
    const told = createGate();
    const scene = await holding({
      send: async () => passiveReply,
      events: { tell: () => told.passed.then(() => null) },
    });
    const { answer, sofar } = pushWechat(scene);
    await scene.journal.when('write');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    told.open();
    expectRelayed(await answer, passiveReply);
  });

  test('is acknowledged when Redis fails at the claim: whoever offered it sends it another way', async () => {
    const scene = await holding({ holdMs: 100, deliveries: { take: heldAt(2), claim: away } });
    const push = pushWechat(scene);
    await offer(scene);
    expect(await push.answer).toMatchObject(success);
    expect(scene.journal.of('asked')).toEqual([]);
  });
});

describe('what Redis has for a connection', () => {
  test('and says after its end is sent from here, and the bot not called', async () => {
    const taken = createGate<Take>();
    const scene = await holding({ holdMs: 10, deliveries: { take: () => taken.passed, giveBack } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('sent')).toEqual([]);
    taken.open({ is: 'answer', answer: passiveReply });
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test('and is claimed after its end is sent from here', async () => {
    const claimed = createGate<Answer>();
    const scene = await holding({
      holdMs: 300,
      deliveries: { take: heldAt(2), claim: () => claimed.passed, giveBack },
    });
    const push = pushWechat(scene);
    await offer(scene);
    expect(await push.answer).toMatchObject(success);
    expect(scene.journal.of('sent')).toEqual([]);
    claimed.open(passiveReply);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
  });

  test('and was claimed, though the word of that was lost, goes to it', async () => {
    const scene = await holding({ deliveries: { take: heldAt(2), claim: away, giveBack } });
    const push = pushWechat(scene);
    await offer(scene);
    expectRelayed(await push.answer, passiveReply);
    expect(scene.journal.of('asked')).toEqual([]);
  });
});

/** The answer of another process is claimed, and the platform is gone before it is written. */
async function claimedTooLate(given: () => Promise<Answer | null>): Promise<Scene> {
  const claimed = createGate<Answer>();
  const scene = await holding({
    deliveries: { take: heldAt(2), claim: () => claimed.passed, giveBack: given },
    responded: (response) => void (response.end = () => response.destroy()),
  });
  pushWechat(scene);
  await offer(scene);
  claimed.open(passiveReply);
  await scene.journal.when('giveBack');
  return scene;
}

describe('when the platform hangs up', () => {
  test('before its push is read, what there is for it is sent from here', async () => {
    const scene = await holding({ deliveries: { take: answered, giveBack } });
    const { hostname, port } = new URL(scene.url);
    const body = xmlOf(wechatText);
    const head = `Host: x\r\nContent-Type: text/xml\r\nContent-Length: ${Buffer.byteLength(body)}`;
    connect(Number(port), hostname).end(`POST ${signedPath()} HTTP/1.1\r\n${head}\r\n\r\n${body}`);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test('before the bot has answered, the answer is sent', async () => {
    const answer = createGate<Answer>();
    const scene = await holding({ send: () => answer.passed });
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('asked');
    hangUp();
    await scene.journal.when('hungUp');
    answer.open(passiveReply);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
    expect(scene.journal.of('write')).toEqual([]);
  });

  test('as the answer is being written, it is sent: the platform did not get it', async () => {
    const scene = await holding({
      send: async () => passiveReply,
      responded: (response) => void (response.end = () => response.destroy()),
    });
    pushWechat(scene);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
    expect(scene.journal.kinds().filter((is) => is === 'write' || is === 'send')).toEqual(['write', 'send']);
  });

  test('before a claimed answer is written, it is sent from here, and the bot not called', async () => {
    const scene = await claimedTooLate(giveBack);
    expect((await scene.journal.when('sent')).body).toMatchObject({ touser: 'openid1' });
    expect(scene.journal.of('asked')).toEqual([]);
  });

  test.each([
    ['the answer has gone another way already', async () => null],
    ['Redis cannot say whether it has', away],
  ])('and %s, nothing more is done', async (_, given) => {
    const scene = await claimedTooLate(given);
    await scene.roundTrip();
    expect(scene.journal.of('sent')).toEqual([]);
  });
});

describe('an account that may not send', () => {
  const mute = { isMute: () => true, holdMs: 10, send: never };

  test.each([1, 2])('is not acknowledged at delivery %i: WeChat is left to repeat', async (deliveries) => {
    const scene = await holding({ ...mute, deliveries: { take: ownedAt(deliveries) } });
    const { hangUp, sofar } = pushWechat(scene);
    await scene.journal.when('isMute');
    await scene.roundTrip();
    expect(sofar()).toBe(null);
    hangUp();
    await scene.journal.when('hungUp');
    expect(scene.log.lines).toEqual([]);
  });

  test('still gets its answer after the usual hold', async () => {
    const answer = createGate<Answer>();
    const scene = await holding({ ...mute, send: () => answer.passed });
    const push = pushWechat(scene);
    await scene.journal.when('isMute');
    answer.open(passiveReply);
    expectRelayed(await push.answer, passiveReply);
  });

  test('gets it at the repeat, for which it waits', async () => {
    const answer = createGate<Answer>();
    const carryClock = handClock(undefined, realSleep);
    const scene = await holding({ ...mute, isMuteNow: true, carryClock, send: () => answer.passed });
    const first = pushWechat(scene);
    await scene.journal.when('asked');
    first.hangUp();
    await scene.journal.when('hungUp');
    answer.open(passiveReply);
    await scene.journal.when('offer');
    expectRelayed(await pushWechat(scene).answer, passiveReply);
    expect(scene.journal.of('sent')).toEqual([]);
    expect(scene.journal.of('asked')).toHaveLength(1);
  });

  test.each([ownedAt(3), heldAt(3)])(
    'is acknowledged at the third delivery, and that its answer may be refused is said',
    async (take) => {
      const scene = await holding({ ...mute, deliveries: { take } });
      expect(await pushWechat(scene).answer).toMatchObject(success);
      expect(scene.log.lines).toMatchObject([{ level: 'warn', fields: { account: 'default' } }]);
      expect(scene.log.lines[0]?.message).toMatch(/sent all the same/);
    },
  );

  test('is known by what was learned before the end of the hold: the acknowledgement waits for nothing', async () => {
    const scene = await holding({ send: never, holdMs: 200, deliveries: { take: ownedAt(1) } });
    expect(await pushWechat(scene).answer).toMatchObject(success);
    expect(scene.journal.of('refreshMute')).toHaveLength(1);
  });
});

test('a push whose connection ends in the middle of its body is nothing', async () => {
  const scene = await holding({ deliveries: { take: decided } });
  const { hostname, port } = new URL(scene.url);
  const socket = connect(Number(port), hostname);
  socket.end(`POST ${signedPath()} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n<xml>`);
  await new Promise((resolve) => socket.resume().once('close', resolve));
  await scene.roundTrip();
  expect([scene.journal.of('tell'), scene.journal.of('take')]).toEqual([[], []]);
  expect(await pushWechat(scene).answer).toMatchObject(success);
});
