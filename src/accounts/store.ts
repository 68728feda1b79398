/** Where the records stand in Redis: a hash of them by name, and a word that is new after each change. */

/** The Redis commands that it uses. */
export interface RecordCommands {
  get(key: string): Promise<string | null>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
}

/** `id` is `channel/name`. Every member rejects when Redis is out of reach. */
export interface RecordStore {
  /** Another one after each change; null: nothing was ever written. */
  revision(): Promise<string | null>;
  all(): Promise<Readonly<Record<string, string>>>;
  of(id: string): Promise<string | null>;
  /** Replaces what is expected to stand there; null: nothing. `full`: there is no room for one more. */
  replace(id: string, change: { from: string | null; to: string | null }): Promise<Replaced>;
}

export type Replaced = 'replaced' | 'changed' | 'full';

const recordsKey = '{keeptyping}:account-records';
const revisionKey = '{keeptyping}:account-records:revision';

/** Each process holds all accounts; more belong on several installations. */
const mostRecords = 2_000;

const REPLACE = `
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] then return 'changed' end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if now == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 'full' end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('SET', KEYS[2], ARGV[4])
return 'replaced'
`;

/**
 * @param random A word that is never said twice: a counter would count to the same number again in a Redis that has lost
 * its data.
 */
export function createRecordStore(
  redis: RecordCommands,
  random: () => string,
  most: number = mostRecords,
): RecordStore {
  return {
    revision: () => redis.get(revisionKey),
    all: () => redis.hgetall(recordsKey),
    of: (id) => redis.hget(recordsKey, id),
    replace: async (id, { from, to }) => {
      const change = [id, from ?? '', to ?? '', random(), String(most)];
      const said = await redis.eval(REPLACE, 2, recordsKey, revisionKey, ...change);
      return said === 'replaced' || said === 'full' ? said : 'changed';
    },
  };
}
