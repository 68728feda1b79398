import { describe, expect, test } from 'vitest';
import type { Rules } from '../../src/core/rules.ts';
import { acknowledges, answers, at, fails, play, writes, type Answer, type Scenario } from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;

function calls(rules: Rules, events: Scenario['events'], more: Partial<Scenario> = {}): string {
  return play({ rules, events, ...more }).calls;
}

const already: Answer = { is: 'already' };
const closed: Answer = { is: 'window-closed', code: 45080 };

describe('one WeChat message', () => {
  test('shows at once, again when 15 s are over, and the answer itself takes it away', () => {
    expect(calls(wechat, [at(0, writes('a')), at(24, answers('a'))])).toBe('0 show, 15.06 show');
  });

  test('shows once for an answer of 300 ms', () => {
    expect(calls(wechat, [at(0, writes('a')), at(0.3, answers('a'))])).toBe('0 show');
  });

  test('counts the 15 s from the moment the accepted answer arrives', () => {
    expect(calls(wechat, [at(0, writes('a')), at(24, fails('a'))], { takes: 200 })).toBe(
      '0 show, 15.26 show, 24 hide',
    );
  });

  test('takes the indicator away when the bot failed, for no message will', () => {
    expect(calls(wechat, [at(0, writes('a')), at(24, fails('a'))])).toBe('0 show, 15.06 show, 24 hide');
  });

  test('goes dark when the window of 30 s is over, and shows again after a new interaction', () => {
    const events: Scenario['events'] = [
      at(0, writes('a')),
      at(40, { is: 'interaction', sent: false }),
      at(60, fails('a')),
    ];
    expect(calls(wechat, events)).toBe('0 show, 15.06 show, 40 show, 55.06 show, 60 hide');
  });

  test.each([
    [28_999, '28.999 show'],
    [29_000, ''],
  ])('with a start delay of %i ms, against the last second of the window: "%s"', (startDelay, line) => {
    const events: Scenario['events'] = [at(0, writes('a')), at(29.5, answers('a'))];
    expect(calls({ ...wechat, startDelay }, events)).toBe(line);
  });

  test('shows nothing when its answer is faster than the start delay', () => {
    expect(calls({ ...wechat, startDelay: 500 }, [at(0, writes('a')), at(0.4, answers('a'))])).toBe('');
  });

  test('waits the start delay once, not at each renewal', () => {
    expect(calls({ ...wechat, startDelay: 500 }, [at(0, writes('a')), at(20, answers('a'))])).toBe(
      '0.5 show, 15.56 show',
    );
  });

  test('that comes while another one shows does not start its own delay in the dark', () => {
    const events: Scenario['events'] = [
      at(0, writes('a')),
      at(17, writes('b')),
      at(17.5, fails('a')),
      at(20, fails('b')),
    ];
    expect(calls({ ...wechat, startDelay: 2000 }, events)).toBe('2 show, 17.06 show, 20 hide');
  });

  test('is judged by the clock when its job waited in the queue', () => {
    expect(calls(wechat, [at(0, writes('a'), 4), at(24, fails('a'))])).toBe('4 show, 19.06 show, 24 hide');
    expect(calls(wechat, [at(0, writes('a'), 29)])).toBe('');
  });

  test('a kind that no bot answers shows nothing', () => {
    expect(calls(wechat, [at(0, writes('a', { opensTurn: false }))])).toBe('');
  });

  test('a kind that no bot answers still counts as an interaction', () => {
    const events: Scenario['events'] = [
      at(0, writes('a')),
      at(20, writes('click', { opensTurn: false })),
      at(35, fails('a')),
    ];
    expect(calls(wechat, events)).toBe('0 show, 15.06 show, 30.12 show, 35 hide');
  });
});

describe('"you are already typing" (45081)', () => {
  const roomy = { ...wechat, window: 600_000 };

  test('counts as shown: again after 2 s, until WeChat accepts it', () => {
    const line = calls(roomy, [at(0, writes('a')), at(40, answers('a'))], {
      answers: [{ is: 'done' }, already, already],
    });
    expect(line).toBe('0 show, 15.06 show (already), 17.06 show (already), 19.06 show, 34.12 show');
  });

  test('is tried again three times, then not before the indicator would be over', () => {
    const line = calls(roomy, [at(0, writes('a')), at(31, fails('a'))], {
      answers: [{ is: 'done' }, already, already, already, already],
    });
    expect(line).toBe(
      '0 show, 15.06 show (already), 17.06 show (already), 19.06 show (already), 21.06 show (already), 30.12 show, 31 hide',
    );
  });

  test('after a show whose answer was lost counts from that one: again when it ends at the earliest', () => {
    const late: Answer = { is: 'lost', begun: true, cause: 'timeout', after: 3_000 };
    const line = [at(0, writes('a')), at(29, fails('a'))];
    expect(calls(roomy, line, { answers: [late, already] })).toBe(
      '0 show (lost), 5 show (already), 15.06 show, 29 hide',
    );
    expect(calls(roomy, line, { answers: [late, already, already] })).toBe(
      '0 show (lost), 5 show (already), 15.06 show (already), 17.06 show, 29 hide',
    );
  });

  test('is taken away like any indicator', () => {
    expect(calls(wechat, [at(0, writes('a')), at(1, fails('a'))], { answers: [already] })).toBe(
      '0 show (already), 1 hide',
    );
  });
});

describe('"no interaction in the last 30 s" (45080)', () => {
  test('ends the showing until the next interaction', () => {
    const events: Scenario['events'] = [
      at(0, writes('a')),
      at(20, { is: 'interaction', sent: false }),
      at(22, fails('a')),
    ];
    expect(calls(wechat, events, { answers: [closed] })).toBe('0 show (window-closed), 20 show, 22 hide');
  });

  test('lasts through a new message that is no interaction', () => {
    const events: Scenario['events'] = [at(0, writes('a')), at(3, writes('b', { interaction: false }))];
    expect(calls(wechat, events, { answers: [closed] })).toBe('0 show (window-closed)');
  });
});

describe('modes', () => {
  test('off: no call at all', () => {
    expect(calls({ ...wechat, mode: 'off' }, [at(0, writes('a')), at(24, fails('a'))])).toBe('');
  });

  test('once: one indicator per turn, left to run out', () => {
    expect(calls({ ...wechat, mode: 'once' }, [at(0, writes('a')), at(24, fails('a'))])).toBe('0 show');
  });

  test('once: taken away when the turn ends while it runs', () => {
    expect(calls({ ...wechat, mode: 'once' }, [at(0, writes('a')), at(9, fails('a'))])).toBe(
      '0 show, 9 hide',
    );
  });

  test('once: the next message gets its own', () => {
    const events: Scenario['events'] = [at(0, writes('a')), at(20, answers('a')), at(30, writes('b'))];
    expect(calls({ ...wechat, mode: 'once' }, events)).toBe('0 show, 30 show');
  });
});

describe('after a bare acknowledgement', () => {
  test('keep: leaves what is lit and does not renew', () => {
    expect(calls(wechat, [at(0, writes('a')), at(1, acknowledges('a'))])).toBe('0 show');
  });

  test('keep: one indicator, even when the acknowledgement was faster than the show', () => {
    const rules = { ...wechat, startDelay: 2000 };
    expect(calls(rules, [at(0, writes('a')), at(1, acknowledges('a'))])).toBe('2 show');
  });

  test('renew: goes on as before', () => {
    const rules = { ...wechat, afterAck: 'renew' } as const;
    expect(calls(rules, [at(0, writes('a')), at(1, acknowledges('a'))])).toBe('0 show, 15.06 show');
  });

  test('a turn without any bot counts as acknowledged at once', () => {
    expect(calls(wechat, [at(0, writes('a', { phase: 'acknowledged' }))])).toBe('0 show');
  });
});

describe('limits', () => {
  test('no turn shows for longer than the cap, and what is lit then is taken away', () => {
    const rules = { ...wechat, window: 600_000, cap: 40_000 };
    expect(calls(rules, [at(0, writes('a'))])).toBe('0 show, 15.06 show, 30.12 show, 40 hide');
  });

  test('WhatsApp has no way to take it away: at the cap it is not renewed', () => {
    const { calls: line, made } = play({ rules: whatsapp, events: [at(0, writes('a'))] });
    expect(line).toBe(
      '0 show, 25.3 show, 50.6 show, 75.9 show, 101.2 show, 126.5 show, 151.8 show, 177.1 show',
    );
    expect(made.every(({ kind }) => kind === 'show')).toBe(true);
  });

  test('no turn stays open past the deadline', () => {
    const played = play({ rules: whatsapp, events: [at(0, writes('a'))] });
    expect(played.ends).toBe('600 a: deadline');
    expect(played.state).toMatchObject({ turns: [], indicator: { is: 'dark' }, call: null, timer: null });
  });

  test('at most so many shows per minute', () => {
    const rules = { ...wechat, window: 600_000, lifetime: 5000, showsPerMinute: 2 };
    expect(calls(rules, [at(0, writes('a')), at(70, fails('a'))])).toBe(
      '0 show, 5.06 show, 60 show, 65.06 show, 70 hide',
    );
  });

  test('a hide is never held back by the budget', () => {
    const rules = { ...wechat, showsPerMinute: 1 };
    expect(calls(rules, [at(0, writes('a')), at(3, fails('a'))])).toBe('0 show, 3 hide');
  });
});
