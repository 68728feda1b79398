import { describe, expect, test } from 'vitest';
import { WECHAT_DEFAULTS, type WechatOptions } from '../../src/simulator/index.ts';
import type { Reply, Request } from '../../src/simulator/server.ts';
import { decrypt, encrypt, parseBody, renderBody, sha1Signature } from '../../src/simulator/wechat-sealed.ts';
import { simulator, story, SUCCESS, webhook, wechatCaller } from './helpers.ts';
import { handClock } from '../support/clock.ts';

const account = WECHAT_DEFAULTS;
const reply = (body: string): Reply => ({ status: 200, type: 'text/xml', body });
const answerFields = {
  ToUserName: 'OPENID',
  FromUserName: 'gh',
  CreateTime: 12345678,
  MsgType: 'text',
  Content: '你好',
};

async function pushTo(
  handler: (request: Request, n: number) => Promise<Reply | 'hang' | 'reset'>,
  options: Partial<WechatOptions> = {},
) {
  const hook = await webhook(handler);
  const running = await simulator({ wechat: { ...options, webhookUrl: hook.url } });
  const pushed = await running.wechat.push({ user: 'OPENID', text: 'hello' });
  return { ...running, pushed, requests: hook.requests, phone: running.wechat.phone('OPENID') };
}

describe('what is pushed', () => {
  test.each([
    ['plain', 'xml'],
    ['plain', 'json'],
    ['compatible', 'xml'],
    ['compatible', 'json'],
    ['secure', 'xml'],
    ['secure', 'json'],
  ] as const)(
    '%s mode, %s: signed, with the openid in the query, readable by the rules',
    async (mode, format) => {
      const { requests, pushed } = await pushTo(() => Promise.resolve(SUCCESS), { mode, format });
      const [{ query, body } = { query: new URLSearchParams(), body: Buffer.from('') }] = requests;
      const word = (name: string) => query.get(name) ?? `no ${name}`;
      expect(word('signature')).toBe(sha1Signature(account.token, word('timestamp'), word('nonce')));
      expect(word('openid')).toBe('OPENID');
      const outer = parseBody(body.toString(), format);
      const sealed = typeof outer?.['Encrypt'] === 'string' ? outer['Encrypt'] : null;
      const opened = sealed === null ? null : decrypt(account, sealed);
      expect(sealed === null).toBe(mode === 'plain');
      expect(query.get('msg_signature')).toBe(
        sealed === null ? null : sha1Signature(account.token, word('timestamp'), word('nonce'), sealed),
      );
      expect(outer?.['Content']).toBe(mode === 'secure' ? undefined : 'hello');
      const text = opened ?? body.toString();
      expect(parseBody(text, format)).toMatchObject({
        FromUserName: 'OPENID',
        MsgType: 'text',
        Content: 'hello',
      });
      expect(text).toContain(pushed.msgId);
    },
  );

  test('the console checks the URL by its echostr', async () => {
    const honest = await webhook((request) =>
      Promise.resolve({ status: 200, type: 'text/plain', body: request.query.get('echostr') ?? '' }),
    );
    const { wechat } = await simulator({ wechat: { webhookUrl: honest.url } });
    expect(await wechat.verify()).toBe(true);
    const other = await webhook(() => Promise.resolve(SUCCESS));
    wechat.connect(other.url);
    expect(await wechat.verify()).toBe(false);
  });
});

describe('repeats', () => {
  test('nobody answers in time: three deliveries with the same MsgId, each cut off, then the notice', async () => {
    const { pushed, requests, phone } = await pushTo(() => Promise.resolve('hang'), {
      rules: { pushTimeout: 60 },
    });
    expect(pushed.deliveries.map(({ status, body }) => [status, body])).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ]);
    expect(pushed.deliveries.every(({ tookMs }) => tookMs >= 55)).toBe(true);
    expect(new Set(requests.map(({ body }) => parseBody(body.toString(), 'xml')?.['MsgId']))).toEqual(
      new Set([pushed.msgId]),
    );
    expect(story(phone.marks)).toEqual(['sent hello', 'notice no answer']);
    expect(pushed.answered).toBeNull();
  });

  test('a non-2xx is repeated; the delivery that is answered ends it', async () => {
    const busy: Reply = { status: 500, type: 'text/plain', body: 'busy' };
    const { pushed, phone } = await pushTo((_request, n) => Promise.resolve(n < 3 ? busy : SUCCESS));
    expect(pushed.deliveries.map(({ status }) => status)).toEqual([500, 500, 200]);
    expect(pushed.answered?.toString()).toBe('success');
    expect(story(phone.marks)).toEqual(['sent hello']);
  });

  test('a push that is repeated by hand is no second message and no interaction', async () => {
    const { wechat, phone, pushed, requests } = await pushTo(() => Promise.resolve(SUCCESS));
    await wechat.push({ user: 'OPENID', text: 'hello', msgId: pushed.msgId ?? '' });
    expect(requests).toHaveLength(2);
    expect(story(phone.marks)).toEqual(['sent hello']);
  });

  test('close hangs up on a push that is under way', async () => {
    const hook = await webhook(() => Promise.resolve('hang'));
    const running = await simulator({ wechat: { webhookUrl: hook.url } });
    const pushing = running.wechat.push({ user: 'OPENID', text: 'hello' });
    await running.wechat.phone('OPENID').next(({ what }) => what === 'sent');
    await running.close();
    expect((await pushing).deliveries.map(({ status }) => status)).toEqual([null]);
    expect(story(running.wechat.phone('OPENID').marks)).toEqual(['sent hello']);
  });
});

describe('what the phone makes of the answer', () => {
  test.each(['success', ''])('%j shows nothing', async (body) => {
    const { phone } = await pushTo(() => Promise.resolve(reply(body)));
    expect(story(phone.marks)).toEqual(['sent hello']);
  });

  test('a passive text is a message', async () => {
    const { phone } = await pushTo(() => Promise.resolve(reply(renderBody(answerFields, 'xml'))));
    expect(phone.marks.at(-1)).toMatchObject({ what: 'received', detail: '你好', via: 'passive' });
  });

  test('a passive answer is an interaction', async () => {
    const clock = handClock();
    const hook = await webhook(() => {
      clock.pass(4_000);
      return Promise.resolve(reply(renderBody(answerFields, 'xml')));
    });
    const running = await simulator({ wechat: { webhookUrl: hook.url }, now: clock.now });
    const { typing } = await wechatCaller(running);
    await running.wechat.push({ user: 'OPENID', text: 'hello' });
    clock.pass(29_999);
    expect(await typing('OPENID')).toBe(0);
  });

  test('a passive answer takes away a running indicator', async () => {
    const hook = await webhook(async (_request, n) => {
      if (n === 2) await typing('OPENID');
      return n === 1 ? SUCCESS : reply(renderBody(answerFields, 'xml'));
    });
    const running = await simulator({ wechat: { webhookUrl: hook.url } });
    const { typing } = await wechatCaller(running);
    await running.wechat.push({ user: 'OPENID', text: 'one' });
    await running.wechat.push({ user: 'OPENID', text: 'two' });
    expect(story(running.wechat.phone('OPENID').marks)).toEqual([
      'sent one',
      'sent two',
      'typing-on Typing',
      'typing-off message',
      'received 你好',
    ]);
  });

  test.each(['xml', 'json'] as const)('secure mode, %s: an encrypted answer is opened', async (format) => {
    const { phone } = await pushTo(
      () => {
        const Encrypt = encrypt(account, renderBody(answerFields, format), '0123456789abcdef');
        const MsgSignature = sha1Signature(account.token, '1713424427', '415670741', Encrypt);
        const sealed = { Encrypt, MsgSignature, TimeStamp: 1713424427, Nonce: '415670741' };
        return Promise.resolve(reply(renderBody(sealed, format)));
      },
      { mode: 'secure', format },
    );
    expect(phone.marks.at(-1)).toMatchObject({ what: 'received', detail: '你好' });
  });

  test('a hand-over to a human is no message', async () => {
    const fields = { ...answerFields, MsgType: 'transfer_customer_service' };
    const { phone } = await pushTo(() => Promise.resolve(reply(renderBody(fields, 'xml'))));
    expect(phone.marks.at(-1)?.what).toBe('handed-over');
  });

  test('an image is told by its kind', async () => {
    const fields = { ...answerFields, MsgType: 'image', Image: { MediaId: 'm' } };
    const { phone } = await pushTo(() => Promise.resolve(reply(renderBody(fields, 'xml'))));
    expect(phone.marks.at(-1)).toMatchObject({ what: 'received', detail: '[image]' });
  });

  const wrongSignature = {
    Encrypt: encrypt(account, renderBody(answerFields, 'xml'), '0123456789abcdef'),
    MsgSignature: 'wrong',
    TimeStamp: 1,
    Nonce: 'n',
  };
  test.each<[string, Partial<WechatOptions>, string, string]>([
    ['words', {}, 'OK', 'the answer is no xml'],
    ['JSON to an XML account', {}, renderBody(answerFields, 'json'), 'the answer is no xml'],
    [
      'a plain answer in secure mode',
      { mode: 'secure' },
      renderBody(answerFields, 'xml'),
      'the answer is not encrypted',
    ],
    [
      'a wrong MsgSignature',
      { mode: 'secure' },
      renderBody(wrongSignature, 'xml'),
      'the answer has a wrong MsgSignature',
    ],
    ['an empty text', {}, renderBody({ ...answerFields, Content: '' }, 'xml'), 'the answer holds no message'],
    [
      'another user',
      {},
      renderBody({ ...answerFields, ToUserName: 'X' }, 'xml'),
      'the answer is for another user',
    ],
  ])('%s: the notice, without a repeat', async (_what, options, body, why) => {
    const { phone, requests } = await pushTo(() => Promise.resolve(reply(body)), options);
    expect(story(phone.marks)).toEqual(['sent hello', `notice ${why}`]);
    expect(requests).toHaveLength(1);
  });

  test('compatible mode takes plain answers too', async () => {
    const { phone } = await pushTo(() => Promise.resolve(reply(renderBody(answerFields, 'xml'))), {
      mode: 'compatible',
    });
    expect(phone.marks.at(-1)?.what).toBe('received');
  });
});

test('a push without a webhook URL says what to do', async () => {
  const { wechat } = await simulator();
  await expect(wechat.push({ user: 'OPENID', text: 'hello' })).rejects.toThrow('call connect(url) first');
});
