import { expect, test } from 'vitest';
import { type Event, initialState, type State } from '../../src/core/state.ts';
import { step } from '../../src/core/step.ts';
import { nxcloudRules as rules } from '../../src/nxcloud/rules.ts';
import { wechatRules } from '../../src/wechat/rules.ts';
import { keptFor } from '../../src/typing/store.ts';

const now = 1_700_000_000_000;
const minute = 60_000;

function after(...events: Event[]): State {
  return events.reduce((state, event) => step(rules, state, { event, by: 'job', now }).state, initialState);
}

const sent: Event = { is: 'message', by: 'gateway', sentAt: 0, id: 'wamid', at: now };
const inbound: Event = {
  is: 'inbound',
  turn: 'turn',
  sentAt: 0,
  messageId: 'turn',
  opensTurn: true,
  interaction: true,
  phase: 'acknowledged',
  at: now,
};

test('a message to somebody who never wrote is remembered for two minutes: a bot may write to thousands', () => {
  expect(keptFor(rules, after(sent), now).keepMs).toBe(2 * minute);
});

test('an ended turn is remembered for longer', () => {
  const state = { ...after(inbound, sent), call: null };
  expect(state.turns).toEqual([]);
  expect(keptFor(rules, state, now)).toEqual({ keepMs: 15 * minute, isAll: false });
  expect(keptFor(wechatRules, state, now)).toEqual({ keepMs: 2 * minute, isAll: true });
});

test('an open turn is remembered beyond its deadline, and a pause beyond its end', () => {
  expect(keptFor(rules, after(inbound), now).keepMs).toBe(rules.deadline + 15 * minute);
  expect(keptFor(wechatRules, after(inbound), now)).toEqual({
    keepMs: wechatRules.deadline + 2 * minute,
    isAll: false,
  });
  const paused: Event = { is: 'paused', until: now + 30 * minute, by: 'control', at: now };
  expect(keptFor(rules, after(sent, paused), now).keepMs).toBe(32 * minute);
});
