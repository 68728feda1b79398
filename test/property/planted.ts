/** Bugs that somebody might make, to see that the promises find them. */
import { tables } from '../core/tables.ts';
import type { Stepper } from '../core/world.ts';
import { nothingMeasured } from '../../src/core/measure.ts';
import { type Event, initialState, type State } from '../../src/core/state.ts';
import { step } from '../../src/core/step.ts';
import type { Subject } from './play.ts';

const [wechat, whatsapp] = tables;
type Told = Parameters<Stepper>[2];

/** Some events never arrive. */
function without(drops: (event: Event) => boolean): Stepper {
  return (rules, state, told) =>
    drops(told.event) ? { state, call: null, ...nothingMeasured } : step(rules, state, told);
}

/** Something is forgotten before each step. */
function before(change: (state: State) => State): Stepper {
  return (rules, state, told) => step(rules, change(state), told);
}

/** Something is heard as something else. */
function misheard(change: (told: Told) => Told): Stepper {
  return (rules, state, told) => step(rules, state, change(told));
}

function ruled(change: Partial<Subject['rules']>): Stepper {
  return (rules, ...rest) => step({ ...rules, ...change }, ...rest);
}

function anyTimer(...[rules, state, told]: Parameters<Stepper>): ReturnType<Stepper> {
  const { event } = told;
  if (event.is !== 'wake' || !state.timer) return step(rules, state, told);
  const dark: State = { ...state, timer: null, showAt: 0, indicator: { is: 'dark' } };
  return step(rules, dark, { ...told, event: { ...event, timer: state.timer.n } });
}

export const planted: Record<string, Subject> = {
  'an end is not noted': { ...wechat, step: without(({ is }) => is === 'ended') },
  'nothing is ever hidden': { ...wechat, step: ruled({ hides: false }) },
  'a call in flight is forgotten': { ...wechat, step: before((state) => ({ ...state, call: null })) },
  'ended turns are forgotten': { ...wechat, step: before((state) => ({ ...state, ended: [] })) },
  'renewed before the lifetime is over': { ...wechat, rules: { ...wechat.rules, renewMargin: -1500 } },
  'never renewed': { ...whatsapp, step: without(({ is }) => is === 'wake') },
  'shown outside the window': {
    ...wechat,
    step: (rules, ...rest) => step({ ...rules, window: rules.window * 2 }, ...rest),
  },
  'a dead job is not noticed': { ...wechat, step: without(({ is }) => is === 'recovered') },
  'evidence without a turn ends nothing': { ...whatsapp, step: without(({ is }) => is === 'message') },
  'what overtakes its message is forgotten': {
    ...whatsapp,
    step: before((state) => ({ ...state, early: [] })),
  },
  'stale wake-ups count': { ...wechat, step: anyTimer },

  'a message on its way holds nothing back': {
    ...wechat,
    step: misheard((told) => ({ ...told, blockedUntil: 0 })),
  },
  'what a message held back is not taken up when it is refused': {
    ...wechat,
    step: without((event) => event.is === 'unblocked' && !event.doubt),
  },
  'a message of which nobody knows is taken for none': {
    ...wechat,
    step: without((event) => event.is === 'unblocked' && event.doubt),
  },
  'a message that may be out is taken for one that is': {
    ...wechat,
    step: misheard((told) => {
      const { event } = told;
      return event.is === 'ended' && event.message === 'out'
        ? { ...told, event: { ...event, message: true } }
        : told;
    }),
  },
  'a message that is seen in two ways counts twice': {
    ...whatsapp,
    step: before((state) => ({ ...state, heard: [] })),
  },
  'each message ends all turns': { ...whatsapp, step: ruled({ sendEnds: 'all' }) },
  "the bot's own indicator goes unseen": { ...wechat, step: without(({ is }) => is === 'typed') },
  "the bot's own cancel goes unseen": {
    ...wechat,
    step: without((event) => event.is === 'typed' && !event.on),
  },
  'a bot that asks for typing is not heard': {
    ...wechat,
    step: misheard((told) => {
      const { event } = told;
      return event.is === 'acknowledged' ? { ...told, event: { ...event, renew: false } } : told;
    }),
  },
  'a start by hand is not heard': { ...wechat, step: without(({ is }) => is === 'started') },
  'a stop of everything is not heard': { ...wechat, step: without(({ is }) => is === 'over') },
  'a pause is not heard': { ...wechat, step: without(({ is }) => is === 'paused') },
  'a pause never ends': { ...wechat, step: without(({ is }) => is === 'resumed') },
  'who is forgotten is left with an indicator': {
    ...wechat,
    step: (rules, state, told) =>
      step(rules, told.event.is === 'forgotten' ? { ...initialState, n: state.n } : state, told),
  },
  'an interim text again and again': {
    ...wechat,
    step: before((state) => ({
      ...state,
      turns: state.turns.map((turn) => ({ ...turn, interim: false })),
    })),
  },
  'an interim text although the answer may be out': { ...wechat, step: ruled({ afterAck: 'renew' }) },
  'messages are not counted': { ...wechat, step: before((state) => ({ ...state, sends: 0 })) },
};
