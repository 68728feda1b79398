import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Redis, RedisOptions } from 'ioredis';
import { openRedis } from '../../src/redis/address.ts';
import { findServer, provideRedis } from '../../src/redis/by-itself.ts';
import { closeConnection } from '../../src/redis/connect.ts';
import { recordLog } from './log.ts';
import { type Fleet, startCluster, startSentinels, startServers } from './redis-fleets.ts';

export type TestKind = 'embedded' | 'private';
/** What is more than one server; `shards`: one server, whose conversations are spread all the same. */
export type TestFleet = 'shards' | 'cluster' | 'sentinel' | 'several';

/** What TEST_REDIS names; else the embedded one. */
export function wantedRedis(): TestKind | TestFleet {
  const named = process.env['TEST_REDIS'] ?? 'embedded';
  const known = ['embedded', 'private', 'shards', 'cluster', 'sentinel', 'several'] as const;
  const found = known.find((kind) => kind === named);
  if (found === undefined) throw new Error(`TEST_REDIS is ${named}: it may be ${known.join(', ')}.`);
  return found;
}

/** Every kind of Redis that can be tested here: the private one where PATH holds a redis-server or valkey-server. */
export async function redisKinds(): Promise<TestKind[]> {
  const binary = await findServer(process.env['PATH'] ?? '');
  return binary === null ? ['embedded'] : ['embedded', 'private'];
}

export interface TestRedis {
  kind: TestKind | TestFleet;
  url: string;
  /** What a process is told besides. */
  env: Record<string, string>;
  /** For BullMQ's `streams.events.maxLen`. */
  eventsMaxLen: number;
  /** A connection that `stop` closes. Without options it waits for Redis, as BullMQ's workers need it. */
  connect: (options?: Omit<RedisOptions, 'replyMapping'>) => Redis;
  /** Closes the connections, ends the server and deletes its data. */
  stop: () => Promise<void>;
  /** The same, or leaves it to the next test where it takes long to start. */
  leave: () => Promise<void>;
}

/** The same Redis, with its password, by another port of this machine that leads to it. */
export function throughPort(url: string, port: number): string {
  return url.replace(/:\d+$/, `:${port}`);
}

/** Starts an empty Redis of that kind for one test file. */
export async function startRedis(kind: TestKind | TestFleet): Promise<TestRedis> {
  const dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
  const provided = await provide(kind, dataDir);
  const connections: Redis[] = [];
  let isOver = false;
  const end = async (how: () => Promise<void>): Promise<void> => {
    await Promise.all(connections.map(closeConnection));
    if (isOver) return;
    isOver = true;
    await how();
    await rm(dataDir, { recursive: true, force: true });
  };
  return {
    kind,
    url: provided.url,
    env: provided.env ?? {},
    eventsMaxLen: provided.eventsMaxLen,
    connect: (options = {}) => {
      const redis = openRedis(
        { url: provided.url, rejectUnauthorized: true },
        { maxRetriesPerRequest: null, ...options },
      );
      redis.on('error', () => {}); // A test that ends Redis expects them.
      connections.push(redis);
      return redis;
    },
    stop: () => end(() => provided.stop()),
    leave: () => end(() => provided.leave?.() ?? provided.stop()),
  };
}

interface Provided {
  url: string;
  env?: Record<string, string>;
  eventsMaxLen: number;
  stop(): Promise<void>;
  leave?(): Promise<void>;
}

async function provide(kind: TestKind | TestFleet, dataDir: string): Promise<Provided> {
  const path = process.env['PATH'] ?? '';
  const one = (bundled: TestKind) =>
    provideRedis({ url: null, production: false, dataDir, path, log: recordLog(), bundled });
  if (kind === 'embedded' || kind === 'private') return one(kind);
  if (kind === 'shards') return { ...(await one('private')), env: { SHARDS: '3' } };
  const binary = await findServer(path);
  if (binary === null) throw new Error(`TEST_REDIS=${kind} needs a redis-server or valkey-server on PATH.`);
  const fleet = idle[kind].pop() ?? (await fleets[kind](binary));
  const [url = ''] = fleet.url.split(',redis:');
  const env = { cluster: { SHARDS: '3' }, several: { REDIS_URLS: fleet.url }, sentinel: {} }[kind];
  const leave = async (): Promise<void> => {
    await fleet.empty();
    idle[kind].push(fleet);
  };
  return { url, env, eventsMaxLen: 1_000, stop: () => fleet.stop(), leave };
}

/** It takes seconds to start one: the next test has it, and it ends with this process. */
const idle: Record<Exclude<TestFleet, 'shards'>, Fleet[]> = { cluster: [], sentinel: [], several: [] };

const fleets = {
  cluster: (binary: string) => startCluster(binary),
  sentinel: (binary: string) => startSentinels(binary),
  several: (binary: string) => startServers(binary, 3),
};
