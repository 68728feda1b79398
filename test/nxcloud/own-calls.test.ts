import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createOwnCalls } from '../../src/nxcloud/own-calls.ts';
import { answer } from '../support/nxcloud.ts';

const ownCalls = createOwnCalls({ businessPhone: '8615800001795' });
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

  test('a reaction is reported like a message, and is none', () => {
    const reaction = { type: 'reaction', to: '86138', reaction: { emoji: '👍' } };
    expect(read(reaction)).toEqual({ is: 'aside', user: '86138' });
  });

  test('to a group goes to the group', () => {
    expect(read({ ...text, recipient_type: 'group', to: '120363' })).toEqual({ is: 'send', user: '120363' });
  });

  test('names the number that it is sent by, where the account has several', () => {
    const several = createOwnCalls({ businessPhone: null });
    const body = JSON.stringify({ ...text, to: '86138', business_phone: '8615800001795' });
    const sent = { is: 'send', user: '86138', from: '8615800001795' };
    expect(several.read(mt, new TextEncoder().encode(body))).toEqual(sent);
  });

  test.each([
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
  /** https://help.gupshup.io article 4413210201625: `wa_id` can differ from `input`. */
  test('says what else it calls the user', () => {
    const contacts = [{ input: '5215550100002', wa_id: '525550100009' }];
    const said = answer({ code: 0, data: { ...accepted.data, contacts } });
    expect(ownCalls.verdict(said)).toEqual({
      is: 'accepted',
      messageId: 'wamid.1',
      names: ['525550100009'],
    });
    const ids = [{ input: '86138', wa_id: '86138', user_id: 'CN.1' }];
    expect(ownCalls.verdict(answer({ code: 0, data: { ...accepted.data, contacts: ids } }))).toMatchObject({
      names: ['86138', 'CN.1'],
    });
  });

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
