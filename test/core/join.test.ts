import { describe, expect, test } from 'vitest';
import { join } from '../../src/core/join.ts';
import { initialState, type State } from '../../src/core/state.ts';
import { endAll, newTurn } from '../../src/core/turns.ts';

const turn = (id: string, openedAt: number) => newTurn({ id, openedAt, sentAt: 0, phase: 'working' });
const one: State = {
  ...initialState,
  turns: [turn('a', 1)],
  messageId: 'a',
  messageAt: 1,
  n: 3,
  heard: ['x'],
};
const other: State = {
  ...initialState,
  turns: [turn('b', 2)],
  messageId: 'b',
  messageAt: 2,
  lastInteractionAt: 2,
  indicator: { is: 'lit', since: 2, until: 27 },
  n: 5,
  heard: ['y'],
};

describe('two conversations with one person', () => {
  test('have the turns of both, the newer message, and what shows', () => {
    const joined = join(one, other);
    expect(joined.turns.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(joined).toMatchObject({ messageId: 'b', lastInteractionAt: 2, indicator: { is: 'lit' }, n: 5 });
    expect(new Set(joined.heard)).toEqual(new Set(['x', 'y']));
  });

  test('are the same whichever is made part of the other', () => {
    const [here, there] = [join(one, other), join(other, one)];
    for (const known of ['turns', 'messageId', 'indicator', 'n', 'lastInteractionAt'] as const)
      expect(here[known]).toEqual(there[known]);
  });

  test('change no more when they are joined again', () => {
    const joined = join(one, other);
    expect(join(joined, other)).toEqual(joined);
  });

  test('a turn that has ended in one of them has ended', () => {
    const answered = endAll(join(one, other), { at: 9, by: 'status' });
    expect(join(answered, other).turns).toEqual([]);
    expect(join(other, answered).turns).toEqual([]);
  });
});
