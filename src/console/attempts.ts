/** Failed logins of the last minute, of everybody together. */
export interface Attempts {
  /** How long nobody may try (ms); 0: now. */
  wait(): number;
  failed(): void;
}

const limit = 10;
const minute = 60_000;

export function createAttempts(clock: { now: () => number }): Attempts {
  let failures: number[] = [];
  return {
    wait: () => {
      failures = failures.filter((at) => at > clock.now() - minute);
      const [oldest] = failures;
      return failures.length < limit || oldest === undefined ? 0 : oldest + minute - clock.now();
    },
    failed: () => {
      failures.push(clock.now());
    },
  };
}
