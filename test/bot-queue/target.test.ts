import { describe, expect, test } from 'vitest';
import { merge, namesSomething, parseNamed, targetsOf } from '../../src/bot-queue/target.ts';

describe('what a job names', () => {
  test.each([
    [
      'a user',
      { channel: 'wechat', account: 'shop', user: 'o1' },
      { channel: 'wechat', account: 'shop', user: 'o1' },
    ],
    ['a message', { messageId: 'wamid.a/b=' }, { messageId: 'wamid.a/b=' }],
    ['something of its own', { channel: 'telegram', user: { name: 'x' }, messageId: '' }, {}],
    ['things at a lower level', { message: { messageId: '1' } }, {}],
    ['nothing', 'text', {}],
    ['null', null, {}],
  ])('when it holds %s', (_, data, named) => {
    expect(parseNamed(JSON.stringify(data))).toEqual(named);
  });

  test('keeps every digit of an id that is written as a number', () => {
    const data = '{"messageId": 24180351648420683, "user":8613800138000,"n":1}';
    expect(parseNamed(data)).toEqual({ messageId: '24180351648420683', user: '8613800138000' });
  });

  test('is not taken from within a text', () => {
    const data = JSON.stringify({ text: '{"messageId":1}', messageId: 'm' });
    expect(parseNamed(data)).toEqual({ messageId: 'm' });
  });

  test.each([null, '', '{', '[1]', '{"messageId":1.5}', '{"messageId":-1}'])('is nothing in %j', (json) => {
    expect(namesSomething(parseNamed(json))).toBe(false);
  });

  test('is the newer word, field by field', () => {
    const older = { channel: 'wechat', user: 'o1', messageId: '1' } as const;
    expect(merge(older, { messageId: '2' })).toEqual({ ...older, messageId: '2' });
  });
});

describe('the targets of a job', () => {
  const user = { channel: 'nxcloud', user: '86138' } as const;
  test.each([
    [
      'the named message; should that be an id of the bot’s own, the one with the job’s id',
      { messageId: 'm' },
      '17',
      [{ messageId: 'm' }, { messageId: '17' }],
    ],
    [
      'the named message of the named user; at last the user',
      { ...user, messageId: 'm' },
      '17',
      [
        { ...user, account: 'default', messageId: 'm' },
        { channel: 'nxcloud', messageId: '17' },
        { ...user, account: 'default' },
      ],
    ],
    [
      'the named message, when a user is named without a channel',
      { user: 'o1', messageId: 'm' },
      '17',
      [{ messageId: 'm' }, { messageId: '17' }],
    ],
    [
      'the named message on its account',
      { channel: 'wechat', account: 'shop', messageId: 'm' } as const,
      '17',
      [
        { channel: 'wechat', account: 'shop', messageId: 'm' },
        { channel: 'wechat', account: 'shop', messageId: '17' },
      ],
    ],
    ['the message with the job’s id', {}, 'wamid.a/b=', [{ messageId: 'wamid.a/b=' }]],
    [
      'the MsgId within the job’s id',
      {},
      'msg-24180351648420683',
      [{ messageId: 'msg-24180351648420683' }, { messageId: '24180351648420683' }],
    ],
    [
      'the message with the job’s id, then the named user',
      { ...user, account: 'sales' },
      '17',
      [
        { channel: 'nxcloud', account: 'sales', messageId: '17' },
        { ...user, account: 'sales' },
      ],
    ],
    [
      'a user of the account default',
      user,
      '17',
      [
        { channel: 'nxcloud', messageId: '17' },
        { ...user, account: 'default' },
      ],
    ],
  ])('are %s', (_, named, jobId, targets) => {
    expect(targetsOf(named, jobId)).toEqual(targets);
  });
});
