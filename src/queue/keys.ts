/** Every key of ours in Redis. All share one hash tag, so that scripts and queues work on a Redis Cluster. */
export const prefix = '{keeptyping}';

export const keys = {
  /** One conversation's state: a JSON string. */
  state: (conversation: string) => `${prefix}:state:${conversation}`,
  /** A conversation's last interaction and newest inbound message id: a hash. */
  last: (conversation: string) => `${prefix}:last:${conversation}`,
  /** Who delivers a push's answer, and the answer while it waits: a hash. */
  delivery: (push: string) => `${prefix}:delivery:${push}`,
  /** What was learned of each account: a hash of JSON strings. */
  accounts: `${prefix}:accounts`,
  /** Exists while a worker is alive. */
  heartbeat: `${prefix}:worker`,
  /** Written to see whether Redis takes writes. */
  probe: `${prefix}:probe`,
  /** The pub/sub channel of one web process. */
  web: (holder: string) => `${prefix}:web:${holder}`,
} as const;
