import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createBotQueueWatch } from '../../src/bot-queue/follow.ts';
import { openRedis } from '../../src/redis/address.ts';
import { findServer } from '../../src/redis/by-itself.ts';
import { createConnections, createPattern } from '../../src/redis/connect.ts';
import { type Keys, keysOf } from '../../src/redis/keys.ts';
import { recordLog } from '../support/log.ts';
import {
  ask,
  type Fleet,
  startCluster,
  startSentinels,
  startServers,
  until,
} from '../support/redis-fleets.ts';

const binary = await findServer(process.env['PATH'] ?? '');

function open({ url }: Pick<Fleet, 'url'>, keys: Keys) {
  const log = recordLog();
  const connections = createConnections({ url, rejectUnauthorized: true, key: keys.probe, log });
  onTestFinished(() => connections.close());
  return { ...connections, log };
}

/** To another node, with all its keys: https://redis.io/docs/latest/commands/cluster-setslot/ */
async function moveSlot(fleet: Fleet, key: string): Promise<void> {
  const from = await fleet.primaryOf({ key, shard: 0 });
  const to = fleet.nodes.slice(0, 3).find(({ port }) => port !== from.port);
  if (!to) throw new Error('There is no other node.');
  const [source, target] = await Promise.all([from, to].map((node) => ask(node, idOf)));
  const slot = await ask(from, (redis) => redis.cluster('KEYSLOT', key));
  await ask(to, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', source ?? ''));
  await ask(from, async (redis) => {
    await redis.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', target ?? '');
    const keys = (await redis.call('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
    await redis.call('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys);
  });
  for (const node of [to, from])
    await ask(node, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, 'NODE', target ?? ''));
  for (const node of fleet.nodes)
    await until(async () => {
      const ranges = await ask(node, (redis) => redis.cluster('SLOTS'));
      const range = ranges.find(([first, last]) => first <= slot && slot <= last);
      return (range?.[2] as unknown[] | undefined)?.[1] === to.port;
    });
}

/** Answers as a Sentinel does that names this port's server the primary. */
async function startSentinel(named: { port: number }): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}); // Whoever asked has gone.
    socket.on('data', (chunk) => {
      for (const command of chunk.toString().split(/(?=\*\d+\r\n)/))
        socket.write(
          /GET-MASTER-ADDR-BY-NAME/i.test(command)
            ? `*2\r\n$9\r\n127.0.0.1\r\n$${String(named.port).length}\r\n${named.port}\r\n`
            : '-NOPROTO unsupported protocol version\r\n',
        );
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `redis+sentinel://127.0.0.1:${(server.address() as AddressInfo).port}/main`;
}

const idOf = (redis: Redis): Promise<string> => redis.cluster('MYID');

describe.runIf(binary !== null)('a connection to', () => {
  test('a Cluster is to the node that holds its keys, and to the one that takes its place', async () => {
    const fleet = await startCluster(binary ?? '');
    onTestFinished(() => fleet.stop());
    const all = Array.from({ length: 8 }, (_, shard) => keysOf(shard));
    const opened = all.map((keys) => ({ keys, ...open(fleet, keys) }));
    await Promise.all(opened.map(({ ready }) => ready()));
    await Promise.all(opened.map(({ fast, keys }) => fast.set(keys.open, 'kept')));
    const ports = opened.map(({ fast }) => (fast.stream as { remotePort?: number }).remotePort);
    expect(new Set(ports).size).toBe(3);
    const [gone] = fleet.nodes;
    const hit = opened.filter((_, n) => ports[n] === gone?.port);
    expect(hit.length).toBeGreaterThan(0);
    const back = hit.map(({ health }) => new Promise<void>((resolve) => health.onBack(resolve)));
    await gone?.kill();
    await Promise.all(back);
    expect(await Promise.all(opened.map(({ fast, keys }) => fast.get(keys.open)))).toEqual(
      all.map(() => 'kept'),
    );
    expect(await Promise.all(opened.map(({ jobs, keys }) => jobs.get(keys.open)))).toEqual(
      all.map(() => 'kept'),
    );
    for (const { log } of opened.filter((one) => !hit.includes(one))) expect(log.lines).toEqual([]);
  });

  test("the bot's own queue is to the node of a Cluster that has it, and to the one that has it later", async () => {
    const fleet = await startCluster(binary ?? '');
    onTestFinished(() => fleet.stop());
    const key = '{bull}:answers:events';
    const address = { url: fleet.url, rejectUnauthorized: true, key };
    const memory = openRedis({ url: fleet.url, rejectUnauthorized: true }, {});
    const redis = openRedis(address, { maxRetriesPerRequest: null, reconnectOnError: () => 2 });
    const queue = new Queue('answers', { connection: redis, prefix: '{bull}' });
    onTestFinished(async () => {
      await queue.close();
      for (const each of [memory, redis]) each.disconnect();
    });
    const ended: (string | null)[] = [];
    const watch = await createBotQueueWatch({
      queue: 'answers',
      prefix: '{bull}',
      connection: createPattern(address),
      memory,
      log: recordLog(),
      ended: async ({ messageId }) => {
        ended.push(messageId ?? null);
        return 'known';
      },
    });
    onTestFinished(() => watch.stop());
    await until(async () => (await memory.exists(keysOf(0).botQueue.cursor('{bull}:answers'))) === 1);
    const end = async (jobId: string) => {
      const job = await queue.add('answer', {}, { jobId });
      await job.remove();
    };
    await end('before');
    await expect.poll(() => ended).toEqual(['before']);
    await moveSlot(fleet, key);
    await end('after');
    await expect.poll(() => ended).toEqual(['before', 'after']);
  });

  test('what Sentinels name is to the primary, and to the replica that becomes one', async () => {
    const fleet = await startSentinels(binary ?? '');
    onTestFinished(() => fleet.stop());
    const { ready, fast, jobs, health } = open(fleet, keysOf(0));
    await ready();
    await fast.set(keysOf(0).open, 'kept');
    const [primary, replica] = fleet.nodes;
    if (!primary || !replica) throw new Error('There is no primary, or no replica.');
    const port = () => (fast.stream as { remotePort?: number }).remotePort;
    expect(port()).toBe(primary.port);
    const back = new Promise<void>((resolve) => health.onBack(resolve));
    await primary.kill();
    await back;
    expect(port()).toBe(replica.port);
    expect([await fast.get(keysOf(0).open), await jobs.get(keysOf(0).open)]).toEqual(['kept', 'kept']);
  });

  test('a primary that does not know that another one has taken its place is left for that one', async () => {
    const fleet = await startServers(binary ?? '', 2);
    onTestFinished(() => fleet.stop());
    const [old, next] = fleet.nodes;
    if (!old || !next) throw new Error('There are not two of them.');
    const named = { port: old.port };
    const { ready, fast, jobs, health } = open({ url: await startSentinel(named) }, keysOf(0));
    await ready();
    const blocking = jobs.duplicate();
    onTestFinished(() => blocking.disconnect());
    const waits = blocking.blpop(keysOf(0).open, 0);
    await until(async () => (await ask(old, (redis) => redis.info('clients'))).includes('blocked_clients:1'));
    const back = new Promise<void>((resolve) => health.onBack(resolve));
    named.port = next.port;
    await back;
    await fast.rpush(keysOf(0).open, 'there');
    expect(await waits).toEqual([keysOf(0).open, 'there']);
    expect(await ask(next, (redis) => redis.exists(keysOf(0).probe))).toBe(1);
  });
});
