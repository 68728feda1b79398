import { describe, expect, test } from 'vitest';
import { post, simulator, story, SUCCESS, webhook, wechatCaller } from './helpers.ts';
import { WECHAT_DEFAULTS, type WechatOptions } from '../../src/simulator/index.ts';
import { handClock } from '../support/clock.ts';

const TYPING = '/cgi-bin/message/custom/typing';
const BUSINESS_TYPING = '/cgi-bin/message/custom/business/typing';
const SEND = '/cgi-bin/message/custom/send';

/** A user who has just written, on a clock that only the test moves. */
async function conversation(options: Partial<WechatOptions> = {}) {
  const clock = handClock();
  const running = await simulator({ wechat: options, now: clock.now });
  const hook = await webhook(() => Promise.resolve(SUCCESS));
  running.wechat.connect(hook.url);
  const write = () => running.wechat.push({ user: 'OPENID', text: 'hello' });
  await write();
  return {
    clock,
    write,
    ...running,
    phone: running.wechat.phone('OPENID'),
    ...(await wechatCaller(running)),
  };
}

describe('typing', () => {
  test("answers the page's example word for word", async () => {
    const { wechat, token } = await conversation();
    const body = '{\n"touser":"OPENID",\n"command":"Typing"\n}';
    const answer = await post(`${wechat.apiBase}${TYPING}?access_token=${token}`, body);
    expect(answer).toMatchObject({ status: 200, text: '{"errcode":0,"errmsg":"ok"}' });
  });

  test('shows for 15 s, refuses a second one meanwhile, and takes one right after', async () => {
    const { clock, typing, phone } = await conversation();
    expect(await typing('OPENID')).toBe(0);
    clock.pass(14_999);
    expect(await typing('OPENID')).toBe(45081);
    clock.pass(1);
    expect(await typing('OPENID')).toBe(0);
    expect(phone.cover(clock.now() - 15_000, clock.now() + 15_000)).toBe(1);
    expect(story(phone.marks)).toEqual([
      'sent hello',
      'typing-on Typing',
      'refused 45081',
      'typing-off expired',
      'typing-on Typing',
    ]);
  });

  test('needs a message less than 30 s ago', async () => {
    const { clock, typing, write } = await conversation();
    clock.pass(29_999);
    expect(await typing('OPENID')).toBe(0);
    clock.pass(15_001);
    expect(await typing('OPENID')).toBe(45080);
    await write();
    expect(await typing('OPENID')).toBe(0);
  });

  test('a message to the user opens the window too, and takes the indicator away', async () => {
    const { clock, typing, send, phone } = await conversation();
    clock.pass(25_000);
    await typing('OPENID');
    clock.pass(1_000);
    expect(await send('OPENID', 'one moment')).toBe(0);
    expect(phone.litAt(clock.now())).toBe(false);
    clock.pass(29_000);
    expect(await typing('OPENID')).toBe(0);
    expect(story(phone.marks).slice(1, 4)).toEqual([
      'typing-on Typing',
      'typing-off message',
      'received one moment',
    ]);
  });

  test('CancelTyping takes it away, and is 0 when nothing is there', async () => {
    const { clock, typing, phone } = await conversation();
    expect(await typing('OPENID', 'CancelTyping')).toBe(0);
    await typing('OPENID');
    clock.pass(5_000);
    expect(await typing('OPENID', 'CancelTyping')).toBe(0);
    expect(phone.ghost(clock.now())).toBe(0);
    expect(await typing('OPENID')).toBe(0);
  });

  test('a menu event makes the user known but is no interaction, unless told so', async () => {
    const event = { type: 'event', user: 'CLICKER', fields: { Event: 'CLICK', EventKey: 'menu' } };
    const strict = await conversation();
    await strict.wechat.push(event);
    expect(await strict.typing('CLICKER')).toBe(45080);
    const lenient = await conversation({ rules: { eventsInteract: true } });
    await lenient.wechat.push(event);
    expect(await lenient.typing('CLICKER')).toBe(0);
  });

  test('every refusal has its code', async () => {
    const { call, typing, wechat } = await conversation();
    expect(await typing('NOBODY')).toBe(40003);
    expect(await typing('OPENID', 'Dancing')).toBe(45072);
    expect(await call(TYPING, { command: 'Typing' })).toBe(41009);
    expect(await call(BUSINESS_TYPING, { touser: 'OPENID', command: 'Typing' })).toBe(40200);
    expect(await call(TYPING, 'touser=OPENID')).toBe(47001);
    expect(await call(TYPING, '')).toBe(44002);
    expect(await call('/cgi-bin/nothing', {})).toBe(40066);
    const got = await fetch(`${wechat.apiBase}${TYPING}`);
    expect(await got.json()).toMatchObject({ errcode: 43002 });
  });

  test('a Mini Program has its own path', async () => {
    const { call, typing } = await conversation({ kind: 'mini' });
    expect(await typing('OPENID')).toBe(0);
    expect(await call(TYPING, { touser: 'OPENID', command: 'Typing' })).toBe(40200);
  });

  test('messages of refusals end in a rid, as live ones do', async () => {
    const { wechat } = await conversation();
    const answer = await post(`${wechat.apiBase}${TYPING}`, {});
    expect(answer.json()).toMatchObject({
      errcode: 41001,
      errmsg: expect.stringMatching(/ rid: [0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}$/),
    });
  });

  test('numbers can be overridden', async () => {
    const { clock, typing } = await conversation({ rules: { lifetime: 100, window: 200 } });
    expect(await typing('OPENID')).toBe(0);
    clock.pass(100);
    expect(await typing('OPENID')).toBe(0);
    clock.pass(100);
    expect(await typing('OPENID')).toBe(45080);
  });
});

const news = (articles: object[]) => ({ touser: 'OPENID', msgtype: 'news', news: { articles } });

describe('custom/send', () => {
  test('five per message of the user, and five again after the next', async () => {
    const { send, write } = await conversation();
    const codes: number[] = [];
    for (const n of [1, 2, 3, 4, 5, 6]) codes.push(await send('OPENID', String(n)));
    expect(codes).toEqual([0, 0, 0, 0, 0, 45047]);
    await write();
    expect(await send('OPENID', 'again')).toBe(0);
  });

  test('not after 48 hours, and not to strangers', async () => {
    const { clock, send } = await conversation({ rules: { tokenLifetime: 400_000_000 } });
    clock.pass(48 * 3_600_000);
    expect(await send('OPENID', 'too late')).toBe(45015);
    expect(await send('NOBODY', 'who?')).toBe(40003);
  });

  test('bodies that WeChat refuses', async () => {
    const { call, send } = await conversation();
    const article = { title: 't', description: 'd', url: 'u', picurl: 'p' };
    expect(await call(SEND, { touser: 'OPENID', msgtype: 'dance', dance: {} })).toBe(40008);
    expect(await call(SEND, { touser: 'OPENID', msgtype: 'image', image: {} })).toBe(47001);
    expect(await call(SEND, news([article, article]))).toBe(45008);
    expect(await call(SEND, news([article]))).toBe(0);
    expect(await send('OPENID', '字'.repeat(683))).toBe(45002);
    expect(await send('OPENID', '字'.repeat(682))).toBe(0);
  });
});

const ask = async (base: string, changes: object = {}) => {
  const { appId: appid, appSecret: secret } = WECHAT_DEFAULTS;
  const body = { grant_type: 'client_credential', appid, secret, ...changes };
  return (await post(`${base}/cgi-bin/stable_token`, body)).json();
};

describe('tokens', () => {
  test('stable_token gives the same one until its last five minutes, then both are good', async () => {
    const { clock, wechat, token, typing } = await conversation();
    expect(await ask(wechat.apiBase)).toEqual({ access_token: token, expires_in: 7200 });
    clock.pass(6_899_000);
    expect(await ask(wechat.apiBase)).toEqual({ access_token: token, expires_in: 301 });
    clock.pass(1_000);
    expect(await ask(wechat.apiBase)).toMatchObject({
      access_token: expect.not.stringMatching(token) as string,
      expires_in: 7200,
    });
    expect(await typing('OPENID')).toBe(45080);
    clock.pass(300_000);
    expect(await typing('OPENID')).toBe(42001);
  });

  test('a forced refresh kills the old one, at most every 30 s', async () => {
    const { clock, wechat, typing } = await conversation();
    const forced = await ask(wechat.apiBase, { force_refresh: true });
    expect(await typing('OPENID')).toBe(40001);
    expect(await ask(wechat.apiBase, { force_refresh: true })).toEqual(forced);
    clock.pass(30_000);
    expect(await ask(wechat.apiBase, { force_refresh: true })).not.toEqual(forced);
  });

  test('/cgi-bin/token gives a new one each time and leaves the stable one alone', async () => {
    const { wechat, typing } = await conversation();
    const { appId, appSecret } = wechat.options;
    const url = `${wechat.apiBase}/cgi-bin/token?grant_type=client_credential&appid=${appId}&secret=${appSecret}`;
    const [first, second] = [await (await fetch(url)).text(), await (await fetch(url)).text()];
    expect(first).not.toBe(second);
    expect(await typing('OPENID')).toBe(0);
  });

  test('who may not have one, and what is said to a bad one', async () => {
    const { wechat, typing } = await conversation();
    expect(await ask(wechat.apiBase, { appid: 'wx0' })).toMatchObject({ errcode: 40013 });
    expect(await ask(wechat.apiBase, { secret: 'wrong' })).toMatchObject({ errcode: 40125 });
    expect(await ask(wechat.apiBase, { grant_type: 'wish' })).toMatchObject({ errcode: 40002 });
    const invalid = await post(`${wechat.apiBase}${TYPING}?access_token=made-up`, {});
    expect(invalid.json()).toMatchObject({ errcode: 40001 });
    wechat.tokens.expireAll();
    expect(await typing('OPENID')).toBe(42001);
    wechat.tokens.revokeAll();
    expect(await typing('OPENID')).toBe(40001);
  });
});

test('every call is written down with its outcome', async () => {
  const { clock, typing, send, wechat } = await conversation();
  await typing('OPENID');
  await typing('OPENID');
  await send('OPENID', 'done');
  const seen = { at: clock.now(), user: 'OPENID', messageId: null };
  expect(wechat.calls.slice(1)).toMatchObject([
    { ...seen, path: TYPING, command: 'Typing', code: 0 },
    { ...seen, path: TYPING, command: 'Typing', code: 45081 },
    { ...seen, path: SEND, command: 'send', code: 0 },
  ]);
});
