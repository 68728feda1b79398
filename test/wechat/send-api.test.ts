import { describe, expect, test } from 'vitest';
import type { LatePart, Platform } from '../../src/core/platform.ts';
import { NoAnswer } from '../../src/core/wire.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { createWechat } from '../../src/wechat/index.ts';
import { encrypt } from '../../src/wechat/receive.ts';
import { wechatAccount as account } from '../support/accounts.ts';
import { adapterDeps, answerOf, granted, scriptedSend, utf8, xmlOf } from '../support/wechat.ts';

const ok = { errcode: 0, errmsg: 'ok' };
const key = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const hello = xmlOf({ ToUserName: 'somebodyElse', MsgType: 'text', Content: 'hello' });

type Step = Parameters<typeof scriptedSend>[number];

/** Sends late; the first call is for the token. */
async function late(body: string, script: Step[] = [ok], over: Partial<WechatAccount> = {}, part?: LatePart) {
  const send = scriptedSend(granted('T1'), ...script);
  const platform: Platform = createWechat({ ...account, ...over }, adapterDeps(scriptedSend(), send));
  const result = await platform.sendLate?.('OPENID', answerOf(body), part);
  return { result, calls: send.requests.slice(1) };
}

/** The custom message that an answer becomes. */
async function converted(body: string): Promise<unknown> {
  const { result, calls } = await late(body);
  expect(result).toMatchObject({ is: 'sent' });
  return JSON.parse(String(calls[0]?.body));
}

const newsXml = (items: string) => `<xml><MsgType>news</MsgType><Articles>${items}</Articles></xml>`;

describe('a late answer', () => {
  test('is one custom message in raw UTF-8 to the user of the turn, whomever it names itself', async () => {
    const { calls } = await late(hello.replace('hello', '你好 & "再见"\n'));
    expect(calls).toEqual([
      {
        method: 'POST',
        url: 'https://api.weixin.qq.com/cgi-bin/message/custom/send?access_token=T1',
        headers: [['content-type', 'application/json; charset=utf-8']],
        body: '{"touser":"OPENID","msgtype":"text","text":{"content":"你好 & \\"再见\\"\\n"}}',
        timeoutMs: 5000,
      },
    ]);
  });

  test.each([
    ['around its values', ' <![CDATA[text]]>\n  ', '\n    <![CDATA[答案 > 1 < 2]]> ', '答案 > 1 < 2'],
    ['around values without CDATA', '\n text\t', '\n 答案 &gt; 1\n', '答案 > 1'],
    ['inside CDATA, which are its own', 'text', '<![CDATA[  if <a> :\n    1\n]]>', '  if <a> :\n    1\n'],
    ['of which there are very many', `${' '.repeat(1e6)}text`, `a${' '.repeat(1e6)}b`, 'a'],
  ])('with blanks %s is read', async (_, type, text, content) => {
    const xml = `<xml>\n  <MsgType>${type}</MsgType>\n  <Content>${text}</Content>\n</xml>`;
    expect(await converted(xml)).toEqual({ touser: 'OPENID', msgtype: 'text', text: { content } });
  });

  test.each(['image', 'voice'])('%s keeps its media id', async (kind) => {
    const tag = kind === 'image' ? 'Image' : 'Voice';
    const message = { touser: 'OPENID', msgtype: kind, [kind]: { media_id: 'M' } };
    const xml = `<xml><MsgType>${kind}</MsgType><${tag}><MediaId><![CDATA[M]]></MediaId></${tag}></xml>`;
    expect(await converted(xml)).toEqual(message);
    expect(await converted(JSON.stringify({ MsgType: kind, [tag]: { MediaId: 'M' } }))).toEqual(message);
  });

  test('video goes with what it has', async () => {
    const video = { MediaId: 'M', Title: 'T', Description: 'D' };
    const content = { media_id: 'M', title: 'T', description: 'D' };
    const inner = '<MediaId>M</MediaId><Title>T</Title><Description>D</Description>';
    const message = { touser: 'OPENID', msgtype: 'video', video: content };
    expect(await converted(`<xml><MsgType>video</MsgType><Video>${inner}</Video></xml>`)).toEqual(message);
    expect(await converted(JSON.stringify({ MsgType: 'video', Video: video }))).toEqual(message);
    const thumb = JSON.stringify({ MsgType: 'video', Video: { MediaId: 'M', ThumbMediaId: 'X' } });
    expect(await converted(thumb)).toMatchObject({ video: { media_id: 'M', thumb_media_id: 'X' } });
  });

  test('music has all its fields', async () => {
    const Music = { Title: 'T', Description: 'D', MusicUrl: 'U', HQMusicUrl: 'H', ThumbMediaId: 'X' };
    const content = { title: 'T', description: 'D', musicurl: 'U', hqmusicurl: 'H', thumb_media_id: 'X' };
    const message = { touser: 'OPENID', msgtype: 'music', music: content };
    expect(await converted(JSON.stringify({ MsgType: 'music', Music }))).toEqual(message);
    const inner = Object.entries(Music).map(([name, value]) => `<${name}>${value}</${name}>`);
    expect(await converted(`<xml><MsgType>music</MsgType><Music>${inner.join('')}</Music></xml>`)).toEqual(
      message,
    );
  });

  test('news goes with its first article, from every shape', async () => {
    const item = { Title: 'T', Description: 'D', PicUrl: 'P', Url: 'U' };
    const article = { title: 'T', description: 'D', url: 'U', picurl: 'P' };
    const message = { touser: 'OPENID', msgtype: 'news', news: { articles: [article] } };
    const xmlItem = '<item><Title>T</Title><Description>D</Description><PicUrl>P</PicUrl><Url>U</Url></item>';
    expect(await converted(newsXml(xmlItem))).toEqual(message);
    expect(await converted(newsXml(`${xmlItem}<item><Title>second</Title></item>`))).toEqual(message);
    for (const Articles of [[item, { Title: 'second' }], { item }, { item: [item] }])
      expect(await converted(JSON.stringify({ MsgType: 'news', Articles }))).toEqual(message);
  });

  test('further articles go as messages of their own; the last that may go says that there are more', async () => {
    const articles = ['A', 'B', 'C'].map((Title) => ({ Title, Description: 'D' }));
    const body = JSON.stringify({ MsgType: 'news', Articles: articles });
    const part = async (from: number, most: number) => {
      const { result, calls } = await late(body, [ok], {}, { from, most });
      return [result, JSON.parse(String(calls[0]?.body)).news.articles];
    };
    expect(await part(0, 3)).toEqual([
      { is: 'sent', rest: { from: 1, says: '2 of 3 articles' } },
      [{ title: 'A', description: 'D' }],
    ]);
    expect(await part(1, 1)).toEqual([
      { is: 'sent', rest: { from: 2, says: '1 of 3 articles' } },
      [{ title: 'B', description: 'D…（未完）' }],
    ]);
    expect(await part(2, 1)).toEqual([{ is: 'sent' }, [{ title: 'C', description: 'D' }]]);
  });

  /** https://github.com/w7corp/easywechat/issues/2742, https://github.com/w7corp/easywechat/issues/1383 */
  test('a text over 2,048 bytes goes in parts, the last one with an ending where more is left', async () => {
    const long = xmlOf({ MsgType: 'text', Content: '字'.repeat(1_000) });
    const part = async (from: number, most: number, over: Partial<WechatAccount> = {}) => {
      const { result, calls } = await late(long, [ok], over, { from, most });
      const { content } = JSON.parse(String(calls[0]?.body)).text;
      return { result, content: String(content) };
    };
    expect(await part(0, 4)).toEqual({
      result: { is: 'sent', rest: { from: 682, says: '318 of 1000 characters' } },
      content: '字'.repeat(682),
    });
    expect(await part(682, 3)).toEqual({ result: { is: 'sent' }, content: '字'.repeat(318) });
    const { content } = await part(0, 1, { splitEnding: ' (more)' });
    expect(content).toBe(`${'字'.repeat(680)} (more)`);
    const off = await part(0, 4, { split: 'off' });
    expect(off).toEqual({ result: { is: 'sent' }, content: '字'.repeat(1_000) });
  });

  test('is opened first where it is encrypted', async () => {
    const sealed = encrypt(utf8(hello), {
      encodingAesKey: key,
      appId: account.appId,
      random: new Uint8Array(16),
    });
    const body = JSON.stringify({ Encrypt: sealed });
    const { result, calls } = await late(body, [ok], { encodingAesKeys: [key] });
    expect(result).toEqual({ is: 'sent' });
    expect(calls[0]?.body).toBe('{"touser":"OPENID","msgtype":"text","text":{"content":"hello"}}');
    expect((await late(body)).result).toEqual({
      is: 'impossible',
      reason: 'the answer is encrypted with a key other than WECHAT_ENCODING_AES_KEY',
    });
  });

  test.each([
    [xmlOf({ MsgType: 'transfer_customer_service' }), 'transfer_customer_service works only as an immediate'],
    [xmlOf({ MsgType: 'hologram' }), 'an answer hologram has no counterpart'],
    [xmlOf({ MsgType: 'a secret' }), 'an answer of unknown kind has no counterpart'],
    [xmlOf({ MsgType: 'text', Content: '' }), 'the text answer lacks its content'],
    ['<xml><MsgType>image</MsgType><Image></Image></xml>', 'the image answer lacks its content'],
    ['<xml><MsgType>video</MsgType></xml>', 'the video answer lacks its content'],
    ['<xml><MsgType>news</MsgType><Articles><item/></Articles></xml>', 'the news answer lacks its content'],
    ['{"MsgType":"music","Music":[]}', 'the music answer lacks its content'],
    ['{"MsgType":"news","Articles":null}', 'the news answer lacks its content'],
    ['hello', 'the answer is neither XML nor a JSON object'],
    ['{"a":1}', 'the answer has no MsgType'],
    ['success', 'the answer only acknowledges: it holds no message'],
  ])('%s cannot be sent, and says why', async (body, reason) => {
    const { result, calls } = await late(body);
    expect(result).toEqual({ is: 'impossible', reason: expect.stringContaining(reason) });
    expect(calls).toHaveLength(0);
  });
});

const shape = (body: string, over: Partial<WechatAccount> = {}) =>
  createWechat({ ...account, ...over }, adapterDeps(scriptedSend())).shapeOf?.(answerOf(body));
const textOf = (content: string) => xmlOf({ MsgType: 'text', Content: content });

describe('what an answer is to the platform', () => {
  const one = { isLateOnly: false, isLong: false };

  test.each([
    ['a text that fits', textOf('字'.repeat(682)), one],
    [
      'a longer one, which WeChat drops without a word',
      textOf('字'.repeat(683)),
      { isLateOnly: true, isLong: true },
    ],
    ['one article', newsXml('<item><Title>T</Title></item>'), one],
    [
      'several articles, which it shows',
      newsXml('<item><Title>T</Title></item><item><Title>U</Title></item>'),
      { isLateOnly: false, isLong: true },
    ],
    ['what cannot be read', 'a'.repeat(3_000), one],
  ])('%s', (_, body, expected) => {
    expect(shape(body)).toEqual(expected);
    expect(shape(body, { split: 'off' })).toEqual(one);
  });
});

describe('what an answer of a Mini Program is', () => {
  test.each([
    ['a text', textOf('hi'), true],
    ['a picture', '<xml><MsgType>image</MsgType><Image><MediaId>M</MediaId></Image></xml>', true],
    ['for the connection: the way to a human', xmlOf({ MsgType: 'transfer_customer_service' }), false],
    ['nothing', 'success', false],
    ['nothing that could be sent', '{"reply":"hi"}', false],
  ])('%s', (_, body, isLateOnly) => {
    expect(shape(body, { kind: 'mini' })).toEqual({ isLateOnly, isLong: false });
  });
});

describe('the outcome of a late answer', () => {
  test.each([
    ['WeChat is busy', { errcode: -1 }, { is: 'not-sent', cause: '-1 system error' }],
    ['the minute’s quota is used up', { errcode: 45011 }, { is: 'not-sent', perMinute: true }],
    ['nothing was reached', new NoAnswer('x', { begun: false }), { is: 'not-sent' }],
    ['it timed out', new NoAnswer('x', { begun: true }), { is: 'unknown' }],
    ['a gateway failed', () => answerOf('', 502), { is: 'unknown', cause: 'WeChat answered HTTP 502' }],
    ['the answer is a page', '<html>', { is: 'unknown', cause: 'WeChat did not answer in its JSON' }],
    ['Send broke', new TypeError('x'), { is: 'unknown' }],
    ['the address is wrong', () => answerOf('', 404), { is: 'refused', code: 404, mayNotSend: false }],
    ['a gateway asks for patience', () => answerOf('', 429), { is: 'not-sent' }],
  ])('when %s', async (_, step, expected) => {
    const { result, calls } = await late(hello, [step]);
    expect(result).toMatchObject(expected);
    expect(calls).toHaveLength(1);
  });

  test.each([45015, 45047, 48002, 40003, 43004, 45002, 45008, 45009, 45072, 12_345])(
    '%i refuses this message only',
    async (errcode) => {
      expect((await late(hello, [{ errcode }])).result).toMatchObject({
        is: 'refused',
        code: errcode,
        mayNotSend: false,
      });
    },
  );

  test.each([48001, 40200, 40164, 50001, 50002, 48004, 48008, 40013, 40125, 61007])(
    '%i means that the account may not send',
    async (errcode) => {
      expect((await late(hello, [{ errcode }])).result).toMatchObject({
        is: 'refused',
        code: errcode,
        mayNotSend: true,
      });
    },
  );

  test('a refused message names the code by its word and the remedy', async () => {
    expect((await late(hello, [{ errcode: 40164, errmsg: 'other words' }])).result).toMatchObject({
      reason:
        "invalid ip, not in whitelist. Add this server's egress IP to the IP allowlist in the WeChat console.",
    });
  });

  test('a refused token is replaced and the message repeated once', async () => {
    const { result, calls } = await late(hello, [{ errcode: 42001 }, granted('T2'), ok]);
    expect(result).toEqual({ is: 'sent' });
    expect(calls.map(({ url }) => url.split('?')[1] ?? '')).toEqual([
      'access_token=T1',
      '',
      'access_token=T2',
    ]);
    expect((await late(hello, [{ errcode: 40001 }, granted('T1')])).result).toMatchObject({ is: 'not-sent' });
  });

  test('an account that gets no token may not send; one that gets none now may try again', async () => {
    expect((await late(hello, [], { appSecret: null })).result).toMatchObject({
      is: 'refused',
      reason: 'Set WECHAT_APP_SECRET or WECHAT_ACCESS_TOKEN_URL.',
      mayNotSend: true,
    });
    const withToken = async (step: Step) => {
      const platform = createWechat(account, adapterDeps(scriptedSend(), scriptedSend(step)));
      return platform.sendLate?.('OPENID', answerOf(hello));
    };
    expect(await withToken({ errcode: 40001 })).toMatchObject({ is: 'refused', mayNotSend: true });
    expect(await withToken({ errcode: 40164 })).toMatchObject({ is: 'refused', mayNotSend: true });
    expect(await withToken(new NoAnswer('x', { begun: true }))).toMatchObject({ is: 'not-sent' });
  });
});

describe('how messages of ours look', () => {
  const customSend = { kfAccount: 'ai@shop', isAiMessage: true };

  test('in the name of an agent, and marked as made by an AI, where the account says so', async () => {
    const { calls } = await late(hello, [ok], { customSend });
    expect(JSON.parse(String(calls[0]?.body))).toEqual({
      touser: 'OPENID',
      msgtype: 'text',
      text: { content: 'hello' },
      customservice: { kf_account: 'ai@shop' },
      aimsgcontext: { is_ai_msg: 1 },
    });
  });
});

describe('the interim text', () => {
  const interim = { text: '请稍等…', after: null };

  async function sendInterim(...script: Step[]) {
    const send = scriptedSend(granted('T1'), ...script);
    const deps = adapterDeps(scriptedSend(), send);
    const outcome = await createWechat({ ...account, interim }, deps).sendInterim?.('OPENID');
    return { outcome, calls: send.requests.slice(1), log: deps.log };
  }

  test('that is refused is named in the log', async () => {
    const { log } = await sendInterim({ errcode: 45047 });
    expect(log.lines.map(({ message }) => message)).toContain(
      'WeChat refused the interim text: customer message count out of limit.',
    );
  });

  test('is a text message', async () => {
    const { outcome, calls } = await sendInterim(ok);
    expect(outcome).toEqual({ is: 'done' });
    expect(calls.map(({ body }) => body)).toEqual([
      '{"touser":"OPENID","msgtype":"text","text":{"content":"请稍等…"}}',
    ]);
  });

  test.each([
    ['refused', { errcode: 45047 }, { is: 'failed', code: 45047 }],
    ['without an answer', new NoAnswer('x', { begun: true }), { is: 'lost', begun: true }],
    ['that did not leave', new NoAnswer('x', { begun: false }), { is: 'lost', begun: false }],
  ])('%s', async (_, step, outcome) => {
    expect((await sendInterim(step)).outcome).toMatchObject(outcome);
  });

  test('there is none that is not configured', () => {
    expect('sendInterim' in createWechat(account, adapterDeps(scriptedSend()))).toBe(false);
  });
});
