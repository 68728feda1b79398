import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPressure, type Pressure } from '../../src/typing/pressure.ts';

let pressure: Pressure;

beforeEach(() => {
  vi.useFakeTimers();
  pressure = createPressure(() => Date.now());
});
afterEach(() => {
  pressure.close();
  vi.useRealTimers();
});

async function isOver(crowd: Promise<void> | null): Promise<boolean> {
  let over = false;
  void crowd?.then(() => (over = true));
  await vi.advanceTimersByTimeAsync(0);
  return over;
}

test('pushes that come one by one wait for nobody', async () => {
  for (let count = 0; count < 100; count += 1) {
    expect(pressure.crowd()).toBeNull();
    await vi.advanceTimersByTimeAsync(4);
  }
});

test('those of a crowd wait until no more come', async () => {
  const waits = Array.from({ length: 40 }, () => pressure.crowd());
  expect(waits.slice(0, 16)).toEqual(Array.from({ length: 16 }, () => null));
  await vi.advanceTimersByTimeAsync(10);
  const crowd = pressure.crowd();
  expect(await isOver(crowd)).toBe(false);
  await vi.advanceTimersByTimeAsync(35);
  expect(await isOver(crowd)).toBe(true);
  await vi.advanceTimersByTimeAsync(100);
  expect(pressure.crowd()).toBeNull();
});

test('but no longer than a bot can be kept waiting', async () => {
  const began = Date.now();
  let over = 0;
  for (let count = 0; count < 400; count += 1) {
    void pressure.crowd()?.then(() => (over ||= Date.now() - began));
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(over).toBeGreaterThan(100);
  expect(over).toBeLessThan(200);
});
