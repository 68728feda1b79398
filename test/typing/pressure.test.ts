import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createPressure, type Pressure } from '../../src/typing/pressure.ts';

let pressure: Pressure;
let waiting: () => Promise<number>;

beforeEach(() => {
  vi.useFakeTimers();
  waiting = async () => 0;
  pressure = createPressure({ now: () => Date.now(), waiting: () => waiting() });
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
  for (let count = 0; count < 600; count += 1) {
    void pressure.crowd()?.then(() => (over ||= Date.now() - began));
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(over).toBeGreaterThan(300);
  expect(over).toBeLessThan(450);
});

test('and those that come all the time wait for it only now and then', async () => {
  let waited = 0;
  for (let count = 0; count < 20_000; count += 1) {
    if (pressure.crowd()) waited += 1;
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(waited).toBeGreaterThan(800);
  expect(waited).toBeLessThan(2_000);
});

/** How long the last of a crowd waits (ms). */
async function took(left: () => Promise<number>): Promise<number> {
  waiting = left;
  const began = Date.now();
  const [crowd] = Array.from({ length: 40 }, () => pressure.crowd()).slice(-1);
  let over = 0;
  void crowd?.then(() => (over = Date.now() - began));
  await vi.advanceTimersByTimeAsync(6_000);
  return over;
}

test('and until their typing has been taken up', async () => {
  let left = 200;
  expect(await took(async () => (left -= 20))).toBeGreaterThan(120);
  expect(left).toBeLessThanOrEqual(20);
  // By whatever is there: an hour's backlog, no Redis, or one that says nothing.
  for (const unhelpful of [
    () => Promise.resolve(5_000),
    () => Promise.reject(new Error('Redis is away')),
    () => new Promise<number>(() => {}),
  ]) {
    const ms = await took(unhelpful);
    expect(ms).toBeGreaterThan(0);
    expect(ms).toBeLessThan(450);
  }
});
