import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startBot, startSimulator, type Bot, type Simulator } from '../../src/simulator/index.ts';
import { simulatedEnvironment } from '../../src/wiring/simulated.ts';
import { start, type Child } from './processes.ts';

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

/** A PATH on which no redis-server is found. */
const bare = { PATH: '/nowhere' };

function run(name: 'main' | 'web' | 'worker', environment: Record<string, string>): Child {
  child = start(name, { DATA_DIR: dataDir, PORT: '0', HOST: '127.0.0.1', ...environment });
  return child;
}

describe('npm start', () => {
  test('with nothing configured plays the demo on the embedded Redis and ends on SIGTERM', async () => {
    // A proxy in the environment knows nothing of the simulated platforms on this machine.
    const demo = run('main', { ...bare, HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9' });
    await demo.says('no account is configured');
    await demo.says('It lives in memory only');
    await demo.says('WhatsApp  indicator ● typing…');
    await demo.says('WeChat    indicator ● typing…');
    demo.signal('SIGTERM');
    expect(await demo.exit).toBe(0);
  });

  describe('with an account', () => {
    let simulator: Simulator;
    let bot: Bot;

    beforeEach(async () => {
      simulator = await startSimulator();
      bot = await startBot({
        wechat: { ...simulator.wechat.options, apiBase: simulator.wechat.apiBase },
        thinkMs: 300,
      });
    });

    afterEach(async () => {
      await bot.close();
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
  });

  test('a faulty configuration ends it with every fault by name', async () => {
    const refused = run('web', { PORT: 'many', HOLD_MS: '9000', REDIS_URL: 'http://wrong' });
    expect(await refused.exit).toBe(1);
    expect(refused.output()).toMatch(/PORT[^]*HOLD_MS|HOLD_MS[^]*PORT/);
    expect(refused.output()).toContain('REDIS_URL');
  });
});
