/**
 * How far behind this process is. Beyond what the machine can do typing is shed first: renewals, then first shows; hides
 * and messages never.
 */
export interface Pressure {
  /** So late is what this process does now (ms). */
  lateMs(): number;
  /** Renewals wait. */
  isBusy(): boolean;
  /** First shows are left out, and no connection is held longer than it must. */
  isHurried(): boolean;
  /** Resolves when the worst is over, after 3 s at most. */
  calm(): Promise<void>;
  close(): void;
}

const look = 100;
/** What is remembered of the last looks, for a burst comes in waves. */
const looks = 5;
const busy = 500;
const hurried = 1_500;
const longestWait = 3_000;

/** @param now ms, from wherever; fractions are welcome. */
export function createPressure(now: () => number = () => performance.now()): Pressure {
  let lookedAt = now();
  let recent: number[] = [];
  const timer = setInterval(() => {
    const at = now();
    recent = [...recent, Math.max(0, at - lookedAt - look)].slice(-looks);
    lookedAt = at;
  }, look);
  timer.unref();
  const current = (): number => Math.max(0, now() - lookedAt - look);
  const lateMs = (): number => Math.max(current(), recent.at(-1) ?? 0);
  const worst = (): number => Math.max(current(), ...recent);
  return {
    lateMs,
    isBusy: () => worst() > busy,
    isHurried: () => worst() > hurried,
    calm: async () => {
      const until = now() + longestWait;
      do await new Promise((resolve) => setTimeout(resolve, look));
      while (worst() > busy && now() < until);
    },
    close: () => clearInterval(timer),
  };
}
