/** One case after the other, each from a number of its own: what broke can be played again by that number alone. */
import { createDice } from '../chaos/random.ts';
import { type Target, targets } from './targets.ts';

export interface Broken {
  target: string;
  seed: number;
  what: string;
}

/** For inputs of at most some hundred kB (ms): far above what any takes, also while it is compiled. */
const longest = 1_000;

/** What broke; null: nothing did. Slow is what is slow each time: the machine may be busy. */
export async function playOne(name: string, target: Target, seed: number): Promise<Broken | null> {
  const times: number[] = [];
  do {
    const began = performance.now();
    const what = await target(createDice(seed)).catch((error: unknown) => `thrown: ${String(error)}`);
    if (what !== null) return { target: name, seed, what };
    times.push(performance.now() - began);
  } while (times.length < 3 && (times.at(-1) ?? 0) > longest);
  const least = Math.min(...times);
  return least > longest ? { target: name, seed, what: `takes ${Math.round(least)} ms` } : null;
}

/** So many of each target, from this seed on. */
export async function playAll(from: number, count: number, only = Object.keys(targets)): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const name of only) {
    const target = targets[name]?.();
    if (!target) throw new Error(`There is no target ${name}: choose of ${Object.keys(targets).join(', ')}.`);
    for (let n = 0; n < count; n += 1) {
      const found = await playOne(name, target, from + n);
      if (found) broken.push(found);
    }
  }
  return broken;
}
