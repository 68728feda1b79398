import { describe, expect, onTestFinished, test } from 'vitest';
import { startBot, type BotOptions, type Mark, type SimulatorOptions } from '../../src/simulator/index.ts';
import { simulator, story } from './helpers.ts';

/** The bot straight behind both platforms, without keeptyping between. */
async function withBot(options: BotOptions, simulated: SimulatorOptions = {}) {
  const running = await simulator(simulated);
  const { wechat, nxcloud } = running;
  const bot = await startBot({
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
    ...options,
  });
  onTestFinished(() => bot.close());
  wechat.connect(bot.url);
  nxcloud.connect(bot.url);
  return { ...running, bot };
}

const isReceived = ({ what }: Mark) => what === 'received';

describe('on WeChat', () => {
  test.each([
    ['plain', 'xml'],
    ['plain', 'json'],
    ['compatible', 'xml'],
    ['secure', 'xml'],
    ['secure', 'json'],
  ] as const)('answers passively, %s mode, %s', async (mode, format) => {
    const { wechat } = await withBot({ thinkMs: 1 }, { wechat: { mode, format } });
    await wechat.push({ user: 'OPENID', text: 'hello' });
    expect(story(wechat.phone('OPENID').marks)).toEqual(['sent hello', 'received echo: hello']);
  });

  test('answers by the API after it has acknowledged', async () => {
    const { wechat, bot } = await withBot({
      style: 'api',
      thinkMs: (text) => text.length,
      answer: () => 'later',
    });
    const pushed = await wechat.push({ user: 'OPENID', text: 'hello' });
    expect(pushed.answered?.toString()).toBe('success');
    expect(await wechat.phone('OPENID').next(isReceived)).toMatchObject({ detail: 'later', via: 'api' });
    await expect.poll(() => bot.sends).toMatchObject([{ user: 'OPENID', code: 0 }]);
  });

  test('fails when told so, until told otherwise', async () => {
    const { wechat, bot } = await withBot({ style: 'fail', failStatus: 502 });
    const failed = await wechat.push({ user: 'OPENID', text: 'hello' });
    expect(failed.deliveries.map(({ status }) => status)).toEqual([502, 502, 502]);
    bot.set({ style: 'passive' });
    const answered = await wechat.push({ user: 'OPENID', text: 'hello' });
    expect(answered.deliveries.map(({ status }) => status)).toEqual([200]);
  });

  test('answers the echostr, acknowledges events, and refuses a wrong signature', async () => {
    const { wechat, bot } = await withBot({});
    expect(await wechat.verify()).toBe(true);
    const event = await wechat.push({
      user: 'OPENID',
      type: 'event',
      fields: { Event: 'VIEW', EventKey: 'u' },
    });
    expect(event.answered?.toString()).toBe('success');
    const forged = await fetch(`${bot.url}?signature=0&timestamp=1&nonce=2`, {
      method: 'POST',
      body: '<xml/>',
    });
    expect(forged.status).toBe(401);
  });

  test('a bot slower than WeChat waits is hung up on', async () => {
    const { wechat, bot } = await withBot({ thinkMs: 60_000 }, { wechat: { rules: { pushTimeout: 40 } } });
    const pushing = wechat.push({ user: 'OPENID', text: 'hello' });
    const first = await bot.call(1);
    await first.ended;
    expect(first).toMatchObject({ hungUp: true, answeredAt: null });
    expect((await pushing).deliveries).toHaveLength(3);
  });
});

describe('on WhatsApp', () => {
  test('acknowledges, sends by mt, and gets the statuses', async () => {
    const { nxcloud, bot } = await withBot({ thinkMs: 1 });
    const { accepted } = await nxcloud.push({ user: '86138', text: 'hello' });
    expect(accepted).toBe(true);
    expect(await nxcloud.phone('86138').next(isReceived)).toMatchObject({ detail: 'echo: hello' });
    await bot.call(3);
    expect(bot.calls.map(({ body }) => /"status":"(\w+)"/.exec(body.toString())?.[1])).toEqual([
      undefined,
      'sent',
      'delivered',
    ]);
  });

  test('answers an anonymous user by the BSUID', async () => {
    const { nxcloud } = await withBot({});
    await nxcloud.push({ user: 'CN.1', anonymous: true, text: 'hello' });
    expect(await nxcloud.phone('CN.1').next(isReceived)).toMatchObject({ detail: 'echo: hello' });
  });
});

test('keeps what it was called with', async () => {
  const { bot } = await withBot({});
  const headers = { 'Idempotency-Key': 'k1', 'X-Keeptyping-Attempt': '2' };
  await fetch(`${bot.url}/path?a=1`, { method: 'POST', body: '{"a":1}', headers });
  const call = await bot.call(1);
  await call.ended;
  expect(call).toMatchObject({
    key: 'k1',
    attempt: '2',
    method: 'POST',
    path: '/path',
    rawQuery: 'a=1',
    hungUp: false,
  });
  expect(call.body.toString()).toBe('{"a":1}');
  expect(call.answeredAt).toBeGreaterThanOrEqual(call.at);
});

test('all marks of both platforms can be heard', async () => {
  const { wechat, nxcloud, on } = await withBot({});
  const heard: string[] = [];
  const stop = on(({ channel, what }) => void heard.push(`${channel} ${what}`));
  await wechat.push({ user: 'OPENID', text: 'hello' });
  await nxcloud.push({ user: '86138', text: 'hello' });
  await nxcloud.phone('86138').next(isReceived);
  expect(heard).toEqual([
    'wechat sent',
    'wechat received',
    'nxcloud sent',
    'nxcloud call',
    'nxcloud received',
  ]);
  stop();
  await wechat.push({ user: 'OPENID', text: 'again' });
  expect(heard).toHaveLength(5);
});
