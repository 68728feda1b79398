/** Waits and covers as counts, so that an hour of them can be added up and taken apart again. */
import type { Distribution } from './wire.ts';

/** In s. */
export const waitBounds = [1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600];
export const coverBounds = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];

/** Neighbouring bins differ by so much: what is read off them is right within 3 %. */
const ratio = 1.06;
const least = 0.01;

/** The bin of a wait of so many seconds. */
export function binOf(seconds: number): number {
  return Math.round(Math.log(Math.max(seconds, least) / least) / Math.log(ratio));
}

/** The p-quantile (0…1) in s of what is counted by bin; null of nothing. */
export function quantile(bins: readonly [bin: string, count: number][], p: number): number | null {
  const sorted = bins.map(([bin, count]) => [Number(bin), count] as const).toSorted(([a], [b]) => a - b);
  const all = sorted.reduce((sum, [, count]) => sum + count, 0);
  let left = Math.ceil(p * all);
  for (const [bin, count] of sorted) {
    left -= count;
    if (left <= 0) return Number((least * ratio ** bin).toPrecision(3));
  }
  return null;
}

/** Which of the counts a value belongs to. */
export function placeOf(bounds: readonly number[], value: number): number {
  const place = bounds.findIndex((bound) => value <= bound);
  return place < 0 ? bounds.length : place;
}

export function distributionOf(
  bounds: readonly number[],
  places: readonly [place: string, count: number][],
): Distribution {
  const counts = [...bounds, 0].map(() => 0);
  for (const [place, count] of places) counts[Number(place)] = count;
  return { bounds: [...bounds], counts };
}
