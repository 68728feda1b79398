import { saidElsewhere } from '../../src/core/said.ts';
import { describe, expect, test } from 'vitest';
import { nothingMeasured } from '../../src/core/measure.ts';
import { initialState, type State } from '../../src/core/state.ts';
import { step, wakeAt } from '../../src/core/step.ts';
import {
  type Answer,
  answers,
  at,
  fails,
  type Happening,
  play,
  type Scenario,
  start,
  writes,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;
const done: Answer = { is: 'done' };
const failed: Answer = { is: 'failed', code: -1 };
const lost: Answer = { is: 'lost', begun: true, cause: 'timeout' };

function wechatCalls(events: Scenario['events'], platform: Answer[]): string {
  return play({ rules: wechat, events, answers: platform }).calls;
}

describe('a call that fails', () => {
  test('a hide is tried again every second', () => {
    expect(wechatCalls([at(0, writes('a')), at(5, fails('a'))], [done, failed, lost, done])).toBe(
      '0 show, 5 hide (failed), 6 hide (lost), 7 hide',
    );
  });

  test('a hide is tried for as long as the indicator could still show, and no longer', () => {
    const platform = [done, ...Array.from({ length: 20 }, () => failed)];
    expect(wechatCalls([at(0, writes('a')), at(12, fails('a'))], platform)).toBe(
      '0 show, 12 hide (failed), 13 hide (failed), 14 hide (failed)',
    );
  });

  test('a show is tried again after 2 s', () => {
    expect(wechatCalls([at(0, writes('a')), at(5, fails('a'))], [failed])).toBe(
      '0 show (failed), 2 show, 5 hide',
    );
  });

  test('a show that certainly failed leaves nothing to take away', () => {
    expect(wechatCalls([at(0, writes('a')), at(1, fails('a'))], [failed])).toBe('0 show (failed)');
  });

  test('a lost show may be on the phone: it is taken away', () => {
    expect(wechatCalls([at(0, writes('a')), at(1, fails('a'))], [lost])).toBe('0 show (lost), 1 hide');
  });

  test('a lost show that cannot have begun leaves nothing to take away', () => {
    const refused: Answer = { is: 'lost', begun: false, cause: 'ECONNREFUSED' };
    expect(wechatCalls([at(0, writes('a')), at(1, fails('a'))], [refused])).toBe('0 show (lost)');
  });
});

describe('one call at a time', () => {
  test('what happens meanwhile is only noted; the outcome decides', () => {
    const events: Scenario['events'] = [
      at(0, writes('a')),
      at(1, writes('b')),
      at(1.5, fails('a')),
      at(2, fails('b')),
    ];
    expect(play({ rules: wechat, events, takes: 2500 }).calls).toBe('0 show, 2.5 hide');
  });

  test.each([2, 7.999, 8])('a call without an outcome is given up after 8 s: end at %d', (second) => {
    const line = '0 show (silence), 8 hide';
    expect(wechatCalls([at(0, writes('a')), at(second, fails('a'))], ['silence'])).toBe(line);
  });

  test('and what is wanted then is decided anew: on WeChat when it must have run out, for it most likely came on', () => {
    expect(wechatCalls([at(0, writes('a')), at(20, { is: 'left' })], ['silence'])).toBe(
      '0 show (silence), 15.56 show, 20 hide',
    );
  });

  test('and WhatsApp, which refuses no second one, is asked again soon', () => {
    const events = [at(0, writes('a')), at(12, answers('a'))];
    expect(play({ rules: whatsapp, events, answers: ['silence'] }).calls).toBe('0 show (silence), 10 show');
  });

  test('and may be asked for again where a message has taken it away', () => {
    const events = [at(0, writes('a')), at(1, writes('b')), at(9, answers('a')), at(14, { is: 'left' })];
    expect(wechatCalls(events, ['silence'])).toBe('0 show (silence), 11 show, 14 hide');
  });

  test('an outcome that comes after it was given up is undone', () => {
    const late: Answer = { is: 'done', after: 9000 };
    expect(wechatCalls([at(0, writes('a')), at(8.5, fails('a'))], [late])).toBe('0 show, 8.5 hide, 9 hide');
  });

  test('a refusal that comes after it was given up changes nothing', () => {
    const late: Answer = { is: 'failed', code: -1, after: 9000 };
    expect(wechatCalls([at(0, writes('a')), at(8.5, fails('a'))], [late])).toBe('0 show (failed), 8.5 hide');
  });

  test('a job that finds its earlier try dead gives up the call of that try at once', () => {
    const recovered: Happening = { is: 'recovered', by: 'job-1' };
    const { calls } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(1, fails('a')), at(3, recovered)],
      answers: ['silence'],
    });
    expect(calls).toBe('0 show (silence), 3 hide');
  });

  test.each([
    ['WeChat', wechat, '0 show (silence), 15.56 show'],
    ['WhatsApp', whatsapp, '0 show (silence), 3 show'],
  ])('and shows again when a second one is not refused: %s', (_, rules, calls) => {
    const events = [
      at(0, writes('a')),
      at(3, { is: 'recovered', by: 'job-1' }),
      at(20, answers('a')),
    ] as const;
    expect(play({ rules, events: [...events], answers: ['silence'] }).calls).toBe(calls);
  });

  test("a job that finds its earlier try dead leaves another job's call alone", () => {
    const recovered: Happening = { is: 'recovered', by: 'job-77' };
    const { calls } = play({
      rules: wechat,
      events: [at(0, writes('a')), at(1, fails('a')), at(3, recovered)],
      answers: [{ is: 'done', after: 5000 }],
    });
    expect(calls).toBe('0 show, 5 hide');
  });
});

describe('refusals', () => {
  test('WhatsApp: a show names the newest message, a renewal too', () => {
    const { made } = play({
      rules: whatsapp,
      events: [at(0, writes('a')), at(10, writes('b')), at(30, answers('a')), at(31, answers('b'))],
    });
    expect(made.map(({ messageId }) => messageId)).toEqual(['a', 'b']);
  });

  test('a refused message id is not tried again; a newer one is', () => {
    const refused: Answer = { is: 'message-refused', code: 131009 };
    const events: Scenario['events'] = [at(0, writes('a')), at(40, writes('b')), at(50, { is: 'left' })];
    const { calls, made } = play({ rules: whatsapp, events, answers: [refused] });
    expect(calls).toBe('0 show (message-refused), 40 show');
    expect(made[1]?.messageId).toBe('b');
  });

  test('a newer message that came while the call was in flight is tried at once', () => {
    const refused: Answer = { is: 'message-refused', code: 131009 };
    const events: Scenario['events'] = [at(0, writes('a')), at(0.1, writes('b')), at(9, { is: 'left' })];
    const { calls, made } = play({ rules: whatsapp, events, answers: [refused], takes: 300 });
    expect(calls).toBe('0 show (message-refused), 0.3 show');
    expect(made[1]?.messageId).toBe('b');
  });

  test('a window that the user has reopened while the call was in flight is open', () => {
    const closed: Answer = { is: 'window-closed', code: 45080 };
    const events: Scenario['events'] = [at(0, writes('a')), at(0.1, writes('b')), at(9, { is: 'left' })];
    const { calls } = play({ rules: wechat, events, answers: [closed], takes: 300 });
    expect(calls).toBe('0 show (window-closed), 0.3 show, 9 hide');
  });

  test.each([
    ['user', { is: 'user-back-off', code: 131056, forMs: 10_000 }],
    ['account', { is: 'account-back-off', code: 130429, forMs: 10_000 }],
  ] as const)('a back-off of the %s is waited out', (_, answer) => {
    const events: Scenario['events'] = [at(0, writes('a')), at(3, writes('b')), at(20, { is: 'left' })];
    const { calls } = play({ rules: whatsapp, events, answers: [answer] });
    expect(calls).toBe(`0 show (${answer.is}), 10 show`);
  });

  test('an account that may not is asked again when all processes have heard of it, at the earliest', () => {
    const off: Answer = { is: 'account-off', code: 1005, remedy: saidElsewhere('Open it.') };
    const { calls } = play({
      rules: whatsapp,
      events: [at(0, writes('a')), at(5, writes('b')), at(20, { is: 'left' })],
      answers: [off],
    });
    expect(calls).toBe('0 show (account-off), 10 show');
  });

  test('a hide is not held back by a refusal of shows', () => {
    const backOff: Answer = { is: 'account-back-off', code: 45011, forMs: 60_000 };
    expect(wechatCalls([at(0, writes('a')), at(2, fails('a'))], [lost, backOff])).toBe(
      '0 show (lost), 2 hide (account-back-off), 3 hide',
    );
  });
});

const judge = (state: State, happening: Happening, second: number) =>
  step(wechat, state, { event: { ...happening, at: start + second * 1000 }, by: 'job' });

const lit = (): State => {
  const asked = judge(initialState, writes('a'), 0);
  return judge(asked.state, { is: 'outcome', call: asked.call?.n ?? 0, outcome: { is: 'done' } }, 0).state;
};

describe('alarms are hints', () => {
  test('an early wake-up is armed again for the same moment, under a new number', () => {
    const state = lit();
    const early = judge(state, { is: 'wake', timer: state.timer?.n ?? 0 }, 15.05);
    expect(early.call).toBeNull();
    expect(early.state.timer?.at).toBe(start + 15_060);
    expect(early.state.timer?.n).toBeGreaterThan(state.timer?.n ?? 0);
    expect(wakeAt(wechat, early.state)).toBe(start + 15_060);
  });

  test('a late one is judged by the clock', () => {
    const state = lit();
    const late = judge(state, { is: 'wake', timer: state.timer?.n ?? 0 }, 28);
    expect(late.call).toMatchObject({ kind: 'show', at: start + 28_000 });
  });

  test('one that is later than the window shows nothing', () => {
    const state = lit();
    expect(judge(state, { is: 'wake', timer: state.timer?.n ?? 0 }, 29).call).toBeNull();
  });

  test('one with another number is ignored, whatever the time', () => {
    const state = lit();
    const stale = judge(state, { is: 'wake', timer: (state.timer?.n ?? 0) + 1 }, 20);
    expect(stale).toEqual({ state, call: null, ...nothingMeasured });
    expect(stale.state).toBe(state);
  });

  test('a conversation with nothing left to do has not to be looked at again', () => {
    const ended = judge(lit(), answers('a'), 5);
    expect(ended.state.timer).toBeNull();
    expect(wakeAt(wechat, ended.state)).toBeNull();
  });

  test('while a call is under way it is looked at when that one should be over, whatever the number', () => {
    const { state } = judge(initialState, writes('a'), 0);
    const limit = wechat.callLimit / 1000;
    expect(wakeAt(wechat, state)).toBe(start + wechat.callLimit);
    const early = judge(state, { is: 'wake', timer: 0 }, limit - 0.001);
    expect(early.state).toBe(state);
    const due = judge(state, { is: 'wake', timer: 0 }, limit);
    expect(due.state).toMatchObject({ call: null, givenUp: { n: state.call?.n, kind: 'show' } });
    expect(wakeAt(wechat, due.state)).toBe(start + 15_560);
  });
});

test('a state survives its way through JSON unchanged', () => {
  const { state } = play({
    rules: { ...wechat, deadline: 20_000 },
    events: [at(0, writes('a')), at(1, writes('b')), at(2, answers('a'))],
    answers: [{ is: 'lost', begun: true, cause: 'timeout' }, 'silence'],
  });
  expect(JSON.parse(JSON.stringify(state))).toEqual(state);
});
