import { describe, expect, test } from 'vitest';
import {
  examineClock,
  examineInfo,
  examineWorker,
  infoFindings,
  parseInfo,
  type RedisCommands,
} from '../../src/doctor/redis.ts';

const good = {
  redis_version: '7.0.15',
  role: 'master',
  maxmemory_policy: 'noeviction',
  aof_enabled: '1',
  connected_clients: '5',
  maxclients: '20',
  used_memory: '1048576',
  maxmemory: '26214400',
};

const textOf = (fields: Record<string, string>): string =>
  `# Section\r\n${Object.entries(fields)
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('')}\r\n`;

const judge = (over: Record<string, string> = {}) => infoFindings(parseInfo(textOf({ ...good, ...over })));

const of = (subject: string, over: Record<string, string>) =>
  judge(over).find((finding) => finding.subject === `Redis ${subject}`);

describe('what Redis says of itself', () => {
  test('is all right', () => {
    expect(judge().map(({ level, subject, says }) => `${level} ${subject}: ${says}`)).toEqual([
      'ok Redis version: 7.0.15',
      'ok Redis eviction policy: noeviction',
      'ok Redis persistence: appendonly',
      'ok Redis connections: 5 of 20 used',
      'ok Redis memory: 1.0 MB of 25.0 MB used',
    ]);
  });

  test.each([
    ['version', { redis_version: '6.0.16' }, 'fail', '6.0.16 is too old'],
    ['version', { redis_version: '5.0.3' }, 'fail', '5.0.3 is too old'],
    ['version', { redis_version: '6.2.0' }, 'ok', '6.2.0'],
    ['version', { redis_version: '10.1' }, 'ok', '10.1'],
    ['role', { role: 'slave' }, 'fail', 'this is a replica: it takes no writes'],
    [
      'eviction policy',
      { maxmemory_policy: 'volatile-lru' },
      'fail',
      'volatile-lru: when its memory is full, Redis drops messages',
    ],
    [
      'eviction policy',
      { maxmemory_policy: 'allkeys-lru', maxmemory: '0' },
      'warn',
      'allkeys-lru: when its memory is full, Redis drops messages',
    ],
    ['persistence', { aof_enabled: '0' }, 'warn', 'off: what waits in Redis is lost when it restarts'],
    [
      'persistence',
      { aof_last_write_status: 'err' },
      'fail',
      'the last write of the append-only file failed',
    ],
    ['connections', { connected_clients: '12' }, 'warn', '12 of 20 used'],
    ['connections', { connected_clients: '20' }, 'fail', '20 of 20 used'],
    ['memory', { used_memory: '20971520' }, 'warn', '20.0 MB of 25.0 MB used'],
    ['memory', { used_memory: '26000000' }, 'fail', '24.8 MB of 25.0 MB used'],
    ['memory', { maxmemory: '0' }, 'ok', '1.0 MB used; it tells of no limit'],
  ] as const)('%s with %o: %s', (subject, over, level, says) => {
    const finding = of(subject, over);
    expect(finding).toMatchObject({ level, says });
    expect(finding?.remedy === '').toBe(level === 'ok');
  });

  test('what it does not tell is not judged', () => {
    expect(infoFindings(parseInfo(''))).toEqual([]);
  });
});

const refuse = () => Promise.reject(new Error('NOPERM this user has no permissions'));

/** A Redis that answers as told; what is not told is refused, as managed ones do. */
const redisOf = (over: Partial<RedisCommands>): RedisCommands => ({
  info: refuse,
  config: refuse,
  time: refuse,
  exists: refuse,
  ...over,
});

const littleInfo = async (): Promise<string> => textOf({ redis_version: '7.2.0' });
const evicting = async (_: string, name: string): Promise<string[]> => [name, 'allkeys-lru'];
const moved = () => Promise.reject(new Error('MOVED 3999 127.0.0.1:6381'));
const lookForWorker = (exists: RedisCommands['exists']) => examineWorker(redisOf({ exists }), 'key');

describe('a managed Redis', () => {
  test('whose INFO lacks what CONFIG tells', async () => {
    const found = await examineInfo(redisOf({ info: littleInfo, config: evicting }));
    expect(found.map(({ level, subject }) => `${level} ${subject}`)).toContain('warn Redis eviction policy');
  });

  test('that allows neither CONFIG nor the policy in INFO', async () => {
    const found = await examineInfo(redisOf({ info: littleInfo }));
    expect(found).toContainEqual(expect.objectContaining({ level: 'warn', says: 'Redis does not tell it' }));
  });

  test('that allows no INFO', async () => {
    const found = await examineInfo(redisOf({}));
    expect(found).toMatchObject([{ level: 'warn', subject: 'Redis settings' }]);
  });
});

describe('the clock of Redis', () => {
  test.each([
    [1_000_000, 'ok', "agrees with this machine's"],
    [1_060_000, 'warn', "60 s ahead of this machine's"],
    [940_000, 'warn', "60 s behind this machine's"],
  ])('%i ms', async (theirs, level, says) => {
    const time = async (): Promise<string[]> => [String(theirs / 1_000), '0'];
    const found = await examineClock(redisOf({ time }), () => 1_000_000);
    expect(found).toMatchObject([{ level, says }]);
  });
});

describe("the worker's sign of life", () => {
  test('is there, or is not', async () => {
    expect(await lookForWorker(async () => 1)).toMatchObject([{ level: 'ok', says: 'alive' }]);
    expect(await lookForWorker(async () => 0)).toMatchObject([{ level: 'warn', subject: 'worker' }]);
  });

  test('is on another node of a Cluster', async () => {
    expect(await lookForWorker(moved)).toMatchObject([{ level: 'fail', subject: 'Redis Cluster' }]);
  });

  test('may not be read', async () => {
    expect(await lookForWorker(refuse)).toMatchObject([{ level: 'fail', says: 'cannot be read (NOPERM)' }]);
  });
});
