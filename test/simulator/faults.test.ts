import { describe, expect, test } from 'vitest';
import type { Fault } from '../../src/simulator/index.ts';
import { createFaults } from '../../src/simulator/faults.ts';
import { nxcloudCaller, post, simulator, SUCCESS, webhook, wechatCaller } from './helpers.ts';
import { handClock } from '../support/clock.ts';

const TYPING = '/cgi-bin/message/custom/typing';

async function conversation() {
  const running = await simulator();
  const hook = await webhook(() => Promise.resolve(SUCCESS));
  running.wechat.connect(hook.url);
  running.nxcloud.connect(hook.url);
  await running.wechat.push({ user: 'OPENID', text: 'hello' });
  await running.nxcloud.push({ user: '86138', text: 'hello', id: 'wamid.1' });
  return { ...running, ...(await wechatCaller(running)), whatsapp: nxcloudCaller(running) };
}

describe('the list', () => {
  test('counts down, in order, per path', () => {
    const faults = createFaults();
    faults.set('/a', { code: 1 }, 2);
    faults.set('/a', { hang: true }, 1);
    faults.set('*', { reset: true }, 1);
    const taken = ['/a', '/b', '/a', '/a', '/a'].map((path) => faults.take(path));
    expect(taken).toEqual([{ code: 1 }, { reset: true }, { code: 1 }, { hang: true }, null]);
  });

  test('lasts until cleared unless counted', () => {
    const faults = createFaults();
    faults.set('/a', { code: 1 });
    faults.set('/b', { code: 2 });
    expect([faults.take('/a'), faults.take('/a')]).toEqual([{ code: 1 }, { code: 1 }]);
    faults.clear('/a');
    expect([faults.take('/a'), faults.take('/b')]).toEqual([null, { code: 2 }]);
    faults.clear();
    expect(faults.take('/b')).toBeNull();
  });
});

describe('on the wire', () => {
  test("the platform's code comes instead of the effect, for as many calls as asked", async () => {
    const { typing, wechat } = await conversation();
    wechat.faults.set(TYPING, { code: 45009 }, 1);
    expect(await typing('OPENID')).toBe(45009);
    expect(wechat.phone('OPENID').intervals()).toEqual([]);
    expect(await typing('OPENID')).toBe(0);
  });

  test("Meta's errors come inside code 0 for typing and 9099 for sending", async () => {
    const { whatsapp, nxcloud } = await conversation();
    nxcloud.faults.set('*', { metaCode: 131056 }, 2);
    expect((await whatsapp.typing('wamid.1')).json()).toMatchObject({
      code: 0,
      data: { error: { code: 131056 } },
    });
    expect((await whatsapp.send('86138', 'x')).json()).toMatchObject({
      code: 9099,
      data: { error: { code: 131056 } },
    });
  });

  test('a status, and a late answer', async () => {
    const { wechat, typing } = await conversation();
    wechat.faults.set(TYPING, { status: 503 }, 1);
    expect((await post(`${wechat.apiBase}${TYPING}`, {})).status).toBe(503);
    wechat.faults.set(TYPING, { latencyMs: 40 }, 1);
    const start = performance.now();
    expect(await typing('OPENID')).toBe(0);
    expect(performance.now() - start).toBeGreaterThan(35);
  });

  test.each<Fault>([{ hang: true }, { reset: true }])('%j: no answer and no effect', async (fault) => {
    const { wechat } = await conversation();
    wechat.faults.set(TYPING, fault, 1);
    const asked = fetch(`${wechat.apiBase}${TYPING}`, { method: 'POST', body: '{"touser":"OPENID"}' });
    const lost = asked.then(
      () => 'answered',
      () => 'lost',
    );
    await wechat.phone('OPENID').next(({ what }) => what === 'call');
    await wechat.close();
    expect(await lost).toBe('lost');
    expect(wechat.calls.at(-1)?.code).toBeNull();
  });

  test('carried out first: the phone is lit though no answer came', async () => {
    const { wechat, typing } = await conversation();
    wechat.faults.set(TYPING, { reset: true, carriedOut: true }, 1);
    await expect(typing('OPENID')).rejects.toThrow('fetch failed');
    expect(wechat.phone('OPENID').intervals()).toHaveLength(1);
    expect(wechat.calls.at(-1)?.code).toBe(0);
  });

  test('carried out first: statuses follow though the answer was lost', async () => {
    const { whatsapp, nxcloud } = await conversation();
    const hook = await webhook(() => Promise.resolve(SUCCESS));
    nxcloud.connect(hook.url);
    nxcloud.faults.set('/api/wa/mt', { reset: true, carriedOut: true }, 1);
    await expect(whatsapp.send('86138', 'answer')).rejects.toThrow('fetch failed');
    await expect.poll(() => hook.requests.length).toBe(2);
  });
});

const run = async () => {
  const { wechat } = await simulator({ now: handClock().now, random: () => 0.5 });
  const { appId: appid, appSecret: secret } = wechat.options;
  const body = { grant_type: 'client_credential', appid, secret };
  return (await post(`${wechat.apiBase}/cgi-bin/stable_token`, body)).text;
};

test('the same clock and numbers make the same simulator', async () => {
  expect(await run()).toBe(await run());
});

describe('the way to the API', () => {
  test('a call arrives after half of its own way, whatever is sent meanwhile', async () => {
    const day = 86_400_000;
    const running = await simulator({ way: ({ user }) => (user === 'FAR' ? day : 0) });
    const hook = await webhook(() => Promise.resolve(SUCCESS));
    running.wechat.connect(hook.url);
    for (const user of ['FAR', 'NEAR']) await running.wechat.push({ user, text: 'hello' });
    const { typing } = await wechatCaller(running);
    const far = typing('FAR').catch(() => 'closed with the simulator');
    expect(await typing('NEAR')).toBe(0);
    const users = running.wechat.calls.map(({ user, wayMs }) => ({ user, wayMs }));
    expect(users.filter(({ user }) => user !== null)).toEqual([{ user: 'NEAR', wayMs: 0 }]);
    expect(running.wechat.phone('FAR').intervals()).toEqual([]);
    await running.close();
    expect(await far).toBe('closed with the simulator');
  });

  test('its answer comes after the other half, its effect before', async () => {
    const running = await simulator({ way: ({ command }) => (command === 'Typing' ? 2 : 0) });
    const hook = await webhook(() => Promise.resolve(SUCCESS));
    running.wechat.connect(hook.url);
    await running.wechat.push({ user: 'OPENID', text: 'hello' });
    const { typing } = await wechatCaller(running);
    const answered = typing('OPENID');
    await running.wechat.phone('OPENID').next(({ what }) => what === 'typing-on');
    const call = running.wechat.calls.find(({ user }) => user === 'OPENID');
    expect(call?.endedAt).toBeNull();
    expect(await answered).toBe(0);
    expect(call?.wayMs).toBe(2);
  });
});
