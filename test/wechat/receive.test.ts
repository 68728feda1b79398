import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Happening } from '../../src/core/platform.ts';
import type { RawPush } from '../../src/core/wire.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { encrypt, sign } from '../../src/wechat/receive.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { adapterDeps, scriptedSend, signedPush, utf8, xmlOf } from '../support/wechat.ts';
import { type Vector, vectorOf } from './vectors.ts';

const key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const text = {
  ToUserName: 'gh_x',
  FromUserName: 'openid1',
  CreateTime: '1348831860',
  MsgType: 'text',
  Content: 'hello',
  MsgId: '1234567890123456789',
};

function receive(push: RawPush, over: Partial<WechatAccount> = {}) {
  return createWechat({ ...account, ...over }, adapterDeps(scriptedSend())).receive(push);
}

/** The one happening of an accepted push. */
async function happening(body: string, over: Partial<WechatAccount> = {}): Promise<Happening | undefined> {
  const received = await receive(signedPush(body), over);
  return received.is === 'push' ? received.happenings[0] : undefined;
}

const accountOf = (vector: Vector): Partial<WechatAccount> => ({
  appId: vector.appid || account.appId,
  tokens: [vector.token],
  encodingAesKeys: vector.encodingAESKey ? [vector.encodingAESKey] : [],
});

function vectorPush(vector: Vector, body: string): RawPush {
  const query = new URLSearchParams({
    signature: vector.signature,
    timestamp: vector.timestamp,
    nonce: vector.nonce,
    openid: 'somebodyElse',
    ...(vector.encrypt && { encrypt_type: 'aes', msg_signature: vector.msg_signature }),
  });
  return { method: 'POST', rawQuery: query.toString(), headers: [], body: utf8(body) };
}

const sealedXml = (encrypted: string) =>
  `<xml><ToUserName>gh_x</ToUserName><Encrypt>${encrypted}</Encrypt></xml>`;

/** A push in secure mode, made with these keys. */
function sealedPush(body: string, over: { appId?: string; aesKey?: string } = {}): RawPush {
  const seal = {
    encodingAesKey: over.aesKey ?? key,
    appId: over.appId ?? account.appId,
    random: new Uint8Array(16).fill(97),
  };
  const encrypted = encrypt(utf8(body), seal);
  const signature = sign(['AAAAA', '1714037059', '486452656', encrypted]);
  return signedPush(sealedXml(encrypted), `&encrypt_type=aes&msg_signature=${signature}`);
}

describe('the published pushes', () => {
  test('V2: plain JSON', async () => {
    const vector = vectorOf('V2');
    const received = await receive(vectorPush(vector, vector.body), accountOf(vector));
    expect(received).toEqual({
      is: 'push',
      key: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY-aa8e1d10c102b15cddad9497d38215e6062f44757168d4ea64219810194fb233',
      happenings: [
        {
          is: 'inbound',
          user: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY',
          key: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY-aa8e1d10c102b15cddad9497d38215e6062f44757168d4ea64219810194fb233',
          messageId: null,
          type: 'event.debug_demo',
          sentAt: 1714037059,
          opensTurn: false,
          interaction: false,
        },
      ],
    });
  });

  test('V3: secure mode in JSON', async () => {
    const vector = vectorOf('V3');
    const body = JSON.stringify({ ToUserName: 'gh_97417a04a28d', Encrypt: vector.encrypt });
    const received = await receive(vectorPush(vector, body), accountOf(vector));
    expect(received).toMatchObject({
      key: 'o9AgO5Kd5ggOC-bXrbNODIiE3bGY-b8cdb59cbc11acd1fb47e01fd913bf41ea801ed121b35dc87b97d5b56f3282e4',
    });
  });

  test('V15: a real text message in secure mode and XML', async () => {
    const vector = vectorOf('V15');
    const received = await receive(vectorPush(vector, sealedXml(vector.encrypt)), accountOf(vector));
    expect(received).toEqual({
      is: 'push',
      key: 'oIDrpjpQ8j8mBuQ8nM26HWzNEZgg-6074130599188426998',
      happenings: [
        {
          is: 'inbound',
          user: 'oIDrpjpQ8j8mBuQ8nM26HWzNEZgg',
          key: 'oIDrpjpQ8j8mBuQ8nM26HWzNEZgg-6074130599188426998',
          messageId: '6074130599188426998',
          type: 'text',
          sentAt: 1414243737,
          opensTurn: true,
          interaction: true,
        },
      ],
      assured: true,
      age: expect.any(Number),
    });
  });
});

describe('a push is refused', () => {
  test.each(['signature', 'timestamp', 'nonce'])('with 401 when its query lacks %s', async (name) => {
    const push = signedPush(xmlOf(text));
    const query = new URLSearchParams(push.rawQuery);
    query.delete(name);
    expect(await receive({ ...push, rawQuery: query.toString() })).toMatchObject({ status: 401 });
  });

  test('with 401 and a remedy when the token is another', async () => {
    expect(await receive(signedPush(xmlOf(text)), { tokens: ['other'] })).toEqual({
      is: 'refusal',
      status: 401,
      error: 'The signature does not match: set the same Token here and in the WeChat console.',
    });
  });

  test('with 401 before its body is read', async () => {
    expect(await receive(signedPush('<!DOCTYPE a>'), { tokens: ['other'] })).toMatchObject({ status: 401 });
  });

  test.each(['', 'null', '[1]', '"x"', '<!DOCTYPE a><xml/>', '<a>'.repeat(50_000), '<xml>', '{"a":'])(
    'with 400 when its body is %.20s',
    async (body) => {
      expect(await receive(signedPush(body))).toMatchObject({ is: 'refusal', status: 400 });
    },
  );

  test('with 400 and a remedy when it is encrypted and no key is set', async () => {
    expect(await receive(sealedPush(xmlOf(text)))).toMatchObject({
      status: 400,
      error: 'The push is encrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
    });
  });

  test('with 401 when msg_signature does not cover its Encrypt', async () => {
    const push = sealedPush(xmlOf(text));
    const rawQuery = push.rawQuery.replace(/msg_signature=\w/, 'msg_signature=_');
    expect(await receive({ ...push, rawQuery }, { encodingAesKeys: [key] })).toMatchObject({ status: 401 });
    const bare = push.rawQuery.replace(/&msg_signature=.*/, '');
    expect(await receive({ ...push, rawQuery: bare }, { encodingAesKeys: [key] })).toMatchObject({
      status: 401,
    });
  });

  test('with 401 when it was encrypted for another AppID', async () => {
    const push = sealedPush(xmlOf(text), { appId: 'wxother' });
    expect(await receive(push, { encodingAesKeys: [key] })).toMatchObject({
      status: 401,
      error: 'The push was encrypted for another AppID: set WECHAT_APP_ID to the one of this console.',
    });
  });

  test('with 400 when no key opens it, or what it holds is unreadable', async () => {
    const foreign = sealedPush(xmlOf(text), { aesKey: 'B'.repeat(43) });
    expect(await receive(foreign, { encodingAesKeys: [key] })).toMatchObject({
      status: 400,
      error: expect.stringContaining('cannot be decrypted'),
    });
    expect(await receive(sealedPush('hello'), { encodingAesKeys: [key] })).toMatchObject({ status: 400 });
    expect(await receive(signedPush(xmlOf(text), '&encrypt_type=aes'))).toMatchObject({ status: 400 });
  });
});

describe('an encrypted push', () => {
  test('is opened with the previous key during a rotation', async () => {
    const received = await receive(sealedPush(xmlOf(text)), { encodingAesKeys: ['A'.repeat(43), key] });
    expect(received).toMatchObject({ is: 'push', key: 'openid1-1234567890123456789' });
  });

  test('in compatible mode is believed only as far as it is encrypted', async () => {
    const sealed = sealedPush(xmlOf(text));
    const body = new TextDecoder()
      .decode(sealed.body)
      .replace(
        '<Encrypt>',
        '<FromUserName>attacker</FromUserName><MsgType>text</MsgType><MsgId>1</MsgId><Encrypt>',
      );
    const push = { ...sealed, body: utf8(body) };
    expect(await receive(push, { encodingAesKeys: [key] })).toMatchObject({
      key: 'openid1-1234567890123456789',
      happenings: [{ user: 'openid1' }],
    });
    const unannounced = { ...push, rawQuery: push.rawQuery.replace('&encrypt_type=aes', '') };
    expect(await receive(unannounced, { encodingAesKeys: [key] })).toMatchObject({
      happenings: [{ user: 'openid1' }],
    });
  });

  test('may come plain although a key is set, and with encrypt_type=raw', async () => {
    const over = { encodingAesKeys: [key] };
    expect(await receive(signedPush(xmlOf(text), '&encrypt_type=raw'), over)).toMatchObject({ is: 'push' });
  });
});

describe('what a push says', () => {
  test.each(['text', 'image', 'voice', 'video', 'shortvideo', 'location', 'link', 'miniprogrampage'])(
    '%s opens a turn',
    async (MsgType) => {
      expect(await happening(xmlOf({ ...text, MsgType }))).toMatchObject({
        is: 'inbound',
        user: 'openid1',
        messageId: '1234567890123456789',
        type: MsgType,
        sentAt: 1348831860,
        opensTurn: true,
        interaction: true,
      });
    },
  );

  test('a message that WeChat cannot show is still a text', async () => {
    const Content = '【收到不支持的消息类型，暂无法显示】';
    expect(await happening(xmlOf({ ...text, Content }))).toMatchObject({ type: 'text', opensTurn: true });
  });

  test.each([
    ['CLICK', true],
    ['scancode_push', true],
    ['scancode_waitmsg', true],
    ['subscribe', true],
    ['SCAN', true],
    ['user_enter_tempsession', true],
    ['VIEW', false],
    ['view_miniprogram', false],
    ['pic_weixin', false],
    ['LOCATION', false],
    ['TEMPLATESENDJOBFINISH', false],
    ['kf_something_new', false],
  ])('the event %s opens no turn; interaction: %s', async (Event, interaction) => {
    expect(await happening(xmlOf({ ...text, MsgType: 'event', Event }))).toMatchObject({
      type: `event.${Event}`,
      opensTurn: false,
      interaction,
    });
  });

  test('the account decides otherwise by name, whatever its case', async () => {
    const starts = { TEXT: false, 'event.click': true, 'event.View': true };
    const event = (Event: string) => xmlOf({ ...text, MsgType: 'event', Event });
    expect(await happening(xmlOf(text), { starts })).toMatchObject({ opensTurn: false, interaction: true });
    expect(await happening(event('CLICK'), { starts })).toMatchObject({ opensTurn: true });
    expect(await happening(event('VIEW'), { starts })).toMatchObject({ opensTurn: true, interaction: true });
  });

  test.each([
    ['kf_create_session', true],
    ['KF_SWITCH_SESSION', true],
    ['kf_close_session', false],
  ])('%s: a human has the user: %s', async (Event, on) => {
    const body = xmlOf({ ...text, MsgType: 'event', Event });
    expect(await happening(body)).toEqual({ is: 'handoff', user: 'openid1', on });
  });

  test('unsubscribe: the user left', async () => {
    const body = xmlOf({ ...text, MsgType: 'event', Event: 'unsubscribe' });
    expect(await happening(body)).toEqual({ is: 'left', user: 'openid1' });
  });

  test('the user is the one of the body, never that of the unsigned query', async () => {
    const received = await receive(signedPush(xmlOf(text), '&openid=attacker'));
    expect(received).toMatchObject({ happenings: [{ user: 'openid1' }] });
  });

  test.each([
    ['no user', { ToUserName: 'gh_x', MsgType: 'text' }],
    ['null', { ...text, FromUserName: null }],
    ['an object', { ...text, FromUserName: { a: 1 } }],
    ['a list', { ...text, FromUserName: ['a', 'b'] }],
    ['slashes and colons', { ...text, FromUserName: 'a/b:c' }],
    ['a type that is no name', { ...text, MsgType: { a: 1 } }],
  ])('with %s it is taken, and says nothing', async (_, fields) => {
    const received = await receive(signedPush(JSON.stringify(fields)));
    expect(received).toEqual({ is: 'push', key: expect.stringMatching(/^[0-9a-f]{64}$/), happenings: [] });
  });

  test('without a usable time it happened now', async () => {
    expect(await happening(JSON.stringify({ ...text, CreateTime: {} }))).toMatchObject({
      sentAt: 1_700_000_000,
    });
  });

  test('no body whatever makes receiving throw, and no key is unfit for a queue', async () => {
    const values = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue());
    const names = ['FromUserName', 'MsgType', 'Event', 'EventKey', 'CreateTime', 'MsgId', 'MsgID', 'Encrypt'];
    const objects = fc.dictionary(fc.constantFrom(...names), values).map((fields) => JSON.stringify(fields));
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), objects.map(utf8)), async (body) => {
        const received = await receive(signedPush(body));
        expect(received.is === 'push' ? received.key : 'x').toMatch(/^[^:]{1,200}$/);
      }),
    );
  });
});

async function keyOf(body: string): Promise<string> {
  const received = await receive(signedPush(body));
  return received.is === 'push' ? received.key : '';
}

describe("a push's key", () => {
  test('is the same for a repeat and for XML and JSON', async () => {
    const { MsgId: _, ...rest } = text;
    const json = JSON.stringify(rest).replace('}', ',"MsgId":1234567890123456789}');
    expect(await keyOf(json)).toBe('openid1-1234567890123456789');
    expect(await keyOf(xmlOf(text))).toBe('openid1-1234567890123456789');
  });

  // https://github.com/binarywang/WxJava/issues/2705, and Order_notification of the Mini Programs' documentation
  test.each<[string, Record<string, string>, Record<string, string>]>([
    ['a menu', { EventKey: 'MENU_1' }, { EventKey: 'MENU_2' }],
    ['mass sends', { MsgID: '200' }, { MsgID: '201' }],
    ['media checks', { trace_id: 'trace-1' }, { trace_id: 'trace-2' }],
    ['cards', { CardId: 'c', UserCardCode: '1' }, { CardId: 'c', UserCardCode: '2' }],
    ['a kind that nobody knows', { Novel: 'a' }, { Novel: 'b' }],
  ])('tells two events of one second apart: %s', async (_, first, second) => {
    const event = { FromUserName: 'openid1', CreateTime: '1', MsgType: 'event', Event: 'CLICK' };
    const keys = await Promise.all([first, first, second].map((each) => keyOf(xmlOf({ ...event, ...each }))));
    expect(keys[0]).toMatch(/^openid1-[0-9a-f]{64}$/);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  test('is that of the decrypted body: each delivery is encrypted anew', async () => {
    const event = xmlOf({ FromUserName: 'openid1', CreateTime: '1', MsgType: 'event', Event: 'CLICK' });
    expect(await receive(sealedPush(event), { encodingAesKeys: [key] })).toMatchObject({
      key: await keyOf(event),
    });
  });

  test('tells messages without MsgId apart by their content', async () => {
    const { MsgId: _, ...rest } = text;
    const [one, again, other] = await Promise.all(
      [rest, rest, { ...rest, Content: 'another' }].map((fields) => keyOf(xmlOf(fields))),
    );
    expect(one).toBe(again);
    expect(one).not.toBe(other);
  });

  test('is a digest where it would be long or hold odd characters', async () => {
    expect(await keyOf(xmlOf({ ...text, MsgId: 'a:b' }))).toMatch(/^[0-9a-f]{64}$/);
    expect(await keyOf(xmlOf({ ...text, MsgId: 'x'.repeat(200) }))).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('what a push has to be', () => {
  const at = 1_714_037_059;
  const plain = signedPush(xmlOf(text));
  const sealed = sealedPush(xmlOf(text));
  const unsealed = { is: 'refusal', status: 401, error: expect.stringContaining('is not encrypted') };

  /** At this time, with what is known of its pushes. */
  function account15(over: Partial<WechatAccount> = {}, now = at) {
    const deps = adapterDeps(scriptedSend());
    deps.clock.set(now * 1000);
    const known = { isAsked: false };
    const assurance = { isAsked: () => known.isAsked, note: () => void (known.isAsked = true) };
    const one = { ...account, encodingAesKeys: [key], pushAgeMs: 86_400_000, ...over };
    return createWechat(one, { ...deps, assurance });
  }

  test('a plain one is taken until an encrypted one has come, and then refused', async () => {
    const platform = account15();
    expect(await platform.receive(plain)).toMatchObject({ is: 'push' });
    expect(await platform.receive(sealed)).toMatchObject({ is: 'push', assured: true });
    expect(await platform.receive(plain)).toMatchObject(unsealed);
    expect(await platform.receive(sealed)).toMatchObject({ is: 'push' });
  });

  test('a plain one is refused at once, or never, where the account says so', async () => {
    expect(await account15({ encryption: 'require' }).receive(plain)).toMatchObject(unsealed);
    const any = account15({ encryption: 'any' });
    await any.receive(sealed);
    expect(await any.receive(plain)).toMatchObject({ is: 'push' });
  });

  test('a plain one is taken where there is no key to open another with', async () => {
    const platform = account15();
    await platform.receive(sealed);
    expect(await account15({ encodingAesKeys: [] }).receive(plain)).toMatchObject({ is: 'push' });
  });

  test("what was sealed wrongly, or is the doctor's, proves nothing", async () => {
    const platform = account15();
    await platform.receive(sealedPush(xmlOf(text), { appId: 'wx0000000000000000' }));
    await platform.receive(signedPush(sealedXml('AAAA'), '&encrypt_type=aes&msg_signature=wrong'));
    await platform.receive(sealedPush(xmlOf({ ...text, FromUserName: 'keeptyping-doctor' })));
    expect(await platform.receive(plain)).toMatchObject({ is: 'push' });
  });

  test.each([
    { off: 86_400, is: 'push' },
    { off: 86_401, is: 'refusal' },
    { off: -86_400, is: 'push' },
    { off: -86_401, is: 'refusal' },
  ])('a timestamp that is $off s old: $is', async ({ off, is }) => {
    for (const push of [plain, sealed])
      expect(await account15({}, at + off).receive(push)).toMatchObject({ is });
  });

  test('the bound of the age is a setting, and what is older than a minute is told', async () => {
    expect(await account15({ pushAgeMs: 60_000 }, at + 61).receive(plain)).toMatchObject({
      status: 401,
      error: expect.stringContaining('WECHAT_PUSH_AGE_MS'),
    });
    expect(await account15({}, at + 3_600).receive(plain)).toMatchObject({ age: 3_600 });
    expect(await account15({}, at + 59).receive(plain)).not.toHaveProperty('age');
  });

  test('a timestamp that is none', async () => {
    const signature = sign(['AAAAA', 'soon', '1']);
    const push = { ...plain, rawQuery: `signature=${signature}&timestamp=soon&nonce=1` };
    expect(await account15().receive(push)).toMatchObject({ is: 'refusal', status: 401 });
  });

  test('an id that is longer than WeChat gives is kept nowhere', async () => {
    const long = await receive(signedPush(xmlOf({ ...text, MsgId: '7'.repeat(900_000) })));
    expect(JSON.stringify(long).length).toBeLessThan(500);
    expect(long).toMatchObject({ happenings: [{ messageId: null }] });
    expect(await receive(signedPush(xmlOf({ ...text, MsgId: '7'.repeat(900_000) })))).toEqual(long);
  });
});

function shake(query: Record<string, string>, over: Partial<WechatAccount> = {}) {
  const platform = createWechat({ ...account, ...over }, adapterDeps(scriptedSend()));
  return platform.handshake?.(new URLSearchParams(query).toString());
}

describe('the check of the URL', () => {
  const { timestamp, nonce, signature, echostr, token } = vectorOf('V1');
  const query = { signature, timestamp, nonce, echostr };

  test('V1: is answered with the echostr', () => {
    expect(shake(query, { tokens: [token] })).toEqual({ is: 'echo', body: '4375120948345356249' });
    expect(shake(query, { tokens: ['new', token] })).toMatchObject({ is: 'echo' });
  });

  test('is refused with another token, and without an echostr', () => {
    expect(shake(query, { tokens: ['other'] })).toMatchObject({ is: 'refusal', status: 401 });
    expect(shake({ signature, timestamp, nonce })).toMatchObject({ is: 'refusal', status: 400 });
    expect(shake({})).toMatchObject({ is: 'refusal', status: 401 });
  });

  test('opens an encrypted echostr, and leaves a plain one alone in secure mode too', () => {
    const sealed = vectorOf('V3');
    const over = accountOf(sealed);
    const secure = { encrypt_type: 'aes', msg_signature: sealed.msg_signature, timestamp: sealed.timestamp };
    expect(shake({ ...secure, nonce: sealed.nonce, echostr: sealed.encrypt }, over)).toEqual({
      is: 'echo',
      body: sealed.plain,
    });
    expect(shake({ ...query, encrypt_type: 'aes', msg_signature: 'x' }, over)).toEqual({
      is: 'echo',
      body: echostr,
    });
  });
});
