import { describe, expect, test } from 'vitest';
import { eventOf, holdsMessage, type Meaning, meaningOf, notTaken } from '../../src/core/bot.ts';
import type { BotAnswer } from '../../src/core/platform.ts';
import { at, leaves, play, sends, start, writes } from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }] = tables;

describe('what the bot’s answer and its X-Typing header mean together', () => {
  const table: [answer: BotAnswer['is'], word: string | null, meaning: Meaning][] = [
    ['acknowledgement', null, 'acknowledgement'],
    ['acknowledgement', 'none', 'none'],
    ['acknowledgement', 'done', 'done'],
    ['acknowledgement', 'keep', 'keep'],
    ['acknowledgement', ' KEEP ', 'keep'],
    ['acknowledgement', 'message', 'acknowledgement'],
    ['acknowledgement', '', 'acknowledgement'],
    ['message', null, 'message'],
    ['message', 'keep', 'message-first'],
    ['message', 'none', 'message'],
    ['message', 'done', 'message'],
    ['handoff', null, 'handoff'],
    ['handoff', 'keep', 'handoff'],
  ];

  test.each(table)('%s with %o: %s', (is, word, meaning) => {
    expect(meaningOf({ is }, word === null ? [] : [['x-typing', word]])).toBe(meaning);
  });
});

const all: Record<Meaning, { holds: boolean; lost: Meaning | null; calls: string; ends: string }> = {
  message: { holds: true, lost: 'undelivered', calls: '0 show', ends: '5 a: passive-reply' },
  'message-first': {
    holds: true,
    lost: 'undelivered',
    calls: '0 show, 15.06 show, 20 hide',
    ends: '20 a: left',
  },
  acknowledgement: { holds: false, lost: null, calls: '0 show', ends: '20 a: left' },
  orphaned: { holds: false, lost: null, calls: '0 show', ends: '20 a: left' },
  keep: { holds: false, lost: null, calls: '0 show, 15.06 show, 20 hide', ends: '20 a: left' },
  none: { holds: false, lost: null, calls: '0 show, 5 hide', ends: '5 a: bot' },
  done: { holds: false, lost: null, calls: '0 show, 5 hide', ends: '5 a: bot' },
  handoff: { holds: true, lost: 'kept', calls: '0 show, 5 hide', ends: '5 a: handoff' },
  missed: { holds: false, lost: null, calls: '0 show, 11 hide', ends: '11 a: deliveries' },
  failed: { holds: false, lost: null, calls: '0 show, 5 hide', ends: '5 a: reply-failed' },
  again: { holds: false, lost: null, calls: '0 show, 15.06 show, 20 hide', ends: '20 a: left' },
  undelivered: { holds: false, lost: null, calls: '0 show, 15.06 show, 20 hide', ends: '20 a: left' },
  kept: { holds: false, lost: null, calls: '0 show, 15.06 show, 20 hide', ends: '20 a: left' },
};
const meanings = Object.keys(all) as Meaning[];

/** What the typing hears of it at that second. */
const told = (meaning: Meaning, second: number) => {
  const { at: time, ...happening } = eventOf(meaning, 'a', { rules: wechat, at: start + second * 1000 });
  return { time, happening };
};

describe.each(meanings)('%s', (meaning) => {
  const { holds, lost, calls, ends } = all[meaning];

  test('is told at its own time', () => {
    expect(told(meaning, 5).time).toBe(start + 5000);
  });

  test(`has ${holds ? 'something' : 'nothing'} for the user`, () => {
    expect(holdsMessage(meaning)).toBe(holds);
  });

  test(`that the platform does not take means ${lost ?? 'nothing more'}`, () => {
    expect(notTaken(meaning)).toBe(lost);
  });

  test(`after 5 s: ${calls}; ${ends}`, () => {
    const played = play({
      rules: wechat,
      events: [at(0, writes('a')), at(5, told(meaning, 5).happening), at(20, leaves)],
    });
    expect({ calls: played.calls, ends: played.ends }).toEqual({ calls, ends });
  });
});

describe('a bot that passes the user on', () => {
  const handsOver = at(5, told('handoff', 5).happening);

  test('gives the conversation away for half an hour', () => {
    const { state } = play({ rules: wechat, events: [at(0, writes('a')), handsOver] });
    expect(state).toMatchObject({ pausedBy: 'transfer', pausedUntil: start + 5000 + 30 * 60_000 });
  });

  test('has it back when the platform did not take that', () => {
    const { calls } = play({
      rules: wechat,
      events: [
        at(0, writes('a')),
        handsOver,
        at(6, told('kept', 6).happening),
        at(7, writes('b')),
        at(8, leaves),
      ],
    });
    expect(calls).toBe('0 show, 5 hide, 7 show, 8 hide');
  });
});

test('a message whose delivery failed leaves the indicator on the phone: it is taken away', () => {
  const { calls } = play({
    rules: wechat,
    events: [
      at(0, writes('a')),
      at(5, told('message', 5).happening),
      at(6, told('undelivered', 6).happening),
    ],
  });
  expect(calls).toBe('0 show, 6 hide');
});

test('a first message that ends nothing: the bot’s next one does', () => {
  const { ends } = play({
    rules: wechat,
    events: [at(0, writes('a')), at(5, told('message-first', 5).happening), at(9, sends())],
  });
  expect(ends).toBe('9 a: gateway');
});
