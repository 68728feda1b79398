import { describe, expect, test } from 'vitest';
import {
  acknowledges,
  answers,
  at,
  fails,
  finishes,
  leaves,
  over,
  platformSecond,
  play,
  seen,
  sends,
  start,
  writes,
  type Happening,
  type Scheduled,
} from './scenario.ts';
import { step } from '../../src/core/step.ts';
import { tables, whatsappLine } from './tables.ts';

const [{ rules: wechat }] = tables;
const renewing = { ...wechat, afterAck: 'renew' } as const;
const wechatLine = (...events: Scheduled[]) => play({ rules: renewing, events });

/** The bot acknowledges at once and will send later. */
const asks = (turn: string, second: number, judged = second): Scheduled[] => [
  at(second, writes(turn, { sentAt: platformSecond(Math.floor(second)) }), judged),
  at(second, acknowledges(turn), judged),
];

/** Whoever called the bot has died. */
const orphaned = (turn: string): Happening => ({ is: 'acknowledged', turn, orphan: true });

describe('a message that passes the gateway', () => {
  test('ends the acknowledged turn, and takes the indicator away by itself', () => {
    const { calls, ends } = wechatLine(...asks('a', 0), at(20, sends()));
    expect(calls).toBe('0 show, 15.06 show');
    expect(ends).toBe('20 a: gateway');
  });

  test('counts as an interaction: a turn that is still open may show for another 30 s', () => {
    const { calls, ends } = wechatLine(at(0, writes('a')), at(28, sends()), at(50, fails('a')));
    expect(calls).toBe('0 show, 15.06 show, 30 show, 45.06 show, 50 hide');
    expect(ends).toBe('50 a: reply-failed');
  });

  test('while the bot is still at work: dark for 2 s, then on, and the turn ends with its call', () => {
    const { calls, ends } = wechatLine(at(0, writes('a')), at(5, sends()), at(10, acknowledges('a')));
    expect(calls).toBe('0 show, 7 show, 10 hide');
    expect(ends).toBe('10 a: gateway');
  });

  test('and was the answer to one of two: the other, whose call goes on, is shown again when that call has ended', () => {
    const line = [at(0, writes('a')), at(1, writes('b')), at(5, sends()), at(5.01, acknowledges('a'))];
    const { calls, ends } = whatsappLine(...line, at(6, sends()), at(6.01, acknowledges('b')));
    expect(calls).toBe('0 show, 5.16 show');
    expect(ends).toBe('5.01 a: gateway, 6.01 b: gateway');
  });

  test('and of which is heard only after the end of the call that it answered: the same', () => {
    const line = [at(0, writes('a')), at(1, writes('b')), at(5.01, acknowledges('a')), at(5, sends(), 5.02)];
    const { calls, ends } = whatsappLine(...line, at(6, sends()), at(6.01, acknowledges('b')));
    expect(calls).toBe('0 show, 5.16 show');
    expect(ends).toBe('5.02 a: gateway, 6.01 b: gateway');
  });

  describe('of a bot that was called again, after its caller had died, and of which is heard only after that call', () => {
    const again = [at(0, writes('a')), at(2, orphaned('a'))];

    test('ends the turn', () => {
      const { calls, ends } = whatsappLine(...again, at(20.01, acknowledges('a')), at(20, sends('m'), 20.02));
      expect(calls).toBe('0 show');
      expect(ends).toBe('20.02 a: gateway');
    });

    test('ends no other that was called again, and which goes on until its own comes', () => {
      const line = [...again, at(1, writes('b')), at(2, orphaned('b')), at(20.01, acknowledges('b'))];
      const { ends } = whatsappLine(
        ...line,
        at(20, sends('m'), 20.02),
        at(23, acknowledges('a')),
        at(30, sends('n')),
      );
      expect(ends).toBe('20.02 b: gateway, 30 a: gateway');
    });
  });

  test('and has answered two, whose calls end together: it is not shown again', () => {
    const line = [at(0, writes('a')), at(1, writes('b')), at(5, sends())];
    const { calls, ends } = whatsappLine(...line, at(5.01, acknowledges('a')), at(5.1, acknowledges('b')));
    expect(calls).toBe('0 show');
    expect(ends).toBe('5.01 a: gateway, 5.1 b: gateway');
  });

  test('of a bot whose caller has died ends one of two turns: the other goes on until its own comes', () => {
    const { calls, ends } = whatsappLine(
      at(0, writes('a')),
      at(1, writes('b')),
      at(2, orphaned('a')),
      at(2, orphaned('b')),
      at(5, sends('m')),
      at(9, sends('n')),
    );
    expect(calls).toBe('0 show, 5.15 show');
    expect(ends).toBe('5 a: gateway, 9 b: gateway');
  });

  test.each([
    ['the only turn that waits', [at(9, sends())], [['a', true]]],
    ['one of two, as far as is known', [at(3, writes('b')), at(9, sends())], [['a', undefined]]],
    ['nothing: it is given up', [at(9, leaves)], [['a', undefined]]],
  ])('of a bot whose caller has died was surely the answer to %s', (_, then, known) => {
    const { state } = whatsappLine(at(0, writes('a')), at(2, orphaned('a')), ...then, at(11, { is: 'left' }));
    expect(state.ended.slice(0, 1).map(({ id, answered }) => [id, answered])).toEqual(known);
  });

  test('that went out before its caller was known to be dead ends the turn then', () => {
    const line = [at(0, writes('a')), at(5, sends()), at(6, orphaned('a'))];
    const { calls, ends } = whatsappLine(...line);
    expect(calls).toBe('0 show');
    expect(ends).toBe('6 a: gateway');
  });

  test('that went out long before that leaves the turn open: its call had gone on', () => {
    const line = [at(0, writes('a')), at(1, writes('b')), at(5, sends()), at(5.01, acknowledges('b'))];
    const { calls, ends } = whatsappLine(...line, at(8, orphaned('a')), at(40, sends()));
    expect(calls).toBe('0 show, 5.16 show, 30.46 show');
    expect(ends).toBe('5.01 b: gateway, 40 a: gateway');
  });

  describe('beside a turn whose caller has died, and one whose call is under way', () => {
    const line = [at(0, writes('a')), at(1, orphaned('a')), at(2, writes('b')), at(5, sends('m'))];

    test('was the answer to the one whose call ends then: the other goes on', () => {
      const { calls, ends } = whatsappLine(...line, at(5.01, acknowledges('b')), at(9, sends('n')));
      expect(calls).toBe('0 show, 5.16 show');
      expect(ends).toBe('5.01 b: gateway, 9 a: gateway');
    });

    test('was the answer to the other where that call goes on', () => {
      const { calls, ends } = whatsappLine(...line, at(12, sends('n')), at(12.01, acknowledges('b')));
      expect(calls).toBe('0 show, 6 show');
      expect(ends).toBe('6 a: gateway, 12.01 b: gateway');
    });
  });

  test('that is told twice counts once', () => {
    const { state, ends } = wechatLine(
      at(0, writes('a')),
      at(5, sends('m')),
      at(5.1, sends('m')),
      at(9, leaves),
    );
    expect(state.sends).toBe(1);
    expect(ends).toBe('9 a: left');
  });

  test('that is told again when the user has written again ends nothing more', () => {
    const { ends } = wechatLine(
      ...asks('a', 0),
      at(5, sends('m')),
      ...asks('b', 6),
      at(7, sends('m')),
      at(9, leaves),
    );
    expect(ends).toBe('5 a: gateway, 9 b: left');
  });

  test('without an id is another message each time', () => {
    const { state } = wechatLine(at(0, writes('a')), at(5, sends()), at(6, sends()), at(9, leaves));
    expect(state.sends).toBe(2);
  });
});

/** Agents say something at each tool call: https://github.com/zhayujie/CowAgent */
describe('a bot that sends several messages to one question', () => {
  const silent = { ...renewing, sendEnds: 'silence' } as const;
  const line = (...events: Scheduled[]) => play({ rules: silent, events });

  test('shows again between them, and the last one is the answer when none has followed for 8 s', () => {
    const { calls, ends } = line(...asks('a', 0), at(3, sends()), at(10, sends()));
    expect(calls).toBe('0 show, 5 show, 12 show, 18 hide');
    expect(ends).toBe('18 a: gateway');
  });

  test('also where the account shows but once after an acknowledgement', () => {
    const keeping = { ...silent, afterAck: 'keep' } as const;
    const { calls } = play({ rules: keeping, events: [...asks('a', 0), at(3, sends())] });
    expect(calls).toBe('0 show, 5 show, 11 hide');
  });

  test('while its call runs: what was sent last counts from when it was sent', () => {
    const { calls, ends } = line(at(0, writes('a')), at(4, sends()), at(9, acknowledges('a')));
    expect(calls).toBe('0 show, 6 show, 12 hide');
    expect(ends).toBe('12 a: gateway');
  });

  test('and whose call outlasts the silence after the last: the turn ends with the call', () => {
    const { calls, ends } = line(at(0, writes('a')), at(4, sends()), at(15, acknowledges('a')));
    expect(calls).toBe('0 show, 6 show, 15 hide');
    expect(ends).toBe('15 a: gateway');
  });

  test('and whose account does not say so: what follows the end is noticed', () => {
    const { measured } = wechatLine(...asks('a', 0), at(3, sends()), at(9, sends()), at(80, sends()));
    expect(measured.filter(({ by }) => by === 'gateway')).toHaveLength(1);
    const more = (after: number) => {
      const { state } = wechatLine(...asks('a', 0), at(3, sends()));
      const event = { ...sends(), at: start + after * 1_000 } as const;
      return step(renewing, state, { event, by: '' }).isMore;
    };
    expect([more(9), more(80)]).toEqual([true, false]);
  });
});

describe('the same message seen in two ways ends its turn once', () => {
  test('by the gateway first, by the status later', () => {
    const { calls, ends } = whatsappLine(
      ...asks('a', 0),
      at(9, sends('wamid.1')),
      ...asks('b', 10),
      at(10.5, seen(platformSecond(10), 'wamid.1')),
      at(20, leaves),
    );
    expect(calls).toBe('0 show, 10 show');
    expect(ends).toBe('9 a: gateway, 20 b: left');
  });

  test('by the status first, by the gateway later', () => {
    const { ends, state } = whatsappLine(
      ...asks('a', 0),
      at(9.2, seen(platformSecond(9), 'wamid.1')),
      ...asks('b', 9.3),
      at(9, sends('wamid.1'), 9.4),
      at(20, leaves),
    );
    expect(ends).toBe('9.2 a: status, 20 b: left');
    expect(state.heard).toEqual(['wamid.1']);
  });

  test('after seven others', () => {
    const others = Array.from({ length: 7 }, (_, n) => at(2 + n / 10, seen(0, `wamid.${n}`)));
    const { ends } = whatsappLine(
      at(1, seen(0, 'wamid.x')),
      ...others,
      ...asks('a', 5),
      at(6, seen(platformSecond(6), 'wamid.x')),
      at(9, leaves),
    );
    expect(ends).toBe('9 a: left');
  });

  test('two messages of different ids are two', () => {
    const { ends } = whatsappLine(
      ...asks('a', 0),
      at(5, sends('wamid.1')),
      ...asks('b', 6),
      at(9, seen(0, 'wamid.2')),
    );
    expect(ends).toBe('5 a: gateway, 9 b: status');
  });
});

describe('two kinds of evidence for one answer', () => {
  test.each([
    ['gateway, then queue', [at(5, sends()), at(5.2, finishes('a', 'queue'))], '5 a: gateway'],
    ['queue, then gateway', [at(5, finishes('a', 'queue')), at(4.9, sends(), 5.2)], '5 a: queue'],
    ['gateway, then control', [at(5, sends()), at(5.2, finishes('a'))], '5 a: gateway'],
    ['control, then control', [at(5, finishes('a')), at(5.2, finishes('a'))], '5 a: control'],
    ['queue, then status', [at(5, finishes('a', 'queue')), at(6, seen())], '5 a: queue'],
    ['control, then passive reply', [at(5, finishes('a')), at(5.2, answers('a'))], '5 a: control'],
    [
      'all at once',
      [at(5, sends()), at(5, seen()), at(5, finishes('a', 'queue')), at(5, over('all'))],
      '5 a: gateway',
    ],
  ] as const)('%s: the first one ended it', (_, evidence, line) => {
    expect(wechatLine(...asks('a', 0), ...evidence).ends).toBe(line);
  });

  test('the second one leaves what shows for the next message alone', () => {
    const { calls } = wechatLine(
      ...asks('a', 0),
      at(5, sends()),
      ...asks('b', 5.1),
      at(5.3, finishes('a', 'queue')),
      at(6, finishes('a', 'control')),
      at(9, fails('b')),
    );
    expect(calls).toBe('0 show, 5.1 show, 9 hide');
  });

  test('the same word said twice leaves it alone too', () => {
    const { calls } = wechatLine(
      ...asks('a', 0),
      at(5, finishes('a')),
      ...asks('b', 6),
      at(7, finishes('a')),
      at(9, fails('b')),
    );
    expect(calls).toBe('0 show, 5 hide, 6 show, 9 hide');
  });
});

describe('a word that the turn is over', () => {
  test('may come with a message or without: what is lit is taken away', () => {
    const { calls, ends } = wechatLine(...asks('a', 0), at(5, finishes('a', 'queue')));
    expect(calls).toBe('0 show, 5 hide');
    expect(ends).toBe('5 a: queue');
  });

  test('while another turn is open: shown again, for the message may have taken it away', () => {
    const { calls } = wechatLine(...asks('a', 0), ...asks('b', 1), at(5, finishes('a')), at(9, fails('b')));
    expect(calls).toBe('0 show, 5 show, 9 hide');
  });

  test('that comes late says nothing about a show that began after it', () => {
    const { calls } = wechatLine(
      ...asks('a', 0),
      at(14, finishes('a'), 16),
      ...asks('b', 13),
      at(20, fails('b')),
    );
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
  });

  test('while a show is in flight: it is shown again, for nobody knows which came first', () => {
    const { calls } = play({
      rules: renewing,
      events: [...asks('a', 0), ...asks('b', 0), at(0.1, finishes('a')), at(9, fails('b'))],
      takes: 200,
    });
    expect(calls).toBe('0 show, 0.2 show, 9 hide');
  });

  test('a job that failed for good sent nothing: what is lit for another turn is left', () => {
    const failed = { is: 'ended', turn: 'a', by: 'queue', message: false } as const;
    const { calls, ends } = wechatLine(...asks('a', 0), ...asks('b', 1), at(5, failed), at(9, fails('b')));
    expect(calls).toBe('0 show, 9 hide');
    expect(ends).toBe('5 a: queue, 9 b: reply-failed');
  });

  test('that names a turn whose message has not been judged yet: it opens nothing', () => {
    const { calls, ends, state } = wechatLine(at(0, finishes('a', 'queue')), at(0.1, writes('a')));
    expect(calls).toBe('');
    expect(ends).toBe('0 a: queue, 0.1 a: queue');
    expect(state.lastInteractionAt).toBe(start + 100);
  });
});

describe('a word that nothing is waited for any more', () => {
  test('all: ends every turn, the one too whose bot is still at work', () => {
    const { calls, ends } = wechatLine(at(0, writes('a')), ...asks('b', 1), at(5, over('all')));
    expect(calls).toBe('0 show, 5 hide');
    expect(ends).toBe('5 a: control, 5 b: control');
  });

  test('acknowledged: a bot that is still at work goes on', () => {
    const { ends } = wechatLine(
      at(0, writes('a')),
      ...asks('b', 1),
      at(5, over('acknowledged', 'queue')),
      at(9, acknowledges('a')),
    );
    expect(ends).toBe('5 b: queue, 9 a: queue');
  });

  test('acknowledged: the turn of a bot that is still at work is dark for 2 s', () => {
    const { calls } = wechatLine(at(0, writes('a')), at(5, over('acknowledged', 'queue')), at(9, fails('a')));
    expect(calls).toBe('0 show, 5 hide, 7 show, 9 hide');
  });

  test('all: a message that was written before and is judged after it opens nothing', () => {
    const { calls, ends } = wechatLine(at(0, writes('a'), 0.5), at(0.2, over('all')));
    expect(calls).toBe('');
    expect(ends).toBe('0.5 a: control');
  });

  test('all: one that was written after it opens its turn', () => {
    const { calls, ends } = wechatLine(at(0, over('all')), at(0.2, writes('a')), at(3, leaves));
    expect(calls).toBe('0.2 show, 3 hide');
    expect(ends).toBe('3 a: left');
  });

  test('said twice changes nothing more', () => {
    const once = wechatLine(at(0, writes('a')), at(5, over('all')));
    const twice = wechatLine(at(0, writes('a')), at(5, over('all')), at(5, over('all')));
    expect(twice).toEqual(once);
  });
});

describe('evidence that comes late', () => {
  test('after the turn has ended: nothing more ends, but the interaction counts', () => {
    const { ends, state } = wechatLine(...asks('a', 0), at(5, fails('a')), at(4.9, sends(), 8));
    expect(ends).toBe('5 a: reply-failed');
    expect(state.lastInteractionAt).toBe(start + 4900);
  });

  test.each([
    ['gateway', sends()],
    ['status without a time', seen()],
    ['queue', over('acknowledged', 'queue')],
  ] as const)('%s: after a newer message of the user it is not the answer to that one', (_, evidence) => {
    const { ends } = wechatLine(...asks('a', 0), ...asks('b', 6), at(5, evidence, 7), at(9, leaves));
    expect(ends).toMatch(/^7 a: \w+, 9 b: left$/);
  });

  test('a message that left before the user wrote and is judged after it: what shows since is left', () => {
    const { calls } = wechatLine(...asks('b', 6), at(5, sends(), 7), at(9, fails('b')));
    expect(calls).toBe('6 show, 9 hide');
  });
});

describe('evidence that comes early: it is judged before its message', () => {
  test.each([
    ['gateway', sends()],
    ['status', seen()],
    ['queue', over('acknowledged', 'queue')],
  ] as const)('%s ends an acknowledged turn as it opens', (by, evidence) => {
    const { calls, ends } = wechatLine(at(0, writes('a', { phase: 'acknowledged' }), 0.5), at(0.2, evidence));
    expect(calls).toBe('');
    expect(ends).toBe(`0.5 a: ${by}`);
  });

  test('gateway, while the bot is still at work: the turn opens dark and ends with its call', () => {
    const { calls, ends } = wechatLine(at(0, writes('a'), 0.5), at(0.2, sends()), at(4, acknowledges('a')));
    expect(calls).toBe('2.2 show, 4 hide');
    expect(ends).toBe('4 a: gateway');
  });

  test('the acknowledgement and the message both overtake their message', () => {
    const { calls, ends } = wechatLine(at(0, writes('a'), 0.5), at(0.1, acknowledges('a')), at(0.2, sends()));
    expect(calls).toBe('');
    expect(ends).toBe('0.5 a: gateway');
  });

  test('all, then a status: the turn that was written before both is over', () => {
    const events = [at(0, writes('a'), 0.5), at(0.2, over('all')), at(0.3, seen())];
    expect(wechatLine(...events).ends).toBe('0.5 a: control');
  });

  test('gateway, then an old status: the answer is not forgotten for it', () => {
    const { ends } = whatsappLine(
      at(9, writes('a', { phase: 'acknowledged', sentAt: platformSecond(9) }), 10),
      at(9.2, sends()),
      at(9.3, seen(platformSecond(3))),
    );
    expect(ends).toBe('10 a: gateway');
  });

  test('a message that came late ends itself alone, not a turn that was told to go on', () => {
    const { ends } = wechatLine(
      at(0, writes('a')),
      at(5, sends()),
      at(6, { is: 'acknowledged', turn: 'a', renew: true }),
      at(4.9, writes('b', { phase: 'acknowledged' }), 7),
      at(9, leaves),
    );
    expect(ends).toBe('7 b: gateway, 9 a: left');
  });
});

describe('evidence that is lost', () => {
  test('the turn ends at its deadline, its typing at the cap', () => {
    const rules = { ...renewing, window: 600_000, cap: 20_000, deadline: 60_000 };
    const { calls, ends } = play({ rules, events: asks('a', 0) });
    expect(calls).toBe('0 show, 15.06 show, 20 hide');
    expect(ends).toBe('60 a: deadline');
  });

  test('the next message seen ends the turn of the lost one too', () => {
    const { ends } = wechatLine(...asks('a', 0), ...asks('b', 20), at(25, sends()));
    expect(ends).toBe('25 a: gateway, 25 b: gateway');
  });
});

/** Codes 131047, 131026 …: chatwoot/chatwoot#15563. A bot often sends before it acknowledges. */
describe('an answer that failed', () => {
  const failing: Happening = { is: 'failed', sentAt: 0, id: 'm' };

  test.each([
    ['before the bot has acknowledged', [at(1, failing), at(2, acknowledges('a'))], '32 a: status'],
    [
      'and is acknowledged once more',
      [at(1, acknowledges('a')), at(2, failing), at(9, acknowledges('a'))],
      '39 a: status',
    ],
    ['with a next try', [at(1, failing), at(2, acknowledges('a')), at(5, seen(0, 'n'))], '5 a: status'],
  ])('%s: the wait does not last to the cap', (_what, then, expected) => {
    const { ends } = whatsappLine(at(0, writes('a')), ...then);
    expect(ends).toBe(expected);
  });
});

test('of an account with two numbers, who waits for one is not shown typing by the other', () => {
  const { made, ends } = whatsappLine(
    at(0, writes('a', { to: '1', messageId: 'a@1' })),
    at(5, writes('b', { to: '2', messageId: 'b@2' })),
    at(6, acknowledges('a')),
    at(6, acknowledges('b')),
    at(10, { ...seen(), from: '2' } as Happening),
    at(40, { ...seen(), from: '1' } as Happening),
  );
  expect(ends).toBe('10 b: status, 40 a: status');
  expect(made.map(({ messageId }) => messageId)).toEqual(['a@1', 'a@1', 'a@1']);
});
