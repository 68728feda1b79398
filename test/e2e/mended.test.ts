/** An account that the platform refused, and that somebody has mended, as most first installations go: works at once. */
import { describe, expect, test } from 'vitest';
import {
  asOperator,
  gatewayOf,
  markIs,
  type Stage,
  type StageOptions,
  useStage,
  wideWindow,
} from './stage.ts';

const stages = useStage();
const slow = { ...wideWindow, bot: { thinkMs: () => 400 } } as const satisfies StageOptions;
const token = '/cgi-bin/stable_token';
const typing = '/cgi-bin/message/custom/typing';

/** WeChat has refused a first message's typing; what it refused with is mended, and nobody has said so. */
async function mended(path: string, code: number): Promise<Stage> {
  const stage = await stages.open(slow);
  stage.simulator.wechat.faults.set(path, { code });
  const learned = stage.workers[0]?.parts.learned;
  // A machine that is far behind leaves the typing of a message out.
  const offCode = async (): Promise<number | undefined> => {
    await stage.simulator.wechat.push({ user: 'oFirst', text: 'x' });
    return learned?.of(place).offCode;
  };
  await expect.poll(offCode, { interval: 500 }).toBe(code);
  stage.simulator.wechat.faults.clear();
  for (const { parts } of [...stage.webs, ...stage.workers]) await parts.learned.refresh();
  expect(await typingOf(stage)).toMatchObject({ is: 'off', code });
  return stage;
}

const place = { channel: 'wechat', account: 'default' } as const;

async function typingOf(stage: Stage): Promise<unknown> {
  const answer = await fetch(`${stage.webs[0]?.url}/accounts/wechat/default`, asOperator);
  const { serves } = (await answer.json()) as { serves: { typing: unknown } };
  return serves.typing;
}

async function expectTyping(stage: Stage, user = 'oNext'): Promise<void> {
  const hasTyped = async (): Promise<boolean> => {
    await stage.simulator.wechat.push({ user, text: 'x' });
    return stage.simulator.wechat.phone(user).marks.some(markIs('typing-on'));
  };
  await expect.poll(hasTyped, { interval: 500 }).toBe(true);
  await expect.poll(() => stage.log.lines.map(({ message }) => message)).toContain('Typing works again.');
}

test('WeChat 40164: log, console and control API say which address to add', async () => {
  const stage = await mended(token, 40164);
  const remedy = 'Add 203.0.113.7 to the IP allowlist in the WeChat console.';
  expect(stage.log.lines.find(({ level }) => level === 'error')?.message).toMatch(`: ${remedy}`);
  expect(await typingOf(stage)).toMatchObject({ remedy });
});

describe('a mended account types again', () => {
  test.each([
    [token, 40164],
    [token, 40001],
    [typing, 48001],
  ])('with the first message after a restart: %s %d', async (path, code) => {
    const stage = await mended(path, code);
    const before = stage.workers.splice(0);
    await stage.startWorker();
    for (const worker of before) await worker.stop();
    await expectTyping(stage);
  });

  test('with the first message after a call of the control API', async () => {
    const stage = await mended(token, 40164);
    const url = `${stage.webs[0]?.url}/accounts/wechat/default/typing`;
    expect((await fetch(url, { ...asOperator, method: 'PUT' })).status).toBe(204);
    // Other processes read every few seconds what was learned.
    await stage.workers[0]?.parts.learned.refresh();
    await expectTyping(stage);
    expect(await typingOf(stage)).toEqual({ is: 'on' });
  });

  test('when WeChat has accepted a message of the bot in the gateway', async () => {
    const stage = await mended(typing, 48001);
    const { appId: appid, appSecret: secret } = stage.simulator.wechat.options;
    const base = `${gatewayOf(stage)}/wechat/default`;
    const ask = { grant_type: 'client_credential', appid, secret };
    const given = await fetch(`${base}${token}`, { method: 'POST', body: JSON.stringify(ask) });
    const { access_token } = (await given.json()) as { access_token: string };
    const text = { touser: 'oFirst', msgtype: 'text', text: { content: 'x' } };
    const send = `${base}/cgi-bin/message/custom/send?access_token=${access_token}`;
    await fetch(send, { method: 'POST', body: JSON.stringify(text) });
    await expect.poll(() => stage.webs[0]?.parts.learned.of(place).offUntil).toBe(0);
  });
});
