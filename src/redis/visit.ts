import type { Redis } from 'ioredis';
import { createPattern } from './connect.ts';

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
