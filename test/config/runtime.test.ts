import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/index.ts';
import {
  describeAccount,
  readRuntimeAccount,
  runtimeFields,
  sealedFields,
  secretFields,
} from '../../src/config/accounts.ts';

const limits = { replyDeadlineMs: 600_000, typingCapMs: 180_000 };
const aesKey = 'a'.repeat(43);

const full = {
  wechat: {
    appId: 'wx1',
    appSecret: 'hush-1',
    token: 'hush-2',
    tokenPrevious: 'hush-3',
    encodingAesKey: aesKey,
    encodingAesKeyPrevious: 'b'.repeat(43),
    kind: 'mini',
    accessTokenUrl: 'https://hush-4:hush-5@token.example/hush-6',
    apiBase: 'https://user:hush-7@api.example/base/?key=hush-8',
    botUrl: 'https://user:hush-9@bot.example/x?key=hush-10#hush-11',
    botMode: 'pass',
    replyConcurrency: 3,
    typing: 'once',
    afterAck: 'keep',
    sendEnds: 'oldest',
    startDelayMs: 5,
    starts: { 'event.CLICK': true },
    rules: { lifetime: 9 },
    interim: { text: 'One moment', after: 28 },
    customSend: { kfAccount: 'k', isAiMessage: true },
    typingPath: '/x',
  },
  nxcloud: {
    accessKey: 'hush-1',
    accessSecret: 'hush-2',
    accessSecretPrevious: 'hush-3',
    appKey: 'hush-4',
    appId: '1234',
    businessPhone: '8613800000000',
    verifyCallbacks: 'require',
    apiBase: 'https://api.example',
    botUrl: 'https://bot.example/',
    botMode: 'job',
    replyConcurrency: 3,
    typing: 'off',
    afterAck: 'renew',
    sendEnds: 'all',
    startDelayMs: 5,
    starts: { sticker: false },
    rules: {},
  },
} as const;

const read = (channel: 'wechat' | 'nxcloud', fields: object) =>
  readRuntimeAccount({ channel, name: 'shop', fields: { ...fields } }, limits);

function describeFull(channel: 'wechat' | 'nxcloud') {
  const understood = read(channel, full[channel]);
  if ('faults' in understood) throw new Error(understood.faults.join());
  return describeAccount(understood.account);
}

describe.each(['wechat', 'nxcloud'] as const)('what is said of an account of %s', (channel) => {
  test('holds no secret, not even in a URL', () => {
    const said = JSON.stringify(describeFull(channel));
    expect(said).not.toContain('hush');
    expect(said).not.toContain(aesKey);
    expect(describeFull(channel).secrets).toEqual(
      Object.fromEntries(secretFields[channel].map((name) => [name, 'set'])),
    );
  });

  test('is taken again as it is, with the secrets', () => {
    const { fields } = describeFull(channel);
    const secrets = Object.entries(full[channel]).filter(([name]) => secretFields[channel].includes(name));
    expect(read(channel, { ...fields, ...Object.fromEntries(secrets) })).not.toHaveProperty('faults');
  });

  test('what is closed in Redis are its secrets and its URLs', () => {
    expect(sealedFields[channel]).toEqual([...secretFields[channel], 'botUrl', 'apiBase']);
  });

  test('its description takes a body without secrets, and none of another kind', () => {
    const taken = (fields: object): boolean => runtimeFields[channel].safeParse(fields).success;
    const open = Object.entries(full[channel]).filter(([name]) => !secretFields[channel].includes(name));
    expect(taken(Object.fromEntries(open))).toBe(true);
    expect(
      taken({ ...full[channel], ...Object.fromEntries(secretFields[channel].map((name) => [name, null])) }),
    ).toBe(true);
    expect(taken({ ...full[channel], speed: 3 })).toBe(false);
  });
});

test('references to the environment are not filled in: whoever may set an account may not read it', () => {
  const understood = read('nxcloud', {
    ...full.nxcloud,
    accessSecret: '${PATH}',
    botUrl: 'http://x/${HOME}',
  });
  expect(understood).toEqual({ faults: [expect.stringMatching(/^botUrl must be a whole URL/)] });
  const plain = read('nxcloud', { ...full.nxcloud, accessSecret: '${PATH}' });
  expect(plain).toMatchObject({ account: { accessSecrets: ['${PATH}', 'hush-3'] } });
});

test('a name of a field is repeated only as far as it can be one', () => {
  const understood = read('nxcloud', { ...full.nxcloud, ['x'.repeat(5_000)]: 1 });
  expect(JSON.stringify(understood).length).toBeLessThan(200);
});

const load = (environment: Record<string, string>) => loadConfig(environment, () => null).config;

describe('ACCOUNTS_KEY', () => {
  const hex = '00ff'.repeat(16);
  const bytes = Buffer.from(hex, 'hex');

  test.each([
    ['hex', hex],
    ['capital hex', hex.toUpperCase()],
    ['base64', bytes.toString('base64')],
    ['base64 without its end', bytes.toString('base64').replace('=', '')],
    ['base64url', bytes.toString('base64url')],
  ])('may be 32 bytes in %s', (_, key) => {
    expect(load({ ACCOUNTS_KEY: key }).accountsKeys).toEqual([hex]);
  });

  test.each([
    'short',
    'a'.repeat(32),
    hex.slice(1),
    `${hex}0`,
    `${'!'.repeat(43)}=`,
    Buffer.alloc(31).toString('base64'),
    Buffer.alloc(33).toString('base64'),
  ])('may not be %s, and is not repeated', (key) => {
    expect(() => load({ ACCOUNTS_KEY: key })).toThrow(
      /^(?!.*(short|aaaa|00ff|!!!|AAAA)).*ACCOUNTS_KEY must be 32 bytes/s,
    );
  });

  test('comes first, then the one before, which may not stand alone', () => {
    const previous = Buffer.alloc(32, 1).toString('hex');
    expect(load({ ACCOUNTS_KEY: hex, ACCOUNTS_KEY_PREVIOUS: previous }).accountsKeys).toEqual([
      hex,
      previous,
    ]);
    expect(() => load({ ACCOUNTS_KEY_PREVIOUS: previous })).toThrow(
      /ACCOUNTS_KEY_PREVIOUS is set without ACCOUNTS_KEY/,
    );
  });

  test('makes a process without a configured account one that waits for accounts: no demo, and no end', () => {
    expect(load({}).demo).toBe(true);
    expect(load({ ACCOUNTS_KEY: hex }).demo).toBe(false);
    const broken = '{"version":1,"accounts":{"wechat":{"shop":{"appId":"wx1"}}}}';
    const withFile = (environment: Record<string, string>) =>
      loadConfig(environment, (path) => (path.endsWith('default.json') ? broken : null));
    expect(() => withFile({})).toThrow(ConfigError);
    expect(withFile({ ACCOUNTS_KEY: hex }).skipped).toHaveLength(1);
  });
});
