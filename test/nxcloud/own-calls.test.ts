import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ownCalls } from '../../src/nxcloud/own-calls.ts';
import { answer } from '../support/nxcloud.ts';

const mt = '/api/wa/mt';
const read = (body: unknown) =>
  ownCalls.read(mt, new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body)));

const text = { messaging_product: 'whatsapp', type: 'text', text: { body: 'hi' } };

describe('a call of the bot', () => {
  test.each([mt, '//api/wa/mt', '/api//wa/mt/'])('is read when it is a POST to %s', (path) => {
    expect(ownCalls.reads('POST', path)).toBe(true);
    expect(ownCalls.reads('GET', path)).toBe(false);
  });

  test.each([
    '/api/wa/typingIndicator',
    '/api/wa/markMessageAsRead',
    '/api/wa/uploadMedia',
    '/api/wa/mt/x',
    '/api/wa',
    '/x/api/wa/mt',
    '',
  ])('is not read when it goes to %s', (path) => {
    expect(ownCalls.reads('POST', path)).toBe(false);
  });

  test.each([
    [{ to: '8613800138000' }, '8613800138000'],
    [{ to: '+8613800138000' }, '8613800138000'],
    [{ to: '+86 138-0013-8000' }, '8613800138000'],
    [{ to: 8613800138000 }, '8613800138000'],
    [{ recipient: 'US.13491208655302741918' }, 'US.13491208655302741918'],
    [{ to: '8613800138000', recipient: 'US.1349' }, '8613800138000'],
    [{ to: '', recipient: 'US.1349' }, 'US.1349'],
    [{ to: 'US.1349' }, 'US.1349'],
  ])('names its user as pushes do: %j', (names, user) => {
    expect(read({ ...text, ...names })).toEqual({ is: 'send', user });
  });

  test.each(['image', 'template', 'interactive', 'sticker'])('sends a message of the type %s', (type) => {
    expect(read({ type, to: '86138' })).toEqual({ is: 'send', user: '86138' });
  });

  test.each([
    { type: 'reaction', to: '86138', reaction: { emoji: '👍' } },
    { ...text, to: '' },
    { ...text, to: ' - ' },
    { ...text, to: ['86138'] },
    text,
    [],
    '{"to":"86138"',
    '',
  ])('says nothing of an answer to a user: %j', (body) => {
    expect(read(body)).toBeNull();
  });
});

const accepted = { code: 0, data: { messaging_product: 'whatsapp', messages: [{ id: 'wamid.1' }] } };
const meta = (code: unknown) => ({ code, message: 'x', type: 'OAuthException' });

describe('NXCloud’s word', () => {
  test.each([
    [accepted, { is: 'accepted', messageId: 'wamid.1' }],
    [
      { code: '0', data: { messages: [] } },
      { is: 'accepted', messageId: null },
    ],
    [
      { code: 0, data: null },
      { is: 'accepted', messageId: null },
    ],
    [
      { code: 0, data: { messages: [{ id: 7.5 }] } },
      { is: 'accepted', messageId: null },
    ],
    [
      { code: 9099, data: { error: meta(131047) } },
      { is: 'refused', code: 131047 },
    ],
    [
      { code: 0, data: { ...accepted.data, error: meta(100.0) } },
      { is: 'refused', code: 100 },
    ],
    [
      { code: 9099, data: { error: {} } },
      { is: 'refused', code: 9099 },
    ],
    [{ code: 9005 }, { is: 'refused', code: 9005, name: 'balance' }],
    [{ code: 1003 }, { is: 'refused', code: 1003, name: 'invalid signature' }],
    [{ code: -1 }, { is: 'refused', code: -1 }],
  ])('%j', (body, verdict) => {
    expect(ownCalls.verdict(answer(body))).toMatchObject(verdict);
  });

  test('is unknown where the answer is not NXCloud’s', () => {
    for (const body of ['<html>', '', '{"code":0', [], {}]) {
      expect(ownCalls.verdict(answer(body))).toEqual({ is: 'unknown' });
    }
    expect(ownCalls.verdict(answer(accepted, 502))).toEqual({ is: 'unknown' });
  });

  test('is read from any bytes without throwing', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (body) => {
        ownCalls.read(mt, body);
        ownCalls.verdict({ status: 200, headers: [], body });
      }),
    );
  });
});
