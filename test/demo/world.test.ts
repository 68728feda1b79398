/** The simulator as the demo page has it. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  type DemoWorld,
  openDemoWorld,
  type Trouble,
  type User,
  type ComparedWay,
  ways,
} from '../../src/demo/world.ts';
import { type Bot, type Mark, type Simulator, startBot, startSimulator } from '../../src/simulator/index.ts';

let simulator: Simulator;
/** Stands in keeptyping's place. */
let webhook: Bot;
let demo: DemoWorld;
let restarts: { ms: number; done: () => void }[];

beforeEach(async () => {
  simulator = await startSimulator();
  webhook = await startBot({
    style: 'silent',
    nxcloud: { ...simulator.nxcloud.options, apiBase: 'http://x' },
  });
  simulator.wechat.connect(webhook.url);
  simulator.nxcloud.connect(webhook.url);
  restarts = [];
  demo = await openDemoWorld({
    simulator,
    thinkMs: () => 0,
    typeEveryMs: 50,
    restartWorker: (ms) => new Promise((done) => void restarts.push({ ms, done })),
  });
});

afterEach(async () => {
  await Promise.all([demo.bot.close(), webhook.close(), simulator.close()]);
});

function users(channel: User['channel']): User[] {
  return ways.map((way) => ({
    channel,
    way,
    user: demo.world.newUser(channel),
  }));
}

function userOf(all: readonly User[], way: ComparedWay): User {
  const user = all.find((one) => one.way === way);
  if (user === undefined) throw new Error(`There is no user for ${way}.`);
  return user;
}

function next({ channel, user }: User, what: Mark['what']): Promise<Mark> {
  return simulator[channel].phone(user).next((mark) => mark.what === what);
}

function begin(trouble: Trouble, of: readonly User[]): { began: boolean; over: Promise<void> } {
  let began = false;
  const over = new Promise<void>((resolve) => {
    began = demo.world.trouble(trouble, of, resolve);
  });
  return { began, over };
}

test('one user goes through keeptyping, the others talk to the bot directly, which thinks as long', async () => {
  const all = users('nxcloud');
  for (const user of all) demo.world.write({ ...user, text: 'hi', thinkMs: 300 });
  const [interval, once, nothing] = (['interval', 'once', 'nothing'] as const).map((way) => userOf(all, way));
  if (!interval || !once || !nothing) throw new Error('A way has no user.');
  const answers = await Promise.all([next(interval, 'received'), next(nothing, 'received')]);
  const sent = await next(nothing, 'sent');
  for (const { at } of answers) expect(at - sent.at).toBeGreaterThanOrEqual(295);
  expect(webhook.calls[0]?.body.toString()).toContain(userOf(all, 'keeptyping').user);
  expect(simulator.nxcloud.phone(interval.user).cover(sent.at, answers[0].at)).toBeGreaterThan(0.3);
  expect(simulator.nxcloud.phone(nothing.user).cover(sent.at, answers[1].at)).toBe(0);
  await next(once, 'received');
  const callsOf = ({ user }: User): number =>
    simulator.nxcloud.calls.filter((call) => call.user === user && call.command === 'typing').length;
  expect([once, nothing].map(callsOf)).toEqual([1, 0]);
  expect(callsOf(interval)).toBeGreaterThan(1);
});

test.each([
  { asked: 'Tell me about Shenzhen', answer: /Hong Kong/ },
  { asked: '我的快递到哪里了？', answer: /包裹/ },
  { asked: 'Why?', answer: /“Why\?”.*Your own bot’s answer/ },
  { asked: '为什么', answer: /“为什么”.*您的机器人/ },
])('the bot has an answer to $asked', async ({ asked, answer }) => {
  const user = userOf(users('wechat'), 'nothing');
  demo.world.write({ ...user, text: asked, thinkMs: 1 });
  expect((await next(user, 'received')).detail).toMatch(answer);
});

test('the mark of a message is there at once', () => {
  const all = users('wechat');
  for (const user of all) demo.world.write({ ...user, text: 'hi', thinkMs: 1_000 });
  for (const { user } of all)
    expect(demo.world.phone('wechat', user).marks).toMatchObject([{ what: 'sent' }]);
});

test('a platform that is down is so for these users alone', async () => {
  const [mine, others] = [users('wechat'), users('wechat')];
  const { began } = begin('down', mine);
  expect(began).toBe(true);
  for (const user of [userOf(mine, 'nothing'), userOf(others, 'nothing')]) {
    demo.world.write({ ...user, text: 'hi', thinkMs: 1_000 });
  }
  await next(userOf(others, 'nothing'), 'received');
  await next(userOf(mine, 'nothing'), 'call');
  expect(simulator.wechat.phone(userOf(mine, 'nothing').user).marks.map(({ what }) => what)).toEqual([
    'sent',
    'call',
  ]);
});

test('the bot fails once, on the phone that is used first', async () => {
  const [wechat, nxcloud] = [users('wechat'), users('nxcloud')];
  const { over } = begin('bot', [...wechat, ...nxcloud]);
  const direct = { ...userOf(wechat, 'keeptyping') };
  // The bot is where keeptyping would call it.
  simulator.wechat.connect(demo.bot.url);
  const { deliveries } = await simulator.wechat.push({ user: direct.user, text: 'hi' });
  await over;
  expect(deliveries.map(({ status }) => status)).toEqual([503, 200]);
  simulator.nxcloud.connect(demo.bot.url);
  const pushed = await simulator.nxcloud.push({ user: userOf(nxcloud, 'keeptyping').user, text: 'hi' });
  expect(pushed.deliveries.map(({ status }) => status)).toEqual([200]);
});

test('a revoked token is no token any more', async () => {
  const { access_token: token } = await stableToken();
  const { over } = begin('token', users('wechat'));
  await over;
  expect((await stableToken()).access_token).not.toBe(token);
});

test('the worker stops for 3 s, and for nobody again soon after', async () => {
  const { began, over } = begin('worker', users('wechat'));
  expect(began).toBe(true);
  expect(restarts.map(({ ms }) => ms)).toEqual([3_000]);
  expect(begin('worker', users('wechat')).began).toBe(false);
  restarts[0]?.done();
  await over;
  expect(begin('worker', users('wechat')).began).toBe(false);
});

test('who is forgotten leaves nothing behind', async () => {
  const all = users('wechat');
  const user = userOf(all, 'nothing');
  demo.world.write({ ...user, text: 'hi', thinkMs: 1 });
  await next(user, 'received');
  demo.world.forget('wechat', user.user);
  expect(demo.world.phone('wechat', user.user).marks).toEqual([]);
});

async function stableToken(): Promise<{ access_token: string }> {
  const { appId: appid, appSecret: secret } = simulator.wechat.options;
  const answer = await fetch(`${simulator.wechat.apiBase}/cgi-bin/stable_token`, {
    method: 'POST',
    body: JSON.stringify({ grant_type: 'client_credential', appid, secret }),
  });
  return (await answer.json()) as { access_token: string };
}
