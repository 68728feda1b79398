import { Redis, type RedisOptions } from 'ioredis';
import type { Log } from '../core/ports.ts';
import { errorWord } from './errors.ts';

/** The process's connections to Redis, by what may wait on them. */
export interface Connections {
  /** For the web path: a command fails at once when Redis is away and after 500 ms when it hangs. Not resent after an outage. */
  fast: Redis;
  /** For workers: a command waits until Redis is back. BullMQ duplicates it for each worker's blocking call. */
  jobs: Redis;
  /** A further connection for SUBSCRIBE. It subscribes again by itself after an outage. */
  subscriber: () => Redis;
  /** Resolves when `fast` and `jobs` have been ready once; waits for as long as Redis is away. */
  ready: () => Promise<void>;
  close: () => Promise<void>;
}

/**
 * Options for a BullMQ `Queue` on the `fast` connection. Without them its first `add` would wait for Redis to come
 * up, and one failed version check would make every later `add` fail.
 */
export const FAIL_FAST_QUEUE = { skipWaitingForReady: true, skipVersionCheck: true } as const;

/** ioredis ties `replyMapping` to the type of the connection; ours has the default. */
type Options = Omit<RedisOptions, 'replyMapping'>;

/** An untouched Redis answers in 1 ms; the platform's 5 s leave room for one such wait. */
const COMMAND_TIMEOUT = 500;

const shared: Options = {
  connectTimeout: 2000,
  keepAlive: 10_000,
  retryStrategy: (times) => Math.min(times * 50, 1000),
  // After a failover the old primary keeps our connections and refuses writes: leave it, and send the command again.
  reconnectOnError: (error) => (errorWord(error) === 'READONLY' ? 2 : false),
};

const forFast: Options = {
  ...shared,
  commandTimeout: COMMAND_TIMEOUT,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  // A command that its caller has given up must not be carried out after the reconnect.
  autoResendUnfulfilledCommands: false,
};

/** BullMQ's workers insist on null: https://docs.bullmq.io/guide/going-to-production#maxretriesperrequest */
const forJobs: Options = { ...shared, maxRetriesPerRequest: null };

/**
 * Opens the connections; they come up, and back after an outage, by themselves. An outage is logged once.
 * @param options.url `redis://` or `rediss://`.
 * @param options.rejectUnauthorized false accepts self-signed certificates of a `rediss://` host.
 */
export function createConnections(options: {
  url: string;
  rejectUnauthorized: boolean;
  log: Log;
}): Connections {
  const tls = tlsOf(options);
  const outage = createOutageLog(options.log);
  const opened: Redis[] = [];
  const open = (redisOptions: Options): Redis => {
    const redis = new Redis(options.url, { ...redisOptions, ...tls });
    outage.watch(redis);
    opened.push(redis);
    return redis;
  };
  const fast = open(forFast);
  const jobs = open(forJobs);
  return {
    fast,
    jobs,
    subscriber: () => open(forJobs),
    ready: async () => {
      await Promise.all([fast, jobs].map(whenReady));
    },
    close: async () => {
      outage.ignore();
      await Promise.all(opened.map(closeConnection));
    },
  };
}

/** A Redis that is none of ours, as a pattern for connections to it: this one itself never connects. */
export function createPattern(options: { url: string; rejectUnauthorized: boolean }): Redis {
  return new Redis(options.url, { ...shared, ...tlsOf(options), lazyConnect: true });
}

function tlsOf({ url, rejectUnauthorized }: { url: string; rejectUnauthorized: boolean }): Options {
  return /^rediss:/i.test(url) ? { tls: { rejectUnauthorized } } : {};
}

/** Closes one connection, whatever its state, and resolves when nothing of it is left. */
export async function closeConnection(redis: Redis): Promise<void> {
  if (redis.status === 'end') return;
  if (redis.status === 'reconnecting') {
    // Between two tries there is no socket whose end could be told: ioredis only drops its timer.
    redis.disconnect();
    return;
  }
  const ended = new Promise<void>((resolve) => redis.once('end', resolve));
  redis.disconnect();
  await ended;
}

async function whenReady(redis: Redis): Promise<void> {
  if (redis.status === 'ready') return;
  // An outage emits `error` events meanwhile; only `ready` ends the wait.
  await new Promise<void>((resolve) => redis.once('ready', resolve));
}

/** One line when the first connection is lost, one when the last is back; ioredis reports every single retry. */
function createOutageLog(log: Log): { watch(redis: Redis): void; ignore(): void } {
  const away = new Set<Redis>();
  let ignored = false;
  const lost = (redis: Redis, cause: string): void => {
    if (ignored) return;
    if (away.size === 0) log.warn({ cause }, `Redis is out of reach; trying again.${remedy(cause)}`);
    away.add(redis);
  };
  const back = (redis: Redis): void => {
    if (away.delete(redis) && away.size === 0) log.info({}, 'Redis is back.');
  };
  return {
    watch: (redis) => {
      redis.on('error', (error: Error & { code?: string }) => lost(redis, error.code ?? error.message));
      redis.on('close', () => lost(redis, 'connection closed'));
      redis.on('ready', () => back(redis));
    },
    ignore: () => {
      ignored = true;
    },
  };
}

function remedy(cause: string): string {
  const selfSigned = ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'].includes(cause);
  return selfSigned
    ? ' Its certificate is self-signed: set REDIS_TLS_REJECT_UNAUTHORIZED=0 to accept it.'
    : '';
}

/**
 * A connection for a short look: it is tried once, for `timeoutMs`, and so long may each command take.
 * @throws What kept it from Redis: the system's error, or Redis's own.
 */
export async function visitRedis(options: {
  url: string;
  rejectUnauthorized: boolean;
  timeoutMs: number;
}): Promise<Redis> {
  const { timeoutMs } = options;
  const redis = createPattern(options).duplicate({
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    retryStrategy: null,
    reconnectOnError: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    disconnectTimeout: 50,
  });
  let cause: unknown = null;
  redis.on('error', (error) => (cause ??= error));
  // A port that takes the connection and says nothing is not covered by ioredis's own limits.
  const timer = setTimeout(() => {
    cause ??= Object.assign(new Error('Redis says nothing'), { code: 'ETIMEDOUT' });
    redis.disconnect();
  }, timeoutMs);
  try {
    await redis.connect();
    return redis;
  } catch {
    redis.disconnect();
    // ioredis itself says only that the connection is closed; why, if somebody knows, is told by the event.
    throw cause ?? Object.assign(new Error('Redis closed the connection'), { code: 'ECONNRESET' });
  } finally {
    clearTimeout(timer);
  }
}
