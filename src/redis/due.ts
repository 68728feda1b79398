/** An index of what is to be done and when (ms): a sorted set, which several processes look through. */
import { createScript, type ScriptCommands } from './script.ts';

export interface DueCommands extends ScriptCommands {
  zcount(key: string, least: string, most: number): Promise<number>;
}

/** By one script. */
export const takenAtOnce = 100;

const takeUp = createScript(`
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, each in ipairs(due) do redis.call('ZADD', KEYS[1], ARGV[2], each) end
return due
`);

/** Takes up what was due by `by`, each for one process at a time: the others leave it alone until `until`. At most 100. */
export async function takeDue(
  redis: DueCommands,
  index: string,
  { by, until }: { by: number; until: number },
): Promise<string[]> {
  // Mostly there is none.
  if ((await redis.zcount(index, '-inf', by)) === 0) return [];
  const found = await takeUp(redis, index, by, until, takenAtOnce);
  return Array.isArray(found) ? found.map(String) : [];
}
