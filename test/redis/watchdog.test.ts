/** When a Redis counts as away: on real connections, through a way that can be stopped without a word. */
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startEmbeddedServer } from '../../src/redis/by-itself.ts';
import { type Connections, createConnections } from '../../src/redis/connect.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { throughPort } from '../support/redis.ts';

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

/** A server whose connections end with the test. */
async function serve(take: (socket: Socket) => void): Promise<{ url: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => {}));
    take(socket);
  });
  const port = await listen(server);
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { url: `redis://127.0.0.1:${port}` };
}

/** A Redis whose host can fall silent: nothing is closed, and nothing is said. */
async function startSilent() {
  const redis = await startEmbeddedServer();
  onTestFinished(() => redis.stop());
  const target = Number(new URL(redis.url).port);
  const pairs = new Set<[Socket, Socket]>();
  let isSilent = false;
  const { url } = await serve((socket) => {
    if (isSilent) return;
    const through = createConnection(target, '127.0.0.1').on('error', () => {});
    pairs.add([socket, through]);
    socket.once('close', () => through.destroy());
    through.once('close', () => socket.destroy());
    socket.pipe(through).pipe(socket);
  });
  return {
    url: throughPort(redis.url, Number(new URL(url).port)),
    fallSilent: () => {
      isSilent = true;
      for (const [socket, through] of pairs) {
        socket.unpipe();
        through.unpipe();
      }
    },
    speak: () => {
      isSilent = false;
      for (const [socket] of pairs) socket.destroy();
    },
  };
}

/** A primary that has become a replica: it takes commands, and no writes. */
async function startReplica() {
  const replica = { refuses: true, connectedAt: [] as number[] };
  const { url } = await serve((socket) => {
    replica.connectedAt.push(performance.now());
    socket.on('data', (bytes) => {
      // One answer for each command of a pipeline; each begins with the number of its words.
      for (const command of bytes.toString().split(/(?=^\*\d+\r\n)/m)) {
        const word = command.split('\r\n')[2]?.toLowerCase();
        if (word === 'info') socket.write('$9\r\nloading:0\r\n');
        else if (word === 'set' && replica.refuses) socket.write('-READONLY You cannot write here.\r\n');
        else socket.write('+OK\r\n');
      }
    });
  });
  return Object.assign(replica, { url });
}

/** Answers each command so late; `loading` until it is told otherwise. */
async function startStarting({ lateMs, loading }: { lateMs: number; loading: boolean }) {
  const starting = { loading };
  const { url } = await serve((socket) => {
    socket.on('data', (bytes) => {
      const words = bytes.toString().split(/(?=^\*\d+\r\n)/m);
      for (const word of words.map((command) => command.split('\r\n')[2]?.toLowerCase())) {
        const answer = word === 'info' ? `$9\r\nloading:${starting.loading ? 1 : 0}\r\n` : '+OK\r\n';
        setTimeout(() => socket.write(answer), lateMs);
      }
    });
  });
  return Object.assign(starting, { url });
}

function open(url: string, log: RecordedLog): Connections {
  const opened = createConnections({ url, rejectUnauthorized: true, log });
  onTestFinished(() => opened.close());
  return opened;
}

/** Unlike `once` of node:events it does not mind the errors of a connection that is being tried. */
function event(redis: Redis, name: string): Promise<void> {
  return new Promise((resolve) => redis.once(name, () => resolve()));
}

const said = ({ lines }: RecordedLog): string[] =>
  lines.filter(({ level }) => level !== 'debug').map(({ level, message }) => `${level}: ${message}`);

const lostAndBack = ['warn: Redis is out of reach; trying again.', 'info: Redis is back.'];

describe('at the start', () => {
  test('a Redis that takes long to answer is no fault', async () => {
    const { url } = await startStarting({ lateMs: 700, loading: false });
    const log = recordLog();
    const { ready, health } = open(url, log);
    await ready();
    expect(health.isAway()).toBe(false);
    expect(said(log)).toEqual([]);
  });

  test('one that is loading its data is said to take no commands yet', async () => {
    const redis = await startStarting({ lateMs: 100, loading: true });
    const log = recordLog();
    const { ready } = open(redis.url, log);
    await expect.poll(() => said(log)).toHaveLength(1);
    expect(said(log)[0]).toContain('It takes no commands yet: it may be loading its data.');
    redis.loading = false;
    await ready();
    await expect.poll(() => said(log)).toHaveLength(2);
  });
});

/** This process stands still. */
function stall(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

describe('a host that is silent', () => {
  test('is dropped after a second, by all connections, and is back when it speaks', async () => {
    const way = await startSilent();
    const log = recordLog();
    const { fast, jobs, subscriber, health, ready } = open(way.url, log);
    const [third, blocking] = [subscriber(), jobs.duplicate()];
    blocking.on('error', () => {});
    onTestFinished(() => blocking.disconnect());
    await Promise.all([ready(), event(third, 'ready'), event(blocking, 'ready')]);
    expect(health.isAway()).toBe(false);
    expect(health.backFor()).toBe(Infinity);
    let backs = 0;
    health.onBack(() => (backs += 1));
    const closed = Promise.all([fast, jobs, third, blocking].map((redis) => event(redis, 'close')));
    way.fallSilent();
    const since = performance.now();
    await expect(fast.get('x')).rejects.toThrow(/max retries/);
    expect(performance.now() - since).toBeGreaterThanOrEqual(1_000);
    await closed;
    expect(health.isAway()).toBe(true);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { cause: 'no answer for a second' } }]);
    expect(backs).toBe(0);
    way.speak();
    await expect.poll(() => backs).toBe(1);
    expect(health.isAway()).toBe(false);
    expect(health.backFor()).toBeLessThan(10_000);
    expect(said(log)).toEqual(lostAndBack);
    expect(await fast.get('x')).toBeNull();
  });

  test('in the handshake is dropped, too', async () => {
    const way = await startSilent();
    way.fallSilent();
    const { fast, ready } = open(way.url, recordLog());
    await event(fast, 'close');
    way.speak();
    await ready();
    expect(await fast.ping()).toBe('PONG');
  });

  test('is none where nothing was asked', async () => {
    const way = await startSilent();
    const log = recordLog();
    const { fast, jobs, health, ready } = open(way.url, log);
    await ready();
    await Promise.all([fast.ping(), jobs.ping()]);
    way.fallSilent();
    await wait(1_600);
    expect([said(log), health.isAway()]).toEqual([[], false]);
  });

  test('is not what a process meets that stood still itself', async () => {
    const way = await startSilent();
    const log = recordLog();
    const { fast, health, ready } = open(way.url, log);
    await ready();
    const asked = fast.get('x');
    stall(1_600);
    expect(await asked).toBeNull();
    expect([said(log), health.isAway()]).toEqual([[], false]);
  });
});

describe('a primary that has become a replica', () => {
  test('is left again and again, with longer and longer pauses, in two lines of the log', async () => {
    const replica = await startReplica();
    const log = recordLog();
    const { jobs, health, ready } = open(replica.url, log);
    await ready();
    const written = jobs.set('x', '1');
    await expect.poll(() => health.isAway()).toBe(true);
    const gaps = (): number[] =>
      replica.connectedAt.slice(1).map((at, index) => at - (replica.connectedAt[index] ?? at));
    // Its first is 100 ms at most.
    await expect.poll(() => Math.max(...gaps())).toBeGreaterThan(400);
    expect(health.isAway()).toBe(true);
    replica.refuses = false;
    expect(await written).toBe('OK');
    await expect.poll(() => health.isAway()).toBe(false);
    expect(said(log)).toEqual([
      expect.stringMatching(/^warn: Redis is out of reach; trying again. It is a replica now/),
      'info: Redis is back.',
    ]);
    expect(log.lines[0]).toMatchObject({ fields: { cause: 'READONLY' } });
  });
});
