import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findServer } from '../../src/redis/by-itself.ts';
import { keys } from '../../src/redis/keys.ts';
import type { Mark } from '../../src/simulator/index.ts';
import { openBoth, openSite, type Site } from './processes.ts';
import { createRedis, type Server } from './redis-server.ts';

const binary = await findServer(process.env['PATH'] ?? '');
const received = (mark: Mark): boolean => mark.what === 'received';

let folder: string;
let server: Server;
let site: Site;

/** Resolves when no job is left that could still do something: what Redis carried out late has been worked off. */
async function idle(): Promise<void> {
  const connection = new Redis(server.url, { maxRetriesPerRequest: null });
  const queues = ['typing', 'replies'].map((name) => new Queue(name, { connection, prefix: '{keeptyping}' }));
  const open = async (): Promise<number> => {
    const counts = await Promise.all(
      queues.map((queue) => queue.getJobCountByTypes('active', 'waiting', 'prioritized')),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  await expect.poll(open, { interval: 100 }).toBe(0);
  await Promise.all(queues.map((queue) => queue.close()));
  connection.disconnect();
}

/** The URL of a user of Redis that has these rights. */
async function urlAs(rights: string): Promise<string> {
  await admin((redis) => redis.call('ACL', 'SETUSER', 'app', 'on', '>secret', ...rights.split(' ')));
  const url = new URL(server.url);
  Object.assign(url, { username: 'app', password: 'secret' });
  return url.href;
}

async function admin<T>(work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(server.url);
  redis.on('error', () => {}); // Disconnecting may meet what is still being said.
  return work(redis).finally(() => redis.disconnect());
}

/** What `/readyz` says once it says that this is degraded. */
async function readiness(url: string, degraded: string) {
  const ask = async () => {
    const answer = await fetch(`${url}/readyz`);
    const body = (await answer.json()) as { degraded: string[]; reasons?: string[] };
    return { status: answer.status, body };
  };
  await expect.poll(async () => (await ask()).body.degraded).toContain(degraded);
  return ask();
}

describe.skipIf(binary === null)('a redis-server that misbehaves', { timeout: 60_000 }, () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keeptyping-'));
    server = await createRedis(binary ?? '', folder);
  });

  afterEach(async () => {
    await site.close();
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });

  // https://github.com/taskforcesh/bullmq/issues/3372: hosts give `+@all -@dangerous`, and with that no INFO.
  test('whose user may not ask INFO: everything goes its way', async () => {
    site = await openSite({ redisUrl: await urlAs('~* &* +@all -@dangerous'), bot: { thinkMs: 6_000 } });
    await openBoth(site);
    const { wechat } = site.simulator;
    const pushed = await wechat.push({ user: 'oUser_1', text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([200]);
    const phone = wechat.phone('oUser_1');
    expect(await phone.next(received)).toMatchObject({ via: 'api' });
    expect(phone.marks.map(({ what }) => what)).toContain('typing-on');
  });

  // https://github.com/OptimalBits/bull/issues/2113: with these rights workers took nothing and said nothing.
  test('whose user may not wait for jobs: it is told, and no push is taken that nobody else could take over', async () => {
    const rights =
      '~* &* +@all -@blocking -@admin -restore-asking -migrate +client -role -flushall -keys -restore -swapdb -flushdb -sort';
    const bot = { style: 'fail', failStatus: 404 } as const;
    const nxcloud = { rules: { retries: 0 } };
    site = await openSite({ redisUrl: await urlAs(rights), bot, nxcloud });
    const web = await site.web();
    const worker = await site.worker();
    for (const each of [web, worker]) {
      await each.says('Redis: BZPOPMIN is refused (NOPERM): this process cannot run jobs');
      await each.says('Redis refuses what a queue needs');
    }
    const { status, body } = await readiness(web.url, 'redis');
    expect(status).toBe(200);
    expect(body.reasons).toEqual([expect.stringContaining('+bzpopmin')]);
    // WhatsApp's platform is told that the bot has failed, while it can still send the push again.
    const pushed = await site.simulator.nxcloud.push({ user: '8613800000000', text: 'hi' });
    expect(pushed.deliveries.map((each) => each.status)).toEqual([502]);
    expect(await admin((redis) => redis.exists(keys.heartbeat))).toBe(0);
    site.bot.set({ style: 'passive' });
    const { wechat } = site.simulator;
    await wechat.push({ user: 'oUser_1', text: 'hi' });
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ via: 'passive' });
    expect(web.output().split('Redis refuses what a queue needs').length - 1).toBeLessThanOrEqual(4);
  });

  test('whose user may run no scripts: messages go on as without it, and no worker shows a sign of life', async () => {
    const redisUrl = await urlAs('~{keeptyping}* &{keeptyping}* +@all -eval -evalsha');
    site = await openSite({ redisUrl, bot: { thinkMs: 100 } });
    const web = await site.web();
    await site.worker();
    await web.says('Redis: EVALSHA, EVAL are refused (NOPERM): Redis counts as away');
    await readiness(web.url, 'redis');
    const { wechat, nxcloud } = site.simulator;
    await wechat.push({ user: 'oUser_1', text: 'hi' });
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ via: 'passive' });
    expect((await nxcloud.push({ user: '8613800000000', text: 'hi' })).accepted).toBe(true);
    expect(await admin((redis) => redis.exists(keys.heartbeat))).toBe(0);
  });

  test('whose user may not ask for the time: all goes on by the own clock', async () => {
    const redisUrl = await urlAs('~{keeptyping}* &{keeptyping}* +@all -time');
    site = await openSite({ redisUrl, bot: { thinkMs: 1_000 } });
    const { web, worker } = await openBoth(site);
    await Promise.all([web, worker].map((each) => each.says('Redis: TIME is refused (NOPERM)')));
    const { wechat } = site.simulator;
    await wechat.push({ user: 'oUser_1', text: 'hi' });
    await wechat.phone('oUser_1').next(received);
    expect(wechat.phone('oUser_1').marks.map(({ what }) => what)).toContain('typing-on');
  });

  // https://github.com/redis/redis/issues/12418: since Redis 7 a user has no channel unless it is given some.
  test('whose user has no channels: the answer is found by the web that holds the connection', async () => {
    const wechatRules = { rules: { pushTimeout: 1_500 } };
    const bot = { thinkMs: (text: string) => (text === 'hi' ? 2_000 : 0) };
    site = await openSite({ redisUrl: await urlAs('~* +@all'), wechat: wechatRules, bot });
    const { wechat } = site.simulator;
    const first = await site.web();
    await first.says('Redis: PUBLISH, SUBSCRIBE are refused (NOPERM)');
    const second = await site.web();
    await second.says('Redis: PUBLISH, SUBSCRIBE are refused (NOPERM)');
    wechat.connect(`${first.url}/webhooks/wechat`);
    const pushed = wechat.push({ user: 'oUser_1', text: 'hi' });
    await site.bot.call(1);
    wechat.connect(`${second.url}/webhooks/wechat`);
    await pushed;
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ via: 'passive' });
    expect(site.bot.calls).toHaveLength(1);
  });

  test('frozen while a push comes: the answer reaches the user once', async () => {
    site = await openSite({ redisUrl: server.url, bot: { thinkMs: 100 } });
    await site.web();
    await site.worker();
    const { wechat } = site.simulator;
    await wechat.push({ user: 'warm', text: 'hi' });
    server.signal('SIGSTOP');
    const pushed = wechat.push({ user: 'oUser_1', text: 'hi' });
    await wechat.phone('oUser_1').next(received);
    server.signal('SIGCONT');
    await pushed;
    await idle();
    expect(wechat.phone('oUser_1').marks.filter(received)).toHaveLength(1);
  });

  test('frozen for long, with a slow bot: WeChat hears `success` in time and the answer follows', async () => {
    site = await openSite({ redisUrl: server.url, bot: { thinkMs: 6_000 } });
    await site.web();
    await site.worker();
    server.signal('SIGSTOP');
    const { wechat } = site.simulator;
    const pushed = await wechat.push({ user: 'oUser_1', text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([200]);
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ via: 'api' });
    server.signal('SIGCONT');
    await idle();
    expect(wechat.phone('oUser_1').marks.filter(received)).toHaveLength(1);
  });

  test('frozen while the bot is ill: it is called again, and its answer arrives', async () => {
    site = await openSite({ redisUrl: server.url, bot: { style: 'fail', failStatus: 503 } });
    await site.web();
    await site.worker();
    const { wechat } = site.simulator;
    server.signal('SIGSTOP');
    const pushed = wechat.push({ user: 'oUser_1', text: 'hi' });
    const first = await site.bot.call(1);
    await first.ended;
    server.signal('SIGCONT');
    site.bot.set({ style: 'passive' });
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ detail: 'echo: hi' });
    await pushed;
    await idle();
    expect(site.bot.calls.map(({ attempt }) => attempt)).toEqual(['1', '2']);
    expect(wechat.phone('oUser_1').marks.filter(received)).toHaveLength(1);
  });

  test('frozen when the answer is there: it is not lost', async () => {
    site = await openSite({ redisUrl: server.url, env: { HOLD_MS: '3000' }, bot: { thinkMs: 800 } });
    await site.web();
    await site.worker();
    const { wechat } = site.simulator;
    await wechat.push({ user: 'warm', text: 'hi' });
    const pushed = wechat.push({ user: 'oUser_1', text: 'hi' });
    const call = await site.bot.call(2);
    server.signal('SIGSTOP');
    await call.ended;
    const thaw = setTimeout(() => server.signal('SIGCONT'), 1_500);
    await wechat.phone('oUser_1').next(received);
    clearTimeout(thaw);
    server.signal('SIGCONT');
    await pushed;
    await idle();
    expect(wechat.phone('oUser_1').marks.filter(received)).toHaveLength(1);
  });

  test('killed with the web that had a push: after its restart a worker calls the bot, and the answer arrives', async () => {
    site = await openSite({ redisUrl: server.url, env: { HOLD_MS: '200' }, bot: { thinkMs: 1_500 } });
    const { web, worker } = await openBoth(site);
    const calls = site.bot.calls.length;
    const { wechat } = site.simulator;
    const pushed = wechat.push({ user: 'oUser_1', text: 'hi' });
    await site.bot.call(calls + 1);
    expect((await pushed).answered?.toString()).toBe('success');
    web.signal('SIGKILL');
    await web.exit;
    await server.kill();
    await server.start();
    expect(await wechat.phone('oUser_1').next(received)).toMatchObject({ via: 'api' });
    expect(site.bot.calls.at(-1)?.attempt).toBe('2');
    expect(worker.output()).toContain('Redis is back');
  });
});
