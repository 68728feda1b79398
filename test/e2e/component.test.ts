/** Accounts behind a third-party platform, from the ticket to the phone. */
import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import { accountList } from '../../src/control/schemas.ts';
import {
  type BotOptions,
  type ComponentOptions,
  type ComponentSimulator,
  startComponent,
} from '../../src/simulator/index.ts';
import { type Reply, type Request, startServer } from '../../src/simulator/server.ts';
import {
  asOperator,
  gatewayOf,
  markIs as is,
  quick,
  type Stage,
  type StageOptions,
  useStage,
  wechatRules,
  everyRedis,
} from './stage.ts';

const { open } = useStage();

const shop = 'wx1111111111111111';
const bakery = 'wx2222222222222222';
const user = 'oUser_1';
const token = 'a-control-token-of-some-length';

let component: ComponentSimulator;

afterEach(() => component.close());

interface Scene {
  component?: Partial<ComponentOptions>;
  bot?: BotOptions;
  env?: Record<string, string>;
  stage?: StageOptions;
}

/** A stage with a third-party platform, whose bot is the stage's. */
async function openComponent(scene: Scene = {}): Promise<Stage> {
  component = await startComponent({
    ...scene.component,
    rules: { ...quick.wechat, window: 30_000, pushTimeout: 800, ...scene.component?.rules },
  });
  const { appId, appSecret, token, encodingAesKey } = component.options;
  const { apiBase } = component;
  const stage = await open({
    ...scene.stage,
    bot: { wechat: { appId, appSecret, token, encodingAesKey, apiBase }, ...scene.bot },
    envFor: ({ url }) => ({
      ACCOUNTS_KEY: randomBytes(32).toString('base64'),
      WECHAT_COMPONENT_APP_ID: appId,
      WECHAT_COMPONENT_APP_SECRET: appSecret,
      WECHAT_COMPONENT_TOKEN: token,
      WECHAT_COMPONENT_ENCODING_AES_KEY: encodingAesKey,
      WECHAT_COMPONENT_API_BASE: apiBase,
      WECHAT_COMPONENT_RULES: JSON.stringify({ ...wechatRules, window: 30_000 }),
      WECHAT_COMPONENT_BOT_URL: `${url}/bots/{appid}`,
      ...scene.env,
    }),
  });
  component.connect(stage.webs[0]?.url ?? '');
  return stage;
}

/** The ticket is there, and the shop has authorised the platform. */
async function authorised(): Promise<void> {
  expect((await component.sendTicket()).body?.toString()).toBe('success');
  expect((await component.authorise(shop)).body?.toString()).toBe('success');
  await expect.poll(() => fetches('query-auth')).toBe(1);
}

let users = 0;

/** Whether a further user of the shop sees typing; processes learn of a change within seconds. */
async function typed(): Promise<boolean> {
  users += 1;
  const phone = component.phone(`oNext_${users}`);
  await component.push(shop, { user: phone.user, text: 'hi' });
  await phone.next((mark) => mark.what === 'received' || mark.what === 'notice');
  return phone.marks.some(is('typing-on'));
}

function fetches(command: string): number {
  return component.calls.filter((call) => call.command === command).length;
}

/** A server of the vendor's. */
async function vendor(handler: (request: Request) => Reply) {
  const requests: Request[] = [];
  const server = await startServer(async (request) => {
    requests.push(request);
    return handler(request);
  });
  onTestFinished(() => server.close());
  return { url: server.url, requests };
}

function success(): Reply {
  return { status: 200, type: 'text/plain', body: 'success' };
}

describe('by itself', () => {
  test('ticket, authorization, a message: typing shows until the late answer, and nothing after it', async () => {
    const { bot } = await openComponent({ bot: { thinkMs: 1_000 } });
    await authorised();
    const phone = component.phone(user);
    const pushed = await component.push(shop, { user, text: 'hi' });
    expect(pushed.answered?.toString()).toBe('success');
    const received = await phone.next(is('received'));
    expect(received).toMatchObject({ detail: 'echo: hi', via: 'api' });
    expect(phone.cover(received.at - 900, received.at)).toBeGreaterThan(0.6);
    expect(phone.ghost(received.at)).toBe(0);
    expect(phone.marks.filter(is('refused'))).toEqual([]);
    expect((await bot.call(1)).path).toBe(`/bots/${shop}`);
  });

  test('an answer in time goes back as the bot encrypted it', async () => {
    await openComponent();
    await authorised();
    const pushed = await component.push(shop, { user, text: 'hi' });
    expect(pushed.answered?.toString()).toContain('<Encrypt>');
    expect(await component.phone(user).next(is('received'))).toMatchObject({
      detail: 'echo: hi',
      via: 'passive',
    });
  });

  test('in pass mode too the encrypted answer is known for one', async () => {
    await openComponent({ bot: { thinkMs: 400 }, env: { WECHAT_COMPONENT_BOT_MODE: 'pass' } });
    await authorised();
    await component.push(shop, { user, text: 'hi' });
    const phone = component.phone(user);
    const received = await phone.next(is('received', 'echo: hi'));
    expect(phone.marks.filter(is('typing-on'))).toHaveLength(1);
    await expect.poll(() => phone.litAt(Date.now())).toBe(false);
    expect(phone.ghost(received.at)).toBeLessThan(100);
  });

  test('each renewal brings another refresh token, and the next one is renewed by it', async () => {
    await openComponent({
      component: { rules: { rotates: true, refreshOverlap: 0 } },
      bot: { thinkMs: 600 },
    });
    await authorised();
    const phone = component.phone(user);
    for (const text of ['one', 'two', 'three']) {
      component.grants.expireTokens();
      await component.push(shop, { user, text });
      await phone.next(is('received', `echo: ${text}`));
    }
    const renewals = component.calls.filter(({ command }) => command === 'authorizer-token');
    // The platform's own token had ended too: WeChat says so, and the call is made again.
    expect(renewals.map(({ code }) => code)).toEqual([42001, 0, 42001, 0, 42001, 0]);
    expect(phone.marks.filter(is('typing-on')).length).toBeGreaterThanOrEqual(3);
  });

  test('without a ticket typing is off with the reason, and on again when one comes', async () => {
    const { log } = await openComponent({ bot: { thinkMs: 500 } });
    await component.authorise(shop);
    await component.push(shop, { user, text: 'early' });
    await expect.poll(() => says(log, 'component_verify_ticket has not come')).toBe(true);
    expect(component.phone(user).marks.filter(is('typing-on'))).toEqual([]);
    await component.sendTicket();
    await expect.poll(() => says(log, 'Typing works again')).toBe(true);
    await expect.poll(typed, { interval: 200 }).toBe(true);
  });

  test('an account that withdraws is typed for no more, and its refresh token is gone; it may come back', async () => {
    const { redis, log } = await openComponent({ bot: { thinkMs: 500 } });
    await authorised();
    const kept = () => redis.connect().keys('{keeptyping}:secret:*refresh*');
    expect(await kept()).toHaveLength(1);
    expect((await component.unauthorise(shop)).body?.toString()).toBe('success');
    await expect.poll(kept).toEqual([]);
    await expect.poll(() => says(log, 'withdrawn its authorization')).toBe(true);
    await component.push(shop, { user, text: 'hi' });
    expect(component.phone(user).marks.filter(is('typing-on'))).toEqual([]);
    await component.authorise(shop);
    await expect.poll(() => says(log, 'Typing works again')).toBe(true);
    await expect.poll(typed, { interval: 200 }).toBe(true);
  });

  test('many users in two web and two worker processes: each token is fetched once', async () => {
    // Long enough that a busy machine has fetched two tokens before the answer.
    const { webs } = await openComponent({ bot: { thinkMs: 3_000 }, stage: { webs: 2, workers: 2 } });
    await component.sendTicket();
    const refresh = component.grants.grant(shop).authorizer_refresh_token;
    component.grants.authorise(shop);
    const { status } = await fetch(`${webs[0]?.url}/components/default/authorizers/${shop}`, {
      ...asOperator,
      method: 'PUT',
      body: JSON.stringify({ refreshToken: refresh }),
    });
    expect(status).toBe(204);
    const users = Array.from({ length: 12 }, (_, n) => `oUser_${n}`);
    await Promise.all(
      users.map((user, n) => {
        component.connect(webs[n % 2]?.url ?? '');
        return component.push(shop, { user, text: 'hi' });
      }),
    );
    await Promise.all(users.map((user) => component.phone(user).next(is('received'))));
    expect(
      users.flatMap((user) => component.phone(user).marks.filter(is('typing-on'))).length,
    ).toBeGreaterThanOrEqual(12);
    expect([fetches('component-token'), fetches('authorizer-token')]).toEqual([1, 1]);
  });

  test('no secret lies in Redis open, and none is in the log', async () => {
    const { log, webs } = await openComponent({ bot: { thinkMs: 500 } });
    await authorised();
    await component.push(shop, { user, text: 'hi' });
    await component.phone(user).next(is('received'));
    const secrets: string[] = [];
    for (const redis of everyRedis({ webs })) {
      const names = await redis.keys('*');
      secrets.push(...names.filter((name) => name.includes(':secret:')));
      const dumped = await Promise.all(names.map((name) => dump(redis, name)));
      expect(dumped.join('\n')).not.toContain('@@@');
    }
    expect(secrets).toHaveLength(2);
    expect(JSON.stringify(log.lines)).not.toContain('@@@');
  });

  test('without a key for its secrets the component is skipped with the reason, and the accounts are served', async () => {
    component = await startComponent();
    const { appId, appSecret, token, encodingAesKey } = component.options;
    const { webs, simulator } = await open({
      env: {
        WECHAT_COMPONENT_APP_ID: appId,
        WECHAT_COMPONENT_APP_SECRET: appSecret,
        WECHAT_COMPONENT_TOKEN: token,
        WECHAT_COMPONENT_ENCODING_AES_KEY: encodingAesKey,
      },
    });
    component.connect(webs[0]?.url ?? '');
    const ready = await fetch(`${webs[0]?.url}/readyz?verbose`);
    expect(await ready.json()).toMatchObject({
      skipped: [{ account: 'component/default', reason: expect.stringContaining('ACCOUNTS_KEY') as string }],
    });
    const accounts: unknown = await (await fetch(`${webs[0]?.url}/accounts`, asOperator)).json();
    expect(accountList.parse(accounts).accounts).toContainEqual(
      expect.objectContaining({ channel: 'component', account: 'default', state: 'faulty', serves: null }),
    );
    expect((await component.sendTicket()).status).toBe(404);
    await simulator.wechat.push({ user, text: 'hi' });
    await simulator.wechat.phone(user).next(is('received'));
  });
});

/** Both of them; `tokens` answers as the vendor's does. */
async function openVendor(scene: Scene = {}, status = 200) {
  const tokens = await vendor((request) => {
    const appId = request.query.get('appid') ?? '';
    const { authorizer_access_token, expires_in } = component.grants.grant(appId);
    return { status: 200, body: JSON.stringify({ authorizer_access_token, expires_in }) };
  });
  const service = { status };
  const events = await vendor(() => ({ ...success(), status: service.status }));
  const stage = await openComponent({
    ...scene,
    env: {
      WECHAT_COMPONENT_APP_SECRET: '',
      WECHAT_COMPONENT_AUTHORIZER_TOKEN_URL: `${tokens.url}/token?appid={appid}`,
      WECHAT_COMPONENT_AUTHORIZER_TOKEN_AUTHORIZATION: 'Bearer of-the-vendor',
      WECHAT_COMPONENT_FORWARD_URL: `${events.url}/wechat/events?tenant=1`,
      ...scene.env,
    },
  });
  return { ...stage, tokens, events, service };
}

describe('with the vendor’s own services', () => {
  test('tokens come from its URL, by account and with its header; WeChat is asked for none', async () => {
    const { tokens } = await openVendor({ bot: { thinkMs: 600 } });
    component.grants.authorise(shop);
    await component.push(shop, { user, text: 'hi' });
    await component.phone(user).next(is('typing-on'));
    await component.phone(user).next(is('received'));
    expect(tokens.requests[0]?.rawQuery).toBe(`appid=${shop}`);
    expect(tokens.requests[0]?.headers).toContainEqual(['Authorization', 'Bearer of-the-vendor']);
    expect(tokens.requests).toHaveLength(1);
    expect(component.calls.filter(({ path }) => path.startsWith('/cgi-bin/component'))).toEqual([]);
  });

  test('events reach its service byte for byte, and its answer WeChat; no code is exchanged', async () => {
    const { events, redis } = await openVendor();
    const ticket = await component.sendTicket();
    const authorisation = await component.authorise(shop);
    expect([ticket, authorisation].map(({ body }) => body?.toString())).toEqual(['success', 'success']);
    expect(events.requests).toHaveLength(2);
    const [first] = events.requests;
    expect(first?.path).toBe('/wechat/events');
    expect(first?.rawQuery).toMatch(
      /^tenant=1&signature=\w+&timestamp=\d+&nonce=\d+&encrypt_type=aes&msg_signature=\w+$/,
    );
    expect(first?.body.toString()).toMatch(/^<xml><AppId>.*<Encrypt>/);
    expect(component.calls).toEqual([]);
    expect(await redis.connect().keys('{keeptyping}:secret:*')).toEqual([]);
  });

  test('a service that fails is WeChat’s to see, and the event is kept to be run again', async () => {
    const { log, events, service, webs } = await openVendor({}, 404);
    const { status } = await component.authorise(shop);
    expect(status).toBe(404);
    await expect.poll(() => says(log, 'answered with status 404')).toBe(true);
    service.status = 200;
    const failed = webs.flatMap(({ parts }) =>
      parts.shards.all().map((shard) => shard.on('jobs').replies.getFailedCount()),
    );
    expect((await Promise.all(failed)).reduce((sum, count) => sum + count, 0)).toBe(1);
    // Sent again, it goes there again.
    expect((await component.authorise(shop, 'again')).status).toBe(200);
    expect(events.requests).toHaveLength(2);
  });

  test('a service that is away is tried again until it is back', async () => {
    const { events, service } = await openVendor({}, 503);
    const sent = component.authorise(shop);
    await expect.poll(() => events.requests.length).toBe(1);
    service.status = 200;
    await expect.poll(() => events.requests.length).toBe(2);
    const [first, second] = events.requests;
    expect(second?.body).toEqual(first?.body);
    await sent;
  });
});

describe('whatever the way to a token', () => {
  test('WeChat’s release test gets the bot’s own bytes at once: no typing, no late answer', async () => {
    // WeChat's own patience, which a busy machine does not outlast: a repeat would be a further call.
    const patient = { rules: { pushTimeout: 10_000 } };
    const { bot } = await openComponent({ component: patient, bot: { thinkMs: 500 } });
    await authorised();
    for (const text of ['TESTCOMPONENT_MSG_TYPE_TEXT', 'QUERY_AUTH_CODE:abc']) {
      await component.push(shop, { user, text });
      // Longer than keeptyping would have held the connection for.
      expect(await component.phone(user).next(is('received', `echo: ${text}`))).toMatchObject({
        via: 'passive',
      });
    }
    const event = { Event: 'LOCATION', Latitude: '1', Longitude: '2', Precision: '3' };
    await component.push('wx570bc396a51b8ff8', { user: 'oTester', type: 'event', fields: event });
    await component.push('wx570bc396a51b8ff8', { user: 'oTester', text: 'hi' });
    await component.phone('oTester').next(is('received', 'echo: hi'));
    expect(bot.calls).toHaveLength(4);
    expect(component.calls.filter(({ path }) => path.endsWith('/typing'))).toEqual([]);
  });

  test('typing is switched by share, by account and back at run time; messages pass all the time', async () => {
    const { webs } = await openComponent({
      bot: { thinkMs: 500 },
      env: { CONTROL_TOKEN: token, WECHAT_COMPONENT_TYPING: 'off' },
    });
    await authorised();
    const url = `${webs[0]?.url}/components/default/typing`;
    const headers = { Authorization: `Bearer ${token}` };
    const put = async (body: object): Promise<number> =>
      (await fetch(url, { method: 'PUT', headers, body: JSON.stringify(body) })).status;
    expect(await (await fetch(url, { headers })).json()).toEqual({
      typing: { is: 'template' },
      accounts: {},
    });
    expect(await typed()).toBe(false);
    expect(await put({ typing: { is: 'share', percent: 100 } })).toBe(200);
    await expect.poll(typed, { interval: 200 }).toBe(true);
    expect(await put({ typing: { is: 'share', percent: 100 }, accounts: { [shop]: 'off' } })).toBe(200);
    await expect.poll(typed, { interval: 200 }).toBe(false);
    expect(await put({ typing: { is: 'none' }, accounts: { [shop]: 'on' } })).toBe(200);
    await expect.poll(typed, { interval: 200 }).toBe(true);
    expect(await put({ typing: { is: 'template' } })).toBe(200);
    await expect.poll(typed, { interval: 200 }).toBe(false);
  });

  test('accounts are told apart: one bot URL, one phone and one answer each', async () => {
    const { bot } = await openComponent({
      bot: { thinkMs: 500 },
      component: { minis: [bakery] },
      env: { WECHAT_COMPONENT_MINIS: JSON.stringify([bakery]) },
    });
    await authorised();
    await component.authorise(bakery);
    await Promise.all([
      component.push(shop, { user: 'oShop', text: 'bread?' }),
      component.push(bakery, { user: 'oBakery', text: 'bread!' }),
    ]);
    await component.phone('oShop').next(is('received', 'echo: bread?'));
    await component.phone('oBakery').next(is('received', 'echo: bread!'));
    for (const name of ['oShop', 'oBakery'])
      expect(component.phone(name).marks.filter(is('typing-on')).length).toBeGreaterThan(0);
    expect(bot.calls.map(({ path }) => path).toSorted()).toEqual([`/bots/${shop}`, `/bots/${bakery}`]);
    expect(component.calls.some(({ path }) => path.endsWith('/business/typing'))).toBe(true);
  });

  test('the bot’s own send through the gateway ends the typing of the account that it names', async () => {
    const { webs } = await openComponent({ bot: { style: 'silent' }, env: { CONTROL_TOKEN: token } });
    await authorised();
    await component.push(shop, { user, text: 'hi' });
    const phone = component.phone(user);
    await phone.next(is('typing-on'));
    const access = component.grants.grant(shop).authorizer_access_token;
    const path = `wechat/default.${shop}/cgi-bin/message/custom/send`;
    const sent = await fetch(`${gatewayOf({ webs })}/${path}?access_token=${access}`, {
      method: 'POST',
      body: JSON.stringify({ touser: user, msgtype: 'text', text: { content: 'done' } }),
    });
    expect(await sent.json()).toMatchObject({ errcode: 0 });
    const received = await phone.next(is('received', 'done'));
    const read = async (): Promise<unknown> =>
      (
        await fetch(`${webs[0]?.url}/conversations/wechat/default.${shop}/${user}`, {
          headers: { Authorization: `Bearer ${token}` },
        })
      ).json();
    await expect.poll(read).toMatchObject({ turns: [], lastEnded: { by: 'gateway' } });
    expect(phone.ghost(received.at)).toBe(0);
  });

  test('what is not encrypted, for another AppID or for no component is refused', async () => {
    const { webs } = await openComponent();
    const base = `${webs[0]?.url}/webhooks/wechat`;
    const post = async (path: string): Promise<number> =>
      (await fetch(`${base}${path}`, { method: 'POST', body: '<xml><MsgType>text</MsgType></xml>' })).status;
    expect(await post(`/component/${shop}/callback?signature=a&timestamp=1&nonce=1`)).toBe(401);
    expect(await post(`/component/default/${shop}/callback`)).toBe(401);
    expect(await post('/component/events')).toBe(401);
    expect(await post('/component/$APPID$/callback')).toBe(404);
    expect(await post(`/component/other/${shop}/callback`)).toBe(404);
  });
});

function says({ lines }: Stage['log'], text: string): boolean {
  return lines.some(({ message }) => message.includes(text));
}

async function dump(redis: Redis, name: string): Promise<string> {
  switch (await redis.type(name)) {
    case 'string':
      return (await redis.get(name)) ?? '';
    case 'hash':
      return JSON.stringify(await redis.hgetall(name));
    case 'stream':
      return JSON.stringify(await redis.xrange(name, '-', '+'));
    default:
      return '';
  }
}
