import { describe, expect, onTestFinished, test } from 'vitest';
import { findServer } from '../../src/redis/by-itself.ts';
import { createConnections } from '../../src/redis/connect.ts';
import { type Keys, keysOf } from '../../src/redis/keys.ts';
import { recordLog } from '../support/log.ts';
import { type Fleet, startCluster, startSentinels } from '../support/redis-fleets.ts';

const binary = await findServer(process.env['PATH'] ?? '');

function open(fleet: Fleet, keys: Keys) {
  const log = recordLog();
  const connections = createConnections({ url: fleet.url, rejectUnauthorized: true, keys, log });
  onTestFinished(() => connections.close());
  return { ...connections, log };
}

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
});
