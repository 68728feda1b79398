/** The Redis of a run: one redis-server, or several that belong together; each process has wires of its own where it can. */
import type { Redis } from 'ioredis';
import { openRedis } from '../../src/redis/address.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { type Keys, keysOf } from '../../src/redis/keys.ts';
import { type Fleet, startCluster, startSentinels, startServers, until } from '../support/redis-fleets.ts';
import { type Server } from '../support/redis-server.ts';
import { type Ground, shardsOn, type Target } from './plan.ts';
import { type RedisProxy, startRedisProxy } from './proxies.ts';

export interface RedisGround {
  /** What a process of that name is told. Whoever takes a name's place has the same wires. */
  environmentOf(name: Target): Promise<{ [name: string]: string }>;
  /** The wire of that process to the Redis of that shard; null: none is ours. */
  wireOf(name: Target, shard: number): RedisProxy | null;
  /** The one that takes that shard's writes. */
  primaryOf(shard: number): Promise<Server>;
  /** Resolves when another one takes them. */
  replaced(shard: number, by: { other: Server }): Promise<void>;
  /** Resolves when nothing is being repaired. */
  whole(): Promise<void>;
  /** A connection to each of so many shards, for whoever looks after the run. */
  connect(shards: number): { redis: Redis; keys: Keys }[];
  close(): Promise<void>;
}

export async function openGround(ground: Ground): Promise<RedisGround> {
  const binary = await findServer(process.env['PATH'] ?? '');
  if (binary === null) throw new Error('PATH holds no redis-server: install one.');
  const fleet = await starts[ground](binary);
  const urls = fleet.url.split(',redis:').map((url, n) => (n === 0 ? url : `redis:${url}`));
  const shards = shardsOn[ground];
  const wires = new Map<Target, RedisProxy[]>();
  const wiresOf = async (name: Target): Promise<RedisProxy[]> => {
    const all = wires.get(name) ?? (await Promise.all(fleet.nodes.map(({ port }) => startRedisProxy(port))));
    wires.set(name, all);
    return all;
  };
  const primaryOf = (shard: number): Promise<Server> => fleet.primaryOf({ key: keysOf(shard).probe, shard });
  return {
    environmentOf: async (name) => {
      if (ground === 'cluster' || ground === 'sentinel')
        return { REDIS_URL: fleet.url, ...(shards > 1 ? { SHARDS: String(shards) } : {}) };
      const to = (await wiresOf(name)).map(({ port }) => `redis://127.0.0.1:${port}`);
      return ground === 'single' ? { REDIS_URL: to[0] ?? '' } : { REDIS_URLS: to.join(',') };
    },
    wireOf: (name, shard) => wires.get(name)?.[shard] ?? null,
    primaryOf,
    replaced: (shard, { other }) => until(async () => (await primaryOf(shard)).port !== other.port),
    whole: () => fleet.whole(),
    connect: (count) =>
      Array.from({ length: count }, (_, shard) => {
        const keys = keysOf(shard);
        const url = urls[shard] ?? fleet.url;
        const redis = openRedis(
          { url, rejectUnauthorized: true, key: keys.probe },
          { maxRetriesPerRequest: null },
        );
        redis.on('error', () => {}); // What is asked waits until it is back.
        return { redis, keys };
      }),
    close: async () => {
      await Promise.all([...wires.values()].flat().map((wire) => wire.close()));
      await fleet.stop();
    },
  };
}

const starts: { [ground in Ground]: (binary: string) => Promise<Fleet> } = {
  single: (binary) => startServers(binary, 1),
  several: (binary) => startServers(binary, shardsOn.several),
  cluster: (binary) => startCluster(binary),
  sentinel: (binary) => startSentinels(binary),
};
