import { createHash } from 'node:crypto';
import { errorWord } from './errors.ts';

/** The two Redis commands that run a script. */
export interface ScriptCommands {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

type Script = (
  redis: ScriptCommands,
  keys: string | readonly string[],
  ...args: (string | number)[]
) => Promise<unknown>;

/** A Lua script, sent by its hash; whole only to a Redis that does not know it yet. */
export function createScript(lua: string): Script {
  const sha = createHash('sha1').update(lua).digest('hex');
  return async (redis, keys, ...args) => {
    const named = typeof keys === 'string' ? [keys] : keys;
    try {
      return await redis.evalsha(sha, named.length, ...named, ...args);
    } catch (error) {
      if (errorWord(error) === 'NOSCRIPT') return redis.eval(lua, named.length, ...named, ...args);
      throw error;
    }
  };
}
