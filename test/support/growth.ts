/** How the work of reading grows with what is read: no bound on milliseconds, which say more about the machine. */

/** Where each byte costs the same it is about 16, and 256 where each costs a look at all. */
export const linear = 64;

/**
 * Sixteen times as much takes, at best, so many times as long. The shortest runs count: what another process took from
 * the others is no part of the work.
 */
export function growthOf(make: (size: number) => string, read: (text: string) => unknown): number {
  const [small, large] = [make(2_000), make(32_000)];
  const timed = (text: string): number => {
    const began = performance.now();
    read(text);
    return performance.now() - began;
  };
  let least = { small: Math.min(...Array.from({ length: 20 }, () => timed(small))), large: Infinity };
  for (let tries = 0; tries < 30 && least.large / least.small >= linear; tries += 1)
    least = { small: Math.min(least.small, timed(small)), large: Math.min(least.large, timed(large)) };
  return least.large / least.small;
}
