import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findServer } from '../../src/redis/by-itself.ts';
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
    const admin = new Redis(server.url);
    await admin.call('ACL', 'SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-@dangerous');
    admin.disconnect();
    const url = new URL(server.url);
    Object.assign(url, { username: 'app', password: 'secret' });
    site = await openSite({ redisUrl: url.href, bot: { thinkMs: 6_000 } });
    await openBoth(site);
    const { wechat } = site.simulator;
    const pushed = await wechat.push({ user: 'oUser_1', text: 'hi' });
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([200]);
    const phone = wechat.phone('oUser_1');
    expect(await phone.next(received)).toMatchObject({ via: 'api' });
    expect(phone.marks.map(({ what }) => what)).toContain('typing-on');
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
