/** Several redis-servers that belong together, as a user may have them: a Cluster, Sentinels with their primary and replica. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { errorWord } from '../../src/redis/errors.ts';

export interface Node {
  port: number;
  /** Whether it still runs. */
  runs(): boolean;
  kill(): Promise<void>;
}

export interface Fleet {
  /** As REDIS_URL, or REDIS_URLS, names it. */
  url: string;
  nodes: readonly Node[];
  /** A command to one of its nodes. */
  ask<T>(node: Node, work: (redis: Redis) => Promise<T>): Promise<T>;
  /** As it was when it was started. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Ports that nobody had when they were asked for. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

/** Resolves when `is` does with true. It is asked again and again: these servers tell nobody. */
async function until(is: () => Promise<boolean>): Promise<void> {
  while (!(await is().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 50));
}

async function ask<T>({ port }: Pick<Node, 'port'>, work: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis({ port, host: '127.0.0.1', retryStrategy: null, enableReadyCheck: false });
  redis.on('error', () => {}); // The command itself says so.
  return work(redis).finally(() => redis.disconnect());
}

/** Of all that take writes. */
async function emptyAll(nodes: readonly Node[]): Promise<void> {
  for (const node of nodes)
    await ask(node, (redis) => redis.flushall()).catch((error: unknown) => {
      if (errorWord(error) !== 'READONLY') throw error;
    });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** Where the servers of a fleet are started, and ended. */
async function openGround(binary: string) {
  const folder = await mkdtemp(join(tmpdir(), 'keeptyping-fleet-'));
  const children: ChildProcess[] = [];
  return {
    folder,
    start: async (port: number, options: readonly string[], file?: string): Promise<Node> => {
      const dir = await mkdtemp(join(folder, 'node-'));
      const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', dir];
      const child = spawn(binary, [...(file ? [file] : []), ...place, ...options], { stdio: 'ignore' });
      children.push(child);
      process.once('exit', () => child.kill('SIGKILL'));
      const node = {
        port,
        runs: () => child.exitCode === null && child.signalCode === null,
        kill: () => end(child),
      };
      await until(() => ask(node, async (redis) => (await redis.ping()) === 'PONG'));
      return node;
    },
    stop: async () => {
      await Promise.all(children.map(end));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const stored = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--hz', '100'];
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
  for (const node of nodes) {
    await until(async () => (await ask(node, (redis) => redis.cluster('INFO'))).includes('cluster_state:ok'));
    await until(async () =>
      (await ask(node, (redis) => redis.cluster('SLOTS'))).every((range) => range.length >= 4),
    );
  }
  for (const node of nodes.slice(primaries))
    await until(async () =>
      (await ask(node, (redis) => redis.info('replication'))).includes('master_link_status:up'),
    );
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',');
  return { url: `redis+cluster://${hosts}`, nodes, ask, empty: () => emptyAll(nodes), stop: ground.stop };
}

/** A primary, its replica, and three Sentinels over them; the primary is the first node. */
export async function startSentinels(binary: string): Promise<Fleet> {
  const ground = await openGround(binary);
  const [first = 0, second = 0, ...others] = await freePorts(5);
  const primary = await ground.start(first, stored);
  const replica = await ground.start(second, [...stored, '--replicaof', '127.0.0.1', String(first)]);
  await until(async () =>
    (await ask(replica, (redis) => redis.info('replication'))).includes('master_link_status:up'),
  );
  const sentinels = await Promise.all(
    others.map(async (port) => {
      const file = join(ground.folder, `sentinel-${port}.conf`);
      const lines = [
        `sentinel monitor main 127.0.0.1 ${first} 2`,
        'sentinel down-after-milliseconds main 1000',
        'sentinel failover-timeout main 3000',
      ];
      await writeFile(file, `${lines.join('\n')}\n`);
      return ground.start(port, ['--sentinel'], file);
    }),
  );
  for (const sentinel of sentinels)
    await until(async () => {
      const all = String(await ask(sentinel, (redis) => redis.call('SENTINEL', 'MASTER', 'main')));
      return all.includes('num-other-sentinels,2') && all.includes('num-slaves,1');
    });
  const hosts = others.map((port) => `127.0.0.1:${port}`).join(',');
  return {
    url: `redis+sentinel://${hosts}/main`,
    nodes: [primary, replica, ...sentinels],
    ask,
    empty: () => emptyAll([primary]),
    stop: ground.stop,
  };
}

/** So many that know nothing of each other. */
export async function startServers(binary: string, count: number): Promise<Fleet> {
  const ground = await openGround(binary);
  const nodes = await Promise.all((await freePorts(count)).map((port) => ground.start(port, stored)));
  const url = nodes.map(({ port }) => `redis://127.0.0.1:${port}`).join(',');
  return { url, nodes, ask, empty: () => emptyAll(nodes), stop: ground.stop };
}
