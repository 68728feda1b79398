import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { connect, createServer as createForwarder } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { findPrivateServer } from '../../src/redis/private-server.ts';
import { type Bot, type Simulator, startBot, startSimulator } from '../../src/simulator/index.ts';
import { startRedis } from '../support/redis.ts';
import { builtHere, type Child, setTokens, start, startByNpm } from './processes.ts';

let dataDir: string;
let child: Child | null = null;

beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
});

afterEach(async () => {
  child?.signal('SIGKILL');
  await child?.exit;
  await rm(dataDir, { recursive: true, force: true });
});

/** A bot that holds each push until the test lets it go; it answers by other ways. */
async function startSlowBot() {
  const waiting: ((answered: () => void) => void)[] = [];
  const server = createServer((request, response) => {
    request.resume();
    waiting.shift()?.(() => response.end('success'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`,
    /** Resolves with the way to let the next push go, when it has come. */
    next: () => new Promise<() => void>((resolve) => waiting.push(resolve)),
    close: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const redisServer = await findServer(process.env['PATH'] ?? '');

/** A PATH on which no redis-server is found. */
const bare = { PATH: '/nowhere' };

/** An account whose platform nobody reaches. */
const configured = {
  WECHAT_APP_ID: 'wx1',
  WECHAT_APP_SECRET: 's',
  WECHAT_TOKEN: 't',
  WECHAT_API_BASE: 'http://127.0.0.1:9',
};

/** The package as it is installed, in a folder without anybody's settings. */
async function packageFolder(): Promise<string> {
  const folder = join(dataDir, 'package');
  await mkdir(folder);
  await symlink(builtHere.dist, join(folder, 'dist'));
  const whole = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    scripts: object;
  };
  await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts: whole.scripts }));
  return folder;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function isOpen({ hostname, port }: URL): Promise<boolean> {
  const socket = connect({ host: hostname, port: Number(port) });
  const opened = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return opened;
}

function run(name: 'main' | 'web' | 'worker' | 'replies', environment: Record<string, string>): Child {
  child = start(name, { DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', ...environment });
  return child;
}

describe('npm start', () => {
  test('with nothing configured plays the demo on the embedded Redis and ends on SIGTERM', async () => {
    // A proxy in the environment knows nothing of the simulated platforms on this machine.
    const proxy = { HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' };
    const demo = run('main', { ...bare, ...proxy, LOG_FORMAT: 'pretty' });
    await demo.says('no account is configured');
    await demo.says("the demo's own");
    await demo.says('WhatsApp  indicator ● typing…');
    await demo.says('WeChat    indicator ● typing…');
    demo.signal('SIGTERM');
    expect(await demo.exit).toBe(0);
  });

  test('DEMO=1 beside a real installation comes near nothing of it, and a second start finds nothing of the first', async () => {
    const redis = await startRedis('embedded');
    const simulator = await startSimulator();
    const bot = await startSlowBot();
    const real = {
      ...simulatedEnvironment(simulator, bot),
      REDIS_URL: redis.url,
      NODE_ENV: 'production',
      DEMO: '1',
      LOG_FORMAT: 'pretty',
    };
    for (let time = 1; time <= 2; time += 1) {
      const demo = run('main', real);
      await demo.says('your accounts are left alone');
      // Of an earlier demo's state there would be no indicator now; of its token a refusal.
      await Promise.all([
        demo.says('WhatsApp  indicator ● typing…'),
        demo.says('WeChat    indicator ● typing…'),
      ]);
      expect(demo.output()).not.toContain('refused a call');
      demo.signal('SIGTERM');
      expect(await demo.exit).toBe(0);
    }
    expect(await redis.connect().dbsize()).toBe(0);
    expect([...simulator.wechat.calls, ...simulator.nxcloud.calls]).toEqual([]);
    expect(await readdir(dataDir)).toEqual([]);
    await bot.close();
    await simulator.close();
    await redis.stop();
  });

  test('with nothing configured and LOG_FORMAT=json writes nothing but its log, and shows the page', async () => {
    const demo = run('main', bare);
    const port = /"port":(\d+)/.exec(await demo.says('"listening"'))?.[1];
    await demo.says('"working"');
    const base = `http://127.0.0.1:${port}`;
    const page = await fetch(`${base}/`);
    expect(await page.text()).toContain('<title>keeptyping</title>');
    // The demo alone is open to this machine, and to no proxy on it.
    for (const path of ['/console/api/failed', '/metrics', '/accounts'])
      expect([path, (await fetch(`${base}${path}`)).status]).toEqual([path, 200]);
    const forwarded = { headers: { 'x-forwarded-for': '203.0.113.7' } };
    expect((await fetch(`${base}/console/api/failed`, forwarded)).status).toBe(404);
    const lines = demo.output().trim().split('\n');
    expect(lines.filter((line) => !line.startsWith('{'))).toEqual([]);
  });

  describe('with an account', () => {
    let simulator: Simulator;
    let bot: Bot;
    let slowBot: Awaited<ReturnType<typeof startSlowBot>>;

    beforeEach(async () => {
      simulator = await startSimulator();
      bot = await startBot({
        wechat: { ...simulator.wechat.options, apiBase: simulator.wechat.apiBase },
        thinkMs: 300,
      });
      slowBot = await startSlowBot();
    });

    afterEach(async () => {
      await bot.close();
      await slowBot.close();
      await simulator.close();
    });

    test('types for the bot behind it', async () => {
      const process = run('main', { ...bare, ...simulatedEnvironment(simulator, bot) });
      const port = /"port":(\d+)/.exec(await process.says('"listening"'))?.[1];
      await process.says('"working"');
      simulator.wechat.connect(`http://127.0.0.1:${port}/webhooks/wechat`);
      await simulator.wechat.push({ user: 'oUser_1', text: 'hi' });
      const phone = simulator.wechat.phone('oUser_1');
      await phone.next(({ what }) => what === 'typing-on');
      expect(await phone.next(({ what }) => what === 'received')).toMatchObject({ detail: 'echo: hi' });
    });

    test.each(['main', 'web'] as const)(
      'BYPASS: %s forwards and does nothing else, whatever is wrong with the rest',
      async (name) => {
        const environment = {
          ...bare,
          ...simulatedEnvironment(simulator, bot),
          BYPASS: '1',
          GATEWAY_KEY: 'a-key-that-nobody-guesses',
          HOLD_MS: 'soon',
          REDIS_URL: 'http://wrong',
        };
        const process = run(name, environment);
        const port = /"port":(\d+)/.exec(await process.says('BYPASS is set: pushes'))?.[1];
        simulator.wechat.connect(`http://127.0.0.1:${port}/webhooks/wechat`);
        await simulator.wechat.push({ user: 'oUser_1', text: 'hi' });
        expect(await simulator.wechat.phone('oUser_1').next(({ what }) => what === 'received')).toMatchObject(
          { via: 'passive' },
        );
        expect(simulator.wechat.calls).toEqual([]);
        // The bot's own API calls must go on, too: its base URL may point here.
        const gateway = `http://127.0.0.1:${port}/gateway/${environment.GATEWAY_KEY}/wechat/default`;
        const asked = await fetch(`${gateway}/cgi-bin/token?grant_type=client_credential&appid=wrong`);
        expect(await asked.json()).toMatchObject({ errcode: 40013 });
        process.signal('SIGTERM');
        expect(await process.exit).toBe(0);
      },
    );

    test('a bot that is at work when it stops still sends its answer through the gateway', async () => {
      const process = run('main', { ...bare, ...setTokens, ...simulatedEnvironment(simulator, slowBot) });
      const port = /"port":(\d+)/.exec(await process.says('"listening"'))?.[1];
      await process.says('"working"');
      const gateway = `http://127.0.0.1:${port}/gateway/${setTokens.GATEWAY_KEY}/wechat/default`;
      const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
        const answer = await fetch(`${gateway}${path}`, { method: 'POST', body: JSON.stringify(body) });
        return (await answer.json()) as Record<string, unknown>;
      };
      const { appId: appid, appSecret: secret } = simulator.wechat.options;
      const { access_token } = await post('/cgi-bin/stable_token', {
        grant_type: 'client_credential',
        appid,
        secret,
      });
      simulator.wechat.connect(`http://127.0.0.1:${port}/webhooks/wechat`);
      const asked = slowBot.next();
      void simulator.wechat.push({ user: 'oUser_1', text: 'hi' });
      const answered = await asked;
      process.signal('SIGTERM');
      // No push is taken any more: then the bot has its answer ready.
      await expect.poll(async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).status).toBe(503);
      const path = `/cgi-bin/message/custom/send?access_token=${String(access_token)}`;
      const message = { touser: 'oUser_1', msgtype: 'text', text: { content: 'late, but here' } };
      expect(await post(path, message)).toMatchObject({ errcode: 0 });
      answered();
      await simulator.wechat.phone('oUser_1').next(({ what }) => what === 'received');
      expect(await process.exit).toBe(0);
    });

    test('wants a token of its own making from this machine too, through a forwarder that says nothing of itself', async () => {
      const environment = { ...bare, ...simulatedEnvironment(simulator, bot) };
      const process = run('main', environment);
      const port = Number(/"port":(\d+)/.exec(await process.says('"listening"'))?.[1]);
      const link = /http:\S+#login=([\w-]+)/.exec(await process.says('#login='));
      const forwarder = createForwarder((socket) => {
        const onward = connect({ host: '127.0.0.1', port });
        socket.pipe(onward).pipe(socket);
        for (const end of [socket, onward]) end.on('error', () => {});
      }).listen(0, 'localhost');
      await once(forwarder, 'listening');
      const address = forwarder.address();
      const outside = `http://localhost:${typeof address === 'object' ? address?.port : ''}`;
      for (const base of [outside, `http://localhost:${port}`]) {
        const statusOf = async (path: string, headers = {}) =>
          (await fetch(`${base}${path}`, { headers })).status;
        for (const path of [
          '/console/api/failed',
          '/metrics',
          '/accounts',
          '/conversations/wechat/default/u',
        ])
          expect([path, await statusOf(path)]).toEqual([path, 401]);
        const asked = 'cgi-bin/token?grant_type=client_credential&appid=wrong';
        expect(await statusOf(`/gateway/wechat/default/${asked}`)).toBe(404);
        // What was made is in the data folder, for its owner, and opens everything.
        const [token, key] = await Promise.all(
          ['control-token', 'gateway-key'].map(async (name) => {
            expect(((await stat(join(dataDir, name))).mode & 0o777).toString(8)).toBe('600');
            return (await readFile(join(dataDir, name), 'utf8')).trim();
          }),
        );
        const authorization = `Bearer ${token}`;
        for (const path of ['/console/api/failed', '/metrics', '/accounts'])
          expect([path, await statusOf(path, { authorization })]).toEqual([path, 200]);
        expect(await statusOf(`/gateway/${key}/wechat/default/${asked}`)).toBe(200);
        expect(process.output()).not.toContain(token);
        expect(process.output()).not.toContain(key);
      }
      const logIn = () =>
        fetch(`http://127.0.0.1:${port}/console/api/session`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
          body: JSON.stringify({ code: link?.[1] }),
        });
      expect(link?.[0]).toBe(`http://127.0.0.1:${port}/console#login=${link?.[1]}`);
      const entered = await logIn();
      const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? '';
      const failed = await fetch(`${outside}/console/api/failed`, { headers: { cookie } });
      expect([entered.status, failed.status, (await logIn()).status]).toEqual([204, 200, 401]);
      const before = await readFile(join(dataDir, 'control-token'), 'utf8');
      forwarder.close();
      process.signal('SIGTERM');
      await process.exit;
      const next = run('main', environment);
      expect(await next.says('#login=')).not.toContain(link?.[1]);
      expect(await readFile(join(dataDir, 'control-token'), 'utf8')).toBe(before);
    });

    test.each([
      ['with an account', () => simulatedEnvironment(simulator, bot)],
      ['without one', () => ({})],
      ['told to play the demo', () => ({ ...simulatedEnvironment(simulator, bot), DEMO: '1' })],
    ])('web on a Redis of its own wants one as well, %s', async (_, environment) => {
      const redis = await startRedis('embedded');
      const web = run('web', { ...bare, ...environment(), REDIS_URL: redis.url });
      const port = /"port":(\d+)/.exec(await web.says('"listening"'))?.[1];
      await web.says('#login=');
      const home = await fetch(`http://localhost:${port}/`, { redirect: 'manual' });
      expect([home.status, home.headers.get('location')]).toEqual([302, '/console']);
      expect((await fetch(`http://localhost:${port}/console/api/failed`)).status).toBe(401);
      web.signal('SIGTERM');
      await web.exit;
      await redis.stop();
    });

    test('lives on through bad input', async () => {
      const process = run('main', { ...bare, ...simulatedEnvironment(simulator, bot) });
      const port = /"port":(\d+)/.exec(await process.says('"listening"'))?.[1];
      const base = `http://127.0.0.1:${port}`;
      const bodies = [
        '',
        'null',
        '1',
        '[]',
        '{"__proto__":{"x":1}}',
        '{"messages":[{"from":{},"id":[]}]}',
        '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
        '<a>'.repeat(50_000),
        'x'.repeat(2 * 1024 * 1024),
      ];
      for (const path of [
        '/webhooks/wechat',
        '/webhooks/nxcloud',
        '/webhooks/other',
        '/webhooks/wechat/nobody',
      ]) {
        for (const body of bodies) {
          const { status } = await fetch(`${base}${path}`, { method: 'POST', body });
          expect([200, 400, 401, 404, 413]).toContain(status);
        }
      }
      expect(await (await fetch(`${base}/healthz`)).json()).toEqual({ status: 'alive' });
      expect([...simulator.wechat.calls, ...simulator.nxcloud.calls]).toEqual([]);
    });
  });

  test.skipIf(redisServer === null).each([
    ['npm', 'SIGTERM'],
    ['npm', 'SIGHUP'],
    ['npm', 'SIGKILL'],
    ['node', 'SIGTERM'],
    ['node', 'SIGHUP'],
    ['node', 'SIGQUIT'],
  ] as const)('leaves neither itself nor its redis-server when its %s gets %s', async (whose, signal) => {
    const npm = startByNpm(await packageFolder(), { DATA_DIR: dataDir, PORT: '0', ...configured });
    child = npm;
    const node = Number(/"pid":(\d+)/.exec(await npm.says('"working"'))?.[1]);
    const redis = new URL((await findPrivateServer(dataDir)) ?? '');
    expect(await isOpen(redis)).toBe(true);
    process.kill(whose === 'npm' ? npm.pid : node, signal);
    await npm.exit;
    await expect.poll(() => isAlive(node)).toBe(false);
    expect(await isOpen(redis)).toBe(false);
  });

  test('reads .env, as the doctor and replies do; what is set already wins, and it says which files it read', async () => {
    const folder = await packageFolder();
    const written = { ...configured, PORT: '1', HOST: '127.0.0.1', REDIS_URL: 'redis://127.0.0.1:1' };
    const lines = Object.entries(written).map(([name, value]) => `${name}=${value}`);
    await writeFile(join(folder, '.env'), `${lines.join('\n')}\n`);
    const environment = { DATA_DIR: dataDir, PORT: '0' };
    const npm = startByNpm(folder, environment);
    child = npm;
    await npm.says('Settings: from the environment, .env.');
    await npm.says('wechat/default: webhook URL');
    expect(await npm.says('"listening"')).not.toContain('"port":1,');
    npm.signal('SIGTERM');
    await npm.exit;
    const doctor = startByNpm(folder, environment, ['run', 'doctor']);
    await doctor.says('serves wechat/default (from the environment, .env)');
    await doctor.exit;
    const replies = startByNpm(folder, environment, ['run', 'replies']);
    child = replies;
    await replies.says('Redis is out of reach');
  });

  test('without .env says so, and that it plays the demo', async () => {
    const folder = await packageFolder();
    const npm = startByNpm(folder, { PORT: '0', LOG_FORMAT: 'pretty' });
    child = npm;
    await npm.says(`Settings: from the environment; there is no .env in ${await realpath(folder)}.`);
    await npm.says('no account is configured');
    expect(npm.output()).not.toContain('webhook URL https');
  });

  test('on a port that is in use says so in a sentence', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const address = other.address();
    const port = typeof address === 'object' ? String(address?.port) : '';
    const refused = run('main', { ...bare, ...configured, PORT: port });
    expect(await refused.exit).toBe(1);
    expect(refused.output()).toContain(
      `Port ${port} is in use: stop what listens on it, or set PORT to another one.`,
    );
    expect(refused.output()).not.toContain('stack');
    other.close();
  });

  test('in production it refuses to go on without REDIS_URL, and says so', async () => {
    const refused = run('main', {
      ...bare,
      NODE_ENV: 'production',
      WECHAT_APP_ID: 'wx1',
      WECHAT_APP_SECRET: 's',
      WECHAT_TOKEN: 't',
    });
    await refused.says('REDIS_URL');
    expect(await refused.exit).toBe(1);
    expect(refused.output()).not.toContain('stack');
  });

  test.each(['web', 'worker', 'replies'] as const)(
    '%s without REDIS_URL says so in a sentence',
    async (name) => {
      const refused = run(name, { ...bare, WECHAT_APP_ID: 'wx1', WECHAT_APP_SECRET: 's', WECHAT_TOKEN: 't' });
      expect(await refused.exit).toBe(1);
      expect(refused.output()).toContain(
        'REDIS_URL is missing: web, worker and replies need it; only npm start brings its own.',
      );
      expect(refused.output()).not.toContain('stack');
    },
  );

  test('a faulty configuration ends it with every fault by name', async () => {
    const refused = run('web', { PORT: 'many', HOLD_MS: '9000', REDIS_URL: 'http://wrong' });
    expect(await refused.exit).toBe(1);
    expect(refused.output()).toMatch(/PORT[^]*HOLD_MS|HOLD_MS[^]*PORT/);
    expect(refused.output()).toContain('REDIS_URL');
  });
});
