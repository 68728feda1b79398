import type { SharedCache } from '../core/ports.ts';

/** The Redis commands that the cache uses. */
export interface CacheCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  set(key: string, value: string, px: 'PX', ttlMs: number, nx: 'NX'): Promise<unknown>;
  eval(script: string, numberOfKeys: number, key: string, value: string): Promise<unknown>;
}

const cachePrefix = '{keeptyping}:cache:';

const DELETE_IF_EQUAL = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
`;

/**
 * The shared cache in Redis, under `{keeptyping}:cache:`.
 * @param random A new token at each call that nobody can guess or repeat.
 */
export function createSharedCache(redis: CacheCommands, random: () => string): SharedCache {
  const dropIfEqual = async (key: string, value: string): Promise<void> => {
    await redis.eval(DELETE_IF_EQUAL, 1, cachePrefix + key, value);
  };
  return {
    get: (key) => redis.get(cachePrefix + key),
    set: async (key, value, ttlMs) => {
      await redis.set(cachePrefix + key, value, 'PX', ttlMs);
    },
    drop: dropIfEqual,
    lock: async (key, ttlMs) => {
      const token = random();
      const taken = await redis.set(lockKey(key), token, 'PX', ttlMs, 'NX');
      return taken === 'OK' ? token : null;
    },
    unlock: async (key, token) => {
      await redis.eval(DELETE_IF_EQUAL, 1, lockKey(key), token);
    },
  };
}

/** Apart from the values, so that a lock may bear the name of what it protects. */
function lockKey(key: string): string {
  return `${cachePrefix}lock:${key}`;
}
