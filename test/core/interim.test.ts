import { saidElsewhere } from '../../src/core/said.ts';
import { describe, expect, test } from 'vitest';
import type { Rules } from '../../src/core/rules.ts';
import {
  acknowledges,
  answers,
  at,
  fails,
  keeps,
  leaves,
  pauses,
  play,
  reached,
  sends,
  start,
  types,
  writes,
  type Answer,
  type Scenario,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;
const atWindowEnd: Rules = { ...wechat, interim: { after: null } };
const afterTen: Rules = { ...wechat, interim: { after: 10_000 } };
const line = (rules: Rules, events: Scenario['events'], platform: readonly Answer[] = []) =>
  play({ rules, events, answers: platform });

describe('an interim text after n seconds', () => {
  test('is sent once, takes the indicator away and is followed by another one', () => {
    const { calls, ends, state } = line(afterTen, [at(0, writes('a')), at(38, fails('a'))]);
    expect(calls).toBe('0 show, 10 interim, 10 show, 25.06 show, 38 hide');
    expect(ends).toBe('38 a: reply-failed');
    expect(state).toMatchObject({ sends: 1, lastInteractionAt: start + 10_000 });
  });

  test('an answer that is faster needs none', () => {
    expect(line(afterTen, [at(0, writes('a')), at(9.9, answers('a'))]).calls).toBe('0 show');
  });

  test('one text serves all who wait then, and a later message gets its own', () => {
    const { calls } = line(afterTen, [
      at(0, writes('a')),
      at(0, writes('b')),
      at(5, writes('c')),
      at(11, writes('d')),
      at(22, leaves),
    ]);
    expect(calls).toBe('0 show, 10 interim, 10 show, 21 interim, 21 show, 22 hide');
  });

  test('an event that was judged late is not waited for again', () => {
    expect(line(afterTen, [at(0, writes('a'), 12), at(20, fails('a'))]).calls).toBe(
      '12 interim, 12 show, 20 hide',
    );
  });

  test('while a show is in flight it waits for its outcome', () => {
    const { calls } = play({
      rules: { ...afterTen, interim: { after: 100 } },
      events: [at(0, writes('a')), at(2, fails('a'))],
      takes: 300,
    });
    expect(calls).toBe('0 show, 0.3 interim, 0.6 show, 2 hide');
  });
});

describe('an interim text when the window has run out', () => {
  test('comes when the last indicator has, and reopens the window', () => {
    const { calls } = line(atWindowEnd, [at(0, writes('a')), at(50, fails('a'))]);
    expect(calls).toBe('0 show, 15.06 show, 30.12 interim, 30.12 show, 45.18 show, 50 hide');
  });

  test('is sent once: when the window has run out again the turn is dark', () => {
    const { calls, ends } = line(atWindowEnd, [at(0, writes('a')), at(100, answers('a'))]);
    expect(calls).toBe('0 show, 15.06 show, 30.12 interim, 30.12 show, 45.18 show');
    expect(ends).toBe('100 a: passive-reply');
  });

  test('a message of the user keeps it open: none is needed', () => {
    const events = [at(0, writes('a')), at(20, writes('b')), at(40, fails('a')), at(40, fails('b'))];
    expect(line(atWindowEnd, events).calls).toBe('0 show, 15.06 show, 30.12 show, 40 hide');
  });

  test('comes at once where the platform says that it is closed', () => {
    const closed: Answer = { is: 'window-closed', code: 45080 };
    const { calls } = line(atWindowEnd, [at(0, writes('a')), at(5, fails('a'))], [closed]);
    expect(calls).toBe('0 show (window-closed), 0 interim, 0 show, 5 hide');
  });

  test('is not for a platform without such a window', () => {
    expect(line(whatsapp, [at(0, writes('a')), at(60, leaves)]).calls).toBe('0 show, 25.3 show, 50.6 show');
  });

  test('is not for a turn that would show nothing: once means once', () => {
    expect(line({ ...atWindowEnd, mode: 'once' }, [at(0, writes('a')), at(60, leaves)]).calls).toBe('0 show');
  });
});

describe('no interim text', () => {
  const rules: [string, Rules][] = [
    ['after n seconds', afterTen],
    ['at the window’s end', atWindowEnd],
  ];

  describe.each(rules)('%s', (_, each) => {
    const interims = (events: Scenario['events']): number =>
      line(each, events).made.filter(({ kind }) => kind === 'interim').length;

    test('where none is configured', () => {
      expect(line({ ...each, interim: null }, [at(0, writes('a')), at(100, leaves)]).calls).not.toContain(
        'interim',
      );
    });

    test.each([
      [3, 1],
      [4, 0],
    ])('after %i messages of 5: %i', (sent, expected) => {
      const messages = Array.from({ length: sent }, (_, n) => at(1 + n / 10, reached));
      expect(interims([at(0, writes('a')), ...messages, at(100, leaves)])).toBe(expected);
    });

    test('for a turn that was acknowledged, whose answer may have gone out unseen', () => {
      expect(interims([at(0, writes('a')), at(1, acknowledges('a')), at(100, leaves)])).toBe(0);
    });

    test('but for one whose bot has asked for typing', () => {
      expect(interims([at(0, writes('a')), at(1, keeps('a')), at(100, leaves)])).toBe(1);
    });

    test('for a turn that a message has reached while its bot works on', () => {
      expect(interims([at(0, writes('a')), at(5, sends()), at(100, leaves)])).toBe(0);
    });

    test('for a turn that has ended', () => {
      expect(interims([at(0, writes('a')), at(5, answers('a'))])).toBe(0);
    });

    test('for one whose end is judged first', () => {
      expect(interims([at(0, writes('a'), 40), at(5, answers('a'))])).toBe(0);
    });

    test('while a human has the conversation', () => {
      expect(interims([at(0, writes('a')), at(5, pauses('session', 300)), at(6, writes('b'))])).toBe(0);
    });

    test('where nothing is to be shown', () => {
      const rules = { ...each, mode: 'off' } as const;
      expect(line(rules, [at(0, writes('a')), at(100, leaves)]).calls).toBe('');
    });

    test('for a bot that has switched its indicator off', () => {
      expect(interims([at(0, writes('a')), at(5, types(false)), at(100, leaves)])).toBe(0);
    });

    test.each<[string, Answer]>([
      ['refused', { is: 'failed', code: 45047 }],
      ['not permitted', { is: 'account-off', code: 48001, remedy: saidElsewhere('Certify it.') }],
      ['lost', { is: 'lost', begun: true, cause: 'timeout' }],
      ['of a job that died', 'silence'],
    ])('after one that was %s', (_name, answer) => {
      const done: Answer = { is: 'done' };
      const shows = line(each, [at(0, writes('a')), at(9.9, leaves)]).made.length;
      const platform = [...Array.from({ length: each === afterTen ? shows - 1 : 2 }, () => done), answer];
      const { calls } = line(each, [at(0, writes('a')), at(170, leaves)], platform);
      expect(calls.match(/interim/g)).toHaveLength(1);
      expect(calls).toContain(`interim (${answer === 'silence' ? answer : answer.is})`);
    });
  });
});

describe('what became of it', () => {
  test('refused: what is lit stays, and it does not count as sent', () => {
    const { calls, state } = line(
      afterTen,
      [at(0, writes('a')), at(20, fails('a'))],
      [{ is: 'done' }, { is: 'failed', code: 45047 }],
    );
    expect(calls).toBe('0 show, 10 interim (failed), 15.06 show, 20 hide');
    expect(state.sends).toBe(0);
  });

  test('refused at the window’s end: the turn stays open, dark', () => {
    const { calls, ends } = line(
      atWindowEnd,
      [at(0, writes('a')), at(100, answers('a'))],
      [{ is: 'done' }, { is: 'done' }, { is: 'failed', code: 45047 }],
    );
    expect(calls).toBe('0 show, 15.06 show, 30.12 interim (failed)');
    expect(ends).toBe('100 a: passive-reply');
  });

  test('lost: it may have gone out; it counts as sent, and the indicator is shown again', () => {
    const { calls, state } = line(
      afterTen,
      [at(0, writes('a')), at(14, fails('a'))],
      [{ is: 'done' }, { is: 'lost', begun: true, cause: 'timeout' }],
    );
    expect(calls).toBe('0 show, 10 interim (lost), 10 show, 14 hide');
    expect(state).toMatchObject({ sends: 1, lastInteractionAt: start });
  });

  test('never begun: nothing has changed', () => {
    const { calls, state } = line(
      afterTen,
      [at(0, writes('a')), at(14, fails('a'))],
      [{ is: 'done' }, { is: 'lost', begun: false, cause: 'ECONNREFUSED' }],
    );
    expect(calls).toBe('0 show, 10 interim (lost), 14 hide');
    expect(state.sends).toBe(0);
  });

  test('without a word of it: given up after 8 s as one that may have gone out', () => {
    const events = [at(0, writes('a')), at(17.9, writes('b')), at(18, fails('a')), at(19, fails('b'))];
    const { calls, state } = line(afterTen, events, [{ is: 'done' }, 'silence']);
    expect(calls).toBe('0 show, 10 interim (silence), 18 show, 19 hide');
    expect(state.sends).toBe(1);
  });

  test('the word comes after it was given up: it is a message, and no indicator', () => {
    const { calls, state } = line(
      atWindowEnd,
      [at(0, writes('a')), at(39, writes('b')), at(39.5, fails('a')), at(50, fails('b'))],
      [{ is: 'done' }, { is: 'done' }, { is: 'done', after: 12_000 }],
    );
    expect(calls).toBe('0 show, 15.06 show, 30.12 interim, 39 show, 42.12 show, 50 hide');
    expect(state).toMatchObject({ indicator: { is: 'dark' }, lastInteractionAt: start + 42_120 });
  });

  test('the answer comes while it is in flight: both take the indicator away', () => {
    const { calls, ends } = play({
      rules: afterTen,
      events: [at(0, writes('a')), at(10.1, answers('a'))],
      takes: 300,
    });
    expect(calls).toBe('0 show, 10 interim');
    expect(ends).toBe('10.1 a: passive-reply');
  });
});

const sent = (...events: Scenario['events']): number => line(wechat, events).state.sends;

describe('messages to the user are counted', () => {
  test('those that pass the gateway, and those that keeptyping sends', () => {
    expect(sent(at(0, writes('a')), at(1, sends()), at(2, reached), at(3, sends()))).toBe(3);
  });

  test('a webhook answer that the platform delivers by itself does not', () => {
    expect(sent(at(0, writes('a')), at(1, { is: 'interaction', sent: false }))).toBe(0);
  });

  test('anew from each message of the user', () => {
    expect(sent(at(0, writes('a')), at(1, sends()), at(2, sends()), at(3, writes('b')), at(4, sends()))).toBe(
      1,
    );
  });

  test('a click counts as one, what is no interaction does not', () => {
    const click = { opensTurn: false, messageId: null } as const;
    expect(sent(at(0, writes('a')), at(1, sends()), at(2, writes('c', click)))).toBe(0);
    expect(
      sent(at(0, writes('a')), at(1, sends()), at(2, writes('c', { ...click, interaction: false }))),
    ).toBe(1);
  });

  test('a repeat of the message does not begin anew', () => {
    expect(sent(at(0, writes('a')), at(1, sends()), at(5, writes('a')))).toBe(1);
  });

  test('an older message that is judged late does not either', () => {
    expect(sent(at(3, writes('b')), at(4, sends()), at(2, writes('a'), 5))).toBe(1);
  });
});
