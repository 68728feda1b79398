import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  answers,
  at,
  fails,
  platformSecond,
  play,
  seen,
  start,
  writes,
  type Happening,
} from './scenario.ts';
import { tables, wechatLine, whatsappLine } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;

const asked = (turn: string, second: number) => writes(turn, { sentAt: platformSecond(second) });

describe('several messages', () => {
  test('the indicator comes back after the first answer and ends with the second', () => {
    const { calls, ends } = wechatLine(
      at(0, writes('a')),
      at(3, writes('b')),
      at(5, answers('a')),
      at(5.2, { is: 'interaction', sent: false }),
      at(9, fails('b')),
    );
    expect(calls).toBe('0 show, 5.2 show, 9 hide');
    expect(ends).toBe('5 a: passive-reply, 9 b: reply-failed');
  });

  test('without news of the first answer it comes back after 2 s', () => {
    const { calls } = wechatLine(
      at(0, writes('a')),
      at(3, writes('b')),
      at(5, answers('a')),
      at(9, fails('b')),
    );
    expect(calls).toBe('0 show, 7 show, 9 hide');
  });

  test('an answer that nobody else waits for keeps the next message dark for as long as it needs to leave', () => {
    for (const [second, shown] of [
      [5.2, '5.5'],
      [5.8, '5.8'],
    ] as const) {
      const line = [at(0, writes('a')), at(5, answers('a')), at(second, writes('b')), at(9, fails('b'))];
      expect(wechatLine(...line).calls).toBe(`0 show, ${shown} show, 9 hide`);
    }
  });

  test('a second message while it shows calls nothing, and reopens the window', () => {
    const { calls } = wechatLine(
      at(0, writes('a')),
      at(14, writes('b')),
      at(31, fails('a')),
      at(32, fails('b')),
    );
    expect(calls).toBe('0 show, 15.06 show, 30.12 show, 32 hide');
  });

  test('the 33rd open turn ends the oldest', () => {
    const events = Array.from({ length: 33 }, (_, n) => at(n / 10, writes(`turn-${n}`)));
    const { ends } = play({ rules: whatsapp, events: [...events, at(5, { is: 'left' })] });
    expect(ends).toMatch(/^3\.2 turn-0: crowded, 5 /);
  });
});

describe('repeats', () => {
  test('of what the bot did not take: it is called again, in the window of the message itself', () => {
    const { calls, ends } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(5, fails('a')), at(10, { is: 'again', turn: 'a' }), at(40, fails('a'))],
    });
    expect(calls).toBe('0 show, 5 hide, 10 show, 25.06 show, 40 hide');
    expect(ends).toBe('5 a: reply-failed, 40 a: reply-failed');
  });

  test('move neither the interaction nor anything else', () => {
    const once = wechatLine(at(0, writes('a')), at(40, fails('a')));
    const thrice = wechatLine(
      at(0, writes('a')),
      at(5, writes('a')),
      at(10, writes('a')),
      at(40, fails('a')),
    );
    expect(thrice.calls).toBe('0 show, 15.06 show');
    expect(thrice).toEqual(once);
  });

  test('a repeat after the end opens nothing', () => {
    const { calls, state } = wechatLine(at(0, writes('a')), at(3, answers('a')), at(5, writes('a')));
    expect(calls).toBe('0 show');
    expect(state.lastInteractionAt).toBe(start);
  });

  test('an end that overtakes its own message: nothing shows, but the interaction counts', () => {
    const { calls, state } = wechatLine(at(0, answers('a')), at(0.1, writes('a')), at(0.2, writes('a')));
    expect(calls).toBe('');
    expect(state).toMatchObject({ turns: [], lastInteractionAt: start + 100, messageId: 'a' });
  });

  test('the first end wins', () => {
    expect(wechatLine(at(0, writes('a')), at(3, answers('a')), at(4, fails('a'))).ends).toBe(
      '3 a: passive-reply',
    );
  });
});

describe('what overtakes the message that it belongs to', () => {
  test('an acknowledgement counts: the indicator is not renewed', () => {
    const { calls } = wechatLine(at(0, writes('a'), 0.2), at(0.1, acknowledges('a')));
    expect(calls).toBe('0.2 show');
  });

  test('a message to the user ends the turn: nothing shows', () => {
    const { calls, ends } = whatsappLine(at(0, writes('a', { phase: 'acknowledged' }), 0.3), at(0.1, seen()));
    expect(calls).toBe('');
    expect(ends).toBe('0.3 a: status');
  });

  test('a message to the user from before the question answers something else', () => {
    const { ends } = whatsappLine(
      at(0, seen()),
      at(1, writes('a', { phase: 'acknowledged' })),
      at(3, { is: 'left' }),
    );
    expect(ends).toBe('3 a: left');
  });
});

/** A show of 0.3 s, crossed by an answer of which it is said in that second that it is out; another turn is open. */
const crossed = (second: number, sent: boolean) =>
  play({
    rules: wechat,
    events: [
      at(0, writes('a')),
      at(0.05, writes('b')),
      at(0.1, answers('a')),
      at(second, { is: 'interaction', sent }),
      at(3, fails('b')),
    ],
    takes: 300,
  });

describe('an answer that does not go out after all', () => {
  test('leaves the indicator on the phone: it is taken away', () => {
    const { calls } = wechatLine(at(0, writes('a')), at(5, answers('a')), at(5.4, { is: 'undelivered' }));
    expect(calls).toBe('0 show, 5.4 hide');
  });

  test('a message that crossed the show on its way: it is taken away, for nobody knows which came first', () => {
    const { calls } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(0.1, answers('a'))],
      takes: 300,
    });
    expect(calls).toBe('0 show, 0.3 hide');
  });

  describe('a message that crossed the show on its way, where another turn is open: shown again', () => {
    test('when the show has ended, where the message is out by then', () => {
      expect(crossed(0.2, false).calls).toBe('0 show, 0.3 show, 3 hide');
    });

    test('else when the message is out', () => {
      expect(crossed(0.8, true).calls).toBe('0 show, 0.8 show, 3 hide');
    });
  });
});

describe('a message to the user, whose turn is not known', () => {
  test('ends every acknowledged turn that was opened before it', () => {
    const { calls, ends } = whatsappLine(
      at(0, asked('a', 0)),
      at(0.1, acknowledges('a')),
      at(40, seen(platformSecond(40))),
    );
    expect(calls).toBe('0 show, 25.3 show');
    expect(ends).toBe('40 a: status');
  });

  test('of the same platform second as the question counts as its answer', () => {
    const { ends } = whatsappLine(
      at(0.5, asked('a', 0)),
      at(0.6, acknowledges('a')),
      at(2, seen(platformSecond(0))),
    );
    expect(ends).toBe('2 a: status');
  });

  test('of an earlier platform second answers something else', () => {
    const { ends } = whatsappLine(
      at(5, asked('a', 5)),
      at(5.1, acknowledges('a')),
      at(6, seen(platformSecond(4))),
      at(9, { is: 'left' }),
    );
    expect(ends).toBe('9 a: left');
  });

  test('without a platform time is judged by when it came', () => {
    const { ends } = whatsappLine(
      at(0, writes('a')),
      at(1, acknowledges('a')),
      at(4, writes('b')),
      at(4.1, acknowledges('b')),
      at(3, seen(), 5),
      at(9, { is: 'left' }),
    );
    expect(ends).toBe('5 a: status, 9 b: left');
  });

  test('while the bot is still at work: dark for 2 s, then on, and the turn ends with its call', () => {
    const { calls, ends } = wechatLine(at(0, writes('a')), at(5, seen()), at(10, acknowledges('a')));
    expect(calls).toBe('0 show, 7 show, 10 hide');
    expect(ends).toBe('10 a: status');
  });

  test('a WhatsApp indicator that it took away is renewed where another turn is open', () => {
    const { calls } = whatsappLine(
      at(0, asked('a', 0)),
      at(0.1, acknowledges('a')),
      at(9, seen(platformSecond(9))),
      at(12, asked('b', 12)),
      at(13, { is: 'left' }),
    );
    expect(calls).toBe('0 show, 12 show');
  });
});

/** A delivery that the platform closed. */
function gone(delivery: string): Happening {
  return { is: 'missed', turn: 'a', delivery };
}

describe('pass mode', () => {
  const passed: Happening = writes('a', { phase: 'passed' });
  const missed: Happening = { is: 'missed', turn: 'a' };

  test('the turn stays open from delivery to delivery, and ends with the third', () => {
    const { calls, ends } = wechatLine(
      at(0, passed),
      at(5, missed),
      at(5.1, passed),
      at(10, missed),
      at(10.1, passed),
      at(14, missed),
    );
    expect(calls).toBe('0 show, 14 hide');
    expect(ends).toBe('14 a: deliveries');
  });

  /** CowAgent behind a WeChat that delivers anew 50 ms before it hangs up. */
  test('what counts are the deliveries that were closed, each once, not those that came', () => {
    const { calls, ends } = wechatLine(
      at(0, passed),
      at(4.95, passed),
      at(5, gone('first')),
      at(9.95, passed),
      at(10, gone('second')),
      at(10.1, gone('second')),
      at(13, answers('a')),
    );
    expect(calls).toBe('0 show');
    expect(ends).toBe('13 a: passive-reply');
  });

  test('it ends 6 s after the last delivery without another', () => {
    const { calls, ends } = wechatLine(at(0, passed), at(5, missed));
    expect(calls).toBe('0 show, 11 hide');
    expect(ends).toBe('11 a: deliveries');
  });

  test('another delivery within the 6 s keeps it open, however long that one takes', () => {
    const { calls, ends } = wechatLine(at(0, passed), at(5, missed), at(10.9, passed), at(14, answers('a')));
    expect(calls).toBe('0 show');
    expect(ends).toBe('14 a: passive-reply');
  });

  test('an acknowledgement is none that was missed', () => {
    const { ends } = wechatLine(at(0, passed), at(5, missed), at(6, acknowledges('a')));
    expect(ends).toBe('600 a: deadline');
  });

  test('a delivery after the end opens nothing', () => {
    expect(wechatLine(at(0, passed), at(3, answers('a')), at(5, passed)).calls).toBe('0 show');
  });
});

describe('a human', () => {
  test('takes over: dark at once, and no message starts typing until the pause is over', () => {
    const { calls, ends } = wechatLine(
      at(0, writes('a')),
      at(5, { is: 'paused', until: start + 60_000, by: 'session' }),
      at(20, writes('b')),
      at(60, writes('c')),
      at(61, fails('c')),
    );
    expect(calls).toBe('0 show, 5 hide, 60 show, 61 hide');
    expect(ends).toBe('5 a: handoff, 61 c: reply-failed');
  });

  test('hands back: the next message starts typing', () => {
    const { calls } = wechatLine(
      at(0, { is: 'paused', until: start + 60_000, by: 'session' }),
      at(1, writes('a')),
      at(2, { is: 'resumed', by: 'session' }),
      at(3, writes('b')),
      at(4, answers('b')),
    );
    expect(calls).toBe('3 show');
  });

  test('leaves: dark at once', () => {
    const { calls, ends, state } = wechatLine(at(0, writes('a')), at(5, { is: 'left' }));
    expect(calls).toBe('0 show, 5 hide');
    expect(ends).toBe('5 a: left');
    expect(state.messageId).toBeNull();
  });
});
