import { describe, expect, test } from 'vitest';
import { NoAnswer, type Send } from '../../src/core/wire.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { createAccessTokens } from '../../src/wechat/token.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { adapterDeps, answerOf, fakeCache, granted, scriptedSend } from '../support/wechat.ts';

const target = { user: 'OPENID', messageId: null };

/** As many processes as wanted on one clock and cache. */
function processes(send: Send, over: Partial<WechatAccount> = {}) {
  const clock = handClock();
  const cache = fakeCache(clock);
  const log = recordLog();
  const start = () => createAccessTokens({ ...account, ...over }, { send, clock, cache, log });
  return { clock, cache, log, start };
}

describe('an access token', () => {
  test('is asked of stable_token in normal mode', async () => {
    const send = scriptedSend(granted('T1'));
    expect(await processes(send).start().get()).toEqual({ is: 'token', token: 'T1' });
    expect(send.requests).toEqual([
      {
        method: 'POST',
        url: 'https://api.weixin.qq.com/cgi-bin/stable_token',
        headers: [['content-type', 'application/json; charset=utf-8']],
        body: '{"grant_type":"client_credential","appid":"wxba5fad812f8e6fb9","secret":"secret","force_refresh":false}',
        timeoutMs: 3000,
      },
    ]);
  });

  test('is fetched once for many callers at once', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const tokens = processes(send).start();
    const all = await Promise.all(Array.from({ length: 50 }, () => tokens.get()));
    expect(new Set(all.map((one) => (one.is === 'token' ? one.token : one.is)))).toEqual(new Set(['T1']));
    expect(send.requests).toHaveLength(1);
  });

  test('is fetched once for many callers of a process while the cache is out of reach', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const { start, cache } = processes(send);
    cache.down = true;
    const tokens = start();
    await Promise.all(Array.from({ length: 50 }, () => tokens.get()));
    expect(send.requests).toHaveLength(1);
  });

  test('is fetched once for several processes at once', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const { start } = processes(send);
    const all = await Promise.all([start(), start(), start()].map((tokens) => tokens.get()));
    expect(all).toEqual(Array.from({ length: 3 }, () => ({ is: 'token', token: 'T1' })));
    expect(send.requests).toHaveLength(1);
  });

  test('is fetched all the same when whoever holds the lock never delivers', async () => {
    const send = scriptedSend(granted('T1'));
    const { start, cache, clock } = processes(send);
    await cache.lock('token/wechat/wxba5fad812f8e6fb9/lock', 60_000);
    const began = clock.now();
    expect(await start().get()).toEqual({ is: 'token', token: 'T1' });
    expect(clock.now() - began).toBe(3000);
  });

  test('is renewed five minutes before its end, and not before', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const { start, clock } = processes(send);
    const tokens = start();
    await tokens.get();
    clock.pass(6_899_000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
    clock.pass(2000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
    expect(send.requests).toHaveLength(2);
  });

  test('that has only its last five minutes is still used for one of them', async () => {
    const send = scriptedSend(granted('T1', 300), granted('T2', 7200));
    const { start, clock } = processes(send);
    const tokens = start();
    await tokens.get();
    clock.pass(59_000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
    clock.pass(2000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
  });

  test('that another process has replaced is taken up within a minute', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const { start, clock } = processes(send);
    const [one, two] = [start(), start()];
    await one.get();
    await two.get();
    await two.drop('T1');
    await two.get();
    expect(await one.get()).toEqual({ is: 'token', token: 'T1' });
    clock.pass(60_000);
    expect(await one.get()).toEqual({ is: 'token', token: 'T2' });
    expect(send.requests).toHaveLength(2);
  });

  test('is dropped only if it is still the one that failed', async () => {
    const send = scriptedSend(granted('T2'), granted('T3'));
    const { start } = processes(send);
    const tokens = start();
    await tokens.get();
    await tokens.drop('T1');
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
    expect(await start().get()).toEqual({ is: 'token', token: 'T2' });
    expect(send.requests).toHaveLength(1);
    await tokens.drop('T2');
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T3' });
  });

  test('is kept in memory, renewed and dropped while the cache is out of reach', async () => {
    const send = scriptedSend(granted('T1'), granted('T2'), granted('T3'));
    const { start, cache, clock } = processes(send);
    cache.down = true;
    const tokens = start();
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
    clock.pass(3_600_000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
    clock.pass(3_300_000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
    await tokens.drop('T1');
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
    await tokens.drop('T2');
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T3' });
    expect(send.requests).toHaveLength(3);
  });

  test('in the cache that is unreadable or past its end is replaced', async () => {
    const send = scriptedSend(granted('T1'));
    const { start, cache, clock } = processes(send);
    const key = 'token/wechat/wxba5fad812f8e6fb9';
    const ended = JSON.stringify({ token: 'T0', renewAt: clock.now(), expiresAt: clock.now() });
    for (const value of ['{', 'null', '{"token":1}', ended]) {
      await cache.set(key, value, 60_000);
      expect(await start().get()).toEqual({ is: 'token', token: 'T1' });
    }
    expect(send.requests).toHaveLength(4);
  });

  test("comes from the operator's service where one is named, and is kept for at most a minute", async () => {
    const send = scriptedSend(granted('T1'), granted('T2'));
    const { start, clock } = processes(send, {
      accessTokenUrl: 'https://tokens.example/wx',
      appSecret: null,
    });
    const tokens = start();
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
    expect(send.requests[0]).toMatchObject({ method: 'GET', url: 'https://tokens.example/wx', body: null });
    clock.pass(60_000);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T2' });
  });

  test.each([
    [{ errcode: 40125 }, { is: 'token-refused', code: 40125 }],
    ['<html>', { is: 'token-lost' }],
    [{ access_token: '' }, { is: 'token-lost' }],
    [{ errcode: 0 }, { is: 'token-lost' }],
    [() => answerOf('', 502), { is: 'token-lost', cause: 'the token endpoint answered HTTP 502' }],
    [new NoAnswer('x', { begun: true }), { is: 'token-lost' }],
  ])('that does not come (%#) is a value, and the next caller asks again', async (fault, result) => {
    const send = scriptedSend(fault, granted('T1'));
    const tokens = processes(send).start();
    expect(await tokens.get()).toMatchObject(result);
    expect(await tokens.get()).toEqual({ is: 'token', token: 'T1' });
  });

  test('and the secret are never logged', async () => {
    const { start, log } = processes(scriptedSend(granted('T1')));
    await start().get();
    expect(log.lines).toHaveLength(1);
    expect(JSON.stringify(log.lines)).not.toMatch(/T1|"secret"/);
  });
});

describe('a typing call whose token is refused', () => {
  test.each([40001, 40014, 42001, 41001])('with %i is repeated once with a new one', async (errcode) => {
    const typing = scriptedSend({ errcode }, { errcode: 0 });
    const deps = adapterDeps(typing, scriptedSend(granted('T1'), granted('T2')));
    expect(await createWechat(account, deps).show(target)).toEqual({ is: 'done' });
    expect(typing.requests.map(({ url }) => new URL(url).search)).toEqual([
      '?access_token=T1',
      '?access_token=T2',
    ]);
  });

  test('is not repeated with the same one: the account backs off', async () => {
    const typing = scriptedSend({ errcode: 40001 });
    const send = scriptedSend(granted('T1'));
    expect(await createWechat(account, adapterDeps(typing, send)).show(target)).toEqual({
      is: 'account-back-off',
      code: 40001,
      forMs: 60_000,
    });
    expect([typing.requests.length, send.requests.length]).toEqual([1, 2]);
  });

  test('is repeated no further when the new one is refused too', async () => {
    const typing = scriptedSend({ errcode: 42001 });
    const send = scriptedSend(granted('T1'), granted('T2'), granted('T3'));
    const outcome = await createWechat(account, adapterDeps(typing, send)).show(target);
    expect(outcome).toMatchObject({ is: 'account-back-off', code: 42001 });
    expect(typing.requests).toHaveLength(2);
  });
});

function show(...script: Parameters<typeof scriptedSend>) {
  return createWechat(account, adapterDeps(scriptedSend(), scriptedSend(...script))).show(target);
}

describe('a typing call for which no token comes', () => {
  test.each([40001, 40125, 40013])('because of %i says to check AppID and secret', async (errcode) => {
    expect(await show({ errcode })).toEqual({
      is: 'account-off',
      code: errcode,
      remedy: 'Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.',
    });
  });

  test.each([
    ['invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 6512-3f', '1.2.3.4'],
    ['invalid ip 1.2.3.4, not in whitelist', '1.2.3.4'],
    ['invalid ip 2001:db8::7 ipv6 2001:db8::7, not in whitelist', '2001:db8::7'],
    ['add 1.2.3 and call +86 10 1.2.3.999 <b>1.2.3.4</b> fe80::1%eth0 at once', "this server's egress IP"],
    [`${'x '.repeat(300)}1.2.3.4`, "this server's egress IP"],
    [undefined, "this server's egress IP"],
    [['1.2.3.4'], "this server's egress IP"],
  ])(
    'because of 40164 says to add the address that the text names, and nothing else of it: %s',
    async (errmsg, address) => {
      expect(await show({ errcode: 40164, errmsg })).toEqual({
        is: 'account-off',
        code: 40164,
        remedy: `Add ${address} to the IP allowlist in the WeChat console.`,
      });
    },
  );

  test('because of another code reads no text', async () => {
    expect(await show({ errcode: 40125, errmsg: 'invalid ip 1.2.3.4' })).toMatchObject({
      remedy: 'Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.',
    });
  });

  test('because the endpoint is away is lost, and was not begun', async () => {
    expect(await show(new NoAnswer('x', { begun: true }))).toMatchObject({ is: 'lost', begun: false });
    expect(await show({ errcode: -1 })).toEqual({ is: 'failed', code: -1 });
  });
});
