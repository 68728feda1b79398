/** Bot times like those of models, the same in each run. */

/** One answer in five takes twice the median or longer, none longer than a minute (ms). */
const spread = 0.8;
export const longest = 60_000;

/** Log-normal, in ms: https://en.wikipedia.org/wiki/Box%E2%80%93Muller_transform */
export function botTime(random: () => number, medianMs: number): number {
  const normal = Math.sqrt(-2 * Math.log(random())) * Math.cos(2 * Math.PI * random());
  return Math.min(longest, medianMs * Math.exp(spread * normal));
}
