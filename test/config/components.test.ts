import { describe, expect, test } from 'vitest';
import { ConfigError, loadConfig } from '../../src/config/index.ts';

const key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const appId = 'wx60a1f7d3c5b29e84';
const vendor = { appId, appSecret: 's', token: 't', encodingAesKey: key };
const environment = {
  WECHAT_COMPONENT_APP_ID: appId,
  WECHAT_COMPONENT_APP_SECRET: 's',
  WECHAT_COMPONENT_TOKEN: 't',
  WECHAT_COMPONENT_ENCODING_AES_KEY: key,
};

function load(variables: Record<string, string>, components?: object) {
  const file = JSON.stringify({ version: 1, ...(components ? { components } : {}) });
  return loadConfig(variables, (path) => (path === 'config/default.json' ? file : null));
}

function faultsOf(variables: Record<string, string>, components?: object): readonly string[] {
  try {
    load(variables, components);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('a third-party platform', () => {
  test('needs four fields, and has the defaults of an account', () => {
    const { config, skipped } = load({}, { vendor });
    expect(config.components).toMatchObject([
      {
        name: 'vendor',
        appId,
        appSecret: 's',
        tokens: ['t'],
        encodingAesKeys: [key],
        apiBase: 'https://api.weixin.qq.com',
        authorizerTokenUrl: null,
        authorizerTokenAuthorization: null,
        forwardUrl: null,
        minis: [],
        template: {
          kind: 'official',
          typingPath: null,
          interim: null,
          customSend: { kfAccount: null, isAiMessage: false },
          botUrl: null,
          botMode: 'job',
          replyConcurrency: null,
          afterAck: 'auto',
          starts: {},
          rules: { mode: 'continuous', sendEnds: 'all', cap: 180_000, deadline: 600_000 },
        },
      },
    ]);
    expect([skipped, config.accounts, config.demo]).toEqual([[], [], false]);
  });

  test('is the same from a file and from variables', () => {
    const template = {
      botUrl: 'http://bot/{appid}',
      botMode: 'pass',
      replyConcurrency: 5,
      typing: 'once',
      afterAck: 'renew',
      sendEnds: 'oldest',
      startDelayMs: 500,
      starts: { 'event.CLICK': true },
      rules: { cap: 1_000 },
      kind: 'mini',
      interim: { text: 'Wait', after: 3 },
      customSend: { isAiMessage: true },
      typingPath: '/typing',
    };
    const whole = {
      ...vendor,
      tokenPrevious: 't0',
      encodingAesKeyPrevious: key,
      apiBase: 'http://api/',
      authorizerTokenUrl: 'https://tokens/{appid}',
      authorizerTokenAuthorization: 'Bearer abc',
      forwardUrl: 'https://vendor/events',
      minis: ['wx1111111111111111'],
      template,
    };
    const written = { ...whole, ...template, template: undefined };
    const variables = Object.entries(written).flatMap(([field, value]) => {
      const name = `WECHAT_COMPONENT_${field.replace(/[A-Z]/g, (letter) => `_${letter}`)}`.toUpperCase();
      if (value === undefined) return [];
      return [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
    });
    const fromVariables = load(Object.fromEntries(variables) as Record<string, string>);
    expect(fromVariables.config.warnings).toEqual([]);
    expect(fromVariables.config.components).toEqual(load({}, { default: whole }).config.components);
  });

  test.each([
    { change: { WECHAT_COMPONENT_APP_SECRET: '' }, fault: 'WECHAT_COMPONENT_APP_SECRET is missing' },
    {
      change: { WECHAT_COMPONENT_ENCODING_AES_KEY: '' },
      fault: 'WECHAT_COMPONENT_ENCODING_AES_KEY is missing',
    },
    {
      change: { WECHAT_COMPONENT_AUTHORIZER_TOKEN_URL: 'https://tokens/' },
      fault: 'WECHAT_COMPONENT_AUTHORIZER_TOKEN_URL must hold {appid}',
    },
    {
      change: { WECHAT_COMPONENT_BOT_MODE: 'x' },
      fault: 'WECHAT_COMPONENT_BOT_MODE must be one of job, pass',
    },
    { change: { WECHAT_COMPONENT_RULES: '{' }, fault: 'WECHAT_COMPONENT_RULES must be JSON' },
    { change: { WECHAT_COMPONENT_RULES: '{"x":1}' }, fault: 'WECHAT_COMPONENT_RULES.x is no field' },
    { change: { WECHAT_COMPONENT_MINIS: '["x"]' }, fault: 'WECHAT_COMPONENT_MINIS.0 is no AppID' },
    {
      change: { WECHAT_COMPONENT_AUTHORIZER_TOKEN_AUTHORIZATION: 'a\nb' },
      fault: 'WECHAT_COMPONENT_AUTHORIZER_TOKEN_AUTHORIZATION must be',
    },
  ])('of the environment with a fault ends the start: $fault', ({ change, fault }) => {
    const faults = faultsOf({ ...environment, ...change });
    expect(faults).toEqual([expect.stringContaining(fault)]);
  });

  test('of the environment names all its faults at once, by variables, and the page that shows what is missing', () => {
    const page = "the platform's page at open.weixin.qq.com";
    expect(faultsOf({ WECHAT_COMPONENT_BOT_URL: 'http://bot/' })).toEqual([
      `WECHAT_COMPONENT_APP_ID is missing: copy the AppID from ${page}`,
      `WECHAT_COMPONENT_TOKEN is missing: copy the Token from ${page}`,
      `WECHAT_COMPONENT_ENCODING_AES_KEY is missing: copy the message key from ${page}`,
      'WECHAT_COMPONENT_APP_SECRET is missing: set it, or WECHAT_COMPONENT_AUTHORIZER_TOKEN_URL',
    ]);
  });

  test('of a file with a fault is skipped with all of them, and the others load', () => {
    const { config, skipped } = load(
      {},
      {
        good: vendor,
        bad: { ...vendor, token: undefined, template: { botUrl: 'bot', x: 1 }, forwardURL: 'x' },
        'a.b': vendor,
      },
    );
    expect(config.components.map(({ name }) => name)).toEqual(['good']);
    expect(skipped.map(({ account }) => account)).toEqual(['component/bad', 'component/a.b']);
    for (const named of [
      'components.bad.token is missing',
      'components.bad.template.botUrl must be',
      'components.bad.template.x is no field',
      'components.bad.forwardURL is no field',
    ])
      expect(skipped[0]?.reason).toContain(named);
  });

  test('of a file may hold ${NAME}, and when none loads the start ends', () => {
    const withSecret = { ...vendor, appSecret: '${VENDOR_SECRET}', template: { botUrl: '' } };
    expect(load({ VENDOR_SECRET: 'x' }, { vendor: withSecret }).config.components[0]?.appSecret).toBe('x');
    expect(faultsOf({}, { vendor: withSecret })).toEqual([
      expect.stringContaining('component/vendor: needs'),
    ]);
  });

  test('for the panic switch is where to forward to', () => {
    const { config } = load({
      ...environment,
      WECHAT_COMPONENT_BOT_URL: 'http://bot/{appid}',
      WECHAT_COMPONENT_FORWARD_URL: 'http://events',
      BYPASS: '1',
    });
    expect(config.bypass).toEqual([
      {
        channel: 'wechat',
        account: 'default.*',
        botUrl: 'http://bot/{appid}',
        apiBase: 'https://api.weixin.qq.com',
      },
      {
        channel: 'wechat',
        account: 'default.events',
        botUrl: 'http://events',
        apiBase: 'https://api.weixin.qq.com',
      },
    ]);
  });
});
