/** Bot times like those of models. */

/** None is longer (ms). */
export const longest = 60_000;

/**
 * Log-normal, in ms: https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform
 * @param spread With the usual one, one answer in five takes twice the median or longer; 0: all are the median.
 */
export function botTime(random: () => number, medianMs: number, spread = 0.8): number {
  const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return Math.min(longest, medianMs * Math.exp(spread * normal));
}
