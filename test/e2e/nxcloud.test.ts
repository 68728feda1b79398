import { describe, expect, test } from 'vitest';
import type { Phone } from '../../src/simulator/index.ts';
import { keys } from '../../src/redis/keys.ts';
import { markIs as is, useStage, type Stage } from './stage.ts';

const { open, now } = useStage();

const user = '8613800138000';

/** What the phone's user sees, ticks and calls left out. */
function seen(phone: Phone): string[] {
  return phone.marks
    .filter(({ what }) => !['call', 'read'].includes(what))
    .map(({ what, detail }) => (what === 'typing-off' ? `off:${detail}` : what));
}

function typingCalls({ simulator }: Stage): number {
  return simulator.nxcloud.calls.filter(({ path }) => path === '/api/wa/typingIndicator').length;
}

describe('a bot that is acknowledged at once and answers through the API', () => {
  test('the indicator is renewed until the `sent` status ends the turn, and no call is wasted', async () => {
    const { simulator, log } = await open({ bot: { thinkMs: 2_500 } });
    const phone = simulator.nxcloud.phone(user);
    const pushed = await simulator.nxcloud.push({ user, text: 'hi' });
    expect(pushed.accepted).toBe(true);
    const received = await phone.next(is('received'));
    await expect
      .poll(() =>
        log.lines.some(
          ({ message, fields }) => message === 'turn ended' && 'by' in fields && fields.by === 'status',
        ),
      )
      .toBe(true);
    const calls = typingCalls(now());
    expect(seen(phone)).toEqual([
      'sent',
      'typing-on',
      'off:expired',
      'typing-on',
      'off:expired',
      'typing-on',
      'off:message',
      'received',
    ]);
    expect(phone.ghost(received.at)).toBe(0);
    expect(calls).toBe(3);
  });

  test.each([
    { callbacks: 'md5', shape: 'current' },
    { callbacks: 'sha256', shape: 'current' },
    { callbacks: 'none', shape: 'old' },
  ] as const)('with $callbacks callbacks in the $shape shape', async ({ callbacks, shape }) => {
    const env = { NXCLOUD_VERIFY_CALLBACKS: callbacks === 'none' ? 'auto' : 'require' };
    const { simulator } = await open({ nxcloud: { callbacks, shape }, env, bot: { thinkMs: 200 } });
    const phone = simulator.nxcloud.phone(user);
    await simulator.nxcloud.push({ user, text: 'hi' });
    await phone.next(is('typing-on'));
    expect(await phone.next(is('received'))).toMatchObject({ detail: 'echo: hi' });
  });

  // https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify: all callbacks of such an app are signed.
  test('after a signed one an unsigned is refused, in each process, and nothing of it reaches the bot', async () => {
    const stage = await open({ nxcloud: { callbacks: 'sha256' }, webs: 2, bot: { thinkMs: 50 } });
    const { simulator, bot, webs, redis } = stage;
    let forged = 0;
    const forge = async (web: number): Promise<number> => {
      forged += 1;
      const body = JSON.stringify({
        business_phone: simulator.nxcloud.options.businessPhone,
        message_echoes: [{ to: user, id: `wamid.${forged}`, timestamp: '1735470750', type: 'text' }],
      });
      const answer = await fetch(`${webs[web]?.url}/webhooks/nxcloud`, { method: 'POST', body });
      return answer.status;
    };
    expect([await forge(0), await forge(1)]).toEqual([200, 200]);
    await bot.call(2);
    await simulator.nxcloud.push({ user, text: 'hi' });
    await bot.call(3);
    expect(await forge(0)).toBe(401);
    await expect.poll(() => forge(1)).toBe(401);
    expect(await redis.connect().hexists(keys.assured, 'nxcloud/default')).toBe(1);
  });

  test('a user without a phone number', async () => {
    const { simulator } = await open({ bot: { thinkMs: 200 } });
    const phone = simulator.nxcloud.phone('CN.1234567890');
    await simulator.nxcloud.push({ user: 'CN.1234567890', text: 'hi', anonymous: true });
    await phone.next(is('typing-on'));
    expect(await phone.next(is('received'))).toMatchObject({ detail: 'echo: hi' });
  });

  test('unsigned callbacks are refused where a signature is required', async () => {
    const { simulator, bot } = await open({
      nxcloud: { rules: { retries: 0 } },
      env: { NXCLOUD_VERIFY_CALLBACKS: 'require' },
    });
    const pushed = await simulator.nxcloud.push({ user, text: 'hi' });
    expect(pushed.accepted).toBe(false);
    expect(bot.calls).toHaveLength(0);
    expect(typingCalls(now())).toBe(0);
  });

  test('a repeat of a push reaches the bot once and types once', async () => {
    const { simulator, bot } = await open({ bot: { thinkMs: 400 } });
    const { id } = await simulator.nxcloud.push({ user, text: 'hi' });
    await simulator.nxcloud.push({ user, text: 'hi', id });
    await simulator.nxcloud.phone(user).next(is('received'));
    expect(bot.calls).toHaveLength(1);
    expect(typingCalls(now())).toBe(1);
  });

  test('several messages of several users in one body, with a status among them', async () => {
    const { simulator, bot } = await open({ bot: { style: 'fail', failStatus: 200 } });
    const business = simulator.nxcloud.options.businessPhone;
    const users = ['8613800000001', '8613800000002'];
    const timestamp = String(Math.floor(Date.now() / 1000));
    const messages = users.map((from) => ({
      from,
      id: `wamid.${from}`,
      timestamp,
      type: 'text',
      text: { body: 'hi' },
    }));
    const statuses = [{ id: 'wamid.C', status: 'delivered', timestamp: '1', recipient_id: users[0] }];
    const pushed = await simulator.nxcloud.pushBody(
      JSON.stringify({ business_phone: business, messages, statuses }),
    );
    expect(pushed.accepted).toBe(true);
    // The simulated platform has not heard of these messages and refuses them: what counts is that each was asked for.
    await expect.poll(() => typingCalls(now())).toBe(2);
    expect(new Set(simulator.nxcloud.calls.map(({ messageId }) => messageId))).toEqual(
      new Set(messages.map(({ id }) => id)),
    );
    expect(bot.calls).toHaveLength(1);
  });

  test('statuses, reactions, calls and fields reach the bot and start nothing', async () => {
    const { simulator, bot } = await open();
    await simulator.nxcloud.push({
      user,
      type: 'reaction',
      content: { reaction: { message_id: 'wamid.X', emoji: '👍' } },
    });
    await simulator.nxcloud.pushStatus({ user, id: 'wamid.Y', status: 'delivered' });
    await simulator.nxcloud.pushBody(JSON.stringify({ calls: [{ id: 'c' }] }));
    await simulator.nxcloud.pushBody(JSON.stringify({ field: 'account_update', value: {} }));
    await bot.call(4);
    expect(typingCalls(now())).toBe(0);
  });

  test('a human who answers from the phone app ends the turn', async () => {
    const { simulator, log, webs } = await open({ bot: { style: 'fail', failStatus: 200 } });
    await simulator.nxcloud.push({ user, text: 'hi' });
    await simulator.nxcloud.phone(user).next(is('typing-on'));
    const stores = webs.map(({ parts }) => parts.on('fast').store);
    // While the bot still works it would be a handoff.
    await expect
      .poll(() => stores[0]?.load({ channel: 'nxcloud', account: 'default', user }))
      .toMatchObject({ state: { turns: [{ phase: 'acknowledged' }] } });
    const timestamp = String(Math.floor(Date.now() / 1000));
    const echo = {
      field: 'smb_message_echoes',
      value: {
        message_echoes: [
          { from: simulator.nxcloud.options.businessPhone, to: user, id: 'wamid.E', timestamp, type: 'text' },
        ],
      },
    };
    await simulator.nxcloud.pushBody(JSON.stringify(echo));
    await expect
      .poll(() =>
        log.lines.some(
          ({ message, fields }) => message === 'turn ended' && 'by' in fields && fields.by === 'echo',
        ),
      )
      .toBe(true);
  });

  test('a bot that fails is not typed for any longer', async () => {
    const { simulator } = await open({ bot: { style: 'fail', failStatus: 500, thinkMs: 300 } });
    const phone = simulator.nxcloud.phone(user);
    await simulator.nxcloud.push({ user, text: 'hi' });
    await phone.next(is('typing-off', 'expired'));
    expect(typingCalls(now())).toBeLessThanOrEqual(1);
  });

  test('a number that is not ours is acknowledged, said once a minute, and not forwarded', async () => {
    const { simulator, bot, log } = await open();
    const body = JSON.stringify({
      business_phone: '8610000000',
      messages: [{ from: user, id: 'wamid.Z', timestamp: '1', type: 'text' }],
    });
    expect((await simulator.nxcloud.pushBody(body)).accepted).toBe(true);
    await simulator.nxcloud.pushBody(body);
    expect(log.lines.filter(({ message }) => message.includes('Pushes were not taken'))).toHaveLength(1);
    expect(bot.calls).toHaveLength(0);
  });

  test.each([
    { typing: 'off', shows: 0 },
    { typing: 'once', shows: 1 },
  ])('mode $typing: $shows shows', async ({ typing, shows }) => {
    const { simulator } = await open({ env: { NXCLOUD_TYPING: typing }, bot: { thinkMs: 1_500 } });
    await simulator.nxcloud.push({ user, text: 'hi' });
    await simulator.nxcloud.phone(user).next(is('received'));
    expect(typingCalls(now())).toBe(shows);
  });
});
