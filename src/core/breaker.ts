/** A breaker as data: after so many failures in a row nothing is tried for a while, then one call probes. */
export interface Breaker {
  failures: number;
  openUntil: number;
  /** A probe is under way until then. */
  probingUntil: number;
  /** The platform asked for a pause until then. */
  pausedUntil: number;
}

export const closedBreaker: Breaker = { failures: 0, openUntil: 0, probingUntil: 0, pausedUntil: 0 };

const opensAfter = 5;
const firstPause = 2_000;
const longestPause = 60_000;
/** A probe that never reports back does not keep the breaker open for good. */
const probeLimit = 8_000;

/** How long a call has to wait at `at`, in ms; 0: it may go. */
export function waitOf(breaker: Breaker, at: number): number {
  const paused = Math.max(0, breaker.pausedUntil - at);
  if (breaker.failures < opensAfter) return paused;
  return Math.max(paused, Math.max(breaker.openUntil, breaker.probingUntil) - at);
}

export function standingOf(breaker: Breaker, at: number): 'closed' | 'open' | 'half-open' {
  if (breaker.failures < opensAfter) return 'closed';
  return breaker.probingUntil > at ? 'half-open' : 'open';
}

/** A call goes out: with an open breaker whose pause is over it is the probe, and the others wait for it. */
export function going(breaker: Breaker, at: number): Breaker {
  return breaker.failures < opensAfter ? breaker : { ...breaker, probingUntil: at + probeLimit };
}

/** The platform refuses the whole account for a while. */
export function pausedUntil(breaker: Breaker, until: number): Breaker {
  return { ...breaker, pausedUntil: until };
}

export function succeeded(): Breaker {
  return closedBreaker;
}

export function failed(breaker: Breaker, at: number): Breaker {
  const failures = breaker.failures + 1;
  if (failures < opensAfter) return { ...breaker, failures };
  const pause = Math.min(firstPause * 2 ** (failures - opensAfter), longestPause);
  return { ...breaker, failures, openUntil: at + pause, probingUntil: 0 };
}
