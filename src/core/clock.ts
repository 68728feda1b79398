/** Time, passed in. `now` is ms since 1970 on Redis's clock, so that all processes agree. */
export interface Clock {
  now: () => number;
  /** Resolves after `ms`; rejects with the signal's reason when aborted first. */
  sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
