import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../src/log.ts';
import { provideRedis } from '../../src/redis/by-itself.ts';
import { keys } from '../../src/redis/keys.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';
import { openScene, type Scene, serve, visit, type Visit } from './scene.ts';

const isPrivate = (await redisKinds()).includes('private');

let redis: TestRedis;
beforeAll(async () => {
  redis = await startRedis(isPrivate ? 'private' : 'embedded');
});
afterAll(() => redis.stop());

describe('the configuration', () => {
  test('nothing is configured: one line with the first steps, and a failure', async () => {
    const { code, lines } = await visit({});
    expect(code).toBe(1);
    expect(lines).toEqual([
      expect.stringMatching(
        /^FAIL {2}configuration: no account is configured in the environment, config\/default\.json\. Set WECHAT_APP_ID/,
      ),
      '0 ok, 0 to look at, 1 to mend',
    ]);
  });

  test('every fault of the environment, as the loader says it, without a value', async () => {
    const { code, text, of } = await visit({ HOLD_MS: 'a while', WECHAT_APP_ID: 'wxhidden' });
    expect(code).toBe(1);
    expect(of('configuration')).toEqual([
      expect.stringContaining('FAIL  configuration: HOLD_MS must be a whole number'),
      expect.stringContaining('FAIL  configuration: WECHAT_TOKEN is missing'),
    ]);
    expect(text).not.toMatch(/a while|wxhidden/);
  });

  test('an account of a file that is skipped is a failure; the others are looked at', async () => {
    const { simulator } = await openScene();
    const { appId, appSecret, token } = simulator.wechat.options;
    const shop = { appId, appSecret, token, apiBase: simulator.wechat.apiBase };
    const accounts = { wechat: { shop, broken: { appId: 'wxhidden' } } };
    const folder = await mkdtemp(join(tmpdir(), 'keeptyping-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    await writeFile(join(folder, 'local.json'), JSON.stringify({ version: 1, accounts }));
    const { code, of, text } = await visit({ CONFIG_DIR: folder });
    const file = join(folder, 'local.json');
    expect(of('configuration')).toEqual([
      `ok    configuration: serves wechat/shop (from the environment, ${file}).`,
    ]);
    expect(of('wechat/broken configuration')).toEqual([
      expect.stringMatching(/^FAIL .*this account is skipped: .*token is missing/),
    ]);
    expect(of('wechat/shop typing permission')).toEqual([expect.stringMatching(/^ok/)]);
    expect(of('wechat/shop bot')).toEqual([]);
    expect([code, text.includes('wxhidden')]).toEqual([1, false]);
  });

  test('what has no effect is a warning, the panic switch another, and both are no failure', async () => {
    const { environment } = await openScene();
    const { code, lines } = await visit({
      ...environment,
      WECHAT_APPID: 'x',
      BYPASS: '1',
      REDIS_URL: redis.url,
    });
    expect(lines).toContainEqual(expect.stringContaining('warn  configuration: WECHAT_APPID is no setting'));
    expect(lines).toContainEqual(expect.stringContaining('warn  BYPASS: is set'));
    expect(code).toBe(0);
  });

  test('the token and the key that are not set are told by their files', async () => {
    const { environment } = await openScene();
    const { of } = await visit({ ...environment, REDIS_URL: redis.url, DATA_DIR: '/kept' });
    expect([of('control API and console'), of('gateway')]).toEqual([
      ['ok    control API and console: CONTROL_TOKEN is not set: the token is in /kept/control-token.'],
      [expect.stringMatching(/^ok .* <key> is in \/kept\/gateway-key\.$/)],
    ]);
    const inProduction = await visit({ ...environment, REDIS_URL: redis.url, NODE_ENV: 'production' });
    expect(inProduction.of('gateway')).toEqual([]);
  });

  test('an unknown option is said, and nothing is looked at', async () => {
    expect(await visit({}, '--jason')).toMatchObject({
      code: 1,
      text: '--jason is no option of the doctor: see --help.\n',
    });
    expect(await visit({}, '--help')).toMatchObject({ code: 0, text: expect.stringContaining('Usage:') });
  });
});

describe('where everything is right', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await openScene();
  });

  test('each thing is ok, by its name', async () => {
    await redis.connect().set(keys.heartbeat, '1');
    const { code, lines, text } = await visit({ ...scene.environment, REDIS_URL: redis.url });
    await redis.connect().del(keys.heartbeat);
    expect(code).toBe(0);
    expect(text).not.toContain('FAIL');
    const subjects = lines
      .filter((line) => line.startsWith('ok  '))
      .map((line) => line.slice(6).split(':')[0]);
    expect(subjects).toEqual(
      expect.arrayContaining([
        'configuration',
        'Redis',
        'Redis version',
        'Redis eviction policy',
        'Redis connections',
        'Redis memory',
        'Redis clock',
        'Redis commands',
        'worker',
        'wechat/default access token',
        'wechat/default IP allowlist',
        'wechat/default typing permission',
        'wechat/default bot',
        'nxcloud/default signature',
        'nxcloud/default clock',
        'nxcloud/default bot',
      ]),
    );
  });

  test('no phone shows anything, no bot is asked to answer, and Redis is as before', async () => {
    const connection = redis.connect();
    await connection.flushall();
    await visit({ ...scene.environment, REDIS_URL: redis.url });
    expect(await connection.keys('*')).toEqual([]);
    expect(scene.simulator.wechat.calls.map(({ command }) => command)).toEqual(['token', 'CancelTyping']);
    expect(scene.simulator.nxcloud.calls.map(({ command, code }) => [command, code])).toEqual([
      ['typing', 100],
    ]);
    expect(scene.bot.calls).toHaveLength(2);
    expect(scene.bot.sends).toEqual([]);
  });

  test('as JSON: the same findings, whether they are fit, and no word beside it', async () => {
    const { text, code } = await visit({ ...scene.environment, REDIS_URL: redis.url }, '--json');
    const { ok, findings } = JSON.parse(text);
    expect([ok, code]).toEqual([true, 0]);
    expect(findings).toContainEqual({
      level: 'ok',
      subject: 'wechat/default typing permission',
      says: 'the account may show typing',
      remedy: '',
    });
  });

  test('no secret is ever said, whatever is wrong', async () => {
    const { wechat, nxcloud } = scene.simulator;
    const secrets = [
      wechat.options.appSecret,
      wechat.options.token,
      wechat.options.encodingAesKey,
      nxcloud.options.accessKey,
      nxcloud.options.accessSecret,
      nxcloud.options.appKey,
      'redis-password',
    ];
    const wrong = {
      ...scene.environment,
      NXCLOUD_APP_KEY: `${nxcloud.options.appKey}x`,
      REDIS_URL: 'redis://user:redis-password@127.0.0.1:1',
    };
    wechat.faults.set('*', { code: 40125 });
    await scene.bot.close();
    const { text } = await visit(wrong, '--json', '--push', '--webhook', `${wechat.apiBase}/no-keeptyping`);
    expect(text).toContain('"fail"');
    for (const secret of secrets) expect(text).not.toContain(secret);
  });
});

async function lookWith(over: Record<string, string>): Promise<Visit> {
  const { environment } = await openScene();
  return visit({ ...environment, ...over });
}

describe('Redis', () => {
  test('that does not run: a failure, and all else is looked at', async () => {
    const { code, of } = await lookWith({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(of('Redis')).toEqual([
      expect.stringMatching(/^FAIL {2}Redis: not reached \(ECONNREFUSED\)\. Start it/),
    ]);
    expect(of('wechat/default access token')).toEqual([expect.stringMatching(/^ok/)]);
    expect(code).toBe(1);
  });

  test.each([
    ['says nothing', 'ETIMEDOUT', () => {}],
    ['hangs up', 'ECONNRESET', (socket: Socket) => void socket.end()],
  ])('that takes a connection and %s', async (_, word, take) => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => {
      sockets.push(socket);
      take(socket);
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      sockets.forEach((socket) => socket.destroy());
      silent.close();
    });
    const address = silent.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const { code, of } = await lookWith({ REDIS_URL: `redis://127.0.0.1:${port}` });
    expect(of('Redis')).toEqual([expect.stringContaining(`FAIL  Redis: not reached (${word}).`)]);
    expect(code).toBe(1);
  });

  test('none in production, and none elsewhere', async () => {
    const production = await lookWith({ NODE_ENV: 'production', CONTROL_TOKEN: 'a'.repeat(16) });
    expect(production.of('Redis')).toEqual([expect.stringMatching(/^FAIL {2}Redis: REDIS_URL is missing/)]);
    const here = await lookWith({ PATH: '' });
    expect(here.of('Redis')).toEqual([expect.stringMatching(/^warn .* keeps all in memory/)]);
    expect(here.code).toBe(0);
  });

  test.runIf(isPrivate)('a wrong password', async () => {
    const { of } = await lookWith({ REDIS_URL: redis.url.replace(/:[^:@]*@/, ':wrong@') });
    expect(of('Redis')).toEqual([
      expect.stringMatching(/^FAIL {2}Redis: not reached \(WRONGPASS\)\. Put the right user/),
    ]);
  });

  test.runIf(isPrivate)('the one that keeptyping runs by itself is found', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
    const own = await provideRedis({
      url: null,
      production: false,
      dataDir,
      path: process.env['PATH'] ?? '',
      log: createLog({ level: 'silent', format: 'json' }),
      bundled: 'private',
    });
    onTestFinished(async () => {
      await own.stop();
      await rm(dataDir, { recursive: true, force: true });
    });
    const { of } = await lookWith({ DATA_DIR: dataDir });
    expect(of('Redis')).toEqual([expect.stringMatching(/^ok .* \(the one that keeptyping started\)/)]);
    expect(of('Redis persistence')).toEqual([expect.stringMatching(/^ok .* appendonly/)]);
  });

  // https://github.com/OptimalBits/bull/issues/2113, https://github.com/redis/redis/issues/12418
  test.runIf(isPrivate)(
    'a user that may not do all: what, what that means, and the right to give',
    async () => {
      const rights = '~{keeptyping}:* +@all -bzpopmin -time';
      await redis.connect().call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rights.split(' '));
      const url = new URL(redis.url);
      Object.assign(url, { username: 'app', password: 'secret' });
      const { code, of } = await lookWith({ REDIS_URL: url.href });
      expect(code).toBe(1);
      expect(of('Redis commands')).toEqual([
        expect.stringMatching(/^FAIL .*: BZPOPMIN is refused \(NOPERM\): .* \+bzpopmin;/),
        expect.stringMatching(/^warn .*: TIME is refused .* \+time;/),
        expect.stringMatching(
          /^warn .*: PUBLISH, SUBSCRIBE are refused .* &{keeptyping}:\* \+publish \+subscribe;/,
        ),
      ]);
      expect(of('Redis clock')).toEqual([]);
    },
  );

  test.runIf(isPrivate)('settings that lose messages', async () => {
    const connection = redis.connect();
    onTestFinished(async () => {
      await connection.config('SET', 'maxmemory', '0');
      await connection.config('SET', 'maxmemory-policy', 'noeviction');
      await connection.config('SET', 'maxclients', '10000');
      await connection.config('SET', 'appendonly', 'yes');
    });
    await connection.config('SET', 'appendonly', 'no');
    await connection.config('SET', 'maxmemory-policy', 'allkeys-lru');
    await connection.config('SET', 'maxmemory', '2mb');
    await connection.config('SET', 'maxclients', '8');
    const { code, of } = await lookWith({ REDIS_URL: redis.url });
    expect(code).toBe(1);
    expect(of('Redis eviction policy')).toEqual([
      expect.stringMatching(/^FAIL .* allkeys-lru: .* noeviction\.$/),
    ]);
    expect(of('Redis persistence')).toEqual([expect.stringMatching(/^warn .* appendonly yes/)]);
    expect(of('Redis connections')).toEqual([expect.stringMatching(/^warn .* of 8 used/)]);
    expect(of('worker')).toEqual([expect.stringMatching(/^warn {2}worker: no sign of life/)]);
  });
});

describe('several Redis', () => {
  test('are each looked at, by their place; one that is away hides nothing of the others', async () => {
    const second = await startRedis(isPrivate ? 'private' : 'embedded');
    onTestFinished(() => second.stop());
    const urls = [redis.url, second.url, 'redis://127.0.0.1:1'];
    const { code, of, text } = await lookWith({ REDIS_URLS: urls.join(',') });
    expect(code).toBe(1);
    for (const name of ['Redis 1 of 3', 'Redis 2 of 3'])
      for (const what of ['', ' version', ' memory', ' commands'])
        expect(of(`${name}${what}`)).toEqual([expect.stringMatching(/^ok/)]);
    expect(of('Redis 3 of 3')).toEqual([expect.stringMatching(/^FAIL .*: not reached \(ECONNREFUSED\)/)]);
    expect(text).not.toContain('Redis 3 of 3 version');
    expect(of('shards')).toEqual(['ok    shards: SHARDS is 3: no process has said so yet.']);
  });

  test.runIf(isPrivate)('of which one refuses a command of its own keys', async () => {
    const second = await startRedis('private');
    onTestFinished(() => second.stop());
    const rights = '~{keeptyping}:* &{keeptyping* +@all';
    await second.connect().call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rights.split(' '));
    const url = new URL(second.url);
    Object.assign(url, { username: 'app', password: 'secret' });
    const { of } = await lookWith({ REDIS_URLS: `${redis.url},${url.href}` });
    expect(of('Redis 1 of 2 commands')).toEqual([expect.stringMatching(/^ok/)]);
    expect(of('Redis 2 of 2 commands').join()).toMatch(/^FAIL .*~\{keeptyping/);
  });
});

/** What Redis says of the shards. */
const layout = (fields: object) =>
  redis.connect().set(keys.shards, JSON.stringify({ v: 1, since: 0, before: [], ...fields }));

const lookAt = async (env: Record<string, string>) =>
  (await lookWith({ REDIS_URL: redis.url, ...env })).of('shards');

describe('shards', () => {
  afterEach(() => redis.connect().del(keys.shards));
  const [soon, past] = [Date.now() + 3_600_000, Date.now() - 3_600_000];

  test('are not spoken of where there is one, as most have it', async () => {
    expect(await lookAt({})).toEqual([]);
  });

  test('are as many as Redis says, also while they change', async () => {
    await layout({ shards: 3 });
    expect(await lookAt({ SHARDS: '3' })).toEqual(['ok    shards: 3 in use.']);
    await layout({ shards: 3, since: past, before: [{ shards: 1, until: soon }] });
    expect(await lookAt({ SHARDS: '3' })).toEqual([
      expect.stringMatching(
        /^ok {4}shards: 3 in use; those of SHARDS=1 are looked into until 20\d\d-.* UTC\.$/,
      ),
    ]);
    await layout({ shards: 3, since: soon, before: [{ shards: 1, until: soon * 2 }] });
    expect(await lookAt({ SHARDS: '3' })).toEqual([
      expect.stringMatching(/^ok {4}shards: 1 in use; 3 from 20\d\d-.* UTC on\.$/),
    ]);
    await layout({ shards: 3, since: past, before: [{ shards: 1, until: past }] });
    expect(await lookAt({ SHARDS: '3' })).toEqual(['ok    shards: 3 in use.']);
  });

  test('are to be another number: who says so', async () => {
    await layout({ shards: 2 });
    expect(await lookAt({ SHARDS: '4' })).toEqual([
      expect.stringMatching(/^warn {2}shards: 2 in use; SHARDS is 4 here\. Deploy it/),
    ]);
  });

  test('are in use on a Redis that is not named here: a failure', async () => {
    await layout({ shards: 1, since: past, before: [{ shards: 3, until: soon }] });
    expect(await lookAt({ REDIS_URLS: redis.url })).toEqual([
      expect.stringMatching(/^FAIL {2}shards: 3 are in use, and REDIS_URLS names 1\. Name all/),
    ]);
  });
});

describe('the platforms', () => {
  test.each([
    [
      'WECHAT_APP_SECRET',
      'f'.repeat(32),
      'wechat/default access token',
      /^FAIL .* 40125 .*WECHAT_APP_SECRET/,
    ],
    ['WECHAT_KIND', 'mini', 'wechat/default typing permission', /^FAIL .* 40200 .*WECHAT_KIND=mini/],
    ['WECHAT_API_BASE', 'http://127.0.0.1:1', 'wechat/default access token', /^FAIL .* ?WECHAT_API_BASE/],
    ['NXCLOUD_ACCESS_SECRET', 'wrong', 'nxcloud/default signature', /^FAIL .* 1003 .*NXCLOUD_ACCESS_SECRET/],
    ['NXCLOUD_ACCESS_KEY', 'wrong', 'nxcloud/default signature', /^FAIL .* 1005 .*NXCLOUD_ACCESS_KEY/],
    ['NXCLOUD_BUSINESS_PHONE', '8610000', 'nxcloud/default signature', /^FAIL .* 10003 /],
    [
      'NXCLOUD_API_BASE',
      'http://127.0.0.1:1',
      'nxcloud/default signature',
      /^FAIL .*ECONNREFUSED.*NXCLOUD_API_BASE/,
    ],
  ])('%s is wrong', async (variable, value, subject, line) => {
    const { environment } = await openScene();
    const { code, of } = await visit({ ...environment, [variable]: value });
    expect(of(subject)).toEqual([expect.stringMatching(line)]);
    expect(code).toBe(1);
  });

  test('an address that is not on the list, an account that may not type', async () => {
    const { environment, simulator } = await openScene();
    simulator.wechat.faults.set('/cgi-bin/stable_token', { code: 40164 }, 1);
    const outside = await visit(environment);
    expect(outside.of('wechat/default IP allowlist')).toEqual([
      expect.stringMatching(/^FAIL .* 40164 .* Add 203\.0\.113\.7 to the IP allowlist in/),
    ]);
    simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 }, 1);
    const uncertified = await visit(environment);
    expect(uncertified.of('wechat/default typing permission')).toEqual([
      expect.stringMatching(/^FAIL .* 48001 \(api unauthorized\)\. .*certify/),
    ]);
  });

  test('a clock that NXCloud refuses', async () => {
    const { environment } = await openScene({ now: () => Date.now() + 120_000 });
    const { of } = await visit(environment);
    expect(of('nxcloud/default signature')).toEqual([expect.stringMatching(/^FAIL .* 1004 .*NTP/)]);
  });
});

async function lookAtBot(status: number, body: string): Promise<Visit> {
  const { environment } = await openScene();
  const url = await serve((_, response) => response.writeHead(status).end(body));
  return visit({ ...environment, WECHAT_BOT_URL: url, NXCLOUD_BOT_URL: url });
}

describe('the bot', () => {
  test('is not there', async () => {
    const { bot, environment } = await openScene();
    await bot.close();
    const { of, code } = await visit(environment);
    expect(of('wechat/default bot')).toEqual([
      expect.stringMatching(/^FAIL .*not reached \(ECONNREFUSED\)\. Start the bot/),
    ]);
    expect(of('nxcloud/default bot')).toEqual([expect.stringMatching(/^FAIL .*not reached/)]);
    expect(code).toBe(1);
  });

  test.each([
    [401, '', /^warn .*refuses with HTTP 401\. Set the same secrets/, /^FAIL .*refuses with HTTP 401\./],
    [
      404,
      '',
      /^warn .*does not answer the check of its URL\. Check the path/,
      /^FAIL .*HTTP 404 at its URL\. Check the path/,
    ],
    [503, '', /^FAIL .*proxy answers for it with HTTP 503/, /^FAIL .*proxy answers for it with HTTP 503/],
    [500, '', /^warn .*HTTP 500/, /^warn .*answers HTTP 500\. Look into its log/],
    [200, 'welcome', /^warn .*does not answer the check/, /^ok .*reached, answers in \d/],
  ])('answers with HTTP %i "%s"', async (status, body, wechat, nxcloud) => {
    const { of } = await lookAtBot(status, body);
    expect(of('wechat/default bot')).toEqual([expect.stringMatching(wechat)]);
    expect(of('nxcloud/default bot')).toEqual([expect.stringMatching(nxcloud)]);
  });

  test('with --push: an answer of which WeChat shows nothing, and what becomes of it', async () => {
    const { environment } = await openScene({}, { answer: () => '字'.repeat(1_000) });
    const lines = async (more: Record<string, string>) =>
      (await visit({ ...environment, ...more }, '--push')).of("wechat/default bot's answer");
    expect(await lines({})).toEqual([
      expect.stringMatching(/^ok .* longer than 2,048 bytes, .*: it goes out through the API\.$/),
    ]);
    expect(await lines({ WECHAT_SPLIT: 'off' })).toEqual([
      expect.stringMatching(/^warn .* longer than 2,048 bytes, .*\. Set WECHAT_SPLIT=auto\.$/),
    ]);
    expect(await lines({ WECHAT_BOT_MODE: 'pass' })).toEqual([
      expect.stringMatching(/^warn .* longer than 2,048 bytes, .*\. Set the bot's mode \(botMode\) to job/),
    ]);
  });

  test('with --push: an answer of a Mini Program, of which WeChat shows none', async () => {
    const { environment } = await openScene({ wechat: { kind: 'mini' } });
    const { of } = await visit({ ...environment, WECHAT_KIND: 'mini' }, '--push');
    expect(of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^ok .* of a Mini Program: it goes out through the API\.$/),
    ]);
  });

  test('with --push: how long it takes, and whether it answers or acknowledges', async () => {
    const { bot, environment } = await openScene({}, { thinkMs: 30 });
    const answering = await visit(environment, '--push');
    expect(answering.of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^ok .* a message after \d+ ms/),
    ]);
    expect(answering.of("nxcloud/default bot's answer")).toEqual([
      expect.stringMatching(/^ok .* an acknowledgement/),
    ]);
    bot.set({ style: 'silent' });
    const silent = await visit(environment, '--push');
    expect(silent.of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^ok .* an acknowledgement/),
    ]);
    bot.set({ style: 'fail', thinkMs: 3_200 });
    const patient = await visit(environment, '--push');
    expect(patient.of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^ok .*HTTP 500 after 3\.\d s: it waits for WeChat's next delivery/),
    ]);
    bot.set({ style: 'fail', thinkMs: 0 });
    const failing = await visit(environment, '--push');
    expect(failing.of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^FAIL .* HTTP 500 to a message/),
    ]);
    bot.set({ style: 'passive', thinkMs: 60_000 });
    const slow = await visit({ ...environment, BOT_TIMEOUT_MS: '200' }, '--push');
    expect(slow.of("wechat/default bot's answer")).toEqual([
      expect.stringMatching(/^FAIL .*none to a message \(no answer within 0.2 s\)/),
    ]);
  });
});
