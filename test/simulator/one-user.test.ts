/** What concerns one user among many: faults for them alone, a webhook of their own, and forgetting them. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFaults } from '../../src/simulator/faults.ts';
import {
  startBot,
  startSimulator,
  type Bot,
  type BotOptions,
  type Simulator,
} from '../../src/simulator/index.ts';

let simulator: Simulator;
let bot: Bot | null = null;

beforeEach(async () => {
  simulator = await startSimulator({
    wechat: { rules: { lifetime: 300 } },
    nxcloud: { rules: { lifetime: 300 } },
  });
});

afterEach(async () => {
  await bot?.close();
  await simulator.close();
});

async function start(options: BotOptions): Promise<Bot> {
  const { wechat, nxcloud } = simulator;
  bot = await startBot({
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
    ...options,
  });
  return bot;
}

const channels = ['wechat', 'nxcloud'] as const;

test('a fault for one user spares the others and calls about nobody', () => {
  const faults = createFaults();
  faults.set('*', { status: 503, user: 'one' });
  expect([faults.take('/a', 'other'), faults.take('/a', null), faults.take('/a')]).toEqual([
    null,
    null,
    null,
  ]);
  expect(faults.take('/a', 'one')).toEqual({ status: 503, user: 'one' });
});

test('a fault can be withdrawn, and others for the same path stay', () => {
  const faults = createFaults();
  const withdraw = faults.set('*', { status: 503 });
  faults.set('*', { code: 1 });
  withdraw();
  expect(faults.take('/a')).toEqual({ code: 1 });
});

test.each(channels)('on %s one push may go to another webhook than the account’s', async (channel) => {
  const { url, call } = await start({ style: 'silent' });
  simulator[channel].connect('http://127.0.0.1:9/nobody');
  await simulator[channel].push({ user: '999000000000001', text: 'hi', url });
  expect((await call(1)).body.toString()).toContain('hi');
});

test.each(channels)('on %s the bot thinks, answers and refuses by user', async (channel) => {
  const { url } = await start({
    style: (user) => (user === '9990001' ? 'silent' : 'api'),
    thinkMs: (_, user) => (user === '9990002' ? 200 : 0),
    refuses: (user) => user === '9990003',
    failStatus: 503,
  });
  for (const user of ['9990001', '9990002', '9990003'])
    void simulator[channel].push({ user, text: 'hi', url });
  const phone = simulator[channel].phone('9990002');
  const answer = await phone.next(({ what }) => what === 'received');
  expect(answer.at - (phone.marks[0]?.at ?? 0)).toBeGreaterThanOrEqual(195);
  const others = ['9990001', '9990003'].map((user) => simulator[channel].phone(user).marks);
  expect(others.flat().filter(({ what }) => what === 'received')).toEqual([]);
});

test('a refused call is answered at once with the status, so that WeChat delivers again', async () => {
  let left = 1;
  const { url } = await start({ refuses: () => left-- > 0, failStatus: 503 });
  const { deliveries } = await simulator.wechat.push({ user: 'o1', text: 'hi', url });
  expect(deliveries.map(({ status }) => status)).toEqual([503, 200]);
});

test.each([
  { channel: 'wechat', useless: 'refused' },
  { channel: 'nxcloud', useless: 'wasted' },
] as const)(
  'on $channel a bot that types by an interval calls at once, then in vain, and once too late',
  async (it) => {
    const bot = await start({ style: 'api', thinkMs: 480, typeEveryMs: 100, heardAfterMs: 150 });
    await simulator[it.channel].push({ user: '9990001', text: 'hi', url: bot.url });
    const phone = simulator[it.channel].phone('9990001');
    const answer = await phone.next(({ what }) => what === 'received');
    const useless = await phone.next(({ what }) => what === it.useless);
    const lit = phone.marks.findIndex(({ what }) => what === 'typing-on');
    expect(lit).toBeGreaterThan(0);
    expect(lit).toBeLessThan(phone.marks.indexOf(useless));
    await phone.next(({ what, at }) => what === 'typing-on' && at >= answer.at);
  },
);

test.each(channels)('on %s a bot that types once makes one typing call', async (channel) => {
  const { url } = await start({ style: 'api', thinkMs: 60, typeEveryMs: 'once' });
  await simulator[channel].push({ user: '9990001', text: 'hi', url });
  await simulator[channel].phone('9990001').next(({ what }) => what === 'received');
  const typing = simulator[channel].calls.filter(({ command }) => /^typing$/i.test(command ?? ''));
  expect(typing).toHaveLength(1);
});

test.each(channels)('on %s a user who is forgotten has never been there', async (channel) => {
  const { url } = await start({ style: 'api', typeEveryMs: 50, thinkMs: 80, forgetful: true });
  const premises = simulator[channel];
  for (const user of ['9990001', '9990002']) {
    await premises.push({ user, text: 'hi', url });
    await premises.phone(user).next(({ what }) => what === 'received');
  }
  premises.forget('9990001');
  expect(premises.phone('9990001').marks).toEqual([]);
  expect(premises.calls.filter(({ user }) => user !== '9990002')).toEqual([]);
  expect(premises.calls.length).toBeGreaterThan(0);
  expect(premises.phone('9990002').marks.length).toBeGreaterThan(2);
  expect([bot?.calls, bot?.sends]).toEqual([[], []]);
});
