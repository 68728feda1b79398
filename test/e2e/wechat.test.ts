import { describe, expect, test } from 'vitest';
import type { Phone } from '../../src/simulator/index.ts';
import { readFailed, retryFailed } from '../../src/replies/failed.ts';
import { sign } from '../../src/wechat/receive.ts';
import { xmlOf } from '../support/wechat.ts';
import { longHold, markIs as is, useStage, type Stage, wechatRules, wideWindow } from './stage.ts';

const { open, now } = useStage();

const user = 'oUser_1';

function whats(phone: Phone): string[] {
  return phone.marks
    .filter(({ what }) => what !== 'call')
    .map(({ what, detail }) => (what === 'typing-off' ? `off:${detail}` : what));
}

async function typingCalls({ simulator }: Stage): Promise<(string | null)[]> {
  return simulator.wechat.calls.filter(({ path }) => path.endsWith('/typing')).map(({ command }) => command);
}

describe('a synchronous bot behind WeChat, in job mode', () => {
  test('a fast answer goes back on the held connection, byte for byte', async () => {
    const { simulator, bot } = await open(longHold);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    const received = await simulator.wechat.phone(user).next(is('received'));
    expect(received).toMatchObject({ detail: 'echo: hi', via: 'passive' });
    expect(pushed.deliveries).toHaveLength(1);
    expect(pushed.deliveries[0]?.status).toBe(200);
    const call = await bot.call(1);
    expect(call).toMatchObject({ key: `${user}-${pushed.msgId}`, attempt: '1' });
    expect(pushed.answered).toEqual(pushed.deliveries[0]?.body);
  });

  test('an answer later than the hold arrives through custom/send, with typing all along and nothing after it', async () => {
    const { simulator } = await open({ bot: { thinkMs: 1_000 } });
    const phone = simulator.wechat.phone(user);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.answered?.toString()).toBe('success');
    const received = await phone.next(is('received'));
    expect(received).toMatchObject({ detail: 'echo: hi', via: 'api' });
    expect(whats(phone)).toEqual([
      'sent',
      'typing-on',
      'off:expired',
      'typing-on',
      'off:message',
      'received',
    ]);
    expect(phone.ghost(received.at)).toBe(0);
  });

  test.each([
    { mode: 'plain', format: 'json' },
    { mode: 'compatible', format: 'xml' },
    { mode: 'compatible', format: 'json' },
    { mode: 'secure', format: 'xml' },
    { mode: 'secure', format: 'json' },
  ] as const)('in $mode mode with $format bodies: inline and late', async ({ mode, format }) => {
    const { simulator, bot } = await open({ wechat: { mode, format } });
    await simulator.wechat.push({ user, text: 'now' });
    expect(await simulator.wechat.phone(user).next(is('received', 'echo: now'))).toMatchObject({
      via: 'passive',
    });
    bot.set({ thinkMs: 500 });
    await simulator.wechat.push({ user, text: 'later' });
    expect(await simulator.wechat.phone(user).next(is('received', 'echo: later'))).toMatchObject({
      via: 'api',
    });
  });

  test('after an encrypted push a plain one is refused, and nobody is typed to', async () => {
    const { simulator, bot, webs } = await open({ wechat: { mode: 'secure' } });
    const { token } = simulator.wechat.options;
    let forged = 0;
    const forge = async (): Promise<number> => {
      forged += 1;
      const parts = [String(Math.floor(Date.now() / 1000)), '1'] as const;
      const query = `signature=${sign([token, ...parts])}&timestamp=${parts[0]}&nonce=1`;
      const fields = { FromUserName: 'oForged', MsgType: 'text', Content: 'hi', MsgId: `${forged}` };
      const body = xmlOf(fields);
      return (await fetch(`${webs[0]?.url}/webhooks/wechat?${query}`, { method: 'POST', body })).status;
    };
    expect(await forge()).toBe(200);
    await simulator.wechat.push({ user, text: 'hi' });
    expect(await forge()).toBe(401);
    expect(bot.calls).toHaveLength(2);
  });

  test('the console’s check of the URL is answered', async () => {
    const { simulator } = await open();
    expect(await simulator.wechat.verify()).toBe(true);
  });

  test('a Mini Program types at its own path', async () => {
    const { simulator } = await open({ wechat: { kind: 'mini' }, bot: { thinkMs: 500 } });
    await simulator.wechat.push({ user, text: 'hi' });
    const phone = simulator.wechat.phone(user);
    await phone.next(is('typing-on'));
    expect(
      simulator.wechat.calls.some(({ path }) => path === '/cgi-bin/message/custom/business/typing'),
    ).toBe(true);
    await phone.next(is('received'));
  });

  test('a Mini Program’s fast answers go out through custom/send: WeChat shows none of its webhook', async () => {
    const { simulator, log } = await open({ ...longHold, wechat: { ...longHold.wechat, kind: 'mini' } });
    const phone = simulator.wechat.phone(user);
    for (const text of ['one', 'two']) {
      const pushed = await simulator.wechat.push({ user, text });
      expect(pushed.answered?.toString()).toBe('success');
      expect(await phone.next(is('received', `echo: ${text}`))).toMatchObject({ via: 'api' });
    }
    expect(log.lines.filter(({ message }) => message.includes('of a Mini Program'))).toHaveLength(1);
  });

  test('a Mini Program’s bot passes a user on to a human on the connection', async () => {
    const bot = { style: 'transfer' } as const;
    const { simulator } = await open({ ...longHold, wechat: { ...longHold.wechat, kind: 'mini' }, bot });
    await simulator.wechat.push({ user, text: 'help' });
    expect(await simulator.wechat.phone(user).next(is('handed-over'))).toMatchObject({ detail: '' });
  });

  test('a repeat of a push changes nothing', async () => {
    const { simulator, bot } = await open({ bot: { thinkMs: 900 } });
    const phone = simulator.wechat.phone(user);
    const first = simulator.wechat.push({ user, text: 'hi', msgId: '24180351648420683' });
    await phone.next(is('typing-on'));
    const repeat = await simulator.wechat.push({ user, text: 'hi', msgId: '24180351648420683' });
    expect(repeat.answered?.toString()).toBe('success');
    await first;
    const received = await phone.next(is('received'));
    const again = await simulator.wechat.push({ user, text: 'hi', msgId: '24180351648420683' });
    expect(again.answered?.toString()).toBe('success');
    expect(bot.calls).toHaveLength(1);
    expect(phone.marks.filter(is('received'))).toHaveLength(1);
    expect(phone.marks.filter(is('refused'))).toHaveLength(0);
    expect(phone.ghost(received.at)).toBe(0);
  });

  test('a repeat within the hold gets the very same bytes', async () => {
    const { simulator, bot } = await open();
    const first = await simulator.wechat.push({ user, text: 'hi', msgId: '77' });
    const repeat = await simulator.wechat.push({ user, text: 'hi', msgId: '77' });
    expect(repeat.answered).toEqual(first.answered);
    expect(bot.calls).toHaveLength(1);
  });

  test('two messages before the first answer: the indicator comes back after it and ends with the second', async () => {
    const { simulator } = await open({ bot: { thinkMs: (text) => (text === 'first' ? 500 : 1_100) } });
    const phone = simulator.wechat.phone(user);
    const pushes = [
      simulator.wechat.push({ user, text: 'first' }),
      simulator.wechat.push({ user, text: 'second' }),
    ];
    const first = await phone.next(is('received', 'echo: first'));
    const back = await phone.next((mark) => mark.what === 'typing-on' && mark.at > first.at);
    const second = await phone.next(is('received', 'echo: second'));
    await Promise.all(pushes);
    expect(back.at).toBeLessThan(second.at);
    expect(phone.ghost(second.at)).toBe(0);
    expect(phone.marks.filter(is('refused'))).toHaveLength(0);
  });

  test('a bot that fails: its own status goes back, the indicator goes, the job is kept', async () => {
    const bots = { style: 'fail', failStatus: 500, thinkMs: 150 } as const;
    const env = { ...longHold.env, ...wideWindow.env };
    const wechat = { rules: { ...longHold.wechat.rules, ...wideWindow.wechat.rules } };
    const { simulator, bot, log } = await open({ env, wechat, bot: bots });
    const phone = simulator.wechat.phone(user);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([500, 500, 500]);
    // Three times as WeChat would, and once for each of its own repeats.
    expect(bot.calls.map(({ attempt }) => attempt)).toEqual(['1', '2', '3', '4', '5']);
    await phone.next(is('typing-off', 'cancelled'));
    await expect.poll(() => phone.litAt(Date.now())).toBe(false);
    await expect
      .poll(() => log.lines.some(({ message }) => message.includes('answered with status 500')))
      .toBe(true);
  });

  test('a bot that says 503 is asked again and answers', async () => {
    const { simulator, bot } = await open({ bot: { style: 'fail', failStatus: 503 } });
    const pushed = simulator.wechat.push({ user, text: 'hi' });
    await (
      await bot.call(1)
    ).ended;
    bot.set({ style: 'passive' });
    expect((await bot.call(2)).attempt).toBe('2');
    expect(await simulator.wechat.phone(user).next(is('received'))).toMatchObject({ detail: 'echo: hi' });
    await pushed;
  });

  /** LangBot answers 500 just before WeChat's 5 s: https://github.com/langbot-app/LangBot */
  test('a bot that lives on the platform’s repeats is called again, and its answer arrives', async () => {
    const rules = JSON.stringify({ ...wechatRules, patience: 500, window: 30_000 });
    const env = { WECHAT_RULES: rules, HOLD_MS: '400' };
    let calls = 0;
    const { simulator, bot } = await open({
      env,
      wechat: { rules: { window: 30_000 } },
      bot: {
        thinkMs: () => (calls < 3 ? 350 : 0),
        style: () => ((calls += 1) < 3 ? 'fail' : 'passive'),
      },
    });
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    expect(await phone.next(is('received'))).toMatchObject({ detail: 'echo: hi', via: 'api' });
    expect(bot.calls.map(({ attempt }) => attempt)).toEqual(['1', '2', '3']);
    expect(new Set(bot.calls.map(({ key }) => key)).size).toBe(1);
  });

  test('answers that cannot be sent leave no typing behind, with 30 users answered at once', async () => {
    const lifetime = 15_000;
    const rules = { ...wechatRules, lifetime, window: 30_000 };
    const { simulator } = await open({
      env: { WECHAT_RULES: JSON.stringify(rules) },
      wechat: { rules: { lifetime, window: 30_000 } },
      bot: { thinkMs: 1_000 },
    });
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 45015 });
    const users = Array.from({ length: 30 }, (_, n) => `oCrowd_${n}`);
    const phones = users.map((each) => simulator.wechat.phone(each));
    await Promise.all(users.map((each) => simulator.wechat.push({ user: each, text: 'hi' })));
    const taken = (): number =>
      phones.filter(({ marks }) => marks.some(is('typing-off', 'cancelled'))).length;
    await expect.poll(taken, { timeout: lifetime - 3_000 }).toBe(users.length);
    expect(phones.filter((phone) => phone.litAt(Date.now()))).toEqual([]);
  });

  test('a bot that acknowledges and answers through the API gets one indicator', async () => {
    const { simulator } = await open({ bot: { style: 'api', thinkMs: 1_500 } });
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    await phone.next(is('received'));
    expect(whats(phone)).toEqual(['sent', 'typing-on', 'off:expired', 'received']);
  });

  test('with renewal after an acknowledgement it goes on, and no call is refused', async () => {
    const { simulator } = await open({
      env: { WECHAT_AFTER_ACK: 'renew' },
      bot: { style: 'api', thinkMs: 1_000 },
    });
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    await phone.next(is('received'));
    expect(whats(phone).slice(0, 4)).toEqual(['sent', 'typing-on', 'off:expired', 'typing-on']);
    expect(phone.marks.filter(is('refused'))).toEqual([]);
  });

  test('an account that may not send: WeChat is left to repeat, and the answer comes on a later delivery', async () => {
    const { simulator, bot, log } = await open({ bot: { thinkMs: 1_300 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 });
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([null, 200]);
    expect(await simulator.wechat.phone(user).next(is('received'))).toMatchObject({ via: 'passive' });
    expect(bot.calls).toHaveLength(1);
    expect(log.lines.filter(({ message }) => message.includes('switched off'))).toHaveLength(1);
  });

  test('an answer later than all deliveries of such an account is a failed job that says so', async () => {
    const { simulator, log } = await open({ bot: { thinkMs: 2_600 } });
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 });
    simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 48001 });
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([null, null, 200]);
    expect(pushed.answered?.toString()).toBe('success');
    expect(log.lines.some(({ message }) => message.includes('sent all the same'))).toBe(true);
    await expect
      .poll(() => log.lines.some(({ message }) => message.includes('refused the answer with 48001')))
      .toBe(true);
  });

  test('a revoked token is renewed once and the indicator still comes', async () => {
    const { simulator, bot } = await open();
    await simulator.wechat.push({ user, text: 'warm' });
    simulator.wechat.tokens.revokeAll();
    bot.set({ thinkMs: 700 });
    await simulator.wechat.push({ user, text: 'hi' });
    await simulator.wechat.phone(user).next(is('received', 'echo: hi'));
    expect(simulator.wechat.phone(user).marks.filter(is('typing-on')).length).toBeGreaterThan(0);
  });

  test('a hanging typing API delays nothing', async () => {
    const { simulator } = await open(longHold);
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { hang: true });
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(await simulator.wechat.phone(user).next(is('received'))).toMatchObject({ via: 'passive' });
    // WeChat has not given up waiting.
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([200]);
  });

  test('events that no bot answers reach the bot and start nothing', async () => {
    const { simulator, bot } = await open();
    await simulator.wechat.push({
      user,
      type: 'event',
      fields: { Event: 'VIEW', EventKey: 'http://www.qq.com' },
    });
    await bot.call(1);
    expect(await typingCalls(now())).toEqual([]);
  });
});

const answerWith = (characters: number): string =>
  Array.from({ length: characters / 50 }, (_, n) => `${n}。${'字'.repeat(50)}`.slice(0, 50)).join('\n');

function queuesOf({ webs: [web] }: Stage) {
  if (!web) throw new Error('there is no web');
  return web.parts.shards.all().map((shard) => shard.on('jobs'));
}

const texts = (phone: Phone): string[] => phone.marks.filter(is('received')).map(({ detail }) => detail);

/**
 * Others have lost the ends of long answers: https://github.com/w7corp/easywechat/issues/2742 and
 * https://github.com/w7corp/easywechat/issues/1383
 */
describe('an answer that is longer than one message', () => {
  test.each([
    ['late', 1_000],
    ['fast, which WeChat would not show on the connection', 0],
  ])('arrives whole, in order: %s', async (_, thinkMs) => {
    const answer = answerWith(2_000);
    const { simulator, bot } = await open({ ...wideWindow, bot: { thinkMs, answer: () => answer } });
    const phone = simulator.wechat.phone(user);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.answered?.toString()).toBe('success');
    expect(pushed.deliveries).toHaveLength(1);
    await phone.next((mark) => mark.what === 'received' && answer.endsWith(mark.detail));
    expect(texts(phone).join('\n')).toBe(answer);
    expect(texts(phone).length).toBeGreaterThan(2);
    expect(phone.marks.filter(is('received')).every(({ via }) => via === 'api')).toBe(true);
    // Between the parts it may show; after the last it does not.
    expect(phone.ghost(phone.marks.findLast(is('received'))?.at ?? 0)).toBe(0);
    expect(bot.calls).toHaveLength(1);
  });

  test('stops at a part of which nobody knows, and goes on there by hand', async () => {
    const answer = answerWith(2_000);
    const stage = await open({ ...wideWindow, bot: { answer: () => answer } });
    const { simulator, bot } = stage;
    const path = '/cgi-bin/message/custom/send';
    simulator.wechat.faults.set(path, { latencyMs: 0 }, 1);
    simulator.wechat.faults.set(path, { reset: true, carriedOut: true }, 1);
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    const queues = queuesOf(stage);
    await expect.poll(() => readFailed(queues)).toMatchObject([{ unknown: true }]);
    expect(texts(phone)).toHaveLength(2);
    const [failed] = await readFailed(queues);
    expect(failed?.reason).toMatch(/^outcome unknown: .*\. \d+ of \d+ characters remain\.$/);
    await retryFailed(queues, failed?.job ?? '');
    await phone.next((mark) => mark.what === 'received' && answer.endsWith(mark.detail));
    const [first, second, again, ...rest] = texts(phone);
    expect(again).toBe(second);
    expect([first, second, ...rest].join('\n')).toBe(answer);
    expect(bot.calls).toHaveLength(1);
  });

  test('of which more is left than WeChat allows ends with what says so, and the rest goes out by hand', async () => {
    const answer = answerWith(3_500);
    const { simulator, bot, log } = await open({
      ...wideWindow,
      bot: {
        thinkMs: (text) => (text === 'hi' ? 500 : 0),
        answer: (text) => (text === 'hi' ? answer : 'yes'),
      },
    });
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    await phone.next((mark) => mark.what === 'received' && mark.detail.endsWith('…（未完）'));
    expect(texts(phone)).toHaveLength(4);
    await expect
      .poll(() => log.lines.map(({ message }) => message))
      .toContainEqual(expect.stringMatching(/until the user writes again.* \d+ of \d+ characters remain\.$/));
    const queues = queuesOf(now());
    const [failed] = await readFailed(queues);
    await simulator.wechat.push({ user, text: 'go on' });
    await phone.next(is('received', 'yes'));
    await retryFailed(queues, failed?.job ?? '');
    await phone.next((mark) => mark.what === 'received' && answer.endsWith(mark.detail));
    const all = texts(phone).filter((text) => text !== 'yes');
    expect(all.map((text) => text.replace('…（未完）', '')).join('\n')).toBe(answer);
    expect(bot.calls).toHaveLength(2);
    expect(phone.marks.filter(is('refused'))).toEqual([]);
  });
});

describe('a bot that lives on the three deliveries, in pass mode', () => {
  test('each delivery reaches the bot; one indicator; the answer of the third goes back', async () => {
    let calls = 0;
    const { simulator, bot } = await open({
      env: { WECHAT_BOT_MODE: 'pass' },
      bot: { thinkMs: () => ((calls += 1) < 3 ? 5_000 : 50) },
    });
    const phone = simulator.wechat.phone(user);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.deliveries).toHaveLength(3);
    expect(bot.calls).toHaveLength(3);
    const received = await phone.next(is('received'));
    expect(received.via).toBe('passive');
    expect(phone.marks.filter(is('refused'))).toHaveLength(0);
    await expect.poll(() => phone.litAt(Date.now())).toBe(false);
  });

  test('when no delivery brings an answer the indicator is taken away', async () => {
    const { simulator } = await open({
      env: { WECHAT_BOT_MODE: 'pass' },
      bot: { style: 'fail', failStatus: 500, thinkMs: 100 },
    });
    const phone = simulator.wechat.phone(user);
    await simulator.wechat.push({ user, text: 'hi' });
    await phone.next(is('typing-off', 'cancelled'));
    expect(phone.litAt(Date.now())).toBe(false);
  });
});

describe('without a bot', () => {
  test('it acknowledges and types once', async () => {
    const { simulator } = await open({ env: { WECHAT_BOT_URL: '' } });
    const phone = simulator.wechat.phone(user);
    const pushed = await simulator.wechat.push({ user, text: 'hi' });
    expect(pushed.answered?.toString()).toBe('success');
    await phone.next(is('typing-off', 'expired'));
    expect(whats(phone)).toEqual(['sent', 'typing-on', 'off:expired']);
  });
});
