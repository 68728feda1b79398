/** The doctor, where accounts were set at run time, and where there are third-party platforms. */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { closeFields, createSeal, writeRecord } from '../../src/accounts/record.ts';
import { createRecordStore } from '../../src/accounts/records.ts';
import { sealedFields } from '../../src/config/accounts.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';
import { openScene, serve, visit } from './scene.ts';

const key = randomBytes(32);
const seal = createSeal({ keys: [key], random: randomBytes });

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis((await redisKinds()).includes('private') ? 'private' : 'embedded');
});
afterAll(() => redis.stop());
beforeEach(async () => {
  await redis.connect().flushall();
});

const environment = () => ({ REDIS_URL: redis.url, ACCOUNTS_KEY: key.toString('base64') });

async function record(account: string, fields: Record<string, unknown>): Promise<void> {
  const place = { channel: 'wechat', account };
  const to = writeRecord(closeFields(seal, { place, fields, secrets: sealedFields.wechat }));
  await createRecordStore(redis.connect(), randomUUID).replace(`wechat/${account}`, { from: null, to });
}

describe('accounts that were set at run time', () => {
  test('are looked at, also where no other is configured; a faulty one is named', async () => {
    const { simulator } = await openScene();
    const { appId, appSecret, token } = simulator.wechat.options;
    await record('shop', { appId, appSecret, token, apiBase: simulator.wechat.apiBase });
    await record('broken', { appId });
    const { text, of } = await visit({ ...environment(), ALLOW_PRIVATE_URLS: '1' });
    expect(text).not.toContain('no account is configured');
    expect(of('configuration')).toEqual([expect.stringMatching(/^ok/)]);
    expect(of('records')).toEqual([expect.stringContaining('wechat/shop')]);
    expect(of('wechat/broken record')).toEqual([
      expect.stringMatching(/^FAIL .*token is missing: copy .* console\.$/),
    ]);
    expect(of('wechat/shop typing permission')).toEqual([expect.stringMatching(/^ok/)]);
    expect(text).not.toContain(appSecret);
  });

  test('are called only where such accounts may lead', async () => {
    const { simulator } = await openScene();
    const { appId, appSecret, token } = simulator.wechat.options;
    const apiBase = simulator.wechat.apiBase.replace('127.0.0.1', 'localhost');
    await record('shop', { appId, appSecret, token, apiBase });
    const { of } = await visit(environment());
    expect(of('wechat/shop access token')).toEqual([expect.stringContaining('(ERR_ADDRESS_REFUSED)')]);
  });

  test('may be there or not while Redis is away: nothing else is said', async () => {
    const { of } = await visit({ ...environment(), REDIS_URL: 'redis://127.0.0.1:1' });
    expect(of('configuration')).toEqual([expect.stringContaining('is not known')]);
    expect(of('Redis')).toEqual([expect.stringMatching(/^FAIL/)]);
  });

  test('are none: that is said as ever', async () => {
    const { of } = await visit(environment());
    expect(of('configuration')).toEqual([expect.stringContaining('no account is configured')]);
  });
});

describe('a third-party platform', () => {
  const component = {
    WECHAT_COMPONENT_APP_ID: 'wx60a1f7d3c5b29e84',
    WECHAT_COMPONENT_TOKEN: 'AAAAA',
    WECHAT_COMPONENT_ENCODING_AES_KEY: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG',
  };
  const own = { ...component, WECHAT_COMPONENT_APP_SECRET: 'secret' };

  test('that refreshes by itself and has no ticket is told so', async () => {
    const { of } = await visit({ ...environment(), ...own });
    expect(of('component/default token')).toEqual([
      expect.stringMatching(/^FAIL .*component_verify_ticket has not come/),
    ]);
  });

  test('without a key for its secrets is skipped, with the remedy', async () => {
    const { of } = await visit({ REDIS_URL: redis.url, ...own });
    expect(of('component/default configuration')).toEqual([expect.stringContaining('ACCOUNTS_KEY')]);
  });

  test.each([
    [200, '{"access_token":"T","expires_in":60}', /^ok/],
    [200, '{"errcode":61003,"errmsg":"no"}', /^ok/],
    [404, '', /^warn/],
    [401, '', /^FAIL .*HTTP 401/],
  ])('whose token service answers %i %s', async (status, body, expected) => {
    const url = await serve((_, response) => response.writeHead(status).end(body));
    const { of } = await visit({
      ...environment(),
      ...component,
      WECHAT_COMPONENT_AUTHORIZER_TOKEN_URL: `${url}/?appid={appid}`,
    });
    expect(of('component/default token')).toEqual([expect.stringMatching(expected)]);
  });
});
