import { createHash } from 'node:crypto';

/** Every key of ours in Redis. All share one hash tag, so that scripts and queues work on a Redis Cluster. */
export const prefix = '{keeptyping}';

export const keys = {
  /** One conversation's state: a JSON string. */
  state: (conversation: string) => `${prefix}:state:${conversation}`,
  /** A conversation's last interaction and newest inbound message id: a hash. */
  last: (conversation: string) => `${prefix}:last:${conversation}`,
  /** Whose a message is, while a bot's own queue is watched: a JSON string. */
  message: (messageId: string) => `${prefix}:message:${messageId}`,
  /** Who delivers a push's answer, and the answer while it waits: a hash. */
  delivery: (push: string) => `${prefix}:delivery:${push}`,
  /** What was learned of each account: a hash of JSON strings. */
  accounts: `${prefix}:accounts`,
  /** For which accounts behind a third-party platform typing is on: a JSON string. */
  component: (name: string) => `${prefix}:component:${name}`,
  /** When something was last seen of an account: a hash of times. */
  seen: `${prefix}:seen`,
  /** What happened in the last day: a capped stream. */
  journal: `${prefix}:journal`,
  /** Conversations in which somebody waits, by when the oldest of their messages came (ms): a sorted set. */
  open: `${prefix}:open`,
  /** Exists while a worker is alive. */
  heartbeat: `${prefix}:worker`,
  /** Written to see whether Redis takes writes. */
  probe: `${prefix}:probe`,
  /** The pub/sub channel of one web process. */
  web: (holder: string) => `${prefix}:web:${holder}`,
  /** `queue` is the bot's own queue as its keys begin: `bull:answers`. */
  botQueue: {
    /** Names the process that follows the queue. */
    leader: `${prefix}:bot-queue:leader`,
    /** The id of the last event of the queue that was handled. */
    cursor: (queue: string) => `${prefix}:bot-queue:cursor:${queue}`,
    /** What the data of a running job names: a JSON string. */
    job: (queue: string, id: string) => `${prefix}:bot-queue:job:${queue}:${id}`,
  },
} as const;

/** The two Redis commands that run a script. */
export interface ScriptCommands {
  evalsha(sha: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
  eval(lua: string, keys: number, ...args: (string | number)[]): Promise<unknown>;
}

export type Script = (
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
      if (error instanceof Error && error.message.startsWith('NOSCRIPT'))
        return redis.eval(lua, named.length, ...named, ...args);
      throw error;
    }
  };
}
