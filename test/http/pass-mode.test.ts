import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Answer } from '../../src/core/wire.ts';
import { xmlOf } from '../support/wechat.ts';
import {
  bot as anyBot,
  forged,
  nxcloud,
  openClient,
  openScene,
  passiveReply,
  pushNxcloud,
  pushWechat,
  signedPath,
  wechat,
  wechatText,
  type Scene,
  type SceneOptions,
} from './scene.ts';
import { createGate, linesOf, startBot, textOf, type Asked } from './wire.ts';

type Reply = Parameters<typeof startBot>[0];

const turn = 'openid1-1234567890123456789';

/** keeptyping in pass mode before a bot on real HTTP. */
async function passing(reply: Reply, options: SceneOptions & { timeoutMs?: number } = {}) {
  const { url, asked } = await startBot(reply);
  const bot = {
    ...anyBot,
    url: `${url}?own=1`,
    mode: 'pass',
    timeoutMs: options.timeoutMs ?? 5_000,
  } as const;
  const accounts = [wechat({ bot }), nxcloud({ bot })];
  const scene = await openScene({ accounts, send: openClient().send, ...options });
  return { scene, asked };
}

const answering =
  (body: string | Uint8Array, status = 200): Reply =>
  (response) =>
    void response.writeHead(status).end(body);

/** The events after the push itself, as words. */
function endsOf({ journal }: Scene): string[] {
  return journal
    .of('tellEvent')
    .map(({ event }) => (event.is === 'ended' ? `ended by ${event.by}` : event.is));
}

describe('each delivery', () => {
  test('goes to the bot byte for byte, with its key', async () => {
    const { scene, asked } = await passing(answering('success'));
    await scene.call(signedPath(), {
      headers: [
        'Content-Type',
        'text/xml',
        'x-B',
        '1',
        'X-b',
        '2',
        'Connection',
        'close, X-Hop',
        'X-Hop',
        '1',
        ...forged,
      ],
      body: xmlOf(wechatText),
    }).answer;
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      method: 'POST',
      url: `/bot?own=1&${signedPath().split('?')[1]}`,
      body: Buffer.from(xmlOf(wechatText)),
    });
    expect(asked[0]?.headers.slice(1)).toEqual([
      ['Content-Type', 'text/xml'],
      ['x-B', '1'],
      ['X-b', '2'],
      ['Idempotency-Key', turn],
      ['X-Keeptyping-Attempt', '1'],
      ['Content-Length', String(Buffer.byteLength(xmlOf(wechatText)))],
      ['Connection', 'keep-alive'],
    ]);
  });

  test('gets the bot’s answer byte for byte', async () => {
    const body = gzipSync(passiveReply.body);
    const { scene } = await passing((response) => {
      response.writeHead(203, {
        'Content-Encoding': 'gzip',
        'content-TYPE': 'text/xml;charset=GBK',
        'Set-Cookie': ['a=1', 'b=2'],
      });
      response.end(body);
    });
    const answer = await pushWechat(scene).answer;
    expect(answer.status).toBe(203);
    expect(answer.body).toEqual(body);
    expect(linesOf(answer.headers, 'set-cookie')).toEqual(['a=1', 'b=2']);
    expect(linesOf(answer.headers, 'content-encoding')).toEqual(['gzip']);
    expect(linesOf(answer.headers, 'content-type')).toEqual(['text/xml;charset=GBK']);
    expect(linesOf(answer.headers, 'content-length')).toEqual([String(body.length)]);
  });

  test('beyond what one account may have under way is the platform’s to repeat, and calls no bot', async () => {
    const gate = createGate();
    const { scene, asked } = await passing(
      (response) => void gate.passed.then(() => response.end('success')),
      { places: 1 },
    );
    const first = pushWechat(scene);
    await expect.poll(() => asked.length).toBe(1);
    const second = await pushWechat(scene).answer;
    expect(second.status).toBe(503);
    gate.open();
    expect((await first.answer).status).toBe(200);
    expect((await pushWechat(scene).answer).status).toBe(200);
    expect(asked).toHaveLength(2);
  });

  test('is forwarded, repeats included, and told to the typing', async () => {
    const { scene, asked } = await passing(answering('success'));
    for (let delivery = 0; delivery < 3; delivery += 1) await pushWechat(scene).answer;
    expect(asked.map(({ body }) => textOf(body))).toEqual(Array(3).fill(xmlOf(wechatText)));
    expect(scene.journal.of('tell').map(({ phase }) => phase)).toEqual(['passed', 'passed', 'passed']);
    expect(scene.journal.of('take')).toEqual([]);
    expect(scene.journal.of('hold')).toEqual([]);
  });

  test('of NXCloud too gets what the bot answers', async () => {
    const { scene } = await passing(answering('{"any":"thing"}', 202));
    expect(await pushNxcloud(scene).answer).toMatchObject({
      status: 202,
      body: Buffer.from('{"any":"thing"}'),
    });
    expect(endsOf(scene)).toEqual(['acknowledged']);
  });
});

describe('the end of a delivery', () => {
  test.each([
    ['a message', answering(passiveReply.body), 'ended by passive-reply'],
    ['success', answering('success'), 'acknowledged'],
    ['an empty body', answering(''), 'acknowledged'],
    ['204', answering('', 204), 'acknowledged'],
    ['500', answering(passiveReply.body, 500), 'missed'],
    ['302', answering('', 302), 'missed'],
  ])('with %s is told', async (_, reply, end) => {
    const { scene } = await passing(reply);
    await pushWechat(scene).answer;
    expect(endsOf(scene)).toEqual([end]);
    expect(scene.journal.of('tellEvent')).toMatchObject([{ user: 'openid1', event: { turn } }]);
  });

  test('of a push that opens no turn is not told', async () => {
    const { scene, asked } = await passing(answering(passiveReply.body));
    await pushWechat(scene, xmlOf({ ...wechatText, MsgType: 'event', Event: 'VIEW' })).answer;
    expect(asked).toHaveLength(1);
    expect(endsOf(scene)).toEqual([]);
  });

  test('is told before the platform has the message', async () => {
    const { scene } = await passing(answering(passiveReply.body));
    await pushWechat(scene).answer;
    await scene.journal.when('written');
    expect(scene.journal.kinds()).toEqual(['tell', 'asked', 'tellEvent', 'written']);
  });

  test.each([
    ['cannot be reached', (): Reply => (response) => void response.socket?.destroy(), 5_000],
    ['takes too long', (): Reply => () => {}, 50],
  ])('when the bot %s is 502 and missed', async (_, reply, timeoutMs) => {
    const { scene } = await passing(reply(), { timeoutMs });
    const answer = await pushWechat(scene).answer;
    expect(answer).toMatchObject({ status: 502, body: Buffer.alloc(0) });
    expect(endsOf(scene)).toEqual(['missed']);
    expect(scene.log.lines).toMatchObject([{ level: 'warn', fields: { push: turn } }]);
  });
});

/** A bot whose message comes just as the platform goes. */
const whenHungUp =
  (answer: Answer): NonNullable<SceneOptions['send']> =>
  ({ signal }) =>
    new Promise<Answer>((resolve) => signal?.addEventListener('abort', () => resolve(answer)));

/** A message with the bot's word that it is not yet the answer. */
const messageFirst: Answer = { ...passiveReply, headers: [...passiveReply.headers, ['X-Typing', 'keep']] };

describe('a message that is not yet the answer', () => {
  test('is an interaction once the platform has it: it takes the indicator away', async () => {
    const { scene } = await passing(answering(''), { send: async () => messageFirst });
    await pushWechat(scene).answer;
    await scene.journal.when('tellEvent', 2);
    expect(endsOf(scene)).toEqual(['acknowledged', 'interaction']);
    expect(scene.journal.kinds()).toEqual(['tell', 'asked', 'tellEvent', 'written', 'tellEvent']);
  });

  test('did not reach a platform that is gone', async () => {
    const { scene } = await passing(answering(''), { send: whenHungUp(messageFirst) });
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('asked');
    hangUp();
    await scene.journal.when('tellEvent', 2);
    expect(endsOf(scene)).toEqual(['acknowledged', 'undelivered']);
  });
});

describe('when the platform hangs up', () => {
  test('the bot is dropped, and the delivery missed', async () => {
    const arrived = createGate<Asked>();
    const { scene } = await passing((_, asked) => arrived.open(asked));
    const { hangUp } = pushWechat(scene);
    const { gone } = await arrived.passed;
    hangUp();
    await gone;
    await scene.journal.when('tellEvent');
    expect(endsOf(scene)).toEqual(['missed']);
    // A platform that waits no longer is nothing to warn of.
    expect(scene.log.lines).toEqual([]);
  });

  test('the next delivery goes to the bot anew and gets its answer', async () => {
    const arrived = createGate();
    let deliveries = 0;
    const { scene, asked } = await passing((response) => {
      deliveries += 1;
      if (deliveries === 1) return arrived.open();
      response.end(passiveReply.body);
    });
    const first = pushWechat(scene);
    await arrived.passed;
    first.hangUp();
    await scene.journal.when('tellEvent');
    expect((await pushWechat(scene).answer).body).toEqual(Buffer.from(passiveReply.body));
    expect(asked).toHaveLength(2);
    expect(endsOf(scene)).toEqual(['missed', 'ended by passive-reply']);
  });

  test('as the message is on its way, the message did not reach the user', async () => {
    const { scene } = await passing(answering(''), { send: whenHungUp(passiveReply) });
    const { hangUp } = pushWechat(scene);
    await scene.journal.when('asked');
    hangUp();
    await scene.journal.when('tellEvent', 2);
    expect(endsOf(scene)).toEqual(['ended by passive-reply', 'undelivered']);
  });
});

test('a Redis that answers nothing does not matter to the message of the push', async () => {
  const intake = { tell: () => new Promise<void>(() => {}) };
  const { scene, asked } = await passing(answering(passiveReply.body), { intake });
  expect((await pushWechat(scene).answer).body).toEqual(Buffer.from(passiveReply.body));
  expect(asked).toHaveLength(1);
  expect(scene.journal.of('take')).toEqual([]);
});
