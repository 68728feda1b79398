import type { KeptSecrets, SharedCache } from '../core/ports.ts';
import { keys } from './keys.ts';

/** The Redis commands that it uses. */
interface KeptSecretsCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
  eval(script: string, numberOfKeys: number, key: string, from: string, to: string): Promise<unknown>;
  scan(
    cursor: string,
    match: 'MATCH',
    pattern: string,
    count: 'COUNT',
    most: number,
  ): Promise<[cursor: string, keys: string[]]>;
}

/** A command that timed out may have been carried out: said again, it finds its own value and is content. */
const REPLACE = `
local stands = redis.call('GET', KEYS[1])
if stands == ARGV[2] then
  return 1
end
if stands ~= ARGV[1] then
  return 0
end
local left = redis.call('PTTL', KEYS[1])
if left > 0 then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', left)
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
`;

/** Closed secrets in Redis. */
export function createKeptSecrets(redis: KeptSecretsCommands): KeptSecrets {
  return {
    read: (name) => redis.get(keys.secret(name)),
    write: async (name, value, ttlMs) => {
      if (ttlMs === null) await redis.set(keys.secret(name), value);
      else await redis.set(keys.secret(name), value, 'PX', Math.max(1, Math.ceil(ttlMs)));
    },
    replace: async (name, { from, to }) => (await redis.eval(REPLACE, 1, keys.secret(name), from, to)) === 1,
    drop: async (name) => {
      await redis.del(keys.secret(name));
    },
    names: (start) => namesOf(redis, start),
  };
}

/** A key may be found twice while others come and go. */
async function namesOf(redis: KeptSecretsCommands, start: string): Promise<string[]> {
  const found = new Set<string>();
  let cursor = '0';
  do {
    const [next, some] = await redis.scan(cursor, 'MATCH', `${keys.secret(start)}*`, 'COUNT', 1_000);
    for (const key of some) found.add(key.slice(keys.secret('').length));
    cursor = next;
  } while (cursor !== '0');
  return [...found];
}

/** The Redis commands that the cache uses. */
interface CacheCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  set(key: string, value: string, px: 'PX', ttlMs: number, nx: 'NX'): Promise<unknown>;
  eval(script: string, numberOfKeys: number, key: string, value: string): Promise<unknown>;
}

const DELETE_IF_EQUAL = `
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
`;

/**
 * The shared cache in Redis.
 * @param random A new token at each call that nobody can guess or repeat.
 */
export function createSharedCache(redis: CacheCommands, random: () => string): SharedCache {
  const dropIfEqual = async (key: string, value: string): Promise<void> => {
    await redis.eval(DELETE_IF_EQUAL, 1, keys.cache(key), value);
  };
  return {
    get: (key) => redis.get(keys.cache(key)),
    set: async (key, value, ttlMs) => {
      await redis.set(keys.cache(key), value, 'PX', ttlMs);
    },
    drop: dropIfEqual,
    lock: async (key, ttlMs) => {
      const token = random();
      const taken = await redis.set(keys.cacheLock(key), token, 'PX', ttlMs, 'NX');
      return taken === 'OK' ? token : null;
    },
    unlock: async (key, token) => {
      await redis.eval(DELETE_IF_EQUAL, 1, keys.cacheLock(key), token);
    },
  };
}
