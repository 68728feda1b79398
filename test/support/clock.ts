/** Time for tests: it moves by hand, and only what says so waits. */
import { setImmediate as othersTurn, setTimeout as wait } from 'node:timers/promises';
import type { Clock } from '../../src/core/ports.ts';

/** Where a test's time begins, if nothing else is said. */
export const noon = 1_700_000_000_000;

export interface HandClock extends Clock {
  set(at: number): void;
  pass(ms: number): void;
  /** Everything that was slept, in ms. */
  slept: number[];
}

/** A clock that moves by hand, and by sleeping, which takes no time; `sleep` sleeps otherwise. */
export function handClock(at = noon, sleep?: Clock['sleep']): HandClock {
  let time = at;
  const slept: number[] = [];
  const pass = (ms: number): void => {
    time += ms;
  };
  return {
    slept,
    now: () => time,
    set: (to) => {
      time = to;
    },
    pass,
    sleep: async (ms, signal) => {
      slept.push(ms);
      await (sleep ? sleep(ms, signal) : pass(ms));
    },
  };
}

/** The same for who sleeps until something has happened: it may happen meanwhile. */
export function patientClock(): HandClock {
  const clock = handClock();
  const sleep = clock.sleep.bind(clock);
  clock.sleep = async (ms, signal) => {
    await sleep(ms, signal);
    await othersTurn();
    signal?.throwIfAborted();
  };
  return clock;
}

/** From now on sleeps of the clock end only as whoever sleeps is aborted. Resolves with the first. */
export function sleepUntilAborted(clock: HandClock): Promise<void> {
  return new Promise((sleeping) => {
    clock.sleep = (_, signal) => {
      sleeping();
      return new Promise((__, reject) =>
        signal?.addEventListener('abort', () => reject(new Error('aborted'))),
      );
    };
  });
}

/** Sleeps end only that last so long at most, and move no clock. */
export function endingBy(most: number): Clock['sleep'] {
  return (ms) => (ms <= most ? Promise.resolve() : new Promise(() => {}));
}

/** Sleeps by the machine's own time: for what is raced against a limit. */
export const realSleep: Clock['sleep'] = (ms, signal) => wait(ms, undefined, { signal });

/** The machine's own time, which others share; only sleeping takes none. */
export const machineClock: Clock = { now: () => Date.now(), sleep: async () => {} };
