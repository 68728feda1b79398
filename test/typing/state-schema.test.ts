import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialState, type State } from '../../src/core/state.ts';
import { step } from '../../src/core/step.ts';
import { newTurn } from '../../src/core/turns.ts';
import { readState, writeState } from '../../src/typing/state-schema.ts';
import { tables } from '../core/tables.ts';
import { acts, histories, hows } from '../property/plans.ts';
import { play } from '../property/play.ts';

const read = (state: unknown) => readState(JSON.stringify(state));
const turn = newTurn({ id: 'm', openedAt: 1, sentAt: 0, phase: 'working' });

describe.each(tables)('any state that the core makes, $name', (table) => {
  test('is read as it was written', () => {
    const states = new Set<State>();
    const noting: typeof step = (...asked) => {
      const taken = step(...asked);
      states.add(taken.state);
      return taken;
    };
    const any = histories({ turns: 4, hows, acts, faulty: true, repeats: true, waits: 3000 });
    const plays = fc.property(any, (history) => void play({ ...table, step: noting }, history));
    fc.assert(plays, { numRuns: 200 });
    expect(states.size).toBeGreaterThan(1_000);
    for (const state of states) {
      expect(read(state)).toEqual(state);
      expect(readState(writeState(state))).toEqual(state);
    }
  });
});

/** As releases before this one read one: what it lacks is as at the beginning. */
const readBefore = (text: string) => readState(JSON.stringify({ ...initialState, ...JSON.parse(text) }));

describe('a state as it is written', () => {
  test('holds nothing that is as at the beginning, but for its version', () => {
    expect(JSON.parse(writeState(initialState))).toEqual({ v: initialState.v });
    const state: State = { ...initialState, n: 9, turns: [turn] };
    expect(JSON.parse(writeState(state))).toEqual({ v: initialState.v, n: 9, turns: [turn] });
  });

  test('says what has gone back to an empty value, where that is not how it begins', () => {
    for (const state of [{ ...initialState, n: 1 }, initialState])
      expect(readState(writeState({ ...state, messageId: null, turns: [] }))).toEqual(state);
  });

  test('is understood by the release before, which fills in what it lacks', () => {
    const state: State = { ...initialState, n: 9, turns: [turn], messageId: 'm', pausedBy: 'control' };
    for (const each of [initialState, state]) expect(readBefore(writeState(each))).toEqual(each);
  });

  test('keeps what another release has added, at every depth', () => {
    const newer = { ...initialState, mood: 'fine', turns: [{ ...turn, weight: 2 }] };
    expect(readState(writeState(newer))).toEqual(newer);
  });
});

describe('a state of another release', () => {
  test('gets what it lacks', () => {
    expect(read({ v: 1, n: 9 })).toEqual({ ...initialState, n: 9 });
  });

  test('keeps what is not known here, at every depth: it is written back', () => {
    const newer = {
      ...initialState,
      mood: 'fine',
      turns: [{ ...turn, weight: 2 }],
      indicator: { is: 'lit', since: 1, until: 2, hue: 'green' },
      call: { n: 1, kind: 'show', at: 1, by: 'job', messageId: null, crossed: false, via: 'x' },
    };
    expect(read(newer)).toEqual(newer);
  });

  test('may have further words for what is only passed on', () => {
    const ended = { id: 'a', seen: true, by: 'telepathy', asked: false, openedAt: 1, at: 2 };
    const newer = {
      ...initialState,
      ended: [ended],
      pausedBy: 'union',
      turns: [{ ...turn, replied: 'telepathy' }],
    };
    expect(read(newer)).toEqual(newer);
  });
});

describe('what is no state', () => {
  test.each([
    ['another version', { ...initialState, v: 2 }, 'v'],
    ['no version', { n: 1 }, 'v'],
    ['an indicator of an unknown kind', { ...initialState, indicator: { is: 'blue' } }, 'indicator.is'],
    ['a turn in an unknown phase', { ...initialState, turns: [{ ...turn, phase: 'x' }] }, 'turns.0.phase'],
    [
      'a renamed field of a turn',
      { ...initialState, turns: [{ ...turn, shown: undefined }] },
      'turns.0.shown',
    ],
    ['a number as text', { ...initialState, n: '1' }, 'n'],
    ['a list', [initialState], 'v'],
    ['a word', 'state', 'JSON'],
    ['null', null, 'JSON'],
  ])('%s: it is said where, and nothing of what stands there', (_, state, fault) => {
    expect(read(state)).toEqual({ fault });
  });

  test.each(['', '{', 'undefined', '{"v":1'])('no JSON: %j', (text) => {
    expect(readState(text)).toEqual({ fault: 'JSON' });
  });
});
