import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { startDoctor } from '../../src/doctor/doctor.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { keys } from '../../src/redis/keys.ts';
import type { Mark } from '../../src/simulator/index.ts';
import { freePort, type Server, startServer, stored } from '../support/redis-server.ts';
import { type Child, openBoth, openSite, setTokens, type Site } from './processes.ts';

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

const asOperator = { headers: { authorization: `Bearer ${setTokens.CONTROL_TOKEN}` } };

/** What each place says of Redis, at one moment. */
async function told(url: string) {
  const [ready, metrics, conversation] = await Promise.all([
    fetch(`${url}/readyz`).then((answer) => answer.json()),
    fetch(`${url}/metrics`, asOperator).then((answer) => answer.text()),
    fetch(`${url}/conversations/wechat/default/oUser_1`, asOperator).then((answer) => answer.json()),
  ]);
  const { reasons = [] } = ready as { reasons?: string[] };
  const { dark } = conversation as { dark: { reason: string; remedy: string } };
  return {
    reasons,
    up: /^keeptyping_redis_up (\d)$/m.exec(metrics)?.[1],
    standing: /^keeptyping_redis_standing\{is="(\w+)"\} 1$/m.exec(metrics)?.[1],
    dark,
    overview: await overviewOf(url),
  };
}

/** The first that the console tells who opens it. */
async function overviewOf(url: string): Promise<{ redis: string; live: boolean }> {
  const stop = new AbortController();
  const events = await fetch(`${url}/console/api/events`, { ...asOperator, signal: stop.signal });
  if (!events.body) throw new Error('The console told nothing.');
  const reader = events.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  let found: string | undefined;
  while (found === undefined) {
    text += (await reader.read()).value ?? '';
    found = /^event: overview\ndata: (.*)\n/m.exec(text)?.[1];
  }
  await reader.cancel();
  stop.abort();
  return JSON.parse(found) as { redis: string; live: boolean };
}

const spoil: Readonly<Record<'full' | 'readonly' | 'refusing' | 'away', () => Promise<unknown>>> = {
  full: () => admin((redis) => redis.config('SET', 'maxmemory', '1')),
  readonly: () => admin((redis) => redis.replicaof('127.0.0.1', 1)),
  // By the rights of its user, from the start.
  refusing: async () => null,
  away: () => server.kill(),
};

async function askDoctor(): Promise<string> {
  let text = '';
  await startDoctor({
    words: [],
    environment: site.environment,
    say: (said) => {
      text += said;
    },
    progress: null,
  });
  return text;
}

async function openNode(name: string) {
  const bus = await freePort();
  const cluster = ['--cluster-enabled', 'yes', '--cluster-port', String(bus)];
  const files = ['--cluster-config-file', `${name}.conf`, '--appenddirname', name];
  const node = await startServer(binary ?? '', { folder, options: [...stored, ...cluster, ...files] });
  const redis = new Redis(node.url);
  onTestFinished(() => redis.disconnect());
  return { node, redis, bus };
}

/** Two nodes; the first does not hold the keys of keeptyping. */
async function openCluster(): Promise<[Server, Server]> {
  const [first, second] = [await openNode('first'), await openNode('second')];
  const slot = await first.redis.cluster('KEYSLOT', keys.heartbeat);
  await first.redis.call('CLUSTER', 'ADDSLOTSRANGE', 0, slot - 1, slot + 1, 16_383);
  await second.redis.call('CLUSTER', 'ADDSLOTS', slot);
  await first.redis.call('CLUSTER', 'MEET', '127.0.0.1', second.node.port, second.bus);
  await expect
    .poll(() => first.redis.get(keys.heartbeat).catch((error: Error) => error.message), { interval: 100 })
    .toContain('MOVED');
  return [first.node, second.node];
}

const slowly = (text: string): number => (text === 'hi' ? 1_500 : 0);

/** A push of each platform. Resolves when both users have their answers. */
async function push(wechatUser: string, nxcloudUser: string): Promise<void> {
  const { wechat, nxcloud } = site.simulator;
  await Promise.all([
    wechat.push({ user: wechatUser, text: 'hi' }),
    nxcloud.push({ user: nxcloudUser, text: 'hi' }),
    wechat.phone(wechatUser).next(received),
    nxcloud.phone(nxcloudUser).next(received),
  ]);
}

function expectOneAnswer(...users: string[]): void {
  const { wechat } = site.simulator;
  expect(users.map((user) => wechat.phone(user).marks.filter(received).length)).toEqual(users.map(() => 1));
}

/** What a process says of Redis, in order; but for what it has lost of its journal. */
function troubles(child: Child): string[] {
  const said = child.output().matchAll(/"msg":"(Redis[^.;:"]*)/g);
  return [...said].flatMap(([, words = '']) => (words.includes('journal') ? [] : words));
}

describe.skipIf(binary === null)('a redis-server that misbehaves', { timeout: 60_000 }, () => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'keeptyping-'));
    server = await startServer(binary ?? '', { folder, options: stored });
  });

  afterEach(async () => {
    await site.close();
    await server.kill();
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    ['full', true, /memory is full/],
    ['readonly', expect.any(Boolean), /replica/],
    ['refusing', false, /EVALSHA, EVAL are refused/],
    ['away', false, /out of reach|not reached/],
  ] as const)(
    'that is %s: console, metrics, /readyz, log, a conversation and doctor say the same',
    async (is, live, says) => {
      const redisUrl = is === 'refusing' ? await urlAs('~* &* +@all -eval -evalsha') : server.url;
      site = await openSite({ redisUrl });
      const web = await site.web();
      const before = is === 'refusing' ? is : 'ok';
      await expect.poll(async () => (await told(web.url)).standing).toBe(before);
      await spoil[is]();
      await expect.poll(async () => (await told(web.url)).standing).toBe(is);
      const { reasons, up, dark, overview } = await told(web.url);
      expect(reasons).toEqual([expect.stringMatching(says)]);
      expect(up).toBe('0');
      expect(dark).toMatchObject({ reason: 'redis_down', remedy: expect.stringMatching(says) });
      expect(overview).toMatchObject({ redis: is, live });
      expect(web.output()).toMatch(says);
      expect(await askDoctor()).toMatch(new RegExp(`^FAIL .*${says.source}`, 'm'));
    },
  );

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

  // https://github.com/taskforcesh/bullmq/issues/3351: Redis Enterprise allows none unless it is told to.
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
    const asked = await admin((redis) => redis.info('commandstats'));
    // BullMQ's loops ask again at once, which keeps two processes and Redis busy with nothing else.
    expect(Number(/^cmdstat_evalsha:.*rejected_calls=(\d+)/m.exec(asked)?.[1])).toBeLessThan(200);
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

  // https://github.com/taskforcesh/bullmq/issues/648: its workers stopped at this.
  test('that becomes a replica while pushes are on their way: all are answered, one line says so and one that it is over', async () => {
    site = await openSite({ redisUrl: server.url, bot: { thinkMs: slowly } });
    const { web, worker } = await openBoth(site);
    const pushes = [push('oUser_1', '8613800000001')];
    await site.bot.call(site.bot.calls.length + 1);
    await admin((redis) => redis.call('REPLICAOF', '127.0.0.1', '1'));
    for (const each of [web, worker])
      await each.says('Redis is out of reach; trying again. It is a replica now');
    pushes.push(push('oUser_2', '8613800000002'));
    await Promise.all(pushes);
    await admin((redis) => redis.call('REPLICAOF', 'NO', 'ONE'));
    for (const each of [web, worker]) await each.says('Redis is back.');
    await idle();
    expectOneAnswer('oUser_1', 'oUser_2');
    for (const each of [web, worker])
      expect(troubles(each)).toEqual(['Redis is out of reach', 'Redis is back']);
  });

  test('that is full when a push comes: it is answered, one line says so and one that it is over', async () => {
    site = await openSite({ redisUrl: server.url, bot: { thinkMs: slowly } });
    const { web } = await openBoth(site);
    const pushes = [push('oUser_1', '8613800000001')];
    await site.bot.call(site.bot.calls.length + 1);
    await admin((redis) => redis.config('SET', 'maxmemory', '1'));
    pushes.push(push('oUser_2', '8613800000002'));
    await web.says('Redis takes no writes: its memory is full');
    await Promise.all(pushes);
    await admin((redis) => redis.config('SET', 'maxmemory', '0'));
    await web.says('Redis takes writes again.');
    await idle();
    expectOneAnswer('oUser_1', 'oUser_2');
    expect(troubles(web)).toEqual(['Redis takes no writes', 'Redis takes writes again']);
  });

  test('that wants another password: it is said, and messages go on without it', async () => {
    site = await openSite({ redisUrl: server.url.replace('//', '//app:wrong@'), bot: { thinkMs: 100 } });
    const web = await site.web();
    await web.says('trying again. It wants another user or password: set them in REDIS_URL.');
    await push('oUser_1', '8613800000001');
    expectOneAnswer('oUser_1');
    expect(web.output()).not.toContain('app:wrong');
  });

  test('that is loading its data: it is away until it is done', async () => {
    await admin(async (redis) => {
      const many = redis.pipeline();
      for (let n = 0; n < 24_000; n += 1) many.set(`other:${n}`, '');
      await many.exec();
    });
    await server.kill();
    // Every 1,024 commands it looks who has come; until then it is silent, and a second of that has another name.
    const loaded = server.start(['--key-load-delay', '250']);
    site = await openSite({ redisUrl: server.url, bot: { thinkMs: 100 } });
    const web = await site.web();
    await web.says('Redis is out of reach; trying again.');
    await expect
      .poll(async () => (await readiness(web.url, 'redis')).body.reasons, { timeout: 30_000 })
      .toEqual([expect.stringContaining('It takes no commands yet: it may be loading its data.')]);
    await push('oUser_1', '8613800000001');
    expectOneAnswer('oUser_1');
    await loaded;
    await web.says('Redis is back.');
    expect(troubles(web)).toEqual(['Redis is out of reach', 'Redis is back']);
  });

  test('that is a node of a Cluster without our keys: it is said, and messages go on without it', async () => {
    const [first, second] = await openCluster();
    onTestFinished(async () => void (await Promise.all([first.kill(), second.kill()])));
    site = await openSite({ redisUrl: first.url, bot: { thinkMs: 100 } });
    const web = await site.web();
    const worker = await site.worker();
    for (const each of [web, worker])
      await each.says("Redis: this node of a Redis Cluster does not hold keeptyping's keys (MOVED)");
    const { status, body } = await readiness(web.url, 'redis');
    expect(status).toBe(200);
    expect(body.reasons).toEqual([expect.stringContaining('Let REDIS_URL begin with redis+cluster://')]);
    await push('oUser_1', '8613800000001');
    expectOneAnswer('oUser_1');
  });

  test('that evicts: it is named at the start, by a lone web too', async () => {
    await admin((redis) => redis.config('SET', 'maxmemory-policy', 'allkeys-lru'));
    site = await openSite({ redisUrl: server.url });
    const web = await site.web();
    expect(await web.says('Redis may evict jobs')).toContain('allkeys-lru');
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
