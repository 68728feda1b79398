/** The verdict of a soak: what grows with the turns is found under the saw of a heap, and what does not grow is flat. */
import { describe, expect, test } from 'vitest';
import { fit, isFlat, type Measured, type Sample } from '../../bench/soak-lines.ts';

const perSecond = 40;
const turnsAnHour = perSecond * 3_600;
/** The garbage of a heap is collected so often (s), and is so much (bytes). */
const saw = { every: 37, height: 30e6 };

/** 25 minutes of samples, in which each turn leaves so much (bytes, keys). */
function samples(left: { bytes: number; keys: number }): Sample[] {
  return Array.from({ length: 300 }, (_, n) => {
    const s = 300 + n * 5;
    const turns = s * perSecond;
    const garbage = ((s % saw.every) / saw.every) * saw.height;
    const memory = 80e6 + left.bytes * turns;
    return {
      s,
      webRss: memory + garbage / 10,
      workerRss: memory + garbage / 10,
      webHeap: memory + garbage,
      workerHeap: memory + garbage,
      redis: memory,
      keys: 20_000 + left.keys * turns,
      webLag: n % 7,
      workerLag: n % 5,
    };
  });
}

const memories: Measured[] = ['webRss', 'workerRss', 'webHeap', 'workerHeap', 'redis'];

describe('what each turn leaves is the slope of the line', () => {
  test.each(memories)('%s', (what) => {
    const line = fit(samples({ bytes: 250, keys: 0 }), what);
    expect(Math.abs(line.perHour / turnsAnHour - 250)).toBeLessThan(line.give / turnsAnHour + 1);
    expect(isFlat(what, line, perSecond)).toBe(false);
  });

  test('keys', () => {
    const line = fit(samples({ bytes: 0, keys: 2 }), 'keys');
    expect(line.perHour / turnsAnHour).toBeCloseTo(2);
    expect(isFlat('keys', line, perSecond)).toBe(false);
  });
});

test.each(memories)('%s is flat where turns leave nothing', (what) => {
  expect(isFlat(what, fit(samples({ bytes: 0, keys: 0 }), what), perSecond)).toBe(true);
});

test('a line stands where the samples stand', () => {
  const { from, to } = fit(samples({ bytes: 100, keys: 0 }), 'redis');
  expect(from.at).toBeCloseTo(80e6 + 100 * from.s * perSecond);
  expect(to.at).toBeCloseTo(80e6 + 100 * to.s * perSecond);
  expect(to.s - from.s).toBeGreaterThan(1_400);
});

test('too few samples for a line are named', () => {
  expect(() => fit(samples({ bytes: 0, keys: 0 }).slice(0, 19), 'keys')).toThrow('19 samples are too few');
});
