import { describe, expect, onTestFinished, test } from 'vitest';
import { type ComponentOptions, startComponent } from '../../src/simulator/index.ts';
import { decrypt, sha1Signature } from '../../src/simulator/wechat-sealed.ts';
import { post, simulator, story, SUCCESS, webhook, wechatCaller } from './helpers.ts';
import { handClock } from '../support/clock.ts';

const shop = 'wx1111111111111111';
const bakery = 'wx2222222222222222';

async function scene(options: Partial<ComponentOptions> = {}) {
  const clock = handClock();
  const component = await startComponent(options, { now: clock.now });
  onTestFinished(() => component.close());
  const events = await webhook(async () => SUCCESS);
  component.connect(events.url, '/vendor');
  const { appId: component_appid, appSecret, token, encodingAesKey } = component.options;
  /** What the last request to the webhook held. */
  const opened = (): string => {
    const last = events.requests.at(-1);
    const encrypted = /<Encrypt><!\[CDATA\[(.*?)\]\]>/.exec(last?.body.toString() ?? '')?.[1] ?? '';
    const parts = ['timestamp', 'nonce'].map((name) => last?.query.get(name) ?? '');
    expect(last?.query.get('msg_signature')).toBe(sha1Signature(token, ...parts, encrypted));
    return decrypt({ encodingAesKey, appId: component_appid }, encrypted) ?? '';
  };
  const field = (name: string): string =>
    new RegExp(`<${name}>(?:<!\\[CDATA\\[)?([^\\]<]*)`).exec(opened())?.[1] ?? '';
  const ask = async (call: string, body: object, own = ''): Promise<Record<string, unknown>> =>
    (
      await post(`${component.apiBase}/cgi-bin/component/${call}?component_access_token=${own}`, {
        component_appid,
        ...body,
      })
    ).json() as Record<string, unknown>;
  const ownToken = async (component_verify_ticket = field('ComponentVerifyTicket')) =>
    ask('api_component_token', { component_appsecret: appSecret, component_verify_ticket });
  const call = async (path: string, token: unknown, body: object) => {
    const answer = await post(`${component.apiBase}${path}?access_token=${String(token)}`, body);
    return (answer.json() as { errcode: number }).errcode;
  };
  const typing = (token: unknown, touser: string) =>
    call('/cgi-bin/message/custom/typing', token, { touser, command: 'Typing' });
  return { clock, component, events, opened, field, ask, ownToken, call, typing };
}

describe('the simulated third-party platform', () => {
  test('goes the documented way from ticket to typing', async () => {
    const { component, events, field, ask, ownToken, typing } = await scene();
    await component.sendTicket();
    expect(events.requests[0]?.path).toBe('/webhooks/wechat/component/vendor/events');
    const { component_access_token: own } = await ownToken();
    await component.authorise(shop);
    expect([field('InfoType'), field('AuthorizerAppid')]).toEqual(['authorized', shop]);
    const code = field('AuthorizationCode');
    const { authorization_info: info } = await ask(
      'api_query_auth',
      { authorization_code: code },
      String(own),
    );
    const granted = info as Record<string, unknown>;
    expect(granted['authorizer_appid']).toBe(shop);
    const pushed = await component.push(shop, { user: 'oUser', text: 'hi' });
    expect(pushed.answered?.toString()).toBe('success');
    expect(events.requests.at(-1)?.path).toBe(`/webhooks/wechat/component/vendor/${shop}/callback`);
    expect([field('Content'), field('ToUserName')]).toEqual(['hi', 'gh_111111111111']);
    expect(await typing(granted['authorizer_access_token'], 'oUser')).toBe(0);
    expect(story(component.phone('oUser').marks)).toEqual(['sent hi', 'typing-on Typing']);
    const body = { authorizer_appid: shop, authorizer_refresh_token: granted['authorizer_refresh_token'] };
    expect(await ask('api_authorizer_token', body, String(own))).toMatchObject({ expires_in: 7200 });
    const again = await ask('api_query_auth', { authorization_code: code }, String(own));
    expect(again).toMatchObject({ errcode: 61009 });
  });

  test('knows each account’s users and tokens apart, and an account’s own token not at all', async () => {
    const { component, typing } = await scene();
    const { wechat, ...others } = await simulator();
    component.grants.authorise(shop);
    component.grants.authorise(bakery);
    await component.push(shop, { user: 'oUser', text: 'hi' });
    const [ofShop, ofBakery] = [shop, bakery].map(
      (appId) => component.grants.grant(appId).authorizer_access_token,
    );
    expect(await typing(ofBakery, 'oUser')).toBe(40003);
    expect(await typing(ofShop, 'oUser')).toBe(0);
    const caller = await wechatCaller({ wechat, ...others });
    expect(await typing(caller.token, 'oUser')).toBe(40001);
    const own = await post(`${wechat.apiBase}/cgi-bin/message/custom/typing?access_token=${ofShop}`, {
      touser: 'oUser',
    });
    expect(own.json()).toMatchObject({ errcode: 40001 });
  });

  test('ends tickets, codes and tokens, each with its code', async () => {
    const { component, clock, field, ask, ownToken, typing } = await scene();
    await component.sendTicket();
    const ticket = field('ComponentVerifyTicket');
    const { component_access_token: own } = await ownToken(ticket);
    await component.authorise(shop);
    const code = field('AuthorizationCode');
    const { authorizer_access_token: token, authorizer_refresh_token } = component.grants.grant(shop);
    const renewal = { authorizer_appid: shop, authorizer_refresh_token };
    clock.pass(3_600_000);
    expect(await ask('api_query_auth', { authorization_code: code }, String(own))).toMatchObject({
      errcode: 61010,
    });
    clock.pass(3_600_000);
    expect(await typing(token, 'oUser')).toBe(42001);
    expect(await ask('api_authorizer_token', renewal, String(own))).toMatchObject({ errcode: 42001 });
    expect(await ask('api_authorizer_token', renewal, 'none')).toMatchObject({ errcode: 40001 });
    const { component_access_token: next } = await ownToken(ticket);
    await component.unauthorise(shop);
    expect(await ask('api_authorizer_token', renewal, String(next))).toMatchObject({ errcode: 61003 });
    clock.pass(10 * 3_600_000);
    expect(await ownToken(ticket)).toMatchObject({ errcode: 61005 });
    expect(await ownToken('none')).toMatchObject({ errcode: 61006 });
  });

  test('rotates refresh tokens when told to: the one before ends after the overlap', async () => {
    const { component, clock, field, ask, ownToken } = await scene({ rules: { rotates: true } });
    await component.sendTicket();
    const { component_access_token: own } = await ownToken(field('ComponentVerifyTicket'));
    component.grants.authorise(shop);
    const first = component.grants.grant(shop).authorizer_refresh_token;
    const renew = (authorizer_refresh_token: unknown) =>
      ask('api_authorizer_token', { authorizer_appid: shop, authorizer_refresh_token }, String(own));
    const { authorizer_refresh_token: second } = await renew(first);
    expect(second).not.toBe(first);
    clock.pass(299_999);
    expect(await renew(first)).toMatchObject({ expires_in: 7200 });
    clock.pass(1);
    expect(await renew(first)).toMatchObject({ errcode: 61023 });
    expect(await renew(second)).toMatchObject({ expires_in: 7200 });
  });
});
