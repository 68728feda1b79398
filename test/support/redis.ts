import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis, type RedisOptions } from 'ioredis';
import { findServer, provideRedis } from '../../src/redis/by-itself.ts';
import { closeConnection } from '../../src/redis/connect.ts';
import { recordLog } from './log.ts';

export type TestKind = 'embedded' | 'private';

/** Every kind of Redis that can be tested here: the private one where PATH holds a redis-server or valkey-server. */
export async function redisKinds(): Promise<TestKind[]> {
  const binary = await findServer(process.env['PATH'] ?? '');
  return binary === null ? ['embedded'] : ['embedded', 'private'];
}

export interface TestRedis {
  kind: TestKind;
  url: string;
  /** For BullMQ's `streams.events.maxLen`. */
  eventsMaxLen: number;
  /** A connection that `stop` closes. Without options it waits for Redis, as BullMQ's workers need it. */
  connect: (options?: Omit<RedisOptions, 'replyMapping'>) => Redis;
  /** Closes the connections, ends the server and deletes its data. */
  stop: () => Promise<void>;
}

/** The same Redis, with its password, by another port of this machine that leads to it. */
export function throughPort(url: string, port: number): string {
  return url.replace(/:\d+$/, `:${port}`);
}

/** Starts an empty Redis of that kind for one test file. */
export async function startRedis(kind: TestKind): Promise<TestRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
  const provided = await provideRedis({
    url: null,
    production: false,
    dataDir,
    path: process.env['PATH'] ?? '',
    log: recordLog(),
    bundled: kind,
  });
  const connections: Redis[] = [];
  return {
    kind,
    url: provided.url,
    eventsMaxLen: provided.eventsMaxLen,
    connect: (options = {}) => {
      const redis = new Redis(provided.url, { maxRetriesPerRequest: null, ...options });
      redis.on('error', () => {}); // A test that ends Redis expects them.
      connections.push(redis);
      return redis;
    },
    stop: async () => {
      await Promise.all(connections.map(closeConnection));
      await provided.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
