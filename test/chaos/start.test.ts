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
    const demo = run('main', bare);
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

    test('BYPASS forwards and does nothing else', async () => {
      const process = run('main', { ...bare, ...simulatedEnvironment(simulator, bot), BYPASS: '1' });
      await process.says('BYPASS is set');
      expect(process.output()).not.toContain('Redis');
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
