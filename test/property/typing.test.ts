import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { State } from '../../src/core/state.ts';
import { step } from '../../src/core/typing.ts';
import { tables } from '../core/tables.ts';
import type { Stepper } from '../core/world.ts';
import type { Subject } from './play.ts';
import { promises } from './promises.ts';

describe.each(tables)('over random histories, $name', ({ rules, running }) => {
  test.each(Object.entries(promises))('%s', (_, promise) => {
    fc.assert(promise({ rules, running }), { numRuns: 300 });
  });
});

/** Each bug is seen by one of the promises: a test of the tests. */
const [wechat, whatsapp] = tables;
const planted: Record<string, Subject> = {
  'an end is not noted': { ...wechat, step: without((event) => event.is === 'ended') },
  'nothing is ever hidden': {
    ...wechat,
    step: (rules, ...rest) => step({ ...rules, hides: false }, ...rest),
  },
  'a call in flight is forgotten': { ...wechat, step: before((state) => ({ ...state, call: null })) },
  'ended turns are forgotten': { ...wechat, step: before((state) => ({ ...state, ended: [] })) },
  'renewed before the lifetime is over': { ...wechat, rules: { ...wechat.rules, renewMargin: -1500 } },
  'never renewed': { ...whatsapp, step: without((event) => event.is === 'wake') },
  'shown outside the window': { ...wechat, step: widened },
  'a dead job is not noticed': { ...wechat, step: without((event) => event.is === 'recovered') },
  'evidence without a turn ends nothing': { ...whatsapp, step: without((event) => event.is === 'message') },
  'what overtakes its message is forgotten': {
    ...whatsapp,
    step: before((state) => ({ ...state, early: [] })),
  },
  'stale wake-ups count': { ...wechat, step: anyTimer },
};

function without(drops: (event: Parameters<Stepper>[2]['event']) => boolean): Stepper {
  return (rules, state, told) =>
    drops(told.event) ? { state, call: null, arm: null, disarm: null, ended: [] } : step(rules, state, told);
}

function before(change: (state: State) => State): Stepper {
  return (rules, state, told) => step(rules, change(state), told);
}

function widened(...[rules, state, told]: Parameters<Stepper>): ReturnType<Stepper> {
  return step({ ...rules, window: rules.window * 2 }, state, told);
}

function anyTimer(...[rules, state, told]: Parameters<Stepper>): ReturnType<Stepper> {
  const { event } = told;
  const forged = event.is === 'wake' && state.timer ? { ...event, timer: state.timer.n } : event;
  const armed = step(
    rules,
    { ...state, timer: null, showAt: 0, indicator: { is: 'dark' } },
    { ...told, event: forged },
  );
  return event.is === 'wake' ? armed : step(rules, state, told);
}

function finds(promise: (typeof promises)[keyof typeof promises], subject: Subject): boolean {
  return fc.check(promise(subject), { numRuns: 300, seed: 1 }).failed;
}

describe('a planted bug is found', () => {
  test.each(Object.entries(planted))('%s', (_, subject) => {
    expect(Object.values(promises).some((promise) => finds(promise, subject))).toBe(true);
  });

  test.each(Object.entries(promises))('by %s, at least one', (_, promise) => {
    expect(Object.values(planted).some((subject) => finds(promise, subject))).toBe(true);
  });
});
