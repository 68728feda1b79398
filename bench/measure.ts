/** What a row of the bench is, and small arithmetic. */
import type { BenchRedis } from './redis.ts';

export interface Value {
  value: number;
  unit: 'ms' | '%' | '×' | '/s' | 'B' | 'kB' | 'MB' | '';
}

/** What one run of a bench says. */
export interface Row {
  /** The same in each run. */
  what: string;
  /** By name, in the order in which they are told. */
  values: Record<string, Value>;
  /** @default there is none */
  goal?: Goal;
  /** How many turns were held against what came of them, and how many went wrong, by what: none may. */
  exact?: Exact;
}

export interface Goal {
  says: string;
  /** Of the middle of all runs. */
  met(of: (name: string) => number): boolean;
}

export interface Exact {
  turns: number;
  wrong: Record<string, number>;
}

/** @param run The how-manieth of several, from 0. */
export type Bench = (redis: BenchRedis, run: number) => Promise<Row[]>;

/** A bench whose rows are the same each time, or that lasts: the first run alone takes it. */
export function once(bench: Bench): Bench {
  return (redis, run) => (run === 0 ? bench(redis, run) : Promise.resolve([]));
}

export const ms = (value: number): Value => ({ value, unit: 'ms' });
export const times = (value: number): Value => ({ value, unit: '×' });
export const perSecond = (value: number): Value => ({ value, unit: '/s' });
export const count = (value: number): Value => ({ value, unit: '' });
export const bytes = (value: number): Value => ({ value, unit: 'B' });
export const megabytes = (ofBytes: number): Value => ({ value: ofBytes / 1e6, unit: 'MB' });
/** @param share 0 to 1 */
export const percent = (share: number): Value => ({ value: share * 100, unit: '%' });

/** The values as parts of a row, each named after what they are of. */
export function prefixed(prefix: string, values: Record<string, Value>): Record<string, Value> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix} ${name}`, value]));
}

/** The p-quantile (0 to 1) of the values; NaN of none. */
export function quantile(values: readonly number[], p: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))] ?? Number.NaN;
}

export function latencies(values: readonly number[]): { p50: number; p99: number; max: number } {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: quantile(values, 1) };
}

/** p50 and p99 of times (ms), to be told. */
export function middleAndTail(values: readonly number[]): { p50: Value; p99: Value } {
  const { p50, p99 } = latencies(values);
  return { p50: ms(p50), p99: ms(p99) };
}

export function sum(values: readonly number[]): number {
  return values.reduce((all, each) => all + each, 0);
}

export function wait(duration: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, duration));
}

/** ms since 1970 with fractions, as every process of the bench tells them. */
export const now = (): number => performance.timeOrigin + performance.now();

/** The same numbers (0 to 1) in each run: https://en.wikipedia.org/wiki/Lehmer_random_number_generator */
export function createRandom(seed = 20_260_101): () => number {
  let last = seed;
  return () => {
    last = (last * 48_271) % 2_147_483_647;
    return last / 2_147_483_647;
  };
}

/**
 * When people come who know nothing of each other, nor of how busy anybody is: ms from the start, in order.
 * https://en.wikipedia.org/wiki/Poisson_point_process
 */
export function arrivals(howMany: number, rate: number, random = createRandom()): number[] {
  let at = 0;
  return Array.from({ length: howMany }, () => (at += (-Math.log(random()) * 1_000) / rate));
}
