/** Accounts that come, change and go while pushes arrive: several processes, real HTTP, real Redis. */
import type { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { redisKinds } from '../support/redis.ts';
import { gatewayOf, markIs as is, type Stage, useStage, everyRedis } from './stage.ts';

const { open, now } = useStage();

const token = 'control-token-of-the-test';
const env = {
  CONTROL_TOKEN: token,
  ACCOUNTS_KEY: Buffer.alloc(32, 7).toString('base64'),
  // The simulator and its bot run here.
  ALLOW_PRIVATE_URLS: '1',
};

type Method = 'get' | 'put' | 'delete';

function ask(method: Method, path: string, body?: object, web = 0) {
  const asked = request(now().webs[web]?.url ?? '');
  const authorised = asked[method](path).set('Authorization', `Bearer ${token}`);
  return body === undefined ? authorised : authorised.send(body);
}

/** The simulated platforms' one account, under another name and with a bot URL of its own. */
function fieldsOf(channel: string, botUrl: string): object {
  const { wechat, nxcloud } = now().simulator;
  const { appId, appSecret, token, encodingAesKey } = wechat.options;
  const { accessKey, accessSecret, appKey } = nxcloud.options;
  return channel === 'wechat'
    ? { appId, appSecret, token, encodingAesKey, apiBase: wechat.apiBase, botUrl }
    : { accessKey, accessSecret, appKey, apiBase: nxcloud.apiBase, botUrl };
}

async function put(channel: string, name: string, path = `/${name}`): Promise<number> {
  const { status } = await ask(
    'put',
    `/accounts/${channel}/${name}`,
    fieldsOf(channel, `${now().bot.url}${path}`),
  );
  return status;
}

const remove = (channel: string, name: string) => ask('delete', `/accounts/${channel}/${name}`);

let pushes = 0;

/** One message to an account, and whether the platform was told that it is taken. */
async function push(channel: string, name: string, web = 0): Promise<{ text: string; taken: boolean }> {
  const { simulator, webs } = now();
  pushes += 1;
  const text = `message-${pushes}-to-${name}.`;
  const to = {
    user: `${channel === 'wechat' ? 'o' : '86'}1380000${pushes}`,
    text,
    url: `${webs[web]?.url}/webhooks/${channel}/${name}`,
  };
  if (channel === 'nxcloud') return { text, taken: (await simulator.nxcloud.push(to)).accepted };
  return { text, taken: (await simulator.wechat.push(to)).answered !== null };
}

/** How often each of these messages has reached the bot, and by which path. */
function reached({ bot }: Stage, text: string): string[] {
  return bot.calls.filter(({ body }) => body.includes(text)).map(({ path }) => path);
}

const once = { nxcloud: { rules: { retries: 0 } } } as const;

describe('an account that is set at run time', () => {
  test('is served by every web and every worker within 2 s, and by the next ones', async () => {
    const stage = await open({ env, webs: 2, workers: 2, ...once });
    for (const channel of ['wechat', 'nxcloud']) {
      expect((await push(channel, 'shop', 1)).taken).toBe(false);
      expect(await put(channel, 'shop')).toBe(201);
      const first = await push(channel, 'shop');
      expect(first.taken).toBe(true);
      await expect.poll(async () => (await push(channel, 'shop', 1)).taken).toBe(true);
      await expect.poll(() => reached(stage, first.text)).toEqual(['/shop']);
      for (const { parts } of stage.workers)
        await expect.poll(() => parts.served.lasting.of({ channel, account: 'shop' })).not.toBeNull();
    }
  });

  test('types on the phone and delivers late answers as any other', async () => {
    const { simulator, webs } = await open({ env, bot: { thinkMs: 1_000 } });
    await put('wechat', 'shop');
    const user = 'oLate_1';
    await simulator.wechat.push({ user, text: 'hi', url: `${webs[0]?.url}/webhooks/wechat/shop` });
    const phone = simulator.wechat.phone(user);
    await phone.next(is('typing-on'));
    expect(await phone.next(is('received', 'echo: hi'))).toMatchObject({ via: 'api' });
  });

  test('is changed without losing its platform’s memory, unless it really changes', async () => {
    const { webs } = await open({ env });
    await put('wechat', 'shop');
    const served = () => webs[0]?.parts.roster.of({ channel: 'wechat', account: 'shop' });
    const before = served();
    expect(await put('wechat', 'shop')).toBe(200);
    await put('nxcloud', 'other');
    expect(served()).toBe(before);
    expect(await put('wechat', 'shop', '/elsewhere')).toBe(200);
    expect(served()).not.toBe(before);
    expect(served()?.bot?.url).toMatch(/elsewhere$/);
  });

  test('is gone from every web within 2 s after its removal, as unknown', async () => {
    const { webs } = await open({ env, webs: 2, ...once });
    await put('nxcloud', 'shop');
    await expect.poll(async () => (await push('nxcloud', 'shop', 1)).taken).toBe(true);
    expect((await remove('nxcloud', 'shop')).status).toBe(204);
    for (const { url } of webs)
      await expect
        .poll(async () => (await request(url).post('/webhooks/nxcloud/shop').send('{}')).status)
        .toBe(404);
  });
});

describe('what a removed account had taken is still done', () => {
  test('by a worker that knew it, and by one that starts after its removal', async () => {
    const stage = await open({ env: { ...env, REPLY_CONCURRENCY: '1' }, bot: { thinkMs: 2_000 } });
    await put('wechat', 'shop');
    // More than a web calls the bot with at once: the rest is a worker's.
    const sent = await Promise.all(Array.from({ length: 12 }, () => push('wechat', 'shop')));
    expect(sent.every(({ taken }) => taken)).toBe(true);
    expect((await remove('wechat', 'shop')).status).toBe(204);
    // Some wait still, and now for a process that has never known the account in use.
    expect(stage.bot.calls.length).toBeLessThan(11);
    await stage.workers[0]?.stop();
    await stage.startWorker();
    for (const { text } of sent) await expect.poll(() => reached(stage, text)).toEqual(['/shop']);
  });

  test('and its bot’s answer passes the gateway', async () => {
    const { webs, simulator } = await open({ env });
    await put('nxcloud', 'shop');
    await remove('nxcloud', 'shop');
    const { status } = await request(gatewayOf({ webs })).post('/nxcloud/shop/api/wa/mt').send('{}');
    expect(status).not.toBe(404);
    expect(simulator.nxcloud.calls.map(({ path }) => path)).toContain('/api/wa/mt');
  });
});

interface Sent {
  name: string;
  text: string;
  taken: boolean;
}

const channels = ['wechat', 'nxcloud'];
const names = ['stays', 'changes', 'comes-and-goes'];

/** Messages to each account, one after the other, while the work lasts. */
async function trafficDuring(work: () => Promise<void>): Promise<Sent[]> {
  const sent: Sent[] = [];
  const traffic = { going: true };
  const stream = async (channel: string, name: string, web: number): Promise<void> => {
    while (traffic.going) {
      sent.push({ name, ...(await push(channel, name, web)) });
      await delay(150);
    }
  };
  const streams = channels.flatMap((channel) => names.map((name, at) => stream(channel, name, at % 2)));
  try {
    await work();
  } finally {
    traffic.going = false;
    await Promise.all(streams);
  }
  return sent;
}

async function comeAndGo(): Promise<void> {
  for (let round = 1; round <= 5; round += 1) {
    for (const channel of channels) {
      expect(await put(channel, 'comes-and-goes', `/comes-and-goes/${round}`)).toBe(201);
      expect(await put(channel, 'changes', `/changes/${round}`)).toBe(200);
    }
    await delay(500);
    for (const channel of channels) expect((await remove(channel, 'comes-and-goes')).status).toBe(204);
    await delay(200);
  }
}

test('adding, changing and removing accounts under traffic loses nothing, and nothing arrives twice', async () => {
  // The embedded one is slower than this traffic: a push that meets a slow Redis may arrive twice.
  const redis = (await redisKinds()).at(-1) ?? 'embedded';
  const stage = await open({ env, webs: 2, workers: 2, redis, ...once });
  for (const channel of channels) {
    for (const name of ['stays', 'changes']) {
      await put(channel, name);
      const there = () => stage.webs[1]?.parts.roster.of({ channel, account: name });
      await expect.poll(there).not.toBeNull();
    }
  }
  const sent = await trafficDuring(comeAndGo);
  const taken = sent.filter((each) => each.taken);
  expect(sent.filter((each) => !each.taken && each.name !== 'comes-and-goes')).toEqual([]);
  for (const name of names) expect(taken.filter((each) => each.name === name).length).toBeGreaterThan(10);
  const counts = (): number[] => [...new Set(taken.map(({ text }) => reached(stage, text).length))];
  await expect.poll(counts).toEqual([1]);
  const strays = taken.filter(({ name, text }) => !reached(stage, text)[0]?.startsWith(`/${name}`));
  expect(strays).toEqual([]);
}, 60_000);

describe('the API', () => {
  test('lists every account with where it comes from, and never a secret', async () => {
    const { simulator, bot } = await open({ env });
    await put('wechat', 'shop', '/bot?key=the-bots-own-key');
    const { status, body } = await ask('get', '/accounts');
    expect(status).toBe(200);
    expect(body.accounts).toMatchObject([
      { channel: 'wechat', account: 'default', source: 'environment', state: 'ok', reason: null },
      { channel: 'nxcloud', account: 'default', source: 'environment', state: 'ok' },
      {
        channel: 'wechat',
        account: 'shop',
        source: 'record',
        state: 'ok',
        serves: {
          typing: { is: 'on' },
          fields: { appId: simulator.wechat.options.appId, botUrl: `${bot.url}/bot` },
          secrets: { token: 'set', appSecret: 'set', tokenPrevious: 'unset', accessTokenUrl: 'unset' },
        },
      },
    ]);
    expect((await ask('get', '/accounts/wechat/shop')).body).toEqual(body.accounts[2]);
    expect((await ask('get', '/accounts/wechat/nobody')).status).toBe(404);
  });

  test('changes the bot’s URL alone: the secrets stay', async () => {
    const stage = await open({ env });
    await put('nxcloud', 'shop');
    const { apiBase } = stage.simulator.nxcloud;
    const changed = await ask('put', '/accounts/nxcloud/shop', { botUrl: `${stage.bot.url}/new`, apiBase });
    expect(changed.status).toBe(200);
    const { text } = await push('nxcloud', 'shop');
    await expect.poll(() => reached(stage, text)).toEqual(['/new']);
  });

  test('refuses what would be faulty in a file, with every fault by its field and no value', async () => {
    await open({ env });
    const { status, body } = await ask('put', '/accounts/wechat/shop', {
      token: 7,
      encodingAesKey: 'the-wrong-key',
      botUrl: 'not a url',
      kind: 'big',
      rules: { lifetime: -1, speed: 3 },
      accessSecret: 'hush',
      startDelayMs: '3000',
    });
    expect(status).toBe(400);
    const named = [
      'appId',
      'token',
      'encodingAesKey',
      'botUrl',
      'kind',
      'rules.lifetime',
      'rules.speed',
      'accessSecret',
      'startDelayMs',
    ];
    for (const field of named)
      expect(body.faults).toContainEqual(expect.stringMatching(new RegExp(`^${field} `)));
    expect(body.faults).toHaveLength(named.length);
    for (const value of ['the-wrong-key', 'not a url', 'hush', '3000'])
      expect(JSON.stringify(body)).not.toContain(value);
    expect((await ask('get', '/accounts/wechat/shop')).status).toBe(404);
  });

  test.each([
    ['a name with a slash', '/accounts/wechat/a%2Fb', {}, 400],
    ['a name that climbs', '/accounts/wechat/..%2F..', {}, 400],
    ['a name that is too long', `/accounts/wechat/${'a'.repeat(65)}`, {}, 400],
    ['a name with a line break', '/accounts/wechat/a%0Ab', {}, 400],
    ['another channel', '/accounts/telegram/shop', {}, 404],
    ['a prototype', '/accounts/wechat/__proto__', {}, 400],
    ['the prototype of the channels', '/accounts/constructor/shop', {}, 404],
    ['a list', '/accounts/wechat/shop', [], 400],
    ['a body of 20 kB', '/accounts/wechat/shop', { appId: 'a'.repeat(20_000) }, 413],
    ['the name of the environment’s account', '/accounts/wechat/default', { appId: 'wx1', token: 't' }, 409],
  ])('takes no %s', async (_, path, body, status) => {
    await open({ env });
    const answer = await ask('put', path, body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ error: expect.stringMatching(/[.]$/) });
    expect((await ask('get', '/accounts')).body.accounts).toHaveLength(2);
  });

  test('lets nobody in without the token, and sets no account without ACCOUNTS_KEY', async () => {
    const { webs } = await open({ env: { ...env, ACCOUNTS_KEY: '' } });
    for (const [method, path] of [
      ['get', '/accounts'],
      ['put', '/accounts/wechat/shop'],
      ['delete', '/accounts/wechat/shop'],
    ] as const)
      expect((await request(webs[0]?.url ?? '')[method](path)).status).toBe(401);
    const { status, body } = await ask('put', '/accounts/wechat/shop', fieldsOf('wechat', 'http://8.8.8.8/'));
    expect({ status, error: body.error }).toEqual({
      status: 409,
      error: expect.stringContaining('ACCOUNTS_KEY is not set'),
    });
  });

  test('lets no URL lead to this machine, by whatever spelling, unless it is allowed', async () => {
    await open({ env: { ...env, ALLOW_PRIVATE_URLS: '0' } });
    const urls = [
      'http://127.0.0.1:1/',
      'http://localhost:1/',
      'http://0x7f.1/',
      'http://2130706433/',
      'http://[::1]/',
      'http://169.254.169.254/',
      'http://127.0.0.1./',
    ];
    for (const botUrl of urls) {
      const { status, body } = await ask('put', '/accounts/nxcloud/shop', {
        accessKey: 'a',
        accessSecret: 'b',
        appKey: 'c',
        botUrl,
      });
      expect({ botUrl, status }).toEqual({ botUrl, status: 400 });
      expect(body.faults).toEqual([expect.stringMatching(/^botUrl leads to an address/)]);
    }
    const { apiBase } = now().simulator.nxcloud;
    expect(
      (
        await ask('put', '/accounts/nxcloud/shop', {
          accessKey: 'a',
          accessSecret: 'b',
          appKey: 'c',
          apiBase,
        })
      ).status,
    ).toBe(400);
  });

  test('says 503 while Redis is away, and what is set is served all the same', async () => {
    const stage = await open({ env });
    await put('nxcloud', 'shop');
    await stage.redis.stop();
    for (const [method, path] of [
      ['get', '/accounts'],
      ['put', '/accounts/wechat/new'],
      ['delete', '/accounts/nxcloud/shop'],
    ] as const)
      await expect
        .poll(
          async () =>
            (await ask(method, path, method === 'put' ? fieldsOf('wechat', stage.bot.url) : undefined))
              .status,
        )
        .toBe(503);
    const { text, taken } = await push('nxcloud', 'shop');
    expect(taken).toBe(true);
    await expect.poll(() => reached(stage, text)).toEqual(['/shop']);
  });
});

test('a faulty record is named by the log, /readyz?verbose and the API, and stops no other', async () => {
  const { redis, webs, log } = await open({ env });
  const raw = redis.connect();
  await put('nxcloud', 'shop');
  await raw.hset('{keeptyping}:account-records', 'wechat/broken', '{"v":9}');
  await raw.set('{keeptyping}:account-records:revision', 'by hand');
  const reason = expect.stringContaining('has a version that this release does not know');
  const ready = async (): Promise<unknown> =>
    (await request(webs[0]?.url ?? '').get('/readyz?verbose')).body.skipped;
  await expect.poll(ready).toEqual([{ account: 'wechat/broken', reason }]);
  expect((await ask('get', '/accounts/wechat/broken')).body).toMatchObject({
    source: 'record',
    state: 'faulty',
    reason,
    serves: null,
  });
  const refused = await request(webs[0]?.url ?? '')
    .post('/webhooks/wechat/broken')
    .send('x');
  expect([refused.status, refused.body]).toEqual([
    404,
    { error: 'The account wechat/broken is skipped: see /readyz?verbose.' },
  ]);
  expect((await push('nxcloud', 'shop')).taken).toBe(true);
  expect(
    log.lines.filter(({ message }) => message.startsWith('This account is skipped: its record has a version'))
      .length,
  ).toBe(2);
  await ask('delete', '/accounts/wechat/broken');
  expect(await ready()).toEqual([]);
});

test('one that can get no token is taken, with a line of the log for each change', async () => {
  const { log } = await open({ env });
  const warned = (): number =>
    log.lines.filter(
      ({ message }) =>
        message === 'wechat/shop: appSecret and accessTokenUrl are unset: no typing and no late answers.',
    ).length;
  for (const _ of [1, 2]) await ask('put', '/accounts/wechat/shop', { appId: 'wx1', token: 't' });
  await put('nxcloud', 'shop');
  // The web, and the worker.
  await expect.poll(warned).toBe(2);
});

test('no secret is in any answer, line of the log or value in Redis', async () => {
  const secrets = {
    appSecret: 'hush-app-secret',
    tokenPrevious: 'hush-token',
    accessTokenUrl: 'https://token.example/hush-path',
  };
  const stage = await open({ env });
  const botUrl = `${stage.bot.url.replace('//', '//hush-user:hush-password@')}/bot?key=hush-key`;
  const answers = [
    await ask('put', '/accounts/wechat/shop', { ...fieldsOf('wechat', botUrl), ...secrets }),
    await ask('get', '/accounts'),
    await ask('put', '/accounts/wechat/shop', {
      appId: 'hush',
      token: 5,
      ...secrets,
      encodingAesKey: 'hush-key',
      kind: 'hush',
    }),
    await ask('get', '/readyz?verbose'),
  ];
  const { text } = await push('wechat', 'shop');
  await expect.poll(() => reached(stage, text)).toEqual(['/bot']);
  await remove('wechat', 'shop');
  const seen = JSON.stringify([answers.map((answer) => answer.text), stage.log.lines]);
  expect(seen).not.toMatch(/hush/);
  const { encodingAesKey, token } = stage.simulator.wechat.options;
  const dump = await dumpOf(stage);
  expect(dump).toContain('account-records');
  for (const secret of ['hush', encodingAesKey, token]) expect(dump).not.toContain(secret);
});

async function dumpOf(stage: Stage): Promise<string> {
  return (await Promise.all(everyRedis(stage).map(dumpOne))).join('\n');
}

async function dumpOne(connection: Redis): Promise<string> {
  const keys = await connection.keys('*');
  const values = keys.map(async (key) => {
    switch (await connection.type(key)) {
      case 'hash':
        return connection.hgetall(key);
      case 'string':
        return connection.get(key);
      case 'stream':
        return connection.xrange(key, '-', '+');
      case 'zset':
        return connection.zrange(key, '0', '-1');
      case 'list':
        return connection.lrange(key, 0, -1);
      default:
        return connection.smembers(key);
    }
  });
  return JSON.stringify([keys, await Promise.all(values)]);
}
