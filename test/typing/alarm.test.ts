import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createAlarm } from '../../src/typing/events.ts';
import { machineClock, noon } from '../support/clock.ts';

beforeEach(() => vi.useFakeTimers({ now: noon }));
afterEach(() => vi.useRealTimers());

/** An alarm on the timers' own time, and when it pinged, in ms after noon. */
function stage(ping: () => Promise<unknown> = async () => 'PONG') {
  const pings: number[] = [];
  const alarm = createAlarm({
    clock: machineClock,
    ping: () => {
      pings.push(Date.now() - noon);
      return ping();
    },
  });
  return { alarm, pings };
}

test('Redis is looked at just after a job is due, never before', () => {
  const { alarm, pings } = stage();
  alarm.at(noon + 15_058);
  vi.advanceTimersByTime(20_000);
  expect(pings).toEqual([15_060, 15_064]);
});

test('jobs that are due within the same 10 ms share their looks', () => {
  const { alarm, pings } = stage();
  for (let job = 0; job < 100; job += 1) alarm.at(noon + 1000 + (job % 5));
  vi.advanceTimersByTime(2000);
  expect(pings).toEqual([1010, 1014]);
});

test('a job that is due already is looked at at once', () => {
  const { alarm, pings } = stage();
  alarm.at(noon - 60_000);
  vi.advanceTimersByTime(0);
  expect(pings.length).toBeGreaterThan(0);
});

test('the same 10 ms can be asked for again after they were looked at', () => {
  const { alarm, pings } = stage();
  alarm.at(noon - 60_000);
  vi.advanceTimersByTime(0);
  const before = pings.length;
  alarm.at(noon - 60_000);
  vi.advanceTimersByTime(0);
  expect(pings).toHaveLength(before * 2);
});

test('a look that fails costs nothing but precision', async () => {
  const { alarm, pings } = stage(() => Promise.reject(new Error('Redis is away')));
  alarm.at(noon + 1000);
  await vi.advanceTimersByTimeAsync(2000);
  alarm.at(noon + 3000);
  await vi.advanceTimersByTimeAsync(2000);
  expect(pings).toEqual([1010, 1014, 3010, 3014]);
});

test('a closed alarm looks no more', () => {
  const { alarm, pings } = stage();
  alarm.at(noon + 1000);
  alarm.close();
  vi.advanceTimersByTime(2000);
  expect(pings).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
