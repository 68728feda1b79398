/** Failed logins of the last minute. */
export interface Attempts {
  /** How long this caller may not try (ms); 0: now. */
  wait(caller: string): number;
  failed(caller: string): void;
}

/** Somebody who guesses must not lock the others out… */
const own = 10;
/** …nor go on under ever new names. */
const everybody = 100;
const minute = 60_000;

export function createAttempts(clock: { now: () => number }): Attempts {
  let failures: { caller: string; at: number }[] = [];
  const left = (of: readonly { at: number }[], limit: number): number => {
    const oldest = of.at(-limit);
    return oldest === undefined ? 0 : oldest.at + minute - clock.now();
  };
  return {
    wait: (caller) => {
      failures = failures.filter(({ at }) => at > clock.now() - minute);
      const theirs = failures.filter((failure) => failure.caller === caller);
      return Math.max(left(theirs, own), left(failures, everybody));
    },
    failed: (caller) => {
      failures.push({ caller, at: clock.now() });
    },
  };
}
