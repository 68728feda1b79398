/**
 * Every key of ours in Redis, and nothing else: what it holds, its type, how long it is kept. A name never changes: a
 * rolling deploy has two releases on the same Redis. (The bot's own queue is read under the bot's own names.)
 */

/**
 * The keys of a shard share a hash tag, so that scripts and queues work on a Redis Cluster. The first one's is also that
 * of what is not spread: accounts, tokens, the journal.
 */
export function prefixOf(shard: number): string {
  return shard === 0 ? '{keeptyping}' : `{keeptyping:${shard}}`;
}

/**
 * The two BullMQ queues: `<prefix>:typing:…` and `<prefix>:replies:…` are BullMQ's, of many types. Jobs go when they
 * are done; failed ones after a day, and at most 1,000 stay; the event streams are capped.
 */
export const queueNames = { typing: 'typing', replies: 'replies' } as const;

export type Keys = ReturnType<typeof keysOf>;

export function keysOf(shard: number) {
  const prefix = prefixOf(shard);
  return {
    prefix,
    /** A queue's jobs that are to be taken up, and those that are under way, by their ids: BullMQ's lists. Their members go with the jobs. */
    waitingJobs: (queue: string) => `${prefix}:${queue}:wait`,
    activeJobs: (queue: string) => `${prefix}:${queue}:active`,
    /**
     * One conversation's state: a string, JSON (typing/state-schema.ts). Kept 2 or 15 min after the last change,
     * longer while a turn or a pause lasts. Under another name of a user: `>` and the name that leads on, for a day.
     */
    state: (conversation: string) => `${prefix}:state:${conversation}`,
    /**
     * A conversation's last interaction, its newest inbound message id, what blocks its shows, and what scripts have to
     * know of its state: a hash. Kept for a day after the last message, or as long as the state where nobody has written;
     * 5 s where only a block stands.
     */
    last: (conversation: string) => `${prefix}:last:${conversation}`,
    /**
     * Conversations in which somebody waits, by when the oldest of their messages came (ms): a sorted set. For ever;
     * its members go with their turns.
     */
    open: `${prefix}:open`,
    /**
     * Conversations that have to be looked at again, by when (ms): a sorted set, written with their states. For ever; its
     * members go with what they wait for.
     */
    wakes: `${prefix}:wakes`,
    /**
     * Whose a message is, while a bot's own queue is watched: a string, JSON. Kept a minute longer than a turn may
     * last.
     */
    message: (messageId: string) => `${prefix}:message:${messageId}`,
    /**
     * Who delivers a push's answer; while that is undecided also the push itself, and an answer that waits: a hash. Kept for
     * 20 min while undecided, then for as long as repeats of the push may come.
     */
    delivery: (push: string) => `${prefix}:delivery:${push}`,
    /**
     * The pushes that a web carries, by when its lease runs out (ms): a sorted set. For ever; its members go with their
     * deliveries.
     */
    insured: `${prefix}:insured`,
    /** What was learned of each account, by `channel/account/aspect`: a hash of JSON strings. For ever. */
    accounts: `${prefix}:accounts`,
    /**
     * The accounts that were set at run time, by `channel/name`: a hash of JSON strings, their secrets closed. For
     * ever.
     */
    accountRecords: `${prefix}:account-records`,
    /** Another word after each change of them: a string. For ever. */
    accountRevision: `${prefix}:account-records:revision`,
    /** For which accounts behind a third-party platform typing is on: a string, JSON. For ever. */
    component: (name: string) => `${prefix}:component:${name}`,
    /** Accounts whose pushes were signed or encrypted, and since when (ms), by `channel/account`: a hash. For ever. */
    assured: `${prefix}:assured`,
    /** When something was last seen of an account (ms), by `channel/account/what`: a hash. For ever. */
    seen: `${prefix}:seen`,
    /** What happened in the last day: a capped stream of JSON records. Gone a day after the last. */
    journal: `${prefix}:journal`,
    /**
     * Secrets of third-party platforms (tickets, refresh tokens, codes), by the platform's own name for them:
     * strings, closed. Kept as long as the platform honours them; refresh tokens for ever.
     */
    secret: (name: string) => `${prefix}:secret:${name}`,
    /**
     * Access tokens (`token/wechat/…`): strings, JSON, closed where a third-party platform's. Kept until they should
     * be renewed.
     */
    cache: (name: string) => `${prefix}:cache:${name}`,
    /**
     * Who is fetching such a token: a string that nobody can guess. Kept for as long as a fetch may take. Apart from
     * the values: a lock may bear the name of what it protects.
     */
    cacheLock: (name: string) => `${prefix}:cache:lock:${name}`,
    /** Exists while a worker is alive: a string. Kept for 3 s. */
    heartbeat: `${prefix}:worker`,
    /** How many shards there are, and were: a string, JSON (redis/shards.ts). For ever. */
    shards: `${prefix}:shards`,
    /** Written to see whether Redis takes writes: a string. Kept for 10 s. */
    probe: `${prefix}:probe`,
    /** Tells one web process that an answer waits for it: a pub/sub channel, nothing is kept. */
    web: (holder: string) => `${prefix}:web:${holder}`,
    /** `queue` is the bot's own queue as its keys begin: `bull:answers`. */
    botQueue: {
      /** Names the process that follows the queue: a string. Kept for some seconds, and renewed. */
      leader: `${prefix}:bot-queue:leader`,
      /** The id of the last event of the queue that was handled: a string. For ever. */
      cursor: (queue: string) => `${prefix}:bot-queue:cursor:${queue}`,
      /** What the data of a running job names: a string, JSON. Kept for a day. */
      job: (queue: string, id: string) => `${prefix}:bot-queue:job:${queue}:${id}`,
    },
  } as const;
}

/** Of the first shard, and of all that is not spread. */
export const keys = keysOf(0);
