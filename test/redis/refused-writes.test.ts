/** Whether Redis is there: as every part of a process takes it. */
import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { findServer } from '../../src/redis/by-itself.ts';
import { type Connections, createConnections } from '../../src/redis/connect.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const hasServer = (await findServer(process.env['PATH'] ?? '')) !== null;

/** Ends the connections: who has not lost Redis has nothing to prove. */
const lose = ({ fast, jobs }: Connections): void => [fast, jobs].forEach(({ stream }) => stream.destroy());

describe.runIf(hasServer)('a Redis that refuses writes', () => {
  let server: TestRedis;
  let log: RecordedLog;
  let opened: Connections;
  let backs: number;

  beforeAll(async () => {
    server = await startRedis('private');
    return () => server.stop();
  });
  afterEach(async () => {
    await opened.close();
    await server.connect().config('SET', 'min-replicas-to-write', '0');
    await server.connect().call('REPLICAOF', 'NO', 'ONE');
  });

  async function open(): Promise<Connections> {
    log = recordLog();
    backs = 0;
    opened = createConnections({ url: server.url, rejectUnauthorized: true, log });
    opened.health.onBack(() => void (backs += 1));
    await opened.ready();
    return opened;
  }

  test('it is there from the beginning, and was never away', async () => {
    const { health } = await open();
    expect(health.isAway()).toBe(false);
    expect(health.backFor()).toBe(Infinity);
    expect(log.lines).toEqual([]);
  });

  test('it is away while it refuses commands without which nothing works', async () => {
    const { health } = await open();
    health.takeAsAway(true);
    expect([health.isAway(), health.backFor(), backs]).toEqual([true, 0, 0]);
    health.takeAsAway(false);
    health.takeAsAway(false);
    expect([health.isAway(), backs]).toEqual([false, 1]);
    expect(health.backFor()).toBeLessThan(10_000);
  });

  test('it is back when a write was taken, and from then on it counts', async () => {
    const { health, fast, jobs } = await open();
    lose(opened);
    await expect.poll(() => health.isAway()).toBe(true);
    await expect.poll(() => health.isAway()).toBe(false);
    expect(backs).toBe(1);
    expect(health.backFor()).toBeLessThan(10_000);
    expect(await Promise.all([fast.ping(), jobs.ping()])).toEqual(['PONG', 'PONG']);
  });

  test('it is a replica now: whoever only listens there looks for the primary, too', async () => {
    const { fast, subscriber } = await open();
    const listening = subscriber();
    await listening.subscribe('x');
    const closed = once(listening, 'close');
    await server.connect().call('REPLICAOF', '127.0.0.1', '1');
    await fast.set('x', 'y').catch(() => {});
    await closed;
    expect(listening.status).not.toBe('ready');
  });

  test('it is away for as long as it refuses them, whatever for, and asked again by itself', async () => {
    const { health, fast } = await open();
    await server.connect().config('SET', 'min-replicas-to-write', '1');
    const refused = fast.set('x', 'y');
    await expect(refused).rejects.toThrow('NOREPLICAS');
    lose(opened);
    await expect.poll(() => fast.status).not.toBe('ready');
    await expect.poll(() => fast.status).toBe('ready');
    // It answers, and reads; only a write tells.
    expect(await fast.ping()).toBe('PONG');
    expect(health.isAway()).toBe(true);
    await server.connect().config('SET', 'min-replicas-to-write', '0');
    await expect.poll(() => health.isAway()).toBe(false);
    expect(backs).toBe(1);
  });

  test('a replica is left for whoever is the primary, and the command sent again', async () => {
    const { health, jobs } = await open();
    await server.connect().call('REPLICAOF', '127.0.0.1', '1');
    const written = jobs.set('x', 'y');
    await expect.poll(() => health.isAway()).toBe(true);
    await server.connect().call('REPLICAOF', 'NO', 'ONE');
    expect(await written).toBe('OK');
    await expect.poll(() => health.isAway()).toBe(false);
    expect(log.lines.map(({ level, message }) => [level, message])).toEqual([
      ['warn', expect.stringMatching(/^Redis is out of reach; trying again. It is a replica now/)],
      ['info', 'Redis is back.'],
    ]);
  });

  test('one that a worker’s blocking connection met alone does not last', async () => {
    const { health, jobs } = await open();
    const blocked = jobs.duplicate();
    await expect.poll(() => blocked.status).toBe('ready');
    await server.connect().call('REPLICAOF', '127.0.0.1', '1');
    const written = blocked.set('x', 'y');
    await expect.poll(() => health.isAway()).toBe(true);
    await server.connect().call('REPLICAOF', 'NO', 'ONE');
    expect(await written).toBe('OK');
    await expect.poll(() => health.isAway()).toBe(false);
    blocked.disconnect();
  });
});
