import { describe, expect, test } from 'vitest';
import type { RawPush } from '../../../src/core/wire.ts';
import { authorizerOf, type WechatComponent } from '../../../src/wechat/component/component.ts';
import { type ComponentEvent, createComponentEvents } from '../../../src/wechat/component/events.ts';
import { createWechat } from '../../../src/wechat/index.ts';
import { encrypt, sign } from '../../../src/wechat/receive.ts';
import { vectorOf } from '../vectors.ts';
import { vendor } from '../../support/accounts.ts';
import { adapterDeps, answerOf, scriptedSend, utf8, xmlOf } from '../../support/wechat.ts';
import { shop } from './scene.ts';

const [timestamp, nonce] = ['1714037059', '486452656'];

interface Sealing {
  appId?: string;
  token?: string;
  aesKey?: string;
  envelope?: (encrypted: string) => string;
}

/** A push as WeChat seals it for the platform; no `signature`, which covers nothing of the body. */
function sealed(inner: string, over: Sealing = {}): RawPush {
  const { appId = vendor.appId, token = 'AAAAA', aesKey = vendor.encodingAesKeys[0] ?? '' } = over;
  const encrypted = encrypt(utf8(inner), {
    encodingAesKey: aesKey,
    appId,
    random: new Uint8Array(16).fill(97),
  });
  const msg_signature = sign([token, timestamp, nonce, encrypted]);
  const query = new URLSearchParams({ timestamp, nonce, encrypt_type: 'aes', msg_signature });
  const envelope =
    over.envelope ?? ((text) => `<xml><AppId>${vendor.appId}</AppId><Encrypt>${text}</Encrypt></xml>`);
  return { method: 'POST', rawQuery: query.toString(), headers: [], body: utf8(envelope(encrypted)) };
}

async function hear(push: RawPush, component: WechatComponent = vendor) {
  const heard: ComponentEvent[] = [];
  const events = createComponentEvents(component, {
    now: () => 1_700_000_000_000,
    hear: async (event) => void heard.push(event),
  });
  return { received: await events.receive(push), heard, events };
}

const head = { AppId: vendor.appId, CreateTime: '1413192605' };
const at = 1_413_192_605_000;

describe('an authorization event', () => {
  test.each([
    {
      fields: { ...head, InfoType: 'component_verify_ticket', ComponentVerifyTicket: 'ticket@@@T' },
      event: { is: 'ticket', ticket: 'ticket@@@T', at },
    },
    {
      fields: {
        ...head,
        InfoType: 'authorized',
        AuthorizerAppid: shop,
        AuthorizationCode: 'CODE',
        AuthorizationCodeExpiredTime: '1413196205',
        PreAuthCode: 'PRE',
      },
      event: { is: 'authorized', appId: shop, code: 'CODE', expiresAt: 1_413_196_205_000, at },
    },
    {
      fields: { ...head, InfoType: 'updateauthorized', AuthorizerAppid: shop, AuthorizationCode: 'CODE' },
      event: { is: 'authorized', appId: shop, code: 'CODE', expiresAt: null, at },
    },
    {
      fields: { ...head, InfoType: 'unauthorized', AuthorizerAppid: shop },
      event: { is: 'unauthorized', appId: shop, at },
    },
    { fields: { ...head, InfoType: 'unauthorized', AuthorizerAppid: 'x' }, event: { is: 'other', at } },
    { fields: { ...head, InfoType: 'notify_third_fasteregister' }, event: { is: 'other', at } },
  ])('$fields.InfoType is read as $event.is', async ({ fields, event }) => {
    const { received, heard } = await hear(sealed(xmlOf(fields)));
    expect(heard).toEqual([event]);
    expect(received).toMatchObject({ is: 'push', happenings: [] });
  });

  test('each delivery is a push of its own, so that the vendor’s service gets a repeat too', async () => {
    const push = sealed(xmlOf({ ...head, InfoType: 'unauthorized', AuthorizerAppid: shop }));
    const [one, two, again] = [
      await hear(push),
      await hear({ ...push, rawQuery: `${push.rawQuery}&x=1` }),
      await hear(push),
    ].map(({ received }) => (received.is === 'push' ? received.key : null));
    expect(one).not.toBeNull();
    expect(one).toBe(again);
    expect(one).not.toBe(two);
  });

  test.each([
    { name: 'signed with another token', over: { token: 'BBBBB' } },
    { name: 'encrypted for another AppID', over: { appId: shop } },
    { name: 'not encrypted', over: { envelope: () => xmlOf({ ...head, InfoType: 'unauthorized' }) } },
    { name: 'no body at all', over: { envelope: () => '' } },
  ])('$name is refused and heard by nobody', async ({ over }) => {
    const { received, heard } = await hear(sealed(xmlOf(head), over));
    expect(received.is).toBe('refusal');
    expect(heard).toEqual([]);
  });

  test('a ticket of another year is refused and heard by nobody', async () => {
    const today = { ...vendor, template: { ...vendor.template, pushAgeMs: 86_400_000 } };
    const { received, heard } = await hear(sealed(xmlOf(head)), today);
    expect(received).toMatchObject({ is: 'refusal', status: 401 });
    expect(heard).toEqual([]);
  });

  test('the previous token and key are taken too, and said', async () => {
    const rotated = {
      ...vendor,
      tokens: ['NEW', 'AAAAA'],
      encodingAesKeys: ['ABCDEFGabcdefghijklmnopqrstuvwxyz0123456789', vendor.encodingAesKeys[0] ?? ''],
    };
    expect((await hear(sealed(xmlOf(head)), rotated)).received).toMatchObject({ byPrevious: true });
  });

  test('whatever the vendor’s service answers is no message to anybody', async () => {
    const { events } = await hear(sealed(xmlOf(head)));
    expect(await events.readAnswer(answerOf('anything'))).toEqual({ is: 'acknowledgement' });
    expect((await events.show({ user: 'u', messageId: null })).is).toBe('account-off');
  });
});

const text = {
  ToUserName: 'gh_x',
  FromUserName: 'openid1',
  CreateTime: '1348831860',
  MsgType: 'text',
  MsgId: '1',
};

function account(appId = shop, component = vendor) {
  return createWechat(authorizerOf(component, appId), adapterDeps(scriptedSend()));
}

const envelope = (encrypted: string): string =>
  `<xml><ToUserName>gh_x</ToUserName><Encrypt>${encrypted}</Encrypt></xml>`;

describe('a push for an account behind the platform', () => {
  test('is opened by the platform’s key, token and AppID', async () => {
    const push = sealed(xmlOf({ ...text, Content: 'hello' }), { envelope });
    expect(await account().receive(push)).toMatchObject({
      is: 'push',
      key: 'openid1-1',
      happenings: [{ is: 'inbound', user: 'openid1', opensTurn: true }],
    });
  });

  test('the published vector of a real push opens with these rules too', async () => {
    const vector = vectorOf('V15');
    const component = {
      ...vendor,
      appId: vector.appid,
      tokens: [vector.token],
      encodingAesKeys: [vector.encodingAESKey],
    };
    const { timestamp, nonce, msg_signature, encrypt: encrypted } = vector;
    const query = new URLSearchParams({ timestamp, nonce, msg_signature, encrypt_type: 'aes' });
    const push = { method: 'POST', rawQuery: query.toString(), headers: [], body: utf8(envelope(encrypted)) };
    expect(await account(shop, component).receive(push)).toMatchObject({
      is: 'push',
      happenings: [{ user: 'oIDrpjpQ8j8mBuQ8nM26HWzNEZgg', messageId: '6074130599188426998' }],
    });
  });

  test.each([
    { name: 'for its own AppID', over: { appId: shop } },
    { name: 'plain, however well signed', over: { envelope: () => xmlOf(text) } },
  ])('$name is refused', async ({ over }) => {
    const signature = sign(['AAAAA', timestamp, nonce]);
    const push = sealed(xmlOf(text), over);
    const signed = { ...push, rawQuery: `timestamp=${timestamp}&nonce=${nonce}&signature=${signature}` };
    expect(await account().receive(over.appId ? push : signed)).toMatchObject({ is: 'refusal', status: 401 });
  });

  test.each(['TESTCOMPONENT_MSG_TYPE_TEXT', 'QUERY_AUTH_CODE:queryauthcode@@@x'])(
    'WeChat’s test %s goes straight to the bot',
    async (Content) => {
      const push = sealed(xmlOf({ ...text, Content }), { envelope });
      expect(await account().receive(push)).toMatchObject({ is: 'push', happenings: [], straight: true });
    },
  );

  test('everything for WeChat’s own test accounts goes straight to the bot; a word within a message does not', async () => {
    const tested = await account('wx570bc396a51b8ff8').receive(
      sealed(xmlOf({ ...text, Content: 'a' }), { envelope }),
    );
    expect(tested).toMatchObject({ straight: true });
    const usual = sealed(xmlOf({ ...text, Content: 'what is QUERY_AUTH_CODE:' }), { envelope });
    expect(await account().receive(usual)).not.toMatchObject({ straight: true });
  });

  test('the bot’s answer, encrypted with the platform’s key, is opened', async () => {
    const passive = xmlOf({ ToUserName: 'openid1', MsgType: 'text', Content: 'answer' });
    const seal = {
      encodingAesKey: vendor.encodingAesKeys[0] ?? '',
      appId: vendor.appId,
      random: new Uint8Array(16),
    };
    const answer = answerOf(`<xml><Encrypt>${encrypt(utf8(passive), seal)}</Encrypt></xml>`);
    expect(await account().readAnswer(answer)).toEqual({ is: 'message' });
  });
});
