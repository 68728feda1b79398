import type { Redis } from 'ioredis';
import type { Log } from '../core/ports.ts';
import type { Host } from '../core/redis-url.ts';
import { type Address, finderOf, isElsewhere, isFollowed, openRedis, type Options } from './address.ts';
import { keys } from './keys.ts';
import { createWatchdog, type Health, type Watchdog } from './watchdog.ts';

/** The process's connections to Redis, by what may wait on them. */
export interface Connections {
  /** For what must not wait for an outage: a command fails at once while Redis is away. Not resent after an outage. */
  fast: Redis;
  /** For workers: a command waits until Redis is back. BullMQ duplicates it for each worker's blocking call. */
  jobs: Redis;
  /** A further connection for SUBSCRIBE. It subscribes again by itself after an outage. */
  subscriber: () => Redis;
  health: Health & Pick<Watchdog, 'takeAsAway'>;
  /** Resolves when `fast` and `jobs` have been ready once; waits for as long as Redis is away. */
  ready: () => Promise<void>;
  close: () => Promise<void>;
}

/**
 * Options for a BullMQ `Queue` on the `fast` connection. Without them its first `add` would wait for Redis to come
 * up, and one failed version check would make every later `add` fail.
 */
export const FAIL_FAST_QUEUE = { skipWaitingForReady: true, skipVersionCheck: true } as const;

/** A fleet that lost one Redis must not come back in step. */
function pauseBefore(tries: number): number {
  return Math.min(50 * 2 ** Math.min(tries, 10), 1000) * (0.5 + Math.random() / 2);
}

const shared: Options = {
  connectTimeout: 2000,
  keepAlive: 10_000,
  retryStrategy: pauseBefore,
  // One that loads its data is asked again so often (ms).
  maxLoadingRetryTime: 1_000,
};

const forFast: Options = {
  ...shared,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  // Whoever asked has gone on without it, and tells Redis anew when it is back.
  autoResendUnfulfilledCommands: false,
};

/** BullMQ's workers insist on null: https://docs.bullmq.io/guide/going-to-production#maxretriesperrequest */
const forJobs: Options = { ...shared, maxRetriesPerRequest: null };

/**
 * Opens the connections; they come up, and back after an outage, by themselves. An outage is logged once.
 * @param address.key It is written again and again, as a proof.
 * @param address.rejectUnauthorized false accepts self-signed certificates of a `rediss://` host.
 */
export function createConnections({ log, ...address }: Address & { log: Log }): Connections {
  const watchdog = createWatchdog({
    probe: address.key ?? keys.probe,
    log,
    isFollowed: isFollowed(address.url),
  });
  const opened: Redis[] = [];
  const listening: Redis[] = [];
  const open = (redisOptions: Options): Redis => {
    // After a failover the old primary keeps our connections and refuses writes: leave it, and send the command again.
    const reconnectOnError = (error: Error): 2 | false => {
      const leaves = watchdog.refusedWrite(error);
      // One that only listens asks nothing, and is told nothing.
      if (leaves !== false) for (const each of listening) if (each.status === 'ready') each.disconnect(true);
      return leaves;
    };
    const retryStrategy = (tries: number): number => pauseBefore(Math.max(tries, watchdog.refusals()));
    const redis = openRedis(address, { ...redisOptions, reconnectOnError, retryStrategy });
    writeTogether(redis);
    watchdog.watch(redis);
    opened.push(redis);
    return redis;
  };
  const fast = open(forFast);
  watchdog.proveOn(fast);
  const jobs = open(forJobs);
  const stopLooking = followPrimary(
    address,
    (host) => opened.some((each) => isElsewhere(each, host)),
    watchdog,
  );
  // A blocking call says nothing for seconds: its connection is dropped with the others.
  const duplicate = jobs.duplicate.bind(jobs);
  jobs.duplicate = (override) => {
    const redis = duplicate(override);
    writeTogether(redis);
    watchdog.follow(redis);
    return redis;
  };
  return {
    fast,
    jobs,
    subscriber: () => {
      const redis = open(forJobs);
      listening.push(redis);
      return redis;
    },
    health: watchdog,
    ready: async () => {
      await Promise.all([fast, jobs].map(whenReady));
    },
    close: async () => {
      stopLooking();
      watchdog.close();
      await Promise.all(opened.map(closeConnection));
    },
  };
}

/** ms */
const lookEvery = 1_000;

/**
 * A primary that was frozen while another one took its place does not know of that, and takes what is lost when the
 * Sentinels tell it some seconds later: they are asked.
 */
function followPrimary(
  address: Address,
  isWrong: (primary: Host) => boolean,
  watchdog: Watchdog,
): () => void {
  const find = finderOf(address);
  if (!find) return () => {};
  let isLooking = false;
  const look = async (): Promise<void> => {
    if (isLooking) return;
    isLooking = true;
    // Who cannot be asked changes nothing.
    const primary = await find().catch(() => null);
    isLooking = false;
    if (primary && isWrong(primary)) watchdog.leave('another one has taken its place');
  };
  const timer = setInterval(() => void look(), lookEvery).unref();
  return () => clearInterval(timer);
}

/** A pattern for connections to a Redis that may be none of ours: this one itself never connects. */
export function createPattern(address: Address): Redis {
  return openRedis(address, { ...shared, lazyConnect: true });
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

/**
 * What one round of the event loop asks of Redis goes out in one packet: each write is a system call here and another one
 * in Redis, and a push asks for several things at once. (ioredis's own auto-pipelining does more, and is slower.)
 */
const together = 24;

function writeTogether(redis: Redis): void {
  redis.on('connect', () => {
    const { stream } = redis;
    let waiting = 0;
    const uncork = (): void => {
      if (waiting === 0) return;
      waiting = 0;
      stream.uncork();
    };
    const write = stream.write.bind(stream) as (...chunk: unknown[]) => boolean;
    stream.write = (...chunk: unknown[]) => {
      if (waiting === 0) {
        stream.cork();
        setImmediate(uncork);
      }
      waiting += 1;
      const isRoom = write(...chunk);
      // In a burst a round takes long: what has been asked for goes on its way meanwhile.
      if (waiting >= together) uncork();
      return isRoom;
    };
  });
}

/**
 * A connection for a short look: it is tried once, for `timeoutMs`, and so long may each command take.
 * @throws What kept it from Redis: the system's error, or Redis's own.
 */
export async function visitRedis({ timeoutMs, ...address }: Address & { timeoutMs: number }): Promise<Redis> {
  const redis = openRedis(address, {
    ...shared,
    lazyConnect: true,
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

/** A further connection of the same kind to the same Redis. */
export async function visitAgain(visit: Redis): Promise<Redis> {
  const redis = visit.duplicate();
  // What keeps it from Redis is told by `connect`.
  redis.on('error', () => {});
  await redis.connect();
  return redis;
}
