import { describe, expect, test } from 'vitest';
import { NoAnswer } from '../../../src/core/wire.ts';
import { vendor } from '../../support/accounts.ts';
import { scriptedSend } from '../../support/wechat.ts';
import { shop, tokenScene } from './scene.ts';

const own = { component_access_token: 'OWN', expires_in: 7200 };
const renewed = (token: string, refresh = 'R1') => ({
  authorizer_access_token: token,
  expires_in: 7200,
  authorizer_refresh_token: refresh,
});
const exchanged = (token: string, refresh: string, appid = shop) => ({
  authorization_info: { authorizer_appid: appid, ...renewed(token, refresh), func_info: [] },
});
const at = 1_700_000_000_000;

async function scene(...script: Parameters<typeof scriptedSend>) {
  const send = scriptedSend(...script);
  const it = tokenScene(send);
  await it.secrets.keepTicket({ secret: 'TICKET', at });
  const bodyOf = (n: number): unknown => JSON.parse(String(send.requests[n]?.body));
  return { ...it, send, bodyOf };
}

describe('the access token of an account behind a component', () => {
  test('comes of ticket, component token and refresh token, as WeChat has it', async () => {
    const { tokens, secrets, send, bodyOf } = await scene(own, renewed('T1'));
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
    expect(send.requests.map(({ url }) => url)).toEqual([
      'https://api.weixin.qq.com/cgi-bin/component/api_component_token',
      'https://api.weixin.qq.com/cgi-bin/component/api_authorizer_token?component_access_token=OWN',
    ]);
    expect(bodyOf(0)).toEqual({
      component_appid: vendor.appId,
      component_appsecret: 'component-secret',
      component_verify_ticket: 'TICKET',
    });
    expect(bodyOf(1)).toEqual({
      component_appid: vendor.appId,
      authorizer_appid: shop,
      authorizer_refresh_token: 'R1',
    });
  });

  test('is fetched by one of two processes, and lies closed where both find it', async () => {
    const { process, secrets, sent, cache } = await scene(own, renewed('T1'));
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    const both = [process(), process()].map((each) => each.of(shop).get());
    expect(await Promise.all(both)).toEqual([
      { is: 'token', token: 'T1' },
      { is: 'token', token: 'T1' },
    ]);
    expect(sent()).toHaveLength(2);
    for (const value of cache.entries.values()) expect(value).toMatch(/^closed\(/);
  });

  test('a new refresh token takes the old one’s place before the access token is used', async () => {
    const { tokens, secrets, kept } = await scene(own, () => {
      kept.down = 2;
      return { status: 200, headers: [], body: Buffer.from(JSON.stringify(renewed('T1', 'R2'))) };
    });
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R2', at });
  });

  test('while a new refresh token cannot be kept there is no access token; it is kept as soon as it can be', async () => {
    const { tokens, secrets, kept, bodyOf } = await scene(
      own,
      () => {
        kept.down = 4;
        return { status: 200, headers: [], body: Buffer.from(JSON.stringify(renewed('T1', 'R2'))) };
      },
      renewed('T2', 'R2'),
    );
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    expect((await tokens.of(shop).get()).is).toBe('token-lost');
    kept.down = 0;
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T2' });
    expect(bodyOf(2)).toMatchObject({ authorizer_refresh_token: 'R2' });
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R2' });
  });

  test('a refresh token that has come meanwhile is not overwritten by the renewal of the one before', async () => {
    const { tokens, secrets } = await scene(own, async () => {
      await secrets.keepRefreshToken(shop, { secret: 'R9', at: at + 1 });
      return { status: 200, headers: [], body: Buffer.from(JSON.stringify(renewed('T1', 'R2'))) };
    });
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    await tokens.of(shop).get();
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R9' });
  });

  test('a component token that WeChat refuses is fetched anew, once', async () => {
    const { tokens, secrets, sent } = await scene(
      own,
      { errcode: 42001, errmsg: '' },
      { ...own, component_access_token: 'OWN2' },
      renewed('T1'),
    );
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
    expect(sent()).toEqual([
      'api_component_token',
      'api_authorizer_token',
      'api_component_token',
      'api_authorizer_token',
    ]);
  });

  test.each([61003, 61004, 61007, 61009, 61017, 61023])(
    '%i is WeChat’s word about the account',
    async (code) => {
      const { tokens, secrets } = await scene(own, { errcode: code, errmsg: '' });
      await secrets.keepRefreshToken(shop, { secret: 'R1', at });
      expect(await tokens.of(shop).get()).toEqual({ is: 'token-refused', code });
      expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R1' });
    },
  );

  test.each([61005, 61006])('%i is WeChat’s word about the ticket', async (code) => {
    const { tokens, secrets } = await scene({ errcode: code, errmsg: '' });
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    expect(await tokens.of(shop).get()).toEqual({ is: 'token-refused', code });
  });

  test('without a ticket, after its 12 hours, and without an authorization the remedy is said', async () => {
    const { tokens, secrets, clock, kept, send } = await scene(own);
    expect(await tokens.of(shop).get()).toMatchObject({
      is: 'no-credentials',
      remedy: expect.stringContaining('authorise') as string,
    });
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    kept.entries.delete(`wechat/${vendor.appId}/ticket`);
    expect(await tokens.of(shop).get()).toMatchObject({
      is: 'no-credentials',
      remedy: expect.stringContaining('component_verify_ticket') as string,
    });
    clock.pass(13 * 3_600_000);
    await secrets.keepTicket({ secret: 'OLD', at });
    expect(await secrets.ticket()).toBeNull();
    expect(send.requests).toEqual([]);
  });

  test('with Redis away nothing is fetched: two would', async () => {
    const { tokens, secrets, cache, send } = await scene(own, renewed('T1'));
    await secrets.keepRefreshToken(shop, { secret: 'R1', at });
    cache.down = true;
    expect((await tokens.of(shop).get()).is).toBe('token-lost');
    expect(send.requests).toEqual([]);
  });
});

describe('an authorization code', () => {
  test('is exchanged once, and what it brings is kept', async () => {
    const { tokens, secrets, sent } = await scene(own, exchanged('T1', 'R5'), renewed('T2', 'R5'));
    await secrets.keepCode(shop, { secret: 'CODE', at }, 60_000);
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R5', at });
    await tokens.of(shop).forget();
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T2' });
    expect(sent()).toEqual(['api_component_token', 'api_query_auth', 'api_authorizer_token']);
  });

  test('comes before an older refresh token', async () => {
    const { tokens, secrets } = await scene(own, exchanged('T1', 'R5'));
    await secrets.keepRefreshToken(shop, { secret: 'R1', at: at - 1 });
    await secrets.keepCode(shop, { secret: 'CODE', at }, 60_000);
    await tokens.of(shop).get();
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R5' });
  });

  test.each([
    { name: 'used or expired', answer: { errcode: 61010, errmsg: '' } },
    { name: 'another account’s', answer: exchanged('T9', 'R9', 'wx9999999999999999') },
  ])('that is $name is dropped, and the refresh token goes on', async ({ answer }) => {
    const { tokens, secrets } = await scene(own, answer, renewed('T1'));
    await secrets.keepRefreshToken(shop, { secret: 'R1', at: at - 1 });
    await secrets.keepCode(shop, { secret: 'CODE', at }, 60_000);
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
    expect(await secrets.code(shop)).toBeNull();
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R1' });
  });

  test.each([
    { name: 'WeChat does not answer', answer: new NoAnswer('no', { begun: false }) },
    { name: 'WeChat does not know this address', answer: { errcode: 61004, errmsg: '' } },
  ])('is tried again where $name', async ({ answer }) => {
    const { tokens, secrets } = await scene(own, answer, exchanged('T1', 'R5'));
    await secrets.keepCode(shop, { secret: 'CODE', at }, 60_000);
    expect((await tokens.of(shop).get()).is).not.toBe('token');
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T1' });
  });

  test('whose refresh token cannot be kept is not used up: that is kept later', async () => {
    const { tokens, secrets, kept } = await scene(
      own,
      () => {
        kept.down = 4;
        return { status: 200, headers: [], body: Buffer.from(JSON.stringify(exchanged('T1', 'R5'))) };
      },
      renewed('T2', 'R5'),
    );
    await secrets.keepCode(shop, { secret: 'CODE', at }, 60_000);
    expect((await tokens.of(shop).get()).is).toBe('token-lost');
    kept.down = 0;
    expect(await tokens.of(shop).get()).toEqual({ is: 'token', token: 'T2' });
    expect(await secrets.refreshToken(shop)).toMatchObject({ secret: 'R5' });
  });
});
