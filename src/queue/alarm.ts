import type { Clock } from '../core/ports.ts';

/** Makes Redis look at its delayed jobs in time. */
export interface Alarm {
  /** A job is due at `at` (ms). */
  at(time: number): void;
  close(): void;
}

export interface AlarmOptions {
  clock: Clock;
  ping: () => Promise<unknown>;
}

/**
 * A worker waits for the next delayed job in a blocking command, and Redis looks at blocked clients' timeouts only at
 * its tick, up to 100 ms late with the default `hz 10`. Any command makes it look: a PING just after the job is due
 * brings the lateness down to some ms, and a second one catches the case that the first came before the timeout.
 * Jobs due within the same 10 ms share their PINGs.
 */
export function createAlarm({ clock, ping }: AlarmOptions): Alarm {
  const planned = new Map<number, NodeJS.Timeout>();
  const nudge = (): void => {
    // A PING that fails costs precision only.
    ping().catch(() => {});
  };
  const plan = (slot: number): void => {
    if (planned.has(slot)) return;
    const wait = Math.max(0, slot - clock.now());
    const timer = setTimeout(() => {
      planned.delete(slot);
      nudge();
    }, wait);
    planned.set(slot, timer.unref());
  };
  return {
    at: (time) => {
      const slot = Math.ceil((time + 1) / grid) * grid;
      plan(slot);
      plan(slot + secondLook);
    },
    close: () => {
      for (const timer of planned.values()) clearTimeout(timer);
      planned.clear();
    },
  };
}

const grid = 10;
const secondLook = 4;
