/** What Redis refuses is found, named and said once: by real rights of its users, and through a proxy. */
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { createConnection, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { findServer } from '../../src/redis/by-itself.ts';
import { createCommands, findLacks, scriptedOf } from '../../src/redis/commands.ts';
import { visitRedis } from '../../src/redis/connect.ts';
import { keys, keysOf } from '../../src/redis/keys.ts';
import { recordLog } from '../support/log.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

const hasServer = (await findServer(process.env['PATH'] ?? '')) !== null;
const visit = (url: string) => () => visitRedis({ url, rejectUnauthorized: true, timeoutMs: 3_000 });
const found = async (url: string) =>
  (await findLacks(visit(url))).map(({ use, commands }) => [use, ...commands].join(' '));

const called = (text: string): string[] =>
  [...text.matchAll(/(?:redis\.call|rcall)\(\s*["']([A-Za-z]+)["']/g)].map(([, name = '']) => name);

describe('the commands that scripts call', () => {
  const known = scriptedOf(keys).map(([command]) => command);

  test('are all tried, ours', () => {
    const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    );
    const used = files.flatMap((path) => called(readFileSync(join('src', path), 'utf8')));
    expect(used.length).toBeGreaterThan(50);
    expect(used.filter((command) => !known.includes(command))).toEqual([]);
  });

  // A newer BullMQ may call others.
  test.each([
    'addDelayedJob-6',
    'addPrioritizedJob-9',
    'addStandardJob-9',
    'cleanJobsInSet-3',
    'extendLocks-1',
    'getCounts-1',
    'moveStalledJobsToWait-9',
    'moveToActive-11',
    'moveToDelayed-11',
    'moveToFinished-14',
    'reprocessJob-9',
    'retryJob-11',
  ])("are all tried, BullMQ's %s", (script) => {
    const folder = dirname(createRequire(import.meta.url).resolve('bullmq'));
    const used = called(readFileSync(join(folder, 'scripts', `${script}.js`), 'utf8'));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((command) => !known.includes(command) && command !== 'PERSIST')).toEqual([]);
  });
});

test('a Redis that takes all of them is as before', async () => {
  const redis = await startRedis('embedded');
  onTestFinished(() => redis.stop());
  expect(await found(redis.url)).toEqual([]);
  expect(await redis.connect().keys('*')).toEqual([]);
});

describe.runIf(hasServer)('a user of Redis', () => {
  let redis: TestRedis;

  beforeAll(async () => {
    redis = await startRedis('private');
    return () => redis.stop();
  });

  async function urlAs(rights: string): Promise<string> {
    await redis.connect().call('ACL', 'SETUSER', 'app', 'reset', 'on', '>secret', ...rights.split(' '));
    const url = new URL(redis.url);
    Object.assign(url, { username: 'app', password: 'secret' });
    return url.href;
  }

  test.each([
    ['the rights that are asked for', '~{keeptyping}:* &{keeptyping}:* +@all -@dangerous', []],
    // https://github.com/OptimalBits/bull/issues/2113
    [
      'no blocking commands',
      '~* &* +@all -@blocking -@admin +client -role -flushall -keys',
      ['jobs BZPOPMIN'],
    ],
    // https://github.com/redis/redis/issues/12418
    ['no channels', '~* +@all', ['channels PUBLISH SUBSCRIBE']],
    ['no scripts', '~* &* +@all -@scripting', ['scripts EVALSHA EVAL']],
    ['neither the time nor the journal', '~* &* +@all -time -xrange', ['clock TIME', 'records XRANGE']],
    ['no right to what only scripts call', '~* &* +@all -lpush -zpopmin', ['scripts LPUSH ZPOPMIN']],
  ])('that has %s', async (_, rights, lacks) => {
    expect(await found(await urlAs(rights))).toEqual(lacks);
  });

  test('that has only the keys of others may do nothing, and the remedy names ours', async () => {
    const [first] = await findLacks(visit(await urlAs('~bull:* &* +@all')));
    expect(first?.commands).toContain('SET');
    expect(first?.remedy).toContain('~{keeptyping}:* &{keeptyping}:* +@all');
  });

  test('that has only the keys of the first shard is told of by those of the others', async () => {
    const url = await urlAs('~{keeptyping}:* &{keeptyping}:* +@all');
    const others = [keysOf(1), keysOf(2)];
    expect(await findLacks(visit(url), keys, others)).toMatchObject([
      {
        use: 'shards',
        commands: ['SET', 'DEL', 'PUBLISH'],
        remedy: expect.stringContaining('Give this user of Redis ~{keeptyping* &{keeptyping*;'),
      },
    ]);
    const allowed = await urlAs('~{keeptyping* &{keeptyping* +@all');
    expect(await findLacks(visit(allowed), keys, others)).toEqual([]);
  });

  test('what it may not is said once, and once when it may', async () => {
    const url = await urlAs('~* &* +@all -bzpopmin');
    const log = recordLog();
    const commands = createCommands({ visit: visit(url), log });
    onTestFinished(() => commands.close());
    let changes = 0;
    commands.onChange(() => void (changes += 1));
    await commands.look();
    await commands.look();
    expect([...commands.lacks]).toEqual(['jobs']);
    expect(commands.reasons()).toEqual([
      expect.stringMatching(/^BZPOPMIN is refused \(NOPERM\): .* \+bzpopmin;/),
    ]);
    await urlAs('~* &* +@all');
    await commands.look();
    expect(commands.reasons()).toEqual([]);
    expect(log.lines.map(({ level }) => level)).toEqual(['error', 'info']);
    expect(changes).toBe(2);
  });

  test('nothing is concluded from a Redis that takes no writes now', async () => {
    const admin = redis.connect();
    onTestFinished(async () => void (await admin.call('REPLICAOF', 'NO', 'ONE')));
    const url = await urlAs('~* &* +@all');
    await admin.call('REPLICAOF', '127.0.0.1', '1');
    await expect(findLacks(visit(url))).rejects.toThrow('READONLY');
  });
});

/** A proxy that closes the connection on which a command comes that it does not know. */
async function startProxy(target: number, unknown: string): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    const through = createConnection(target, '127.0.0.1');
    for (const each of [socket, through]) sockets.add(each.on('error', () => {}));
    socket.on('data', (chunk) => {
      if (chunk.toString().toUpperCase().includes(`\r\n${unknown}\r\n`)) socket.destroy();
      else through.write(chunk);
    });
    through.pipe(socket);
    socket.once('close', () => through.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return `redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

test.each([
  ['BZPOPMIN', 'jobs'],
  ['SUBSCRIBE', 'channels'],
])('a proxy that hangs up at %s: the others are tried on another connection', async (command, use) => {
  const redis = await startRedis('embedded');
  onTestFinished(() => redis.stop());
  const url = new URL(redis.url);
  url.port = new URL(await startProxy(Number(url.port), command)).port;
  const lacks = await findLacks(visit(url.href));
  expect(lacks).toEqual([
    expect.objectContaining({
      use,
      says: expect.stringContaining(`${command} is refused (connection closed)`),
    }),
  ]);
});

test('a node of a Cluster that has not our keys: one sentence says so', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      for (const command of chunk
        .toString()
        .split(/^\*\d+\r\n/m)
        .slice(1))
        socket.write(command.includes(keys.prefix) ? '-MOVED 3999 127.0.0.1:6381\r\n' : '$0\r\n\r\n');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const address = server.address();
  const url = `redis://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
  const lacks = await findLacks(visit(url));
  expect(lacks.map(({ use, says }) => `${use}: ${says}`)).toEqual([
    expect.stringMatching(/^scripts: this node of a Redis Cluster does not hold keeptyping's keys \(MOVED\)/),
  ]);
});
