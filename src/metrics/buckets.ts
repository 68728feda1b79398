/** Upper bounds of the histograms' buckets. All in seconds but `share`. */
export const buckets = {
  /** Typing shows 8 to 30 ms after a message where the platform answers at once; over the internet later. */
  first: [0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 5, 15],
  /** What users wait: from an inline answer to WeChat's 30 s, to the cap, to the deadline. */
  wait: [0.5, 1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 300, 600],
  /** Of 1. */
  share: [0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 1],
  /** Typing calls are given up after 3 s. */
  call: [0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1, 2, 3],
  /** What keeptyping itself adds. */
  overhead: [0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 5],
  lag: [0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 15, 60],
} as const satisfies Record<string, readonly number[]>;
