import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { createBodies } from '../../src/http/respond.ts';
import { readFields } from '../../src/wechat/body.ts';
import { growthOf, linear } from '../support/growth.ts';
import { envelope, textMessage } from '../support/nxcloud.ts';
import { xmlOf } from '../support/wechat.ts';
import {
  bot,
  createJournal,
  nxcloud,
  openScene,
  pushWechat,
  signedPath,
  wechat,
  wechatText,
  type Scene,
} from './scene.ts';
import { call, textOf } from './wire.ts';

/** An honest refusal: this status and one sentence, and nothing else. */
function expectRefusal(answer: request.Response, status: number): void {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.body).toEqual({ error: expect.stringMatching(/^[A-Z][^\n]+\.$/) });
}

/** No push was taken up, and no typing begun. */
function expectNothingTaken({ journal }: Scene): void {
  expect(journal.kinds().filter((is) => is !== 'written')).toEqual([]);
}

/** Whatever became of the push, no typing was begun. */
async function expectNothingTyped(scene: Scene): Promise<void> {
  const turns = scene.journal
    .of('tell')
    .flatMap(({ happenings }) => happenings)
    .filter((happening) => happening.is === 'inbound' && happening.opensTurn);
  expect(turns).toEqual([]);
  expect((await request(scene.url).get('/healthz')).status).toBe(200);
}

const stored = { take: async () => ({ is: 'decided', state: 'sent' }) as const };
const token = (name: string) => ({ name, tokens: [name.toUpperCase()] });
const wechatPost = (scene: Scene, body: string, path = signedPath()) =>
  request(scene.url).post(path).set('Content-Type', 'text/xml').send(body);
const nxcloudPost = (scene: Scene, body: string, path = '/webhooks/nxcloud') =>
  request(scene.url).post(path).set('Content-Type', 'application/json').send(body);
const nxcloudText = (over: object = {}) =>
  JSON.stringify({ ...envelope({ messages: [textMessage()] }), ...over });

describe('the check of the URL', () => {
  test('is answered with the echostr alone', async () => {
    const scene = await openScene();
    const answer = await request(scene.url).get(`${signedPath()}&echostr=4375120948345356249`);
    expect(answer.status).toBe(200);
    expect(answer.text).toBe('4375120948345356249');
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
  });

  test('is refused with 401 when another token signed it, with 400 without an echostr', async () => {
    const scene = await openScene();
    expectRefusal(await request(scene.url).get(`${signedPath('', 'OTHER')}&echostr=1`), 401);
    expectRefusal(await request(scene.url).get('/webhooks/wechat?echostr=1'), 401);
    expectRefusal(await request(scene.url).get(signedPath()), 400);
  });

  test('on a nameless URL is answered by the account whose token fits', async () => {
    const accounts = ['one', 'two'].map((name) => wechat({ account: token(name) }));
    const scene = await openScene({ accounts });
    expect((await request(scene.url).get(`${signedPath('', 'TWO')}&echostr=22`)).text).toBe('22');
    expect((await request(scene.url).get(`${signedPath('two', 'TWO')}&echostr=22`)).text).toBe('22');
    expectRefusal(await request(scene.url).get(`${signedPath('one', 'TWO')}&echostr=22`), 401);
    expectRefusal(await request(scene.url).get(`${signedPath('', 'THREE')}&echostr=22`), 401);
  });

  test('is not NXCloud’s custom: 405', async () => {
    const scene = await openScene();
    const answer = await request(scene.url).get('/webhooks/nxcloud');
    expectRefusal(answer, 405);
    expect(answer.headers).toMatchObject({ allow: 'POST' });
  });
});

const warnings = (scene: Awaited<ReturnType<typeof openScene>>) =>
  scene.log.lines.map(({ message }) => message);

describe('what is not taken is said in the log, once a minute', () => {
  const wrong = signedPath('', 'OTHER');

  test.each([
    ['a push that another token signed', (url: string) => request(url).post(wrong).send('x'), /same Token/],
    ['WeChat’s check of the URL', (url: string) => request(url).get(`${wrong}&echostr=1`), /same Token/],
    [
      'an encrypted push without a key',
      (url: string) =>
        request(url)
          .post(`${signedPath()}&encrypt_type=aes&msg_signature=x`)
          .type('text/plain')
          .send('<xml><Encrypt>x</Encrypt></xml>'),
      /WECHAT_ENCODING_AES_KEY/,
    ],
  ])('%s', async (_, send, remedy) => {
    const scene = await openScene();
    for (let n = 0; n < 3; n += 1) await send(scene.url);
    expect(warnings(scene)).toEqual([expect.stringMatching(remedy)]);
  });

  test('but not what the doctor sends, nor somebody who only looks what stands there', async () => {
    const scene = await openScene();
    await request(scene.url).post(wrong).set('X-Keeptyping-Doctor', '1').send('x');
    await request(scene.url).get('/webhooks/wechat');
    expect(warnings(scene)).toEqual([]);
  });
});

describe('a URL', () => {
  test.each([
    '/webhooks/wechat/nobody',
    '/webhooks/nxcloud/nobody',
    '/webhooks/telegram',
    '/webhooks/__proto__',
  ])('%s may be somebody’s while not all accounts have been read: 503', async (path) => {
    let isRead = false;
    const scene = await openScene({ mayCome: () => !isRead });
    expectRefusal(await request(scene.url).post(path).send('x'), 503);
    expectRefusal(await request(scene.url).get(path), 503);
    isRead = true;
    expectRefusal(await request(scene.url).post(path).send('x'), 404);
    expectNothingTaken(scene);
  });

  test.each([
    '/webhooks/wechat/nobody',
    '/webhooks/nxcloud/nobody',
    '/webhooks/telegram',
    '/webhooks/__proto__',
  ])('%s is nobody’s: 404', async (path) => {
    const scene = await openScene();
    expectRefusal(await request(scene.url).post(path).send('x'), 404);
    expectRefusal(await request(scene.url).get(path), 404);
    expectNothingTaken(scene);
  });

  test('of a skipped account says where to look: 404', async () => {
    const scene = await openScene({
      isSkipped: ({ channel, account }) => channel === 'wechat' && account === 'broken',
    });
    const answer = await request(scene.url).post('/webhooks/wechat/broken').send('x');
    expectRefusal(answer, 404);
    expect(answer.body).toEqual({ error: 'The account wechat/broken is skipped: see /readyz?verbose.' });
    const other = await request(scene.url).post('/webhooks/wechat/other').send('x');
    expect(other.body).toEqual({ error: expect.stringMatching(/^No account is configured/) });
  });

  test.each(['put', 'delete', 'patch', 'options'] as const)('takes no %s: 405', async (method) => {
    const scene = await openScene();
    const answer = await request(scene.url)[method](signedPath());
    expectRefusal(answer, 405);
    expect(answer.headers).toMatchObject({ allow: 'GET, POST' });
  });

  test('without a name means the account whose signature fits', async () => {
    const accounts = ['one', 'two', 'default'].map((name) => wechat({ account: token(name) }));
    const scene = await openScene({ accounts, deliveries: stored });
    await wechatPost(scene, xmlOf(wechatText), signedPath('', 'TWO')).expect(200);
    await wechatPost(scene, xmlOf(wechatText), signedPath('', 'DEFAULT')).expect(200);
    expect(scene.journal.of('take').map(({ id }) => id.split('/')[1])).toEqual(['two', 'default']);
  });

  test('without a name gives the reason of the account whose signature fits', async () => {
    const accounts = ['one', 'two'].map((name) => wechat({ account: token(name) }));
    const scene = await openScene({ accounts });
    expectRefusal(await wechatPost(scene, 'hello', signedPath('', 'TWO')), 400);
    expectRefusal(await wechatPost(scene, 'hello', signedPath('', 'THREE')), 401);
  });

  test('without a name means the account whose number and app fit, before one that takes any', async () => {
    const [any, app, both] = [
      { name: 'default', businessPhone: null },
      { name: 'app', businessPhone: null, appId: '1534' },
      { name: 'both', businessPhone: '8615800001795', appId: '1534' },
    ].map((account) => nxcloud({ account }));
    const scene = await openScene({ accounts: [any, app, both].flatMap((each) => each ?? []) });
    const push = async (head: object): Promise<void> => {
      await nxcloudPost(scene, nxcloudText(head)).expect(200);
    };
    await push({ business_phone: '8615800001795', app_id: '1534' });
    await push({ business_phone: '8615800001796', app_id: 1534 });
    await push({ business_phone: '8615800001796', app_id: '1535' });
    expect(scene.journal.of('take').map(({ id }) => id.split('/')[1])).toEqual(['both', 'app', 'default']);
  });

  test('without a name means the account whose number fits', async () => {
    const phones = ['8615800001795', '8615800001796'];
    const accounts = phones.map((businessPhone) =>
      nxcloud({ account: { name: businessPhone, businessPhone } }),
    );
    const scene = await openScene({ accounts });
    await nxcloudPost(scene, nxcloudText({ business_phone: phones[1] })).expect(200);
    expect(scene.journal.of('take').map(({ id }) => id.split('/')[1])).toEqual([phones[1]]);
  });

  test('with a name means that account only', async () => {
    const accounts = ['one', 'two'].map((name) => wechat({ account: token(name) }));
    const scene = await openScene({ accounts, deliveries: stored });
    expectRefusal(await wechatPost(scene, xmlOf(wechatText), signedPath('one', 'TWO')), 401);
    expectNothingTaken(scene);
    await wechatPost(scene, xmlOf(wechatText), signedPath('two', 'TWO')).expect(200);
  });
});

describe('a push', () => {
  test('is handed on as it came', async () => {
    const scene = await openScene({ deliveries: stored });
    const body = `\ufeff${xmlOf(wechatText)}\r\n`;
    const headers = ['x-B', '1', 'Content-Type', 'text/xml', 'X-b', '2'];
    await scene.call(`${signedPath()}&a='&a=%e4`, { headers, body }).answer;
    const [taken] = scene.journal.of('take');
    expect(taken).toMatchObject({
      id: 'wechat/default/openid1-1234567890123456789',
      push: { method: 'POST', rawQuery: `${signedPath().split('?')[1]}&a='&a=%e4`, body: Buffer.from(body) },
    });
    const own = taken?.push?.headers.filter(
      ([name]) => !['Host', 'Content-Length', 'Connection'].includes(name),
    );
    expect(own).toEqual([
      ['x-B', '1'],
      ['Content-Type', 'text/xml'],
      ['X-b', '2'],
    ]);
  });

  test('with a wrong signature is refused with 401 before anything is done with it', async () => {
    const scene = await openScene({
      accounts: [wechat(), nxcloud({ account: { verifyCallbacks: 'require' } })],
    });
    expectRefusal(await wechatPost(scene, xmlOf(wechatText), signedPath('', 'OTHER')), 401);
    expectRefusal(await wechatPost(scene, '<!DOCTYPE a><xml/>', '/webhooks/wechat'), 401);
    expectRefusal(await nxcloudPost(scene, nxcloudText()), 401);
    expectRefusal(await nxcloudPost(scene, nxcloudText()).set('sign', 'x'), 401);
    expectNothingTaken(scene);
  });

  test.each([
    ['nothing', ''],
    ['words', 'hello'],
    ['half an XML', '<xml><MsgType>text'],
    ['half a JSON', '{"MsgType":'],
    ['a DOCTYPE', '<!DOCTYPE xml [<!ENTITY a "b">]><xml><MsgType>&a;</MsgType></xml>'],
    ['an entity of its own', `<!ENTITY a SYSTEM "file:///etc/passwd">${xmlOf(wechatText)}`],
    ['null', 'null'],
    ['a number', '12'],
    ['a list', '[{"MsgType":"text"}]'],
    ['a string', '"text"'],
  ])('of WeChat that is %s is refused with 400', async (_, body) => {
    const scene = await openScene();
    expectRefusal(await wechatPost(scene, body), 400);
    expectNothingTaken(scene);
  });

  test.each([
    ['nothing', ''],
    ['XML', xmlOf(wechatText)],
    ['half a JSON', '{"messages":'],
    ['null', 'null'],
    ['a number', '12'],
    ['a list', '[{"messages":[]}]'],
    ['a string', '"text"'],
    ['no UTF-8', '\ud800\udfff{'],
  ])('of NXCloud that is %s is refused with 400', async (_, body) => {
    const scene = await openScene();
    expectRefusal(await nxcloudPost(scene, body), 400);
    expectNothingTaken(scene);
  });

  test.each([
    ['XML', `<xml>${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}</xml>`],
    ['unclosed XML', '<a>'.repeat(50_000)],
    ['many elements', `<xml>${'<a>1</a>'.repeat(50_000)}</xml>`],
    ['lists', '['.repeat(50_000)],
  ])('with 50,000 elements of %s is refused with 400 at once', async (_, body) => {
    const scene = await openScene();
    expectRefusal(await wechatPost(scene, body), 400);
    expect(growthOf((size) => body.slice(0, size), readFields)).toBeLessThan(linear);
    expectNothingTaken(scene);
  });

  test.each([
    ['objects', '{"a":', '}'],
    ['lists', '{"messages":[', ']}'],
  ])('with 50,000 JSON %s in each other says nothing', async (_, open, close) => {
    const scene = await openScene({ deliveries: stored, storedPushLimit: 1_000_000 });
    const body = `${open.repeat(50_000)}1${close.repeat(50_000)}`;
    expect([200, 400]).toContain((await wechatPost(scene, body)).status);
    expect([200, 400]).toContain((await nxcloudPost(scene, body)).status);
    await expectNothingTyped(scene);
  });

  const inner = { ...wechatText, messages: [textMessage()], business_phone: '8615800001795' };

  test.each([
    ['__proto__', `{"__proto__":${JSON.stringify(inner)}}`],
    ['constructor', `{"constructor":{"prototype":${JSON.stringify(inner)}}}`],
    ['__proto__ of a message', `{"messages":[{"__proto__":${JSON.stringify(textMessage())}}]}`],
  ])('with the JSON key %s says nothing, and changes no object', async (_, body) => {
    const scene = await openScene({ deliveries: stored });
    await wechatPost(scene, body).expect(200);
    await nxcloudPost(scene, body).expect(200);
    await expectNothingTyped(scene);
    expect(Object.keys(Object.getPrototypeOf({}))).toEqual([]);
    expect({}).not.toHaveProperty('MsgType');
  });

  test.each(['__proto__', 'constructor', 'prototype'])('with the XML element %s too', async (name) => {
    const scene = await openScene({ deliveries: stored });
    const answer = await wechatPost(scene, `<xml><${name}>${xmlOf(wechatText)}</${name}></xml>`);
    expect([200, 400]).toContain(answer.status);
    await expectNothingTyped(scene);
    expect({}).not.toHaveProperty('MsgType');
    expect({}).not.toHaveProperty('xml');
  });

  test.each([
    ['FromUserName', { a: 1 }],
    ['FromUserName', null],
    ['FromUserName', ['openid1', 'openid2']],
    ['FromUserName', true],
    ['MsgType', { text: 'text' }],
    ['MsgType', null],
    ['MsgType', ['text']],
  ])('of WeChat whose %s is %j is taken, and says nothing', async (name, value) => {
    const scene = await openScene({ deliveries: stored });
    const answer = await wechatPost(scene, JSON.stringify({ ...wechatText, [name]: value }));
    expect(answer.status).toBe(200);
    await expectNothingTyped(scene);
  });

  test.each([
    ['messages', { from: '1', id: 'x' }],
    ['messages', 'text'],
    ['messages', [null, 1, 'text', []]],
    ['messages', [textMessage({ from: { a: 1 } })]],
    ['messages', [textMessage({ id: 7.5 })]],
    ['messages', [textMessage({ id: null })]],
    ['messages', [textMessage({ type: { is: 'text' } })]],
    ['messages', null],
  ])('of NXCloud whose %s are %j is taken, and says nothing', async (name, value) => {
    const scene = await openScene();
    expect((await nxcloudPost(scene, nxcloudText({ [name]: value }))).status).toBe(200);
    await expectNothingTyped(scene);
  });

  test.each([{ field: 'account_update', value: {} }, { calls: [{}] }, { statuses: 'sent' }, {}])(
    'of NXCloud that says %j is taken, and says nothing',
    async (body) => {
      const scene = await openScene();
      const answer = await nxcloudPost(scene, JSON.stringify(body));
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '{}' });
      await expectNothingTyped(scene);
    },
  );

  test('that is longer than may be is refused with 413, announced or in chunks; one of almost 1 MiB is taken', async () => {
    const scene = await openScene({
      bodies: createBodies({ longest: 1.5 * 1024 * 1024 }),
      send: async () => ({ status: 200, headers: [], body: Buffer.from('') }),
    });
    const big = 'x'.repeat(2 * 1024 * 1024);
    expectRefusal(await nxcloudPost(scene, big), 413);
    const answer = await fetch(`${scene.url}${signedPath()}`, {
      method: 'POST',
      duplex: 'half',
      body: new Blob([big]).stream(),
    });
    expect(answer.status).toBe(413);
    expect(await answer.json()).toEqual({ error: 'The body is longer than 1.5 MiB.' });
    expectNothingTaken(scene);
    expect((await nxcloudPost(scene, nxcloudText({ more: 'x'.repeat(1_000_000) }))).status).toBe(200);
  });

  test('that is compressed is refused with 415', async () => {
    const scene = await openScene();
    const headers = ['Content-Type', 'application/json', 'Content-Encoding', 'gzip'];
    const body = gzipSync(nxcloudText());
    const { status, body: said } = await call(`${scene.url}/webhooks/nxcloud`, { headers, body }).answer;
    expect(status).toBe(415);
    expect(JSON.parse(textOf(said))).toEqual({ error: 'The body is compressed: send it as it is.' });
    expectNothingTaken(scene);
  });

  test.each([
    'application/json',
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data',
    '',
  ])('is read whatever its content type says (%s)', async (type) => {
    const scene = await openScene();
    const headers = type === '' ? [] : ['Content-Type', type];
    expect((await scene.call('/webhooks/nxcloud', { headers, body: nxcloudText() }).answer).status).toBe(200);
    expect(scene.journal.of('take')).toHaveLength(1);
  });

  test('to an unknown number is acknowledged and dropped, and said once a minute', async () => {
    const scene = await openScene();
    for (const business_phone of ['111', '111', '222']) {
      const answer = await nxcloudPost(scene, nxcloudText({ business_phone, merchant_phone: undefined }));
      expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '{}' });
    }
    expectNothingTaken(scene);
    expect(scene.log.lines).toMatchObject([
      { level: 'warn', fields: { count: 1 }, message: expect.stringContaining('NXCLOUD_BUSINESS_PHONE') },
    ]);
  });
});

const observing = () => [wechat({ bot: null }), nxcloud({ bot: null })];
const away = (): Promise<never> => Promise.reject(new Error('Redis is away'));

describe('an account without a bot', () => {
  test('is acknowledged, and its turns count as acknowledged', async () => {
    const scene = await openScene({ accounts: observing() });
    const answer = await wechatPost(scene, xmlOf(wechatText));
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: 'success' });
    expect((await nxcloudPost(scene, nxcloudText())).text).toBe('{}');
    expect(scene.journal.of('tell')).toMatchObject([
      {
        is: 'tell',
        phase: 'acknowledged',
        happenings: [{ is: 'inbound', user: 'openid1', opensTurn: true }],
      },
      { is: 'tell', phase: 'acknowledged', happenings: [{ is: 'inbound', opensTurn: true }] },
    ]);
  });

  test('is acknowledged while Redis hangs', async () => {
    const intake = { tell: () => new Promise<void>(() => {}) };
    const scene = await openScene({ accounts: observing(), intake });
    expect((await wechatPost(scene, xmlOf(wechatText))).text).toBe('success');
  });
});

test('no line of the log holds a body, a token or a signature', async () => {
  const journal = createJournal();
  const failure = { status: 500, headers: [], body: Buffer.from('慢慢来') };
  const scene = await openScene({
    journal,
    accounts: [wechat({ journal, bot })],
    deliveries: { take: away, write: away, send: away, settle: away, standing: away },
    send: async () => failure,
  });
  await pushWechat(scene).answer;
  expect(scene.log.lines.length).toBeGreaterThan(0);
  expect(JSON.stringify(scene.log.lines)).not.toMatch(/你好|慢慢来|AAAAA|signature/);
});
