/** The shards of a process, each on a Redis of its own. */
import type { Redis } from 'ioredis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { createRedisClock } from '../../src/redis/clock.ts';
import { keys, keysOf } from '../../src/redis/keys.ts';
import { shardOf } from '../../src/redis/shards.ts';
import { sameMark } from '../../src/typing/state-schema.ts';
import { createReleases, type Releases } from '../../src/wiring/releases.ts';
import { openShards, type Shards } from '../../src/wiring/shards.ts';
import { recordLog } from '../support/log.ts';
import { startRedis } from '../support/redis.ts';

const hour = 3_600_000;

let urls: string[];
let home: Redis;
let second: Redis;

beforeEach(async () => {
  const servers = [await startRedis('embedded'), await startRedis('embedded')];
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  urls = servers.map(({ url }) => url);
  [home, second] = servers.map((server) => server.connect()) as [Redis, Redis];
});

async function open(
  shards: number | null,
  redisUrls = urls,
): Promise<{ shards: Shards; releases: Releases }> {
  const log = recordLog();
  const releases = createReleases((_, error) => {
    throw error;
  });
  const opened = openShards({
    config: { redisUrls, shards, redisTlsRejectUnauthorized: true },
    redis: { url: urls[0] ?? '', eventsMaxLen: 100 },
    clock: createRedisClock({ local: () => Date.now() }),
    log,
    releases,
    telemetry: null,
  });
  onTestFinished(() => releases.all());
  await Promise.all(opened.all().map(({ connections }) => connections.ready()));
  return { shards: opened, releases };
}

/** What the others have said by now. */
async function say(shards: number, before: { shards: number; until: number }[] = []): Promise<void> {
  await home.set(keys.shards, JSON.stringify({ v: 1, shards, since: 0, before }));
}

test('one that is opened late is there as long as the first: for all that is closed before that', async () => {
  const { shards, releases } = await open(1);
  await shards.follow();
  releases.add('what carries pushes', async () => {
    for (const { connections } of shards.all()) await connections.fast.ping();
  });
  await say(2);
  await shards.follow();
  await Promise.all(shards.all().map(({ connections }) => connections.ready()));
  expect(shards.all()).toHaveLength(2);
  await releases.all();
  expect(shards.all().map(({ connections }) => connections.fast.status)).toEqual(['end', 'end']);
});

test('whoever only looks follows what there is, and wants nothing', async () => {
  await say(2);
  const said = await home.get(keys.shards);
  const { shards } = await open(null);
  await shards.follow();
  expect(shards.all()).toHaveLength(2);
  expect(await home.get(keys.shards)).toBe(said);
});

const soon = (): number => Date.now() + hour;

async function isKept(shards: Shards): Promise<boolean> {
  await shards.follow();
  await Promise.all(shards.all().map(({ connections }) => connections.ready()));
  await shards.keep();
  const { before } = JSON.parse((await home.get(keys.shards)) ?? '') as { before: { until: number }[] };
  return (before[0]?.until ?? 0) > Date.now() + 2 * hour;
}

describe('a number before that is about to be left', () => {
  /** Where nobody would look for it under the number that holds. */
  const left = (() => {
    for (let n = 0; ; n += 1)
      if (shardOf(`wechat/shop/u${n}`, 2) === 1 && shardOf(`wechat/shop/u${n}`, 1) === 0)
        return `wechat/shop/u${n}`;
  })();

  test('is kept for a conversation that stands there', async () => {
    await say(1, [{ shards: 2, until: soon() }]);
    await second.set(keysOf(1).state(left), '{"v":1}');
    expect(await isKept((await open(1)).shards)).toBe(true);
  });

  test('is not for another name of a user’s, which each message writes anew', async () => {
    await say(1, [{ shards: 2, until: soon() }]);
    await second.set(keysOf(1).state(left), `${sameMark}somebody`);
    expect(await isKept((await open(1)).shards)).toBe(false);
  });

  test('is not for what stands elsewhere, where its Redis is no longer named', async () => {
    await say(1, [{ shards: 2, until: soon() }]);
    await home.set(keys.state(left), '{"v":1}');
    expect(await isKept((await open(1, urls.slice(0, 1))).shards)).toBe(false);
  });
});
