import { expect, test } from 'vitest';
import {
  closedBreaker,
  failed,
  going,
  pausedUntil,
  succeeded,
  waitOf,
  type Breaker,
} from '../../src/core/breaker.ts';

const noon = 1_000_000;

function after(failures: number, at = noon): Breaker {
  let breaker = closedBreaker;
  for (let count = 0; count < failures; count += 1) breaker = failed(breaker, at);
  return breaker;
}

test('four failures in a row hold nothing back', () => {
  expect(waitOf(after(4), noon)).toBe(0);
});

test('the fifth holds calls back for 2 s', () => {
  expect(waitOf(after(5), noon)).toBe(2000);
  expect(waitOf(after(5), noon + 1999)).toBe(1);
  expect(waitOf(after(5), noon + 2000)).toBe(0);
});

test('a success in between starts the count anew', () => {
  expect(waitOf(failed(succeeded(), noon), noon)).toBe(0);
  expect(succeeded()).toEqual(closedBreaker);
});

test('each failed probe doubles the pause, up to a minute', () => {
  const pauses = Array.from({ length: 8 }, (_, more) => waitOf(after(5 + more), noon));
  expect(pauses).toEqual([2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
});

test('while one call probes, the others wait', () => {
  const probing = going(after(5), noon + 2000);
  expect(waitOf(probing, noon + 2001)).toBe(7999);
});

test('a probe that never reports back is forgotten after 8 s', () => {
  expect(waitOf(going(after(5), noon + 2000), noon + 10_000)).toBe(0);
});

test('a closed breaker lets any number go at once', () => {
  expect(waitOf(going(after(4), noon), noon)).toBe(0);
});

test('a pause that the platform asked for is waited out, whatever failed before', () => {
  expect(waitOf(pausedUntil(closedBreaker, noon + 5000), noon)).toBe(5000);
  expect(waitOf(pausedUntil(closedBreaker, noon + 5000), noon + 5000)).toBe(0);
  expect(waitOf(pausedUntil(after(5), noon + 5000), noon)).toBe(5000);
  expect(waitOf(pausedUntil(after(5), noon + 1000), noon)).toBe(2000);
});

test('a failure does not shorten it', () => {
  expect(waitOf(failed(pausedUntil(closedBreaker, noon + 5000), noon), noon)).toBe(5000);
  expect(waitOf(failed(pausedUntil(after(4), noon + 5000), noon), noon)).toBe(5000);
});
