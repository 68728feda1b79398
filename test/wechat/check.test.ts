import { describe, expect, test } from 'vitest';
import type { Finding } from '../../src/core/platform.ts';
import { NoAnswer, type OutboundRequest, type Send } from '../../src/core/wire.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechatExaminer } from '../../src/wechat/check.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { adapterDeps, answerOf, granted, scriptedSend } from '../support/wechat.ts';

const key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const aToken = granted('T1');

const examinerOf = (send: Send, over: Partial<WechatAccount> = {}) =>
  createWechatExaminer({ ...account, ...over }, { ...adapterDeps(send), send });

const ask = (send: Send, over: Partial<WechatAccount> = {}): Promise<Finding[]> =>
  examinerOf(send, over).ask();

/** `level subject: says`, for each. */
const brief = (found: Finding[]): string[] =>
  found.map(({ level, subject, says }) => `${level} ${subject}: ${says}`);

describe('asking WeChat', () => {
  test('a user who does not exist shows that token, address and permission are right', async () => {
    const send = scriptedSend(aToken, { errcode: 40003, errmsg: 'invalid openid' });
    expect(brief(await ask(send))).toEqual([
      'ok access token: WeChat gives one',
      "ok IP allowlist: WeChat takes calls from this machine's address",
      'ok typing permission: the account may show typing',
    ]);
  });

  test('shows nobody anything, forces no token and clears no quota', async () => {
    const send = scriptedSend(aToken, { errcode: 40003 });
    await ask(send);
    expect(send.requests.map(({ url }) => new URL(url).pathname)).toEqual([
      '/cgi-bin/stable_token',
      '/cgi-bin/message/custom/typing',
    ]);
    expect(send.requests.map(bodyOf)).toEqual([
      expect.objectContaining({ force_refresh: false }),
      { touser: 'keeptyping-doctor', command: 'CancelTyping' },
    ]);
  });

  test('a Mini Program is asked for where it types', async () => {
    const send = scriptedSend(aToken, { errcode: 40003 });
    await ask(send, { kind: 'mini' });
    expect(send.requests[1]?.url).toContain('/cgi-bin/message/custom/business/typing?');
  });

  test.each([
    [40125, 'access token: refused with 40125 (invalid appsecret)', /WECHAT_APP_SECRET/],
    [40013, 'access token: refused with 40013 (invalid appid)', /WECHAT_APP_ID/],
    [40001, 'access token: refused with 40001 (invalid credential', /WECHAT_APP_SECRET/],
    [45009, 'access token: refused with 45009 (api quota reached)', /calls are used up/],
    [99999, 'access token: refused with code 99999', /return codes/],
    [40164, "IP allowlist: WeChat takes no calls from this machine's address: 40164", /allowlist/],
    [61004, "IP allowlist: WeChat takes no calls from this machine's address: 61004", /allowlist/],
    [89503, "IP allowlist: WeChat takes no calls from this machine's address: 89503", /administrator/],
  ])('no token by %i: one failure, with its remedy', async (errcode, says, remedy) => {
    const found = await ask(scriptedSend({ errcode, errmsg: 'invalid ip 203.0.113.7 rid: 1' }));
    expect(found).toHaveLength(1);
    expect(brief(found)[0]).toContain(`fail ${says}`);
    expect(found[0]?.remedy).toMatch(remedy);
  });

  test.each([
    [48001, 'fail', /certify it/],
    [40200, 'fail', /WECHAT_KIND=mini/],
    [50002, 'fail', /restricted/],
    [45072, 'warn', /return codes/],
    [45011, 'warn', /in a minute/],
    [40001, 'fail', /this very AppID/],
  ] as const)('typing refused with %i: %s', async (errcode, level, remedy) => {
    const found = await ask(scriptedSend(aToken, { errcode }));
    expect(found.map((each) => each.level)).toEqual(['ok', 'ok', level]);
    expect(found[2]).toMatchObject({
      subject: 'typing permission',
      says: expect.stringContaining(`${errcode}`),
      remedy: expect.stringMatching(remedy),
    });
  });

  test('an account whose typing is off needs no permission', async () => {
    const found = await ask(scriptedSend(aToken, { errcode: 48001 }), { rules: { mode: 'off' } });
    expect(found[2]?.level).toBe('warn');
  });

  test('an address that is refused only when the token is used', async () => {
    const found = await ask(scriptedSend(aToken, { errcode: 40164 }), {
      accessTokenUrl: 'https://tokens.example',
    });
    expect(brief(found)).toEqual([
      'ok access token: the token service gives one',
      expect.stringContaining('fail IP allowlist: WeChat takes no calls'),
    ]);
  });

  test('nothing to ask with', async () => {
    const [finding] = await ask(scriptedSend(), { appSecret: null });
    expect(finding).toMatchObject({
      level: 'fail',
      subject: 'access token',
      remedy: expect.stringMatching(/WECHAT_APP_SECRET/),
    });
  });

  test.each([
    [new NoAnswer('ECONNREFUSED', { begun: false }), 'WeChat could not be reached'],
    [() => answerOf('<html>', 502), 'HTTP 502'],
    [() => answerOf('<html>'), 'did not answer with a token'],
  ])('a token endpoint out of reach: how, and never with its URL', async (step, says) => {
    const [finding, ...others] = await ask(scriptedSend(step), {
      accessTokenUrl: 'https://t.example?key=hidden',
    });
    expect(others).toEqual([]);
    expect(finding).toMatchObject({
      level: 'fail',
      remedy: expect.stringContaining('WECHAT_ACCESS_TOKEN_URL'),
    });
    expect(finding?.says).toContain(says);
    expect(JSON.stringify(finding)).not.toContain('hidden');
  });

  test('a typing interface out of reach', async () => {
    const found = await ask(scriptedSend(aToken, new NoAnswer('connect ?access_token=T1', { begun: true })));
    expect(found[1]).toMatchObject({ level: 'fail', subject: 'typing permission' });
    expect(JSON.stringify(found)).not.toContain('T1');
  });
});

describe('requests as WeChat makes them', () => {
  const deps = adapterDeps(scriptedSend());

  test.each([{}, { encodingAesKeys: [key] }])(
    'the check of the URL is one that keeptyping answers: %o',
    (over) => {
      const { rawQuery, expects, method } = examinerOf(scriptedSend(), over).knock();
      expect(method).toBe('GET');
      expect(createWechat({ ...account, ...over }, deps).handshake?.(rawQuery)).toEqual({
        is: 'echo',
        body: expects,
      });
    },
  );

  test.each([{}, { encodingAesKeys: [key] }])(
    'the message is one that keeptyping takes: %o',
    async (over) => {
      const examiner = examinerOf(scriptedSend(), over);
      const receive = ({ method, rawQuery, headers, body }: ReturnType<typeof examiner.message>) =>
        createWechat({ ...account, ...over }, deps).receive({
          method,
          rawQuery,
          headers,
          body: Buffer.from(body ?? ''),
        });
      const [one, other] = [await receive(examiner.message()), await receive(examiner.message())];
      expect(one).toMatchObject({
        is: 'push',
        happenings: [{ is: 'inbound', user: 'keeptyping-doctor', type: 'text', opensTurn: true }],
      });
      // A repeat would be dropped.
      expect(one).not.toEqual(other);
    },
  );

  test('they are signed with the current token, not the previous one', () => {
    const { rawQuery } = examinerOf(scriptedSend(), { tokens: ['new', 'old'] }).knock();
    const under = (token: string) =>
      createWechat({ ...account, tokens: [token] }, deps).handshake?.(rawQuery)?.is;
    expect([under('new'), under('old')]).toEqual(['echo', 'refusal']);
  });
});

test('a push tells when it takes the previous token or key to read it', async () => {
  const other = key.replace('a', 'b');
  const push = examinerOf(scriptedSend(), { encodingAesKeys: [key] }).message();
  const read = (over: Partial<WechatAccount>) =>
    createWechat({ ...account, encodingAesKeys: [key], ...over }, adapterDeps(scriptedSend())).receive({
      ...push,
      body: Buffer.from(push.body ?? ''),
    });
  expect(await read({ encodingAesKeys: [other, key] })).toMatchObject({ is: 'push', byPrevious: true });
  expect(await read({ tokens: ['BBBBB', 'AAAAA'] })).toMatchObject({ is: 'push', byPrevious: true });
  expect(await read({ encodingAesKeys: [key, other], tokens: ['AAAAA', 'BBBBB'] })).not.toHaveProperty(
    'byPrevious',
  );
  expect(await read({})).not.toHaveProperty('byPrevious');
});

function bodyOf({ body }: OutboundRequest): unknown {
  return JSON.parse(String(body));
}
