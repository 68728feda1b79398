import { describe, expect, test } from 'vitest';
import { connect, markIs, useStage, wechatRules, wideWindow } from './stage.ts';

const { open, now } = useStage();

const user = 'oUser_1';
const received = markIs('received');

describe('Redis is away', () => {
  test('a fast answer still goes back inline, a slow one through the API, and readiness says degraded', async () => {
    const { simulator, bot, redis, webs } = await open();
    await redis.stop();
    await simulator.wechat.push({ user: 'oFast', text: 'hi' });
    expect(await simulator.wechat.phone('oFast').next(received)).toMatchObject({ via: 'passive' });
    bot.set({ thinkMs: 700 });
    await simulator.wechat.push({ user: 'oSlow', text: 'hi' });
    expect(await simulator.wechat.phone('oSlow').next(received)).toMatchObject({ via: 'api' });
    await expect
      .poll(async () => (await fetch(`${webs[0]?.url}/readyz`)).json())
      .toMatchObject({ status: 'ready', degraded: ['redis'] });
  });

  test('an answer longer than one message still arrives whole', async () => {
    const answer = `${'字'.repeat(1_500)}完`;
    const { simulator, redis } = await open({ bot: { answer: () => answer } });
    await redis.stop();
    await simulator.wechat.push({ user, text: 'hi' });
    const phone = simulator.wechat.phone(user);
    await phone.next((mark) => received(mark) && mark.detail.endsWith('完'));
    const texts = phone.marks.filter(received).map(({ detail }) => detail);
    expect(texts.join('')).toBe(answer);
    expect(texts).toHaveLength(3);
  });

  test('NXCloud pushes still reach the bot and its answers the phone', async () => {
    const { simulator, redis } = await open();
    await redis.stop();
    const pushed = await simulator.nxcloud.push({ user: '8613800138000', text: 'hi' });
    expect(pushed.accepted).toBe(true);
    expect(await simulator.nxcloud.phone('8613800138000').next(received)).toMatchObject({
      detail: 'echo: hi',
    });
  });

  test('pass mode does not notice', async () => {
    const { simulator, redis } = await open({ env: { WECHAT_BOT_MODE: 'pass' } });
    await redis.stop();
    await simulator.wechat.push({ user, text: 'hi' });
    expect(await simulator.wechat.phone(user).next(received)).toMatchObject({ via: 'passive' });
  });
});

describe('workers are away', () => {
  test('a lone web runs the queues itself, and leaves them to a worker that comes', async () => {
    const { simulator, log, bot } = await open({ ...wideWindow, workers: 0, bot: { thinkMs: 2_000 } });
    await simulator.wechat.push({ user, text: 'hi' });
    await simulator.wechat.phone(user).next((mark) => mark.what === 'typing-on');
    expect(await simulator.wechat.phone(user).next(received)).toMatchObject({ via: 'api' });
    await now().startWorker();
    await expect
      .poll(() => log.lines.some(({ message }) => message.startsWith('A worker is alive')))
      .toBe(true);
    await simulator.wechat.push({ user: 'oSecond', text: 'hi' });
    await simulator.wechat.phone('oSecond').next(received);
    expect(bot.calls).toHaveLength(2);
  });
});

describe('the typing API fails', () => {
  test.each([
    { name: 'hangs', fault: { hang: true } },
    { name: 'resets', fault: { reset: true } },
    { name: 'answers 503', fault: { status: 503 } },
    { name: 'is rate limited', fault: { code: 45009 } },
  ] as const)('it $name: the answer arrives all the same', async ({ fault }) => {
    const { simulator } = await open({ bot: { thinkMs: 600 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', fault);
    await simulator.wechat.push({ user, text: 'hi' });
    expect(await simulator.wechat.phone(user).next(received)).toMatchObject({ detail: 'echo: hi' });
    simulator.wechat.faults.clear();
  });

  test('a show that was carried out without an answer is taken back', async () => {
    const { simulator } = await open({ bot: { style: 'fail', failStatus: 500, thinkMs: 50 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { reset: true, carriedOut: true }, 1);
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    await phone.next((mark) => mark.what === 'typing-off');
    expect(phone.litAt(Date.now())).toBe(false);
  });
});

describe('the send API fails', () => {
  test('a send whose outcome is unknown is not repeated, and kept', async () => {
    const { simulator, log } = await open({ bot: { thinkMs: 500 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { reset: true, carriedOut: true });
    await simulator.wechat.push({ user, text: 'hi' });
    await expect.poll(() => log.lines.some(({ message }) => message.includes('outcome unknown'))).toBe(true);
    expect(simulator.wechat.calls.filter(({ path }) => path.endsWith('/send'))).toHaveLength(1);
    expect(simulator.wechat.phone(user).marks.filter(received)).toHaveLength(1);
  });

  test('a refused send takes the indicator away and says the code', async () => {
    const { simulator, log } = await open({ bot: { thinkMs: 400 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 45047 });
    await simulator.wechat.push({ user, text: 'hi' });
    await expect
      .poll(() => log.lines.some(({ message }) => message.includes('refused the answer with 45047')))
      .toBe(true);
    await simulator.wechat.phone(user).next((mark) => mark.what === 'typing-off');
    await expect.poll(() => simulator.wechat.phone(user).litAt(Date.now())).toBe(false);
  });
});

describe('a fleet: two webs and two workers on one Redis', () => {
  test('every message gets one bot call and one answer, every phone one schedule', async () => {
    const { simulator, bot, webs } = await open({
      ...wideWindow,
      // A crowd's first calls are slow: a renewal that goes by them comes the earlier.
      env: { WECHAT_RULES: JSON.stringify({ ...wechatRules, window: 30_000, renewMargin: 500 }) },
      webs: 2,
      workers: 2,
      bot: { thinkMs: 1_600 },
    });
    const users = Array.from({ length: 40 }, (_, index) => `oUser_${index}`);
    const pushes = users.map((each, index) => {
      connect(simulator, webs[index % 2]?.url ?? '');
      return simulator.wechat.push({ user: each, text: each, msgId: String(1_000 + index) });
    });
    await Promise.all(users.map((each) => simulator.wechat.phone(each).next(received)));
    await Promise.all(pushes);
    expect(bot.calls).toHaveLength(users.length);
    for (const each of users) {
      const { marks } = simulator.wechat.phone(each);
      expect(marks.filter(received)).toHaveLength(1);
      expect(marks.filter(({ what }) => what === 'refused')).toEqual([]);
    }
  });

  test('a repeat that reaches the other web waits for the same answer', async () => {
    const { simulator, bot, webs } = await open({
      env: { HOLD_MS: '4000' },
      webs: 2,
      workers: 1,
      // WeChat hangs up, and repeats the push.
      wechat: { rules: { pushTimeout: 1_000 } },
      bot: { thinkMs: 1_400 },
    });
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    await bot.call(1);
    connect(simulator, webs[1]?.url ?? '');
    const { answered, deliveries } = await pushed;
    expect(bot.calls).toHaveLength(1);
    expect(deliveries).toHaveLength(2);
    expect(answered?.toString()).toContain('echo: hi');
    expect(simulator.wechat.phone(user).marks.filter(received)).toHaveLength(1);
  });
});
