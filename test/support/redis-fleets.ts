/** Several redis-servers that belong together, as a user may have them: a Cluster, Sentinels with their primary and replica. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { errorWord } from '../../src/redis/errors.ts';
import { freePorts, quickDisk, type Server, startServer, stored } from './redis-server.ts';

export interface Fleet {
  /** As REDIS_URL, or REDIS_URLS, names it. */
  url: string;
  nodes: readonly Server[];
  /** The one that takes the writes of that key, or of all of that shard, as the others have it. */
  primaryOf(where: { key: string; shard: number }): Promise<Server>;
  /** Resolves when nothing is being repaired: each primary has its replica, which has all that it has. */
  whole(): Promise<void>;
  /** As it was when it was started. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Resolves when `is` does with true. It is asked again and again: these servers tell nobody. */
export async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
}

/** One that is frozen is not waited for (ms). */
const patience = 1_000;

/** A command to one of them. */
export async function ask<T>({ port }: Pick<Server, 'port'>, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({
    port,
    host: '127.0.0.1',
    retryStrategy: null,
    enableReadyCheck: false,
    connectTimeout: patience,
    commandTimeout: patience,
  });
  redis.on('error', () => {}); // The command itself says so.
  return work(redis).finally(() => redis.disconnect());
}

/** What the first of them says that says anything. */
async function askAny<T>(nodes: readonly Server[], work: (redis: Redis) => Promise<T>): Promise<T> {
  let cause: unknown = null;
  for (const node of nodes.filter((each) => each.runs())) {
    try {
      return await ask(node, work);
    } catch (error) {
      cause = error;
    }
  }
  throw cause;
}

/** Of all that take writes. */
async function emptyAll(nodes: readonly Server[]): Promise<void> {
  for (const node of nodes)
    await ask(node, (redis) => redis.flushall()).catch((error: unknown) => {
      if (errorWord(error) !== 'READONLY') throw error;
    });
}

async function replicationOf(node: Server): Promise<Map<string, string>> {
  const text = await ask(node, (redis) => redis.info('replication'));
  return new Map(text.split('\r\n').map((line) => line.split(':') as [string, string]));
}

const isReplica = (told: Map<string, string>): boolean =>
  told.get('role') === 'slave' && told.get('master_link_status') === 'up';

/** Where the servers of a fleet are started, and ended. */
async function openGround(binary: string) {
  const folder = await mkdtemp(join(quickDisk, 'keeptyping-fleet-'));
  const servers: Server[] = [];
  return {
    /** `lines`: of a configuration of its own, which it writes to. */
    start: async (port: number, options: readonly string[], lines?: readonly string[]): Promise<Server> => {
      const dir = await mkdtemp(join(folder, 'node-'));
      const file = join(dir, 'own.conf');
      if (lines) await writeFile(file, `${lines.join('\n')}\n`);
      const server = await startServer(binary, { folder: dir, port, options, ...(lines ? { file } : {}) });
      servers.push(server);
      return server;
    },
    stop: async () => {
      await Promise.all(servers.map((server) => server.kill()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function named(nodes: readonly Server[], port: unknown): Server {
  const found = nodes.find((node) => node.port === Number(port));
  if (!found) throw new Error(`No server of the fleet has port ${String(port)}.`);
  return found;
}

const slots = 16_384;

/** Three primaries, each with a replica. It notices within a second or two that a node is gone. */
export async function startCluster(binary: string, primaries = 3): Promise<Fleet> {
  const ground = await openGround(binary);
  const ports = await freePorts(primaries * 4);
  const nodes = await Promise.all(
    Array.from({ length: primaries * 2 }, (_, n) =>
      ground.start(ports[n] ?? 0, [
        ...stored,
        '--cluster-enabled',
        'yes',
        '--cluster-node-timeout',
        '1000',
        '--cluster-port',
        String(ports[primaries * 2 + n]),
        '--cluster-require-full-coverage',
        'no',
      ]),
    ),
  );
  const ids = await Promise.all(nodes.map((node) => ask(node, (redis) => redis.cluster('MYID'))));
  const [first] = nodes;
  if (!first) throw new Error('A Cluster has at least one node.');
  for (const [n, node] of nodes.slice(0, primaries).entries()) {
    const from = Math.floor((slots * n) / primaries);
    const to = Math.floor((slots * (n + 1)) / primaries) - 1;
    await ask(node, (redis) => redis.call('CLUSTER', 'ADDSLOTSRANGE', from, to));
    await ask(node, (redis) => redis.call('CLUSTER', 'SET-CONFIG-EPOCH', n + 1));
  }
  for (const [n, node] of nodes.entries())
    if (n > 0)
      await ask(first, (redis) =>
        redis.call('CLUSTER', 'MEET', '127.0.0.1', node.port, ports[primaries * 2 + n] ?? 0),
      );
  for (const node of nodes)
    await until(
      async () =>
        String(await ask(node, (redis) => redis.call('CLUSTER', 'NODES')))
          .trim()
          .split('\n').length === nodes.length,
    );
  for (const [n, node] of nodes.slice(primaries).entries())
    await until(
      async () => (await ask(node, (redis) => redis.call('CLUSTER', 'REPLICATE', ids[n] ?? ''))) === 'OK',
    );
  const whole = async (): Promise<void> => {
    for (const node of nodes) {
      await until(async () =>
        (await ask(node, (redis) => redis.cluster('INFO'))).includes('cluster_state:ok'),
      );
      await until(async () =>
        (await ask(node, (redis) => redis.cluster('SLOTS'))).every((range) => range.length >= 4),
      );
    }
    await until(async () => {
      const told = await Promise.all(nodes.map(replicationOf));
      return told.filter(isReplica).length === primaries;
    });
  };
  await whole();
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    url: `redis+cluster://${hosts}`,
    nodes,
    primaryOf: async ({ key }) => {
      const [slot, ranges] = await askAny(nodes, (redis) =>
        Promise.all([redis.cluster('KEYSLOT', key), redis.cluster('SLOTS')]),
      );
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      return named(nodes, (range?.[2] as unknown[] | undefined)?.[1]);
    },
    whole,
    empty: () => emptyAll(nodes),
    stop: ground.stop,
  };
}

/** A primary, its replica, and three Sentinels over them; the primary is the first node. */
export async function startSentinels(binary: string): Promise<Fleet> {
  const ground = await openGround(binary);
  const [first = 0, second = 0, ...others] = await freePorts(5);
  const primary = await ground.start(first, stored);
  const replica = await ground.start(second, [...stored, '--replicaof', '127.0.0.1', String(first)]);
  await until(async () => isReplica(await replicationOf(replica)));
  const sentinels = await Promise.all(
    others.map((port) =>
      ground.start(
        port,
        ['--sentinel'],
        [
          `sentinel monitor main 127.0.0.1 ${first} 2`,
          'sentinel down-after-milliseconds main 1000',
          'sentinel failover-timeout main 3000',
        ],
      ),
    ),
  );
  const servers = [primary, replica];
  const whole = async (): Promise<void> => {
    for (const sentinel of sentinels)
      await until(async () => {
        const all = String(await ask(sentinel, (redis) => redis.call('SENTINEL', 'MASTER', 'main')));
        return all.includes('num-other-sentinels,2') && all.includes('num-slaves,1');
      });
    await until(async () => (await Promise.all(servers.map(replicationOf))).filter(isReplica).length === 1);
  };
  await whole();
  const hosts = others.map((port) => `127.0.0.1:${port}`).join(',');
  return {
    url: `redis+sentinel://${hosts}/main`,
    nodes: [...servers, ...sentinels],
    primaryOf: async () => {
      const address = await askAny(sentinels, (redis) =>
        redis.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main'),
      );
      return named(servers, (address as unknown[])[1]);
    },
    whole,
    empty: () => emptyAll(servers),
    stop: ground.stop,
  };
}

/** So many that know nothing of each other. */
export async function startServers(binary: string, count: number): Promise<Fleet> {
  const ground = await openGround(binary);
  const nodes = await Promise.all((await freePorts(count)).map((port) => ground.start(port, stored)));
  return {
    url: nodes.map(({ url }) => url).join(','),
    nodes,
    primaryOf: async ({ shard }) => named(nodes, nodes[shard]?.port),
    whole: async () => {
      for (const node of nodes)
        await until(async () => (await ask(node, (redis) => redis.ping())) === 'PONG');
    },
    empty: () => emptyAll(nodes),
    stop: ground.stop,
  };
}
