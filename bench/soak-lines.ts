/** What a soak samples, the line through it, and whether that is flat. */

/** What each sample holds: seconds since the load began, then bytes, keys, and ms. */
export interface Sample {
  s: number;
  webRss: number;
  workerRss: number;
  webHeap: number;
  workerHeap: number;
  redis: number;
  keys: number;
  webLag: number;
  workerLag: number;
}

export type Lag = 'webLag' | 'workerLag';

/** Lag grows with nothing that is kept. */
export type Measured = Exclude<keyof Sample, 's' | Lag>;

/**
 * The least that can be kept of each turn by mistake is its id: 30 characters in a Map, or as the name of a key, take some
 * 100 bytes. What grows by less in a turn keeps nothing of it.
 */
export const leastKept = { bytes: 100, keys: 0.1 } as const;

export interface Judged {
  name: string;
  unit: 'bytes' | 'keys';
  /** A heap is a saw: what lives is seen where garbage has just been collected. */
  of: 'mean' | 'least';
}

export const judged: Readonly<Record<Measured, Judged>> = {
  webRss: { name: 'web: resident memory', unit: 'bytes', of: 'mean' },
  workerRss: { name: 'worker: resident memory', unit: 'bytes', of: 'mean' },
  webHeap: { name: 'web: heap in use, the least of each part', unit: 'bytes', of: 'least' },
  workerHeap: { name: 'worker: heap in use, the least of each part', unit: 'bytes', of: 'least' },
  redis: { name: 'Redis: memory', unit: 'bytes', of: 'mean' },
  keys: { name: 'Redis: keys', unit: 'keys', of: 'mean' },
};

/** A line through what was measured. */
export interface Line {
  /** Where it stands at the first and at the last sample that it was fitted to (s, unit). */
  from: { s: number; at: number };
  to: { s: number; at: number };
  perHour: number;
  /** Twice its standard error. */
  give: number;
}

/** Samples that follow each other are alike, so that the line goes through the mean, or the least, of each of so many parts. */
const parts = 20;

export function fit(samples: readonly Sample[], what: Measured): Line {
  const size = Math.floor(samples.length / parts);
  if (size === 0) throw new Error(`${samples.length} samples are too few for a line: let it run longer.`);
  // Those that are left over are the first.
  const those = samples.slice(-parts * size);
  const points = Array.from({ length: parts }, (_, n) => those.slice(n * size, (n + 1) * size)).map(
    (part) => {
      const values = part.map((each) => each[what]);
      return {
        x: mean(part.map(({ s }) => s)),
        y: judged[what].of === 'least' ? Math.min(...values) : mean(values),
      };
    },
  );
  const [x, y] = [mean(points.map((each) => each.x)), mean(points.map((each) => each.y))];
  const squares = points.reduce((sum, each) => sum + (each.x - x) ** 2, 0);
  const slope = points.reduce((sum, each) => sum + (each.x - x) * (each.y - y), 0) / squares;
  const at = (s: number): number => y + slope * (s - x);
  const rest = points.reduce((sum, each) => sum + (each.y - at(each.x)) ** 2, 0) / (parts - 2);
  const [first = 0, last = 0] = [points[0]?.x, points.at(-1)?.x];
  return {
    from: { s: first, at: at(first) },
    to: { s: last, at: at(last) },
    perHour: slope * 3_600,
    give: 2 * Math.sqrt(rest / squares) * 3_600,
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}

/** It does not grow, beyond what chance explains, by as much a turn as the smallest thing that could be kept of it. */
export function isFlat(what: Measured, { perHour, give }: Line, perSecond: number): boolean {
  return (perHour - give) / (perSecond * 3_600) < leastKept[judged[what].unit];
}
