import { expect, test } from 'vitest';
import { ofAll, recordOf, renew } from '../../bench/record.ts';
import { ms } from '../../bench/measure.ts';

const taken = (when: string, rows: Record<string, number>): string =>
  recordOf(
    { taken: when, says: `${when}: commit of it` },
    {
      rows: Object.entries(rows).map(([what, value]) => ofAll([{ what, values: { took: ms(value) } }])),
      failed: [],
      redis: '7.0',
    },
  );

const rowsOf = (record: string): string[] =>
  record
    .split('\n')
    .filter((line) => line.includes(' ms '))
    .map((line) => line.replace(/ \| .* \| /, ' '));

test('a row that is taken again stands where it stood, by what it was taken; others as they were', () => {
  const whole = taken('yesterday', { one: 1, two: 2, three: 3 });
  const renewed = renew(whole, taken('today', { two: 20, four: 40 }));
  expect(rowsOf(renewed)).toEqual([
    '| one yesterday |',
    '| two today |',
    '| three yesterday |',
    '| four today |',
  ]);
  expect(renewed).toContain('| two | took 20 ms |');
  expect(renewed).not.toContain('took 2 ms');
  expect(renewed.split('\n').slice(0, 2)).toEqual([
    expect.stringMatching(/^- yesterday: /),
    expect.stringMatching(/^- today: /),
  ]);
});

test('a run that is told after each of its rounds stands there once', () => {
  const [first, second] = [taken('today', { one: 1 }), taken('today', { one: 2 })];
  const renewed = renew(renew('', first), second);
  expect(renewed.split('\n').filter((line) => line.startsWith('- '))).toHaveLength(1);
  expect(renewed).toContain('took 2 ms');
});

test('what no row was taken by is not named any longer', () => {
  const renewed = renew(taken('yesterday', { one: 1 }), taken('today', { one: 2 }));
  expect(renewed).not.toContain('yesterday');
  expect(renew(renewed, taken('later', { two: 2 }))).toMatch(/^- today: .*\n- later: /);
});
