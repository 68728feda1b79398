import { saidElsewhere } from '../../src/core/said.ts';
import { describe, expect, test } from 'vitest';
import { type Dark, whyDark } from '../../src/core/decide.ts';
import type { Rules } from '../../src/core/rules.ts';
import { elapse } from '../../src/core/step.ts';
import { viewOf } from '../../src/core/view.ts';
import {
  acknowledges,
  answers,
  at,
  blockedUntil,
  fails,
  pauses,
  play,
  type Scenario,
  start,
  types,
  writes,
} from './scenario.ts';
import { tables } from './tables.ts';

const [{ rules: wechat }, { rules: whatsapp }] = tables;

interface Story extends Partial<Scenario> {
  events: Scenario['events'];
}

/** Why nothing shows at that second; `until` in seconds of the story. */
function why(second: number, story: Story): (Omit<Dark, 'until'> & { until: number | null }) | null {
  const { rules = wechat } = story;
  const { state } = play({ rules, ...story, until: second });
  const moment = start + second * 1000;
  const dark = whyDark(rules, elapse(rules, state, moment), {
    at: moment,
    blockedUntil: blockedUntil(story.sending ?? [], moment),
  });
  return dark && { ...dark, until: dark.until === null ? null : (dark.until - start) / 1000 };
}

const nothingElse = { until: null, code: null };
const asked: Story = { events: [at(0, writes('a'))] };
const roomy: Rules = { ...wechat, window: 600_000 };

describe('it shows', () => {
  test('while it is lit', () => {
    expect(why(1, asked)).toBeNull();
  });

  test('as far as is known, after a call that was lost', () => {
    const lost = { is: 'lost', begun: true, cause: 'timeout' } as const;
    expect(why(1, { ...asked, answers: [lost] })).toBeNull();
  });
});

describe('nothing shows because', () => {
  test('nobody waits: nobody has ever written', () => {
    expect(why(1, { events: [] })).toEqual({ reason: 'nobody_waits', ...nothingElse });
  });

  test('nobody waits: the answer is out', () => {
    expect(why(6, { events: [at(0, writes('a')), at(5, answers('a'))] })?.reason).toBe('nobody_waits');
  });

  test('nobody waits: the turn has come to its deadline, though no event has said so', () => {
    expect(why(601, asked)?.reason).toBe('nobody_waits');
  });

  test('event_kind: the last thing was no message', () => {
    const events = [at(0, writes('a')), at(5, answers('a')), at(8, writes('click', { opensTurn: false }))];
    expect(why(9, { events })).toEqual({ reason: 'event_kind', ...nothingElse });
  });

  test('event_kind no longer, once a message has been answered after it', () => {
    const events = [at(0, writes('click', { opensTurn: false })), at(5, writes('a')), at(8, answers('a'))];
    expect(why(9, { events })?.reason).toBe('nobody_waits');
  });

  test('paused, until then', () => {
    const events = [at(0, writes('a')), at(5, pauses('session', 65)), at(6, writes('b'))];
    expect(why(7, { events })).toEqual({ reason: 'paused', until: 65, code: null });
    expect(why(66, { events })?.reason).toBe('nobody_waits');
  });

  test('mode_off', () => {
    expect(why(1, { ...asked, rules: { ...wechat, mode: 'off' } })).toEqual({
      reason: 'mode_off',
      ...nothingElse,
    });
  });

  test('cap: it has shown for as long as it may', () => {
    expect(why(41, { ...asked, rules: { ...roomy, cap: 40_000 } })).toEqual({
      reason: 'cap',
      ...nothingElse,
    });
  });

  test('bot_cancelled', () => {
    expect(why(6, { events: [at(0, writes('a')), at(5, types(false))] })).toEqual({
      reason: 'bot_cancelled',
      ...nothingElse,
    });
  });

  test('start_delay, until then', () => {
    expect(why(1, { ...asked, rules: { ...wechat, startDelay: 3000 } })).toEqual({
      reason: 'start_delay',
      until: 3,
      code: null,
    });
  });

  test('message_sent: one went out while the bot works on', () => {
    const message = { is: 'message', by: 'gateway', sentAt: 0, id: null } as const;
    expect(why(6, { events: [at(0, writes('a')), at(5, message)] })).toEqual({
      reason: 'message_sent',
      until: 7,
      code: null,
    });
  });

  test('message_sent: one is on its way', () => {
    expect(why(1.5, { events: [at(1, writes('a'))], sending: [{ from: 0.5, to: 60 }] })).toEqual({
      reason: 'message_sent',
      until: 5.5,
      code: null,
    });
  });

  test('acknowledged: whether the answer is out is not seen', () => {
    const events = [at(0, writes('a')), at(1, acknowledges('a'))];
    expect(why(16, { events })).toEqual({ reason: 'acknowledged', ...nothingElse });
  });

  test('mode_once', () => {
    expect(why(16, { ...asked, rules: { ...wechat, mode: 'once' } })).toEqual({
      reason: 'mode_once',
      ...nothingElse,
    });
  });

  test('window_closed: the last message is too long ago', () => {
    expect(why(31, asked)).toEqual({ reason: 'window_closed', ...nothingElse });
  });

  test.each([
    ['window_closed', { is: 'window-closed', code: 45080 }, null],
    ['message_refused', { is: 'message-refused', code: 131009 }, null],
    ['user_refused', { is: 'user-back-off', code: 131056, forMs: 10_000 }, 10],
    ['platform_limit', { is: 'account-back-off', code: 130429, forMs: 10_000 }, 10],
    ['platform_limit', { is: 'account-off', code: 1005, remedy: saidElsewhere('Open it.') }, 10],
  ] as const)('%s: the platform said %o', (reason, answer, until) => {
    expect(why(1, { ...asked, rules: whatsapp, answers: [answer] })).toEqual({
      reason,
      until,
      code: answer.code,
    });
  });

  test('breaker: no call went out, by our own decision', () => {
    const held = { is: 'account-back-off', code: 0, forMs: 2000 } as const;
    expect(why(1, { ...asked, answers: [held] })).toEqual({ reason: 'breaker', until: 2, code: null });
  });

  test('budget: the minute’s calls are spent', () => {
    const rules = { ...roomy, lifetime: 5000, showsPerMinute: 2 };
    expect(why(11, { ...asked, rules })).toEqual({ reason: 'budget', until: 60, code: null });
  });

  test('calling: the call is in flight', () => {
    expect(why(0.1, { ...asked, takes: 300 })?.reason).toBe('calling');
  });

  test('calling: the call has failed, and the next is due', () => {
    expect(why(1, { ...asked, answers: [{ is: 'failed', code: -1 }] })).toEqual({
      reason: 'calling',
      until: 2,
      code: null,
    });
  });

  test('no_permission: the account has been refused, with the remedy', () => {
    const { state } = play({ rules: { ...whatsapp, mode: 'off' }, ...asked, until: 1 });
    const off = { until: start + 60_000, code: 1005, remedy: 'Open it.' };
    const view = viewOf({ ...whatsapp, mode: 'off' }, state, { at: start + 1000, blockedUntil: 0, off });
    expect(view.dark).toEqual({ reason: 'no_permission', ...off });
  });
});

describe('several turns', () => {
  test('the newest speaks for all', () => {
    const events = [at(0, writes('a')), at(5, types(false)), at(6, writes('b'))];
    const rules = { ...wechat, startDelay: 4000 };
    expect(why(7, { rules, events })?.reason).toBe('start_delay');
  });

  test('one that may show is enough', () => {
    const events = [at(0, writes('a')), at(1, writes('b')), at(1.5, acknowledges('b')), at(31, fails('a'))];
    expect(why(30.5, { events })?.reason).toBe('window_closed');
  });
});
