import { expect, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { encrypt, sign } from '../../src/wechat/receive.ts';
import { createComponents } from '../../src/wiring/components.ts';
import { vendor } from '../support/accounts.ts';
import { handClock, noon } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { testSeal } from '../support/seal.ts';
import { fakeKept } from '../wechat/component/scene.ts';
import { fakeCache, scriptedSend } from '../support/wechat.ts';

/** The vendor as the configuration makes it, with a bot. */
function configure(over: Partial<typeof vendor>) {
  const environment = {
    WECHAT_COMPONENT_APP_ID: vendor.appId,
    WECHAT_COMPONENT_APP_SECRET: 'component-secret',
    WECHAT_COMPONENT_TOKEN: 'AAAAA',
    WECHAT_COMPONENT_ENCODING_AES_KEY: vendor.encodingAesKeys[0],
    WECHAT_COMPONENT_BOT_URL: 'http://127.0.0.1:9/{appid}',
  };
  const { components } = loadConfig(environment, () => null).config;
  return components.map(({ template }) => ({ ...vendor, ...over, template }));
}

function open(over: Partial<typeof vendor> = {}, seal: ReturnType<typeof testSeal> | null = testSeal()) {
  const clock = handClock();
  const client = { send: scriptedSend(), close: () => {} };
  return createComponents({
    config: {
      components: configure(over),
      botTimeoutMs: 1_000,
      botRetry: 'safe',
    },
    clients: { typing: client, messages: client, api: client, bot: client },
    clock,
    cache: fakeCache(clock),
    kept: fakeKept(),
    seal,
    typings: {
      of: () => ({ typing: { is: 'all' }, accounts: {} }),
      refresh: async () => {},
      read: async () => ({ typing: { is: 'all' }, accounts: {} }),
      write: async () => {},
    },
    told: () => {},
    log: recordLog(),
  });
}

const named = (account: string, channel = 'wechat') => ({ channel, account });
const nth = (n: number): string => `vendor.wx${n.toString(16).padStart(16, '0')}`;

test('an account behind a component is made when it is named, and the same one from then on', () => {
  const components = open();
  const more = (place: { channel: string; account: string }) => components.more(place);
  const served = more(named(nth(1)));
  expect(served).toMatchObject({
    apiBase: vendor.apiBase,
    bot: { url: 'http://127.0.0.1:9/wx0000000000000001', mode: 'job' },
    platform: { account: nth(1), rules: { mode: 'continuous' } },
  });
  expect(more(named(nth(1)))).toBe(served);
});

test.each([
  named('vendor'),
  named('other.wx1111111111111111'),
  named('vendor.wx1'),
  named('vendor.WX1111111111111111'),
  named(nth(1), 'nxcloud'),
])('$channel/$account is none', (place) => {
  expect(open().more(place)).toBeNull();
});

test('whoever makes up AppIDs fills no memory: the one named longest ago is forgotten', () => {
  const components = open();
  const more = (place: { channel: string; account: string }) => components.more(place);
  const [first, second] = [more(named(nth(1))), more(named(nth(2)))];
  for (let n = 3; n <= 2_000; n += 1) more(named(nth(n)));
  expect(more(named(nth(1)))).toBe(first);
  more(named(nth(2_001)));
  expect(more(named(nth(1)))).toBe(first);
  expect(more(named(nth(2)))).not.toBe(second);
});

test('events go to the vendor’s service as jobs; without one nowhere', () => {
  expect(open().more(named('vendor.events'))?.bot).toBeNull();
  expect(open({ forwardUrl: 'http://vendor/' }).more(named('vendor.events'))?.bot).toMatchObject({
    url: 'http://vendor/',
    mode: 'job',
  });
});

test('one that would keep its secrets open is left out with the reason; one with a token service needs no key', () => {
  const closed = open({}, null);
  expect([closed.names, closed.skipped]).toEqual([
    [],
    [{ account: 'component/vendor', reason: expect.stringContaining('set ACCOUNTS_KEY') as string }],
  ]);
  expect(closed.more(named(nth(1)))).toBeNull();
  expect(open({ authorizerTokenUrl: 'http://tokens/{appid}' }, null).names).toEqual(['vendor']);
});

test('a refresh token can be brought in only where it is used', async () => {
  const keep = (components: ReturnType<typeof open>, name: string) =>
    components.keepRefreshToken(name, 'wx1111111111111111', 'R1');
  expect(await keep(open(), 'vendor')).toEqual({ is: 'kept' });
  const elsewhere = open({ authorizerTokenUrl: 'http://tokens/{appid}' });
  expect(await keep(elsewhere, 'vendor')).toMatchObject({
    is: 'refused',
    error: expect.stringContaining('token service') as string,
  });
});

test('an AppID that nothing proves displaces nobody and takes no share', async () => {
  const components = open();
  const kept = components.more(named(nth(1)));
  for (let n = 2; n <= 2_100; n += 1) components.named(named(nth(n)));
  expect(components.made()).toBe(1);
  expect(components.more(named(nth(1)))).toBe(kept);
  const forged = { method: 'POST', rawQuery: '', headers: [], body: Buffer.from('<xml></xml>') };
  await components.named(named(nth(2)))?.platform.receive(forged);
  expect(components.made()).toBe(1);
});

test('an account is kept once WeChat has pushed for it', async () => {
  const components = open();
  const [encodingAesKey = ''] = vendor.encodingAesKeys;
  const text = '<xml><MsgType>text</MsgType><FromUserName>o</FromUserName><MsgId>1</MsgId></xml>';
  const Encrypt = encrypt(Buffer.from(text), {
    encodingAesKey,
    appId: vendor.appId,
    random: Buffer.alloc(16, 1),
  });
  const timestamp = String(noon / 1000);
  const signature = sign(['AAAAA', timestamp, '2', Encrypt]);
  const push = {
    method: 'POST',
    rawQuery: `timestamp=${timestamp}&nonce=2&encrypt_type=aes&msg_signature=${signature}`,
    headers: [],
    body: Buffer.from(`<xml><Encrypt>${Encrypt}</Encrypt></xml>`),
  };
  const first = components.named(named(nth(1)));
  expect(first?.platform).toMatchObject({ account: nth(1), rules: { mode: 'continuous' } });
  expect(await first?.platform.receive(push)).toMatchObject({ is: 'push' });
  expect(components.made()).toBe(1);
  expect(components.named(named(nth(1)))).toBe(components.more(named(nth(1))));
});
