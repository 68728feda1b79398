/** Counts by name, of a moving hour: each minute is added as it comes and taken back as it goes. */

export type Counts = Map<string, number>;

export interface Tally {
  add(at: number, name: string, count?: number): void;
  /** Takes back what is older than an hour. */
  forget(now: number): void;
  /** Of the hour. */
  readonly total: ReadonlyMap<string, number>;
  /** Of the last full minute. */
  lastMinute(now: number, name: string): number;
}

const minute = 60_000;
const kept = 60;

export function createTally(): Tally {
  const total: Counts = new Map();
  const minutes = new Map<number, Counts>();
  return {
    total,
    add: (at, name, count = 1) => {
      const slot = slotOf(at);
      const counts: Counts = minutes.get(slot) ?? new Map();
      minutes.set(slot, counts);
      bump(counts, name, count);
      bump(total, name, count);
    },
    forget: (now) => {
      for (const [slot, counts] of minutes) {
        if (slot > slotOf(now) - kept) continue;
        for (const [name, count] of counts) bump(total, name, -count);
        minutes.delete(slot);
      }
    },
    lastMinute: (now, name) => minutes.get(slotOf(now) - 1)?.get(name) ?? 0,
  };
}

/** What `names` count whose name begins so, by the rest of it; most first. */
export function under(counts: ReadonlyMap<string, number>, start: string): [rest: string, count: number][] {
  return [...counts]
    .flatMap(([name, count]): [string, number][] =>
      name.startsWith(start) ? [[name.slice(start.length), count]] : [],
    )
    .toSorted(([, a], [, b]) => b - a);
}

function bump(counts: Counts, name: string, by: number): void {
  const count = (counts.get(name) ?? 0) + by;
  if (count === 0) counts.delete(name);
  else counts.set(name, count);
}

function slotOf(at: number): number {
  return Math.floor(at / minute);
}
