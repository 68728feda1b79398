import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/index.ts';

const AES_KEY = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const OTHER_AES_KEY = 'ABCDEFGabcdefghijklmnopqrstuvwxyz0123456789';

const wechat = { WECHAT_APP_ID: 'wx1', WECHAT_TOKEN: 'push-token' };
const nxcloud = { NXCLOUD_ACCESS_KEY: 'key', NXCLOUD_ACCESS_SECRET: 'secret', NXCLOUD_APP_KEY: 'app' };
const shop = { appId: 'wx2', token: 'shop-token' };

/** A disk that holds these files: objects as JSON, texts as they are. */
function disk(files: Record<string, unknown> = {}) {
  return (path: string): string | null => {
    const held = files[path];
    if (held === undefined) return null;
    return typeof held === 'string' ? held : JSON.stringify(held);
  };
}

function lockedDisk(path: string): string {
  throw new Error(`EACCES ${path}`);
}

function accountsFile(channels: Record<string, unknown>) {
  return { version: 1, accounts: channels };
}

function load(environment: Record<string, string> = {}, files: Record<string, unknown> = {}) {
  return loadConfig(environment, disk(files));
}

function faultsOf(
  environment: Record<string, string>,
  files: Record<string, unknown> = {},
): readonly string[] {
  try {
    load(environment, files);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('settings', () => {
  test('with nothing set they are the documented defaults and the demo', () => {
    const { config, skipped } = load();
    expect(config).toMatchObject({
      accountsKeys: [],
      allowPrivateUrls: false,
      fromEnvironment: [],
      production: false,
      port: 3000,
      host: '0.0.0.0',
      redisUrl: null,
      redisTlsRejectUnauthorized: true,
      logLevel: 'info',
      logFormat: 'auto',
      holdMs: 4500,
      botTimeoutMs: 120_000,
      botRetry: 'safe',
      replyDeadlineMs: 600_000,
      typingCapMs: 180_000,
      replyConcurrency: 1000,
      typingConcurrency: 200,
      maxConnections: 10_000,
      webhookBodyMb: 16,
      webhookMemoryMb: 64,
      controlTokens: [],
      gatewayKey: null,
      botQueue: null,
      metricsPort: null,
      metricsToken: null,
      traces: null,
      dyno: null,
      journalLength: 20_000,
      dataDir: 'data',
      demo: true,
      bypass: null,
      accounts: [],
      components: [],
      warnings: [],
    });
    expect(skipped).toEqual([]);
  });

  test('each is read from its variable', () => {
    const { config } = load({
      PORT: '8080',
      HOST: '127.0.0.1',
      REDIS_URL: 'rediss://:pw@redis:6380',
      REDIS_TLS_REJECT_UNAUTHORIZED: '0',
      LOG_LEVEL: 'debug',
      LOG_FORMAT: 'json',
      HOLD_MS: '4000',
      BOT_TIMEOUT_MS: '1000',
      BOT_RETRY: 'always',
      REPLY_DEADLINE_MS: '2000',
      TYPING_CAP_MS: '3000',
      REPLY_CONCURRENCY: '5',
      TYPING_CONCURRENCY: '6',
      MAX_CONNECTIONS: '7',
      WEBHOOK_BODY_MB: '2',
      WEBHOOK_MEMORY_MB: '8',
      CONTROL_TOKEN: 'control-token-new',
      CONTROL_TOKEN_PREVIOUS: 'control-token-old',
      GATEWAY_KEY: 'gateway_key-0123456789',
      BOT_QUEUE: 'answers',
      BOT_QUEUE_PREFIX: '{bot}',
      BOT_QUEUE_REDIS_URL: 'redis://bot:6379/1',
      METRICS_PORT: '9090',
      METRICS_TOKEN: 'metrics-token-new',
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://collector:4318/custom?key=1',
      OTEL_SERVICE_NAME: 'typing',
      JOURNAL_LENGTH: '5000',
      DATA_DIR: '/var/keeptyping',
      DEMO: '0',
      NODE_ENV: 'production',
    });
    expect(config).toMatchObject({
      production: true,
      port: 8080,
      host: '127.0.0.1',
      redisUrl: 'rediss://:pw@redis:6380',
      redisTlsRejectUnauthorized: false,
      logLevel: 'debug',
      logFormat: 'json',
      holdMs: 4000,
      botTimeoutMs: 1000,
      botRetry: 'always',
      replyDeadlineMs: 2000,
      typingCapMs: 3000,
      replyConcurrency: 5,
      typingConcurrency: 6,
      maxConnections: 7,
      webhookBodyMb: 2,
      webhookMemoryMb: 8,
      controlTokens: ['control-token-new', 'control-token-old'],
      gatewayKey: 'gateway_key-0123456789',
      botQueue: { name: 'answers', prefix: '{bot}', redisUrl: 'redis://bot:6379/1' },
      metricsPort: 9090,
      metricsToken: 'metrics-token-new',
      traces: { url: 'http://collector:4318/custom?key=1', serviceName: 'typing' },
      journalLength: 5000,
      dataDir: '/var/keeptyping',
      demo: false,
    });
  });

  test.each(['http://collector:4318', 'http://collector:4318/'])(
    'the collector’s address for everything (%s) is a base: traces have a path of their own',
    (base) => {
      const url = 'http://collector:4318/v1/traces';
      expect(load({ OTEL_EXPORTER_OTLP_ENDPOINT: base }).config.traces).toEqual({
        url,
        serviceName: 'keeptyping',
      });
    },
  );

  test('an empty variable counts as unset', () => {
    expect(load({ PORT: '', REDIS_URL: '', WECHAT_APP_ID: '' }).config).toMatchObject({
      port: 3000,
      accounts: [],
    });
  });

  test('a Heroku dyno is production and no demo', () => {
    expect(load({ DYNO: 'web.1' }).config).toMatchObject({ production: true, demo: false, dyno: 'web.1' });
    expect(load({ DYNO: 'web.1', DEMO: '1' }).config.demo).toBe(true);
    expect(load({ ...wechat, DEMO: '1', BYPASS: '1' }).config.demo).toBe(false);
    expect(load(wechat).config.demo).toBe(false);
  });

  test.each([
    [{ CONTROL_TOKEN: 'short' }, 'CONTROL_TOKEN must be at least 16 characters long, without spaces'],
    [{ GATEWAY_KEY: 'a/b?0123456789abcdef' }, 'GATEWAY_KEY must be 16 to 200 letters, digits, _ and -'],
    [{ BOT_QUEUE: 'a:b' }, 'BOT_QUEUE must be the name of a BullMQ queue, without a colon'],
    [{ BOT_QUEUE_REDIS_URL: 'http://x' }, 'BOT_QUEUE_REDIS_URL must be a URL that begins with redis://'],
  ])('%j is refused', (environment, fault) => {
    expect(faultsOf(environment)[0]).toContain(fault);
  });

  test('all faults are listed at once, by name, with what would do', () => {
    expect(
      faultsOf(
        {
          PORT: '70000',
          HOLD_MS: '4801',
          BOT_RETRY: 'perhaps',
          DEMO: 'maybe',
          WECHAT_APP_ID: 'wx1',
          NXCLOUD_APP_KEY: 'a',
        },
        { 'config/local.json': '{' },
      ),
    ).toEqual([
      'PORT must be a whole number from 0 to 65535',
      'HOLD_MS must be a whole number from 0 to 4800',
      'BOT_RETRY must be one of safe, always, never',
      'DEMO must be one of 0, 1, false, true',
      expect.stringMatching(/^config\/local\.json: is not JSON/),
      expect.stringMatching(/^WECHAT_TOKEN is missing: copy the Token from /),
      expect.stringMatching(/^NXCLOUD_ACCESS_KEY is missing: /),
      expect.stringMatching(/^NXCLOUD_ACCESS_SECRET is missing: /),
    ]);
  });

  test.each(['1.5', '-1', '1e3', ' 5', '0x10', 'NaN', '99999999999999999999'])('%j is no number', (PORT) => {
    expect(faultsOf({ PORT })).toEqual(['PORT must be a whole number from 0 to 65535']);
  });

  test('a bot may not take longer than its turn', () => {
    expect(faultsOf({ BOT_TIMEOUT_MS: '5000', REPLY_DEADLINE_MS: '5000', BOT_RETRY: 'x' })).toEqual([
      'BOT_RETRY must be one of safe, always, never',
      expect.stringMatching(/^BOT_TIMEOUT_MS must be less than REPLY_DEADLINE_MS/),
    ]);
    expect(faultsOf({ BOT_TIMEOUT_MS: '4999', REPLY_DEADLINE_MS: '5000' })).toEqual([]);
  });

  test('an unknown variable that looks like one of ours is warned of by name', () => {
    const { config } = load({
      ...wechat,
      WECHAT_APP_SECRET: 's',
      WECHAT_APPID: 'x',
      NXCLOUD_TYPE: 'y',
      OTHER: 'z',
    });
    expect(config.warnings).toEqual([
      'WECHAT_APPID is no setting of keeptyping: it has no effect.',
      'NXCLOUD_TYPE is no setting of keeptyping: it has no effect.',
    ]);
  });

  test('the whole value is frozen', () => {
    const { config, skipped } = load({ ...wechat, WECHAT_STARTS: '{"text":false}' });
    const [account] = config.accounts;
    expect(
      [config, config.accounts, account, account?.rules, account?.starts, skipped].map(Object.isFrozen),
    ).toEqual(Array.from({ length: 6 }, () => true));
    expect(() => Object.assign(config, { port: 1 })).toThrow(TypeError);
  });

  test('no value of a secret is ever in a message', () => {
    const secrets = {
      REDIS_URL: 'http://:SECRET-1@redis',
      WECHAT_APP_SECRET: 'SECRET-2',
      WECHAT_ENCODING_AES_KEY: 'SECRET-3',
      WECHAT_BOT_URL: 'ftp://bot/SECRET-4',
      WECHAT_RULES: '{"SECRET-5',
      NXCLOUD_ACCESS_SECRET: 'SECRET-6',
      NXCLOUD_BUSINESS_PHONE: 'SECRET-7',
      PORT: 'SECRET-8',
    };
    const files = {
      'config/default.json': '{"version":1,"accounts":{"wechat":{"shop":{"token":"SECRET-9" "appId":1}}}}',
      'config/local.json': accountsFile({
        wechat: { shop: { token: 5, appSecret: 'SECRET-10', encodingAesKey: 'SECRET-11' } },
      }),
    };
    const faults = faultsOf(secrets, files);
    expect(faults.length).toBeGreaterThan(8);
    expect(faults.join('\n')).not.toContain('SECRET-');
  });
});

describe('the account of the environment', () => {
  test('a token and an AppID make a WeChat account', () => {
    expect(load(wechat).config.accounts).toMatchObject([
      {
        channel: 'wechat',
        name: 'default',
        appId: 'wx1',
        appSecret: null,
        tokens: ['push-token'],
        encodingAesKeys: [],
        kind: 'official',
        accessTokenUrl: null,
        apiBase: 'https://api.weixin.qq.com',
        typingPath: null,
        botUrl: null,
        botMode: 'job',
        replyConcurrency: null,
        afterAck: 'auto',
        starts: {},
        interim: null,
        customSend: { kfAccount: null, isAiMessage: false },
        rules: { mode: 'continuous', sendEnds: 'all', cap: 180_000, deadline: 600_000 },
      },
    ]);
  });

  test('a WeChat account is what its variables say', () => {
    const { config } = load({
      ...wechat,
      WECHAT_APP_SECRET: 'app-secret',
      WECHAT_TOKEN_PREVIOUS: 'old-token',
      WECHAT_ENCODING_AES_KEY: AES_KEY,
      WECHAT_ENCODING_AES_KEY_PREVIOUS: OTHER_AES_KEY,
      WECHAT_KIND: 'mini',
      WECHAT_ACCESS_TOKEN_URL: 'https://tokens/x',
      WECHAT_API_BASE: 'http://127.0.0.1:4000/',
      WECHAT_TYPING_PATH: '/cgi-bin/other',
      WECHAT_BOT_URL: 'http://bot/wechat?key=1',
      WECHAT_BOT_MODE: 'pass',
      WECHAT_REPLY_CONCURRENCY: '4',
      WECHAT_TYPING: 'once',
      WECHAT_AFTER_ACK: 'renew',
      WECHAT_START_DELAY_MS: '800',
      WECHAT_SEND_ENDS: 'oldest',
      WECHAT_INTERIM: '{"text":"稍等","after":20}',
      WECHAT_CUSTOM_SEND: '{"kfAccount":"ai@shop","isAiMessage":true}',
      WECHAT_STARTS: '{"event.CLICK":true}',
      WECHAT_RULES: '{"lifetime":150,"cap":999}',
      TYPING_CAP_MS: '5000',
    });
    expect(config.accounts).toMatchObject([
      {
        channel: 'wechat',
        name: 'default',
        appId: 'wx1',
        appSecret: 'app-secret',
        tokens: ['push-token', 'old-token'],
        encodingAesKeys: [AES_KEY, OTHER_AES_KEY],
        kind: 'mini',
        accessTokenUrl: 'https://tokens/x',
        apiBase: 'http://127.0.0.1:4000',
        typingPath: '/cgi-bin/other',
        botUrl: 'http://bot/wechat?key=1',
        botMode: 'pass',
        replyConcurrency: 4,
        afterAck: 'renew',
        starts: { 'event.CLICK': true },
        interim: { text: '稍等', after: 20_000 },
        customSend: { kfAccount: 'ai@shop', isAiMessage: true },
        rules: {
          mode: 'once',
          sendEnds: 'oldest',
          startDelay: 800,
          lifetime: 150,
          cap: 999,
          deadline: 600_000,
        },
      },
    ]);
    expect(config.warnings).toEqual([]);
  });

  test('an NXCloud account is what its variables say', () => {
    const { config } = load({
      ...nxcloud,
      NXCLOUD_ACCESS_SECRET_PREVIOUS: 'old-secret',
      NXCLOUD_BUSINESS_PHONE: '+8615800001795',
      NXCLOUD_APP_ID: '1533',
      NXCLOUD_VERIFY_CALLBACKS: 'require',
      NXCLOUD_API_BASE: 'http://127.0.0.1:4001',
      NXCLOUD_BOT_URL: 'http://bot/nxcloud',
      NXCLOUD_BOT_MODE: 'pass',
      NXCLOUD_REPLY_CONCURRENCY: '4',
      NXCLOUD_TYPING: 'off',
      NXCLOUD_AFTER_ACK: 'keep',
    });
    expect(config.accounts).toMatchObject([
      {
        channel: 'nxcloud',
        name: 'default',
        accessKey: 'key',
        accessSecrets: ['secret', 'old-secret'],
        appKey: 'app',
        businessPhone: '8615800001795',
        appId: '1533',
        verifyCallbacks: 'require',
        apiBase: 'http://127.0.0.1:4001',
        botUrl: 'http://bot/nxcloud',
        botMode: 'pass',
        replyConcurrency: 4,
        afterAck: 'keep',
        starts: {},
        rules: { mode: 'off', sendEnds: 'all', cap: 180_000, deadline: 600_000 },
      },
    ]);
    expect(config.warnings).toEqual([]);
  });

  test('there is none while only its shape is set', () => {
    expect(
      load({ WECHAT_TYPING: 'once', WECHAT_API_BASE: 'http://x', NXCLOUD_BOT_MODE: 'pass' }).config.accounts,
    ).toEqual([]);
  });

  test.each([
    [{ WECHAT_ENCODING_AES_KEY: AES_KEY.slice(1) }, 'WECHAT_ENCODING_AES_KEY must be the 43 letters'],
    [
      { WECHAT_ENCODING_AES_KEY_PREVIOUS: `${AES_KEY}=` },
      'WECHAT_ENCODING_AES_KEY_PREVIOUS must be the 43 letters',
    ],
    [{ WECHAT_BOT_URL: 'bot:8000/x' }, 'WECHAT_BOT_URL must be a whole URL'],
    [{ WECHAT_API_BASE: 'api.weixin.qq.com' }, 'WECHAT_API_BASE must be a whole URL'],
    [{ WECHAT_KIND: 'service' }, 'WECHAT_KIND must be one of official, mini'],
    [{ WECHAT_BOT_MODE: 'x' }, 'WECHAT_BOT_MODE must be one of job, pass'],
    [{ WECHAT_REPLY_CONCURRENCY: '0' }, 'WECHAT_REPLY_CONCURRENCY must be a whole number from 1 to 100000'],
    [{ WECHAT_TYPING: 'on' }, 'WECHAT_TYPING must be one of off, once, continuous'],
    [{ WECHAT_AFTER_ACK: 'x' }, 'WECHAT_AFTER_ACK must be one of auto, keep, renew'],
    [{ WECHAT_TYPING_PATH: 'cgi-bin' }, 'WECHAT_TYPING_PATH must begin with /'],
    [{ WECHAT_START_DELAY_MS: '-5' }, 'WECHAT_START_DELAY_MS must be a whole number from 0 to 86400000'],
    [{ WECHAT_RULES: '{' }, 'WECHAT_RULES must be JSON'],
    [{ WECHAT_SEND_ENDS: 'newest' }, 'WECHAT_SEND_ENDS must be one of all, oldest'],
    [{ WECHAT_INTERIM: '{"after":20}' }, 'WECHAT_INTERIM.text must be a text in quotes'],
    [
      { WECHAT_INTERIM: `{"text":"${'x'.repeat(2049)}"}` },
      'WECHAT_INTERIM.text must be at most 2048 bytes long',
    ],
    [{ WECHAT_CUSTOM_SEND: '{"isAiMessage":1}' }, 'WECHAT_CUSTOM_SEND.isAiMessage must be true or false'],

    [{ WECHAT_RULES: '{"lifetime":"15 s"}' }, 'WECHAT_RULES.lifetime must be a whole number from 0'],
    [
      { WECHAT_RULES: '{"lifetme":1,"hides":false}' },
      'WECHAT_RULES.lifetme and WECHAT_RULES.hides are no rules',
    ],
    [{ WECHAT_STARTS: '{"text":"yes"}' }, 'WECHAT_STARTS.text must be true or false'],
  ])('%j is refused by name', (changes, fault) => {
    const faults = faultsOf({ ...wechat, ...changes });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  test('an access secret of NXCloud alone says what else it needs', () => {
    expect(faultsOf({ NXCLOUD_ACCESS_SECRET: 's' }).map((fault) => fault.split(' ')[0])).toEqual([
      'NXCLOUD_ACCESS_KEY',
      'NXCLOUD_APP_KEY',
    ]);
  });
});

describe('the accounts of the files', () => {
  test('local.json is laid over default.json, account by account and field by field', () => {
    const { config, skipped } = load(
      {},
      {
        'config/default.json': accountsFile({
          wechat: {
            shop: { ...shop, kind: 'mini', rules: { lifetime: 1, window: 2 }, botUrl: 'http://a' },
            two: shop,
          },
        }),
        'config/local.json': accountsFile({
          wechat: { shop: { token: 'local-token', rules: { window: 3 }, botUrl: null } },
          nxcloud: { sales: { accessKey: 'k', accessSecret: 's', appKey: 'a' } },
        }),
      },
    );
    expect(config.accounts.map(({ channel, name }) => `${channel}/${name}`)).toEqual([
      'wechat/shop',
      'wechat/two',
      'nxcloud/sales',
    ]);
    expect(config.accounts[0]).toMatchObject({
      appId: 'wx2',
      tokens: ['local-token'],
      kind: 'mini',
      botUrl: null,
      rules: { lifetime: 1, window: 3 },
    });
    expect(skipped).toEqual([]);
    expect(config.demo).toBe(false);
  });

  test('the example of the documentation loads once its secrets are there, empty fields counting as unset', () => {
    const example = accountsFile({
      wechat: {
        shop: {
          appId: '${SHOP_APP_ID}',
          appSecret: '',
          token: '${SHOP_TOKEN}',
          encodingAesKey: '',
          kind: 'official',
          botUrl: 'https://${BOT_HOST}/wechat',
          botMode: 'job',
          apiBase: '',
        },
      },
    });
    const { config } = load(
      { SHOP_APP_ID: 'wx3', SHOP_TOKEN: 'with "quotes" and ${SHOP_APP_ID}', BOT_HOST: 'bot' },
      { 'config/default.json': example },
    );
    expect(config.accounts[0]).toMatchObject({
      appId: 'wx3',
      tokens: ['with "quotes" and ${SHOP_APP_ID}'],
      botUrl: 'https://bot/wechat',
      apiBase: 'https://api.weixin.qq.com',
    });
  });

  test('a faulty account is skipped and listed with all its faults; the others load', () => {
    const { config, skipped } = load(
      {},
      {
        'config/default.json': accountsFile({
          wechat: {
            good: shop,
            unset: { appId: 'wx4', token: '${SHOP_TOKEN}' },
            typo: { ...shop, botURL: 'http://bot', kind: 'x' },
            'bad/name': shop,
          },
        }),
      },
    );
    expect(config.accounts.map(({ name }) => name)).toEqual(['good']);
    expect(skipped).toEqual([
      { account: 'wechat/unset', reason: 'needs ${SHOP_TOKEN}, which the environment does not set' },
      {
        account: 'wechat/typo',
        reason:
          'accounts.wechat.typo.kind must be one of official, mini; accounts.wechat.typo.botURL is no field of an account',
      },
      { account: 'wechat/bad/name', reason: expect.stringContaining('has a bad name') },
    ]);
  });

  test('may lack what tokens are got by: a warning says what does not work', () => {
    const files = accountsFile({
      wechat: { shop, good: { ...shop, appSecret: 's' }, own: { ...shop, accessTokenUrl: 'http://tokens' } },
    });
    expect(load({}, { 'config/default.json': files }).config.warnings).toEqual([
      'wechat/shop: appSecret and accessTokenUrl are unset: no typing and no late answers.',
    ]);
  });

  test('with several unknown fields has one sentence for them', () => {
    const files = accountsFile({ wechat: { shop, bad: { ...shop, foo: 1, bar: 2 } } });
    expect(load({}, { 'config/default.json': files }).skipped).toEqual([
      {
        account: 'wechat/bad',
        reason: 'accounts.wechat.bad.foo and accounts.wechat.bad.bar are no fields of an account',
      },
    ]);
  });

  test('when none of those configured loads there is no configuration', () => {
    const files = {
      'config/default.json': accountsFile({ wechat: { a: { appId: 'x' } }, nxcloud: { b: {} } }),
    };
    expect(faultsOf({}, files)).toEqual([
      expect.stringMatching(/^wechat\/a: accounts\.wechat\.a\.token is missing/),
      expect.stringMatching(/^nxcloud\/b: accounts\.nxcloud\.b\.accessKey is missing/),
    ]);
  });

  test('the environment and the files may both have accounts, but not the same one', () => {
    const files = { 'config/default.json': accountsFile({ wechat: { default: shop, shop } }) };
    const { config, skipped } = load(wechat, files);
    expect(config.accounts.map((account) => account.name)).toEqual(['default', 'shop']);
    expect(config.accounts[0]).toMatchObject({ appId: 'wx1' });
    expect(skipped).toEqual([
      { account: 'wechat/default', reason: 'the environment defines an account of that name' },
    ]);
  });

  test.each([
    ['{"version": 1,\n "accounts": }', /^config\/default\.json: is not JSON( \(line 2\))?: mend it/],
    ['{}', /^config\/default\.json: version must be 1$/],
    ['{"version": 2}', /^config\/default\.json: version must be 1$/],
    ['[]', /^config\/default\.json: must hold an object$/],
    ['null', /^config\/default\.json: must hold an object$/],
    ['{"version":1,"account":{}}', /^config\/default\.json: account is unknown/],
    ['{"version":1,"accounts":{"telegram":{}}}', /^config\/default\.json: accounts\.telegram is unknown/],
    ['{"version":1,"accounts":{"wechat":[]}}', /^config\/default\.json: accounts\.wechat must be an object/],
    [
      '{"version":1,"accounts":{"wechat":{"shop":5}}}',
      /^config\/default\.json: accounts\.wechat\.shop must be an object/,
    ],
  ])('the file %s is a fault', (text, fault) => {
    const faults = faultsOf(wechat, { 'config/default.json': text });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(fault);
  });

  test('a file with a byte order mark is read', () => {
    const text = `\uFEFF${JSON.stringify(accountsFile({ wechat: { shop } }))}`;
    expect(load({}, { 'config/default.json': text }).config.accounts).toHaveLength(1);
  });

  test('a name that every object has is no way in', () => {
    const text =
      '{"version":1,"accounts":{"wechat":{"__proto__":{"appId":"x","token":"y"},"good":{"appId":"x","token":"y"}}}}';
    const { config } = load({}, { 'config/default.json': text, 'config/local.json': text });
    expect(config.accounts.map(({ name }) => name)).toEqual(['good']);
    expect(Reflect.get({}, 'appId')).toBeUndefined();
  });

  test('CONFIG_DIR names another folder, which must hold a file', () => {
    const files = { '/etc/keeptyping/local.json': accountsFile({ wechat: { shop } }) };
    expect(load({ CONFIG_DIR: '/etc/keeptyping' }, files).config.accounts).toHaveLength(1);
    expect(faultsOf({ CONFIG_DIR: '/elsewhere' }, files)).toEqual([
      expect.stringMatching(/^CONFIG_DIR names a folder/),
    ]);
  });

  test('a file that cannot be read is a fault', () => {
    expect(() => loadConfig({}, lockedDisk)).toThrow(/config\/default\.json: cannot be read/);
  });

  test('the files are read from the disk', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'keeptyping-'));
    await writeFile(join(folder, 'local.json'), JSON.stringify(accountsFile({ wechat: { shop } })));
    expect(loadConfig({ CONFIG_DIR: folder }).config.accounts).toHaveLength(1);
    await rm(folder, { recursive: true });
  });
});

describe('BYPASS=1', () => {
  test('needs nothing but the URLs of the bots', () => {
    const files = {
      'config/default.json': accountsFile({ nxcloud: { sales: { botUrl: 'http://bot/sales' }, none: {} } }),
    };
    const { config, skipped } = load({ BYPASS: '1', WECHAT_BOT_URL: 'http://bot/wechat' }, files);
    expect(config.bypass).toEqual([
      {
        channel: 'wechat',
        account: 'default',
        botUrl: 'http://bot/wechat',
        apiBase: 'https://api.weixin.qq.com',
      },
      {
        channel: 'nxcloud',
        account: 'sales',
        botUrl: 'http://bot/sales',
        apiBase: 'https://api2.nxcloud.com',
      },
      // Its bot may send through the gateway all the same.
      { channel: 'nxcloud', account: 'none', botUrl: null, apiBase: 'https://api2.nxcloud.com' },
    ]);
    expect(config).toMatchObject({ accounts: [], demo: false });
    expect(skipped).toEqual([]);
  });

  test('other faults do not stand in its way, and take nothing that is right with them', () => {
    const { config } = load({
      BYPASS: '1',
      WECHAT_BOT_URL: 'http://bot/wechat',
      HOLD_MS: 'x',
      GATEWAY_KEY: 'gateway_key-0123456789',
    });
    expect(config.gatewayKey).toBe('gateway_key-0123456789');
    expect(config.warnings).toEqual([expect.stringContaining('HOLD_MS')]);
  });

  test('never forwards to a URL with a hole in it', () => {
    const files = {
      'config/default.json': accountsFile({ wechat: { shop: { botUrl: 'http://bot/${KEY}' } } }),
    };
    expect(faultsOf({ BYPASS: '1' }, files)).toEqual([
      'BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL',
      expect.stringMatching(/^accounts\.wechat\.shop\.botUrl must be a whole URL/),
    ]);
  });

  test('off, the same environment is faulty', () => {
    expect(faultsOf({ BYPASS: '0', WECHAT_BOT_URL: 'http://bot' })).toHaveLength(2);
  });
});
