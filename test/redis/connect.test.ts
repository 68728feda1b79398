import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import { afterEach, describe, expect, test } from 'vitest';
import { startEmbeddedServer } from '../../src/redis/by-itself.ts';
import {
  closeConnection,
  type Connections,
  createConnections,
  FAIL_FAST_QUEUE,
} from '../../src/redis/connect.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { throughPort } from '../support/redis.ts';

const releases: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const release of releases.splice(0).toReversed()) await release();
});

function connections(url: string, log: RecordedLog = recordLog()): Connections {
  const opened = createConnections({ url, rejectUnauthorized: true, log });
  releases.push(() => opened.close());
  return opened;
}

/** A way to Redis that can be cut, or stopped without a word, and mended, on one port. */
async function startWay(redisUrl: string) {
  const sockets = new Set<Socket>();
  let state: 'open' | 'frozen' | 'cut' = 'open';
  const server = createServer((socket) => {
    if (state === 'cut') {
      socket.destroy();
      return;
    }
    const redis = connectTo(redisUrl);
    for (const end of [socket, redis]) {
      sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        sockets.delete(end);
        socket.destroy();
        redis.destroy();
      });
    }
    socket.pipe(redis).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  releases.push(async () => {
    end();
    server.close();
    await once(server, 'close');
  });
  return {
    url: throughPort(redisUrl, portOf(server.address())),
    freeze: () => {
      state = 'frozen';
      for (const socket of sockets) socket.unpipe().pause();
    },
    cut: () => {
      state = 'cut';
      end();
    },
    mend: () => {
      state = 'open';
      end();
    },
  };
}

/** Unlike `once` of node:events it does not mind the errors of a connection that is being tried. */
function event(redis: Redis, name: string): Promise<unknown[]> {
  return new Promise((resolve) => redis.once(name, (...values: unknown[]) => resolve(values)));
}

function connectTo(url: string): Socket {
  const { hostname, port } = new URL(url);
  return createConnection({ host: hostname, port: Number(port) });
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

async function startRedisWay() {
  const redis = await startEmbeddedServer();
  releases.push(() => redis.stop());
  return startWay(redis.url);
}

describe('the connections of a process', () => {
  test('a fast command fails at once while Redis is away, and works when it is back', async () => {
    const way = await startRedisWay();
    const { fast, ready } = connections(way.url);
    await ready();
    const lost = event(fast, 'close');
    way.cut();
    await lost;
    await expect(fast.get('x')).rejects.toThrow(/enableOfflineQueue/);
    const back = event(fast, 'ready');
    way.mend();
    await back;
    expect(await fast.get('x')).toBeNull();
  });

  test('a fast command that is slow is waited for; when Redis says nothing for a second it fails, and is not carried out later', async () => {
    const way = await startRedisWay();
    const { fast, jobs, health, ready } = connections(way.url);
    await ready();
    await fast.ping();
    const since = performance.now();
    way.freeze();
    await expect(fast.set('late', 'yes')).rejects.toThrow(/max retries per request|Connection is closed/);
    expect(performance.now() - since).toBeGreaterThan(950);
    expect(health.isAway()).toBe(true);
    const back = Promise.all([event(fast, 'ready'), event(jobs, 'ready')]);
    way.mend();
    await back;
    expect(await jobs.get('late')).toBeNull();
  });

  test('of a silent Redis every connection is dropped, also those that wait for news or for a job', async () => {
    const way = await startRedisWay();
    const { fast, jobs, subscriber, ready } = connections(way.url);
    const listening = subscriber();
    const blocked = jobs.duplicate();
    await Promise.all([ready(), event(listening, 'ready'), event(blocked, 'ready')]);
    await listening.subscribe('news');
    const popped = blocked.blpop('jobs', 0);
    const closed = Promise.all([fast, jobs, listening, blocked].map((redis) => event(redis, 'close')));
    way.freeze();
    fast.get('x').catch(() => {});
    await closed;
    way.mend();
    await event(jobs, 'ready');
    await jobs.rpush('jobs', 'one');
    expect(await popped).toEqual(['jobs', 'one']);
    await closeConnection(blocked);
  });

  test("a worker's command waits for Redis", async () => {
    const way = await startRedisWay();
    const { jobs, ready } = connections(way.url);
    await ready();
    const lost = event(jobs, 'close');
    way.cut();
    await lost;
    const waiting = jobs.set('patient', 'yes');
    way.mend();
    expect(await waiting).toBe('OK');
  });

  test('a subscription is there again after an outage', async () => {
    const way = await startRedisWay();
    const { fast, subscriber, ready } = connections(way.url);
    await ready();
    const listening = subscriber();
    await listening.subscribe('news');
    const back = Promise.all([event(fast, 'ready'), event(listening, 'ready')]);
    way.cut();
    way.mend();
    await back;
    const heard = event(listening, 'message');
    await expect.poll(() => fast.publish('news', 'hello')).toBe(1);
    expect(await heard).toEqual(['news', 'hello']);
  });

  test('an outage is logged once and its end once, however many connections and retries', async () => {
    const way = await startRedisWay();
    const log = recordLog();
    const { fast, jobs, subscriber, ready } = connections(way.url, log);
    const third = subscriber();
    await ready();
    let retries = 0;
    const several = new Promise<void>((resolve) => {
      fast.on('reconnecting', () => {
        retries += 1;
        if (retries === 4) resolve();
      });
    });
    way.cut();
    await several;
    const back = Promise.all([fast, jobs, third].map((redis) => event(redis, 'ready')));
    way.mend();
    await back;
    await expect
      .poll(() => log.lines.map(({ level, message }) => [level, message]))
      .toEqual([
        ['warn', 'Redis is out of reach; trying again.'],
        ['info', 'Redis is back.'],
      ]);
  });

  test('a queue on the fast connection fails at once from the first add on, and recovers', async () => {
    const way = await startRedisWay();
    way.cut();
    const { fast } = connections(way.url);
    const queue = new Queue('q', { connection: fast, prefix: '{keeptyping}', ...FAIL_FAST_QUEUE });
    queue.on('error', () => {});
    releases.push(() => queue.close());
    await expect(queue.add('push', {})).rejects.toThrow(/enableOfflineQueue/);
    const back = event(fast, 'ready');
    way.mend();
    await back;
    expect((await queue.add('push', {})).id).toBe('1');
  });

  test('they close while Redis is away, at once and without a word', async () => {
    const way = await startRedisWay();
    way.cut();
    const log = recordLog();
    const { fast, close } = connections(way.url, log);
    await event(fast, 'reconnecting');
    const logged = log.lines.length;
    await close();
    expect(log.lines).toHaveLength(logged);
    expect(logged).toBe(1);
  });
});

/** A host that hangs up, and what it heard first. */
async function startDeafHost(host: string): Promise<{ port: number; heard: Promise<string> }> {
  const server = createServer();
  releases.push(async () => server.close());
  await once(server.listen(0, host), 'listening');
  const heard = once(server, 'connection').then(async ([socket]: Socket[]) => {
    socket?.on('error', () => {});
    const [chunk] = (await once(socket ?? server, 'data')) as [Buffer];
    socket?.destroy();
    return chunk.toString('latin1');
  });
  return { port: (server.address() as AddressInfo).port, heard };
}

test('a TLS host that goes by its name (SNI) is told it', async () => {
  const { port, heard } = await startDeafHost('127.0.0.1');
  connections(`rediss://user:secret@localhost:${port}`);
  expect(await heard).toContain('localhost');
});

test('a TLS host without a name is told none', async () => {
  const { port, heard } = await startDeafHost('127.0.0.1');
  connections(`rediss://127.0.0.1:${port}`);
  expect(await heard).not.toContain('127.0.0.1');
});

test('a name is looked up in both families, so that one with only AAAA is found', async () => {
  const { fast, jobs, subscriber } = connections('redis://redis.invalid:6379');
  expect([fast, jobs, subscriber()].map(({ options }) => options.family)).toEqual([0, 0, 0]);
});
