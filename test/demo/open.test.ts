import { expect, onTestFinished, test } from 'vitest';
import { loadConfig } from '../../src/config/index.ts';
import { openDemo, type DemoScript } from '../../src/demo/open.ts';
import { startBot, WECHAT_DEFAULTS } from '../../src/simulator/index.ts';
import { createParts } from '../../src/wiring/parts.ts';
import { createReleases } from '../../src/wiring/releases.ts';
import { startWeb } from '../../src/wiring/web.ts';
import { createOwnWorker } from '../../src/wiring/worker.ts';
import { recordLog } from '../support/log.ts';
import { startRedis } from '../support/redis.ts';

const script: DemoScript = {
  wechat: { user: 'o1', text: 'ni hao', thinkMs: 1_500 },
  nxcloud: { user: '8613800138000', text: 'hello', thinkMs: 1_700 },
};

/** Plays it to its end. Resolves with what was said. */
async function play(environment: Record<string, string>): Promise<string> {
  const releases = createReleases(() => {});
  const said: string[] = [];
  const redis = await startRedis('embedded');
  releases.add('redis', () => redis.stop());
  const { config } = loadConfig({ PORT: '0', HOST: '127.0.0.1', ...environment });
  expect(config.demo).toBe(true);
  const demo = await openDemo(config, { script, say: (text) => void said.push(text) });
  const parts = createParts({ config: demo.config, redis, log: recordLog(), releases });
  const port = await startWeb(parts, { skipped: [], releases, standby: false });
  const worker = createOwnWorker(parts);
  releases.add('worker', () => worker.stop());
  await worker.start();
  await demo.play(port, { releases, worker });
  await releases.all();
  return said.join('\n');
}

test('the demo plays both conversations to their end and says how they were', async () => {
  const lines = await play({});
  expect(lines).toMatch(/0\.\d s {2}WeChat {4}user {6}▸ ni hao/);
  expect(lines).toMatch(/WeChat {4}indicator ● typing…/);
  expect(lines).toMatch(/WeChat {4}bot {7}◂ About “ni hao”/);
  expect(lines).toMatch(/WhatsApp {2}indicator ● typing…/);
  expect(lines).toMatch(
    /WeChat: {3}waited \d+\.\d s, typing was shown for \d+\.\d % of it, nothing after the answer/,
  );
  expect(lines).toMatch(
    /WhatsApp: waited \d+\.\d s, typing was shown for \d+\.\d % of it, nothing after the answer/,
  );
});

test('with a bot of one’s own behind the simulated WeChat, which knows its signatures', async () => {
  const token = 'the-token-of-my-bot';
  const bot = await startBot({
    thinkMs: 1_500,
    answer: (text) => `mine: ${text}`,
    wechat: { ...WECHAT_DEFAULTS, token, apiBase: 'http://127.0.0.1:9' },
  });
  onTestFinished(() => bot.close());
  const lines = await play({
    WECHAT_APP_ID: 'wx0123456789abcdef',
    WECHAT_TOKEN: 'of-the-real-account',
    WECHAT_BOT_URL: 'http://127.0.0.1:9/real',
    DEMO_BOT_URL: bot.url,
    DEMO_BOT_TOKEN: token,
  });
  expect(lines).toContain(`On WeChat your bot answers, ${bot.url}`);
  expect(lines).toMatch(/WeChat {4}indicator ● typing…/);
  expect(lines).toMatch(/WeChat {4}bot {7}◂ mine: ni hao/);
  expect(lines).toMatch(/WhatsApp {2}bot {7}◂ About “hello”/);
});
