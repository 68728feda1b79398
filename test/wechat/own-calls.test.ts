import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOwnCalls } from '../../src/wechat/own-calls.ts';
import { answerOf, utf8 } from '../support/wechat.ts';

const ownCalls = createOwnCalls({ typingPath: null });
const send = '/cgi-bin/message/custom/send';
const typing = '/cgi-bin/message/custom/typing';
const businessTyping = '/cgi-bin/message/custom/business/typing';

const read = (path: string, body: unknown) =>
  ownCalls.read(path, utf8(typeof body === 'string' ? body : JSON.stringify(body)));

function textTo(content: string): Uint8Array {
  return utf8(JSON.stringify({ touser: 'o1', msgtype: 'text', text: { content } }));
}

describe('a call of the bot', () => {
  test('that sends one of the texts that are no answers says so', () => {
    const calls = createOwnCalls({ typingPath: null }, (text) => text === '正在查询…');
    expect(calls.read(send, textTo('正在查询…'))).toEqual({ is: 'send', user: 'o1', isInterim: true });
    expect(calls.read(send, textTo('答案'))).toEqual({ is: 'send', user: 'o1' });
  });

  test.each([
    send,
    '/cgi-bin/message/custom/business/send',
    typing,
    businessTyping,
    `/${send}`,
    '//cgi-bin//message/custom/send',
    `${typing}/`,
  ])('is read when it is a POST to %s', (path) => {
    expect(ownCalls.reads('POST', path)).toBe(true);
    expect(ownCalls.reads('GET', path)).toBe(false);
  });

  test.each([
    '/cgi-bin/token',
    '/cgi-bin/stable_token',
    '/cgi-bin/media/upload',
    '/cgi-bin/message/custom',
    '/cgi-bin/message/custom/send/x',
    '/x/cgi-bin/message/custom/send',
    '/cgi-bin/message/template/send',
    '/',
    '',
  ])('is not read when it goes to %s', (path) => {
    expect(ownCalls.reads('POST', path)).toBe(false);
  });

  test('is read on the account’s own typing path too', () => {
    const path = '/other/typing';
    expect(ownCalls.reads('POST', path)).toBe(false);
    const own = createOwnCalls({ typingPath: path });
    expect(own.reads('POST', path)).toBe(true);
    expect(own.read(path, utf8('{"touser":"o1","command":"Typing"}'))).toEqual({
      is: 'typing',
      user: 'o1',
      on: true,
    });
    expect(own.reads('POST', typing)).toBe(true);
    expect(own.reads('POST', '')).toBe(false);
  });

  test.each(['text', 'image', 'news', 'msgmenu', 'miniprogrampage', 'a kind of tomorrow'])(
    'sends a user a message: %s',
    (msgtype) => {
      expect(read(send, { touser: 'oUser', msgtype, [msgtype]: {} })).toEqual({ is: 'send', user: 'oUser' });
      expect(read(`/${send}/`, { touser: 'oUser', msgtype })).toEqual({ is: 'send', user: 'oUser' });
    },
  );

  test.each([typing, businessTyping])('switches the indicator: %s', (path) => {
    expect(read(path, { touser: 'o1', command: 'Typing' })).toEqual({ is: 'typing', user: 'o1', on: true });
    expect(read(path, { touser: 'o1', command: 'CancelTyping' })).toEqual({
      is: 'typing',
      user: 'o1',
      on: false,
    });
  });

  test.each([
    [send, { msgtype: 'text' }],
    [send, { touser: '' }],
    [send, { touser: 7 }],
    [send, { touser: ['o1'] }],
    [send, ['o1']],
    [send, '{"touser":"o1"'],
    [send, ''],
    [typing, { touser: 'o1' }],
    [typing, { touser: 'o1', command: 'typing' }],
    [typing, { command: 'Typing' }],
  ])('says nothing of a user: %s %j', (path, body) => {
    expect(read(path, body)).toBeNull();
  });

  test('may begin with a byte order mark and hold any text', () => {
    expect(read(send, '\ufeff{"touser":"o1","text":{"content":"你好 👋"}}')).toEqual({
      is: 'send',
      user: 'o1',
    });
  });
});

describe('WeChat’s word', () => {
  test.each([
    [
      { errcode: 0, errmsg: 'ok' },
      { is: 'accepted', messageId: null },
    ],
    [
      { errcode: 45081, errmsg: 'rid: 1' },
      { is: 'accepted', messageId: null },
    ],
    [
      { errcode: 45015, errmsg: 'ok' },
      { is: 'refused', code: 45015, name: 'response out of time limit' },
    ],
    [{ errcode: 45047 }, { is: 'refused', code: 45047, name: 'customer message count out of limit' }],
    [{ errcode: -1 }, { is: 'refused', code: -1, name: 'system error' }],
    [{ errcode: 99999 }, { is: 'refused', code: 99999, name: 'code 99999' }],
  ])('%j', (body, verdict) => {
    expect(ownCalls.verdict(answerOf(body))).toEqual(verdict);
  });

  test.each([{ errmsg: 'ok' }, { errcode: '0' }, {}, [], '<html>', '', '{"errcode":0'])(
    'is missing in %j: unknown, whatever the status',
    (body) => {
      expect(ownCalls.verdict(answerOf(body))).toEqual({ is: 'unknown' });
      expect(ownCalls.verdict(answerOf(body, 502))).toEqual({ is: 'unknown' });
    },
  );

  test('is read from any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.constantFrom(send, typing), (body, path) => {
        ownCalls.read(path, body);
        ownCalls.verdict({ status: 200, headers: [], body });
      }),
    );
  });
});
