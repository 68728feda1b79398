/** What is told, as it happens, to whoever counts or keeps a record: from the push to the phone. */
import { describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import { looks } from '../../src/typing/looks.ts';
import { asOperator, gatewayOf, type Stage, type StageOptions, useStage, wideWindow } from './stage.ts';

const { open } = useStage();

type Is = Notice['is'];

async function watched(options: StageOptions): Promise<{ stage: Stage; told: Notice[] }> {
  const stage = await open(options);
  const told: Notice[] = [];
  for (const { parts } of [...stage.webs, ...stage.workers])
    parts.observers.add((notice) => told.push(notice));
  return { stage, told };
}

function of<Wanted extends Is>(told: Notice[], is: Wanted): Extract<Notice, { is: Wanted }>[] {
  return told.filter((notice): notice is Extract<Notice, { is: Wanted }> => notice.is === is);
}

async function expectTold(told: Notice[], is: Is, ...notices: object[]): Promise<void> {
  await expect.poll(() => of(told, is)).toMatchObject(notices);
}

const ofWechat = { channel: 'wechat', account: 'default' };
const byWechat = { ...ofWechat, user: 'oNotice' };

describe('a message that is answered while WeChat waits', () => {
  test('is told from its push to its answer, with what its wait was like', async () => {
    const patient = { rules: { ...wideWindow.wechat.rules, pushTimeout: 5_000 } };
    const env = { ...wideWindow.env, HOLD_MS: '4500' };
    const { stage, told } = await watched({ env, wechat: patient, bot: { thinkMs: () => 200 } });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'a secret wish' });
    await expectTold(told, 'ended', { ...byWechat, by: 'passive-reply', untyped: null });
    await expectTold(told, 'delivery', { ...byWechat, way: 'inline', job: null });
    expect(of(told, 'push')).toMatchObject([{ ...ofWechat, result: 'taken', status: 200 }]);
    const [message] = of(told, 'inbound');
    expect(message).toMatchObject({ ...byWechat, type: 'text', opensTurn: true });
    const [ended] = of(told, 'ended');
    expect(ended?.turn).toBe(message?.turn);
    expect(ended?.waitMs).toBeGreaterThanOrEqual(200);
    expect(ended?.litMs).toBeGreaterThan(0);
    expect(ended?.litMs).toBeLessThanOrEqual(ended?.waitMs ?? 0);
    expect(ended?.firstMs).toBeLessThan(ended?.waitMs ?? 0);
    const [bot] = of(told, 'bot');
    expect(bot).toMatchObject({ ...byWechat, turn: message?.turn, status: 200, result: 'answered' });
    expect(bot?.ms).toBeGreaterThanOrEqual(200);
    expect(bot?.overheadMs).toBeGreaterThanOrEqual(0);
    expect(of(told, 'call')[0]).toMatchObject({ ...byWechat, kind: 'show', outcome: 'done', remedy: null });
    expect(of(told, 'token')).toMatchObject([{ ...ofWechat, result: 'renewed', code: 0 }]);
    expect(new Set(of(told, 'lag').map(({ queue }) => queue))).toEqual(new Set(['typing']));
    expect(JSON.stringify(told)).not.toMatch(/secret wish|echo/);
  });
});

describe('a late answer', () => {
  test('that goes out through the API is told as sent', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 700 } });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'delivery', { ...byWechat, way: 'sent', code: 0, job: null });
  });

  test('that WeChat refuses is told with its code and the job that can be run again', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 700 } });
    stage.simulator.wechat.faults.set('/cgi-bin/message/custom/send', { code: 45047 });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'delivery', { ...byWechat, way: 'refused', code: 45047, job: expect.any(String) });
  });

  test('of whose sending nobody knows is told as unknown', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 700 } });
    stage.simulator.wechat.faults.set('/cgi-bin/message/custom/send', { status: 502 });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'delivery', { ...byWechat, way: 'unknown' });
  });
});

describe('told as well are', () => {
  test('a refused account: what mends it, that its typing is off, and why later waits are dark', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 1_000 } });
    stage.simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { code: 48001 });
    const pushed = stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    const remedy = expect.stringMatching(/certif/);
    await expectTold(told, 'account', { ...ofWechat, typing: 'off', code: 48001, remedy });
    expect(of(told, 'call')).toMatchObject([{ outcome: 'account-off', code: 48001, remedy }]);
    // The web, which will learn of the end, reads every few seconds what others have learned.
    await stage.webs[0]?.parts.learned.refresh();
    await expectTold(told, 'ended', { untyped: 'no_permission' });
    await pushed;
  });

  test('a platform that is down: calls, and the breaker that opens', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 2_000 } });
    stage.simulator.wechat.faults.set('/cgi-bin/message/custom/typing', { status: 503 });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'breaker', { ...ofWechat, state: 'open' });
    await expectTold(told, 'ended', { untyped: expect.stringMatching(/^(breaker|not_accepted)$/) });
  });

  test('a message of a kind that starts nothing, and one that has another’s signature', async () => {
    const { stage, told } = await watched(wideWindow);
    await stage.simulator.wechat.push({ user: 'oNotice', type: 'event', fields: { Event: 'VIEW' } });
    await expectTold(told, 'inbound', { ...byWechat, opensTurn: false });
    const forged = `${stage.webs[0]?.url}/webhooks/wechat?signature=00&timestamp=1&nonce=2`;
    await fetch(forged, { method: 'POST', body: '<xml/>' });
    await expectTold(told, 'push', { result: 'taken' }, { ...ofWechat, result: 'refused', status: 401 });
  });

  test('a human who takes the conversation and gives it back, and the message that then got no typing', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { thinkMs: () => 100 } });
    const pause = `${stage.webs[0]?.url}/conversations/wechat/default/oNotice/pause`;
    await fetch(pause, { ...asOperator, method: 'PUT' });
    await expectTold(told, 'handoff', { ...byWechat, on: true, by: 'control' });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'skipped', { ...byWechat, reason: 'paused' });
    await fetch(pause, { ...asOperator, method: 'DELETE' });
    await expectTold(told, 'handoff', { on: true }, { on: false, by: 'control' });
  });

  test('a ghost that a cancel takes away, or that WhatsApp leaves', async () => {
    const { stage, told } = await watched({
      ...wideWindow,
      bot: { thinkMs: () => 200, style: 'fail' },
    });
    // One may be told in parts: by whoever learns that nobody waits, and by whoever takes it away.
    const ghostOf = (channel: string): number =>
      of(told, 'ghost')
        .filter((ghost) => ghost.channel === channel)
        .reduce((sum, { ms }) => sum + ms, 0);
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expect.poll(() => ghostOf('wechat')).toBeGreaterThan(0);
    await expect.poll(() => stage.simulator.wechat.phone('oNotice').litAt(Date.now())).toBe(false);
    await stage.simulator.nxcloud.push({ user: '8613800138000', text: 'x' });
    await expect.poll(() => ghostOf('nxcloud')).toBeGreaterThan(0);
    expect(ghostOf('wechat')).toBeLessThan(ghostOf('nxcloud'));
  });

  test('a bot that answers each delivery itself, in pass mode', async () => {
    const env = { ...wideWindow.env, WECHAT_BOT_MODE: 'pass' };
    const { stage, told } = await watched({ ...wideWindow, env, bot: { thinkMs: () => 100 } });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expectTold(told, 'delivery', { ...byWechat, way: 'passed' });
    expect(of(told, 'bot')).toMatchObject([{ ...byWechat, status: 200, result: 'answered' }]);
  });

  test('a bot in pass mode that is later than WeChat waits, in the log too', async () => {
    const env = { ...wideWindow.env, WECHAT_BOT_MODE: 'pass' };
    const { stage, told } = await watched({ ...wideWindow, env, bot: { thinkMs: () => 60_000 } });
    // Each process counts those whose end it has met: of five one of the two meets three.
    for (let n = 0; n < 5; n += 1) void stage.simulator.wechat.push({ user: `oLate${n}`, text: 'x' });
    await expect
      .poll(() => of(told, 'look'))
      .toContainEqual(expect.objectContaining({ ...ofWechat, reason: looks.late }));
    expect(stage.log.lines.map(({ message }) => message)).toContain(looks.late);
  });

  test('a call of the bot that passes the gateway, and the message that is seen there', async () => {
    const { stage, told } = await watched({ ...wideWindow, bot: { style: 'api', thinkMs: () => 200 } });
    await stage.simulator.wechat.push({ user: 'oNotice', text: 'x' });
    await expect
      .poll(() => stage.simulator.wechat.phone('oNotice').marks.some(({ what }) => what === 'received'))
      .toBe(true);
    const base = `${gatewayOf(stage)}/wechat/default`;
    const { appId: appid, appSecret: secret } = stage.simulator.wechat.options;
    const token = await post(`${base}/cgi-bin/stable_token`, {
      grant_type: 'client_credential',
      appid,
      secret,
    });
    const text = { touser: 'oNotice', msgtype: 'text', text: { content: 'more' } };
    await post(`${base}/cgi-bin/message/custom/send?access_token=${String(token['access_token'])}`, text);
    await expectTold(told, 'gateway', { ...ofWechat, waitedForShow: false });
    await expectTold(told, 'outbound', { ...byWechat, by: 'gateway' });
  });
});

async function post(url: string, body: object): Promise<Record<string, unknown>> {
  const answer = await fetch(url, { method: 'POST', body: JSON.stringify(body) });
  return (await answer.json()) as Record<string, unknown>;
}
