import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  at,
  fails,
  leaves,
  play,
  seen,
  sends,
  writes,
  type Happening,
  type Scenario,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }] = tables;
const renewing = { ...wechat, afterAck: 'renew' } as const;
const line = (events: Scenario['events'], sending: Scenario['sending'] = [], more: Partial<Scenario> = {}) =>
  play({ rules: renewing, events, sending, ...more });

const refused: Happening = { is: 'unblocked', doubt: false };
const unknown: Happening = { is: 'unblocked', doubt: true };

describe('while a message of the bot is on its way', () => {
  test('nothing is shown; the platform takes it, and the turn ends without a show', () => {
    const { calls, ends } = line(
      [at(0, writes('a')), at(0.1, acknowledges('a')), at(15, sends(), 15.3)],
      [{ from: 15, to: 15.3 }],
    );
    expect(calls).toBe('0 show');
    expect(ends).toBe('15.3 a: gateway');
  });

  test('a message of the user shows nothing; the wake-up comes when the message should be over', () => {
    const { calls } = line([at(1, writes('a')), at(9, fails('a'))], [{ from: 0.5, to: 60 }]);
    expect(calls).toBe('5.5 show, 9 hide');
  });

  test('a message of the user shows as soon as the message is over', () => {
    const { calls } = line(
      [at(1, writes('a')), at(0.5, sends(), 1.2), at(9, fails('a'))],
      [{ from: 0.5, to: 1.2 }],
    );
    expect(calls).toBe('1.2 show, 9 hide');
  });

  test('an indicator is taken away all the same', () => {
    const { calls } = line([at(0, writes('a')), at(5, fails('a'))], [{ from: 4.9, to: 6 }]);
    expect(calls).toBe('0 show, 5 hide');
  });

  test('a second one holds shows back after the first is over', () => {
    const { calls } = line(
      [at(1, writes('a')), at(0.5, sends(), 1.2), at(0.9, sends(), 2), at(9, fails('a'))],
      [
        { from: 0.5, to: 1.2 },
        { from: 0.9, to: 2 },
      ],
    );
    expect(calls).toBe('2 show, 9 hide');
  });

  test('no interim text is sent', () => {
    const rules = { ...renewing, interim: { after: 10_000 } };
    const { calls } = line([at(0, writes('a')), at(20, fails('a'))], [{ from: 9.5, to: 60 }], { rules });
    expect(calls).toBe('0 show, 14.5 interim, 14.5 show, 20 hide');
  });

  test('the window is not forgotten: a show that it holds back past the window is none', () => {
    const { calls } = line(
      [at(0, writes('a')), at(50, fails('a'))],
      [14, 18, 22, 26].map((from) => ({ from, to: 60 })),
    );
    expect(calls).toBe('0 show');
  });
});

describe('a message of the bot that did not go out', () => {
  test('leaves what is lit as it is, and the turn open', () => {
    const { calls, ends } = line(
      [at(0, writes('a')), at(5.3, refused), at(20, fails('a'))],
      [{ from: 5, to: 5.3 }],
    );
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
    expect(ends).toBe('20 a: reply-failed');
  });

  test('lets the show that it held back go at once', () => {
    const { calls } = line(
      [at(0, writes('a')), at(15.3, refused), at(20, fails('a'))],
      [{ from: 15, to: 15.3 }],
    );
    expect(calls).toBe('0 show, 15.3 show, 20 hide');
  });

  test('counts neither as sent nor as an interaction', () => {
    const { state } = line([at(0, writes('a')), at(5.3, refused), at(20, leaves)]);
    expect(state.sends).toBe(0);
    expect(state.lastInteractionAt).toBe(1_000_000);
  });
});

describe('a message of which nobody knows whether it went out', () => {
  test('ends no turn; the indicator is shown again, for it may be dark', () => {
    const { calls, ends } = line(
      [at(0, writes('a')), at(5, unknown), at(9, fails('a'))],
      [{ from: 2, to: 5 }],
    );
    expect(calls).toBe('0 show, 5 show, 9 hide');
    expect(ends).toBe('9 a: reply-failed');
  });

  test('and that crossed a show: that one is in doubt too', () => {
    const { calls } = line([at(0, writes('a')), at(0.1, unknown), at(9, fails('a'))], [], { takes: 300 });
    expect(calls).toBe('0 show, 0.3 show, 9 hide');
  });

  test('while nobody waits: what may still be lit is not asked about', () => {
    const { calls } = line([at(0, writes('a')), at(0.1, acknowledges('a')), at(3, seen()), at(5, unknown)]);
    expect(calls).toBe('0 show');
  });
});

test('a message that nobody speaks of again holds back for 5 s, and the turn goes on', () => {
  const { calls, ends } = line([at(0, writes('a')), at(20, fails('a'))], [{ from: 14, to: 1000 }]);
  expect(calls).toBe('0 show, 19 show, 20 hide');
  expect(ends).toBe('20 a: reply-failed');
});
