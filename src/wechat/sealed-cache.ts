import type { Seal, SharedCache } from '../core/ports.ts';

/** The shared cache for one value that may not lie there open. What cannot be opened is not there. */
export function sealedCache(cache: SharedCache, seal: Seal): SharedCache {
  /** How the value lies that was read last: only so can it be dropped. */
  let lies: { value: string; closed: string } | null = null;
  return {
    ...cache,
    async get(key) {
      const closed = await cache.get(key);
      const value = closed === null ? null : seal.open(closed, key);
      lies = closed === null || value === null ? null : { value, closed };
      return value;
    },
    set: (key, value, ttlMs) => cache.set(key, seal.seal(value, key), ttlMs),
    async drop(key, value) {
      if (lies?.value === value) await cache.drop(key, lies.closed);
    },
  };
}
