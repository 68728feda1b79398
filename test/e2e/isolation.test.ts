/** What one account's platform or bot does to another account's users: nothing. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startBot, startSimulator, type Bot, type Simulator } from '../../src/simulator/index.ts';
import { markIs as is, useStage, wideWindow, type Stage } from './stage.ts';

const { open } = useStage();

/** Few places, so that one account alone could fill them several times. */
const narrow = { TYPING_CONCURRENCY: '20', REPLY_CONCURRENCY: '20' };
const crowd = Array.from({ length: 60 }, (_, n) => `oCrowd_${n}`);

/** A stage with a second account, `ill`, on a platform and with a bot of its own. */
async function openBeside(bot: { thinkMs: number }): Promise<{ stage: Stage; ill: Simulator; illBot: Bot }> {
  const ill = await startSimulator({ wechat: { appId: 'wx00000000000ill' } });
  const illBot = await startBot({ ...bot, wechat: { ...ill.wechat.options, apiBase: ill.wechat.apiBase } });
  const folder = await mkdtemp(join(tmpdir(), 'isolation-'));
  onTestFinished(async () => {
    await Promise.all([ill.close(), rm(folder, { recursive: true })]);
  });
  const { appId, appSecret, token, encodingAesKey } = ill.wechat.options;
  const account = {
    appId,
    appSecret,
    token,
    encodingAesKey,
    apiBase: ill.wechat.apiBase,
    botUrl: illBot.url,
  };
  await writeFile(
    join(folder, 'default.json'),
    JSON.stringify({ version: 1, accounts: { wechat: { ill: account } } }),
  );
  const env = { ...wideWindow.env, ...narrow, CONFIG_DIR: folder };
  const stage = await open({ ...wideWindow, env, bot: { thinkMs: 2_500 } });
  ill.wechat.connect(`${stage.webs[0]?.url}/webhooks/wechat/ill`);
  return { stage, ill, illBot };
}

/** The other account's user writes, sees typing, then gets the answer and no more typing. */
async function expectServed({ simulator }: Stage): Promise<void> {
  const phone = simulator.wechat.phone('oOther');
  void simulator.wechat.push({ user: 'oOther', text: 'hello' });
  const answer = await phone.next(is('received'));
  expect(phone.marks.find(is('typing-on'))?.at).toBeLessThan(answer.at);
  expect(phone.ghost(answer.at)).toBe(0);
}

function write(simulator: Simulator): void {
  for (const user of crowd) simulator.wechat.push({ user, text: 'hello' }).catch(() => {});
}

test('a platform that hangs for one account takes nothing from another’s typing or answers', async () => {
  const { stage, ill, illBot } = await openBeside({ thinkMs: 60_000 });
  ill.wechat.faults.set('*', { hang: true });
  write(ill);
  // As many hang as may.
  await expect.poll(() => ill.wechat.calls.length).toBeGreaterThan(0);
  await expectServed(stage);
  // Or the worker would wait for it to stop.
  await illBot.close();
});

test('a bot that hangs for one account takes nothing from another’s, whatever waits for it', async () => {
  const { stage, ill, illBot } = await openBeside({ thinkMs: 60_000 });
  write(ill);
  await illBot.call(1);
  await expectServed(stage);
  expect(illBot.calls.length).toBeLessThan(crowd.length);
  await illBot.close();
});

test('pushes that wait for a place reach their bot once each, when there is one', async () => {
  const { ill, illBot } = await openBeside({ thinkMs: 150 });
  write(ill);
  const answered = () => crowd.filter((user) => ill.wechat.phone(user).marks.some(is('received')));
  await expect.poll(() => answered().length).toBe(crowd.length);
  for (const user of crowd) expect(ill.wechat.phone(user).marks.filter(is('received'))).toHaveLength(1);
  await illBot.close();
});
