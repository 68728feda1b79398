import { describe, expect, test } from 'vitest';
import { NoAnswer, type Send } from '../../src/core/wire.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { wechatRules } from '../../src/wechat/rules.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { adapterDeps, answerOf, granted, scriptedSend } from '../support/wechat.ts';

const target = { user: 'OPENID', messageId: '1' };
const ok = { errcode: 0, errmsg: 'ok' };
const refused = () => new NoAnswer('connect failed for ?access_token=T1', { begun: false });
const timedOut = () => new NoAnswer('timeout at ?access_token=T1', { begun: true });

function adapter(typing: Send, over: Partial<WechatAccount> = {}, send?: Send) {
  const deps = adapterDeps(typing, send);
  return { platform: createWechat({ ...account, ...over }, deps), deps };
}

const show = (typing: Send, over: Partial<WechatAccount> = {}, send?: Send) =>
  adapter(typing, over, send).platform.show(target);

describe('the typing call', () => {
  test("is the documentation's example, word for word", async () => {
    const typing = scriptedSend('{\n"errcode": 0,\n"errmsg": "ok"\n}');
    expect(await show(typing)).toEqual({ is: 'done' });
    expect(typing.requests).toEqual([
      {
        method: 'POST',
        url: 'https://api.weixin.qq.com/cgi-bin/message/custom/typing?access_token=T1',
        headers: [['content-type', 'application/json; charset=utf-8']],
        body: '{"touser":"OPENID","command":"Typing"}',
        timeoutMs: 3000,
      },
    ]);
  });

  test('takes the indicator away with CancelTyping', async () => {
    const typing = scriptedSend(ok);
    expect(await adapter(typing).platform.hide?.(target)).toEqual({ is: 'done' });
    expect(typing.requests[0]?.body).toBe('{"touser":"OPENID","command":"CancelTyping"}');
  });

  test('has another path for Mini Programs, and any path that the account names', async () => {
    const typing = scriptedSend(ok);
    await show(typing, { kind: 'mini', apiBase: 'http://127.0.0.1:1/' });
    await show(typing, { kind: 'mini', typingPath: '/cgi-bin/message/custom/typing' });
    expect(typing.requests.map(({ url }) => url)).toEqual([
      'http://127.0.0.1:1/cgi-bin/message/custom/business/typing?access_token=T1',
      'https://api.weixin.qq.com/cgi-bin/message/custom/typing?access_token=T1',
    ]);
  });

  test.each([
    ['the system is busy', () => ({ errcode: -1, errmsg: 'system error' })],
    ['a gateway fails', () => () => answerOf('<html>', 502)],
    ['nothing can be reached', () => refused()],
  ])('is tried once more when %s', async (_, fault) => {
    const typing = scriptedSend(fault(), ok);
    expect(await show(typing)).toEqual({ is: 'done' });
    expect(typing.requests).toHaveLength(2);
    expect(typing.requests[1]?.timeoutMs).toBeLessThan(3000);
  });

  test('is not tried a third time', async () => {
    const busy = scriptedSend({ errcode: -1 });
    expect(await show(busy)).toEqual({ is: 'failed', code: -1 });
    expect(busy.requests).toHaveLength(2);
    const gateway = scriptedSend(() => answerOf('', 503));
    expect(await show(gateway)).toEqual({ is: 'lost', begun: true, cause: 'WeChat answered HTTP 503' });
    expect(gateway.requests).toHaveLength(2);
    expect(await show(scriptedSend(refused()))).toEqual({
      is: 'lost',
      begun: false,
      cause: 'WeChat could not be reached',
    });
  });

  test('that nobody answers in time is lost, and says how long was waited', async () => {
    const late = new NoAnswer('no answer within 3 s', {
      begun: true,
      timedOut: true,
      cause: { code: 'ERR_CANCELED' },
    });
    const cause = 'WeChat: no answer within 3 s';
    expect(await show(scriptedSend(late))).toEqual({ is: 'lost', begun: true, cause });
  });

  test('that timed out is lost and not tried again; no token is in what is said of it', async () => {
    const typing = scriptedSend(timedOut());
    expect(await show(typing)).toEqual({ is: 'lost', begun: true, cause: 'WeChat gave no complete answer' });
    expect(typing.requests).toHaveLength(1);
  });

  test('names the cause by its code', async () => {
    const cause = Object.assign(new Error('secret'), { code: 'ECONNREFUSED' });
    const typing = scriptedSend(new NoAnswer('secret', { begun: false, cause }));
    expect(await show(typing)).toMatchObject({ cause: 'WeChat could not be reached (ECONNREFUSED)' });
  });

  test('is not tried again when the first try has used up the time', async () => {
    const deps = adapterDeps(
      scriptedSend(() => {
        deps.clock.pass(2900);
        throw refused();
      }),
    );
    const typing = scriptedSend(async (request) => deps.typing(request));
    const platform = createWechat(account, { ...deps, typing });
    expect(await platform.show(target)).toMatchObject({ is: 'lost', cause: 'WeChat could not be reached' });
    expect(typing.requests).toHaveLength(1);
  });

  test('is not begun when getting a token took until the caller gave up', async () => {
    const typing = scriptedSend(ok);
    const { platform, deps } = adapter(typing, { rules: { callLimit: 1000 } }, async () => {
      deps.clock.pass(1000);
      return answerOf(granted('T1'));
    });
    expect(await platform.show(target)).toMatchObject({ is: 'lost', begun: false });
    expect(typing.requests).toHaveLength(0);
  });

  test.each([
    ['a page', () => answerOf('<html>'), { is: 'lost', begun: true }],
    ['JSON null', () => answerOf('null'), { is: 'lost', begun: true }],
    ['a word for a code', () => answerOf('{"errcode":"zero"}'), { is: 'lost', begun: true }],
    ['HTTP 404', () => answerOf('', 404), { is: 'failed', code: 404 }],
    ['HTTP 429', () => answerOf('', 429), { is: 'account-back-off', code: 429, forMs: 5000 }],
  ])('answered with %s has an honest outcome', async (_, answer, outcome) => {
    expect(await show(scriptedSend(answer))).toMatchObject(outcome);
  });

  test('believes the number and never the text', async () => {
    const typing = scriptedSend({
      errcode: 45081,
      errmsg: '已经在输入状态,不可重复下发 rid: 6114dedc-7e90330d',
    });
    expect(await show(typing)).toEqual({ is: 'already' });
    expect(await show(scriptedSend({ errcode: 45080, errmsg: 'ok' }))).toMatchObject({ is: 'window-closed' });
  });

  test('that WeChat calls malformed is said loudly', async () => {
    const { platform, deps } = adapter(scriptedSend({ errcode: 45072 }));
    expect(await platform.show(target)).toEqual({ is: 'failed', code: 45072, bug: true });
    expect(deps.log.lines.filter(({ level }) => level === 'error')).toEqual([
      {
        level: 'error',
        fields: { account: 'default', code: 45072, name: 'invalid command', command: 'Typing' },
        message: 'malformed typing call',
      },
    ]);
  });

  test('is not made without credentials, and the remedy is said', async () => {
    const typing = scriptedSend();
    expect(await show(typing, { appSecret: null })).toEqual({
      is: 'account-off',
      code: 0,
      remedy: 'Set WECHAT_APP_SECRET or WECHAT_ACCESS_TOKEN_URL.',
    });
    expect(typing.requests).toHaveLength(0);
  });

  test('survives a Send that throws what it must not', async () => {
    expect(await show(scriptedSend(new TypeError('T1')))).toMatchObject({ is: 'lost', begun: true });
  });
});

describe("WeChat's rules", () => {
  test('yield to the account, and afterAck to its own setting', () => {
    const { platform } = adapter(scriptedSend(), { afterAck: 'renew', rules: { lifetime: 150 } });
    expect(platform.rules).toEqual({ ...wechatRules, afterAck: 'renew', lifetime: 150 });
    expect(adapter(scriptedSend()).platform.rules).toEqual(wechatRules);
  });

  test('the acknowledgement is the bare word that needs no encryption', () => {
    const { acknowledgement } = adapter(scriptedSend()).platform;
    expect([acknowledgement.status, new TextDecoder().decode(acknowledgement.body)]).toEqual([
      200,
      'success',
    ]);
  });
});
