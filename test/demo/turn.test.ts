import { expect, test } from 'vitest';
import { answered, endOf, isOver, wrote } from '../../src/demo/turn.ts';
import { ways } from '../../src/demo/world.ts';

const first = wrote(null, { at: 1_000, thinkMs: 5_000 });

test('a wait ends for each way with its own answer', () => {
  const turn = answered(first, 'nothing', 6_000);
  expect(turn.ends).toEqual({ keeptyping: null, interval: null, once: null, nothing: 6_000 });
  expect(isOver(turn, 7_000)).toBe(false);
  const most = answered(answered(turn, 'interval', 6_001), 'keeptyping', 6_010);
  expect(isOver(most, 6_011)).toBe(false);
  const whole = answered(most, 'once', 6_012);
  expect(isOver(whole, 6_012)).toBe(true);
  expect(ways.map((way) => endOf(whole, way, 9_000))).toEqual([6_010, 6_001, 6_012, 6_000]);
});

test('a second message while one waits belongs to the same wait, which ends with the second answer', () => {
  const both = wrote(answered(first, 'nothing', 6_000), { at: 6_500, thinkMs: 5_000 });
  expect(both).toMatchObject({ from: 1_000, messages: 2, expected: 11_500, ends: { nothing: null } });
  const one = answered(both, 'keeptyping', 7_000);
  expect(one.ends.keeptyping).toBeNull();
  expect(answered(one, 'keeptyping', 11_500).ends.keeptyping).toBe(11_500);
});

test('a message after all answers begins a wait of its own', () => {
  const done = ways.reduce((turn, way) => answered(turn, way, 6_000), first);
  expect(wrote(done, { at: 8_000, thinkMs: 1_000 })).toMatchObject({ from: 8_000, messages: 1 });
});

test('an answer that never comes holds nobody up: the wait is over by itself, with time for a second call of the bot', () => {
  const overdue = 1_000 + 2 * 5_000 + 20_000;
  expect([isOver(first, overdue - 1), isOver(first, overdue)]).toEqual([false, true]);
  expect(endOf(first, 'keeptyping', overdue + 5_000)).toBe(overdue);
  expect(wrote(first, { at: overdue, thinkMs: 1_000 })).toMatchObject({ from: overdue, messages: 1 });
});

test('more answers than messages change nothing', () => {
  const turn = answered(answered(first, 'interval', 6_000), 'interval', 9_000);
  expect(turn.ends.interval).toBe(6_000);
});
