import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSharedCache } from '../../src/redis/shared.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

describe.each(await redisKinds())('the shared cache on the %s Redis', (kind) => {
  let server: TestRedis;
  let tokens = 0;
  const cacheOf = (redis: TestRedis) => createSharedCache(redis.connect(), () => `token-${(tokens += 1)}`);

  beforeAll(async () => {
    server = await startRedis(kind);
  });
  afterAll(() => server.stop());

  test('what one process sets, another gets until it expires', async () => {
    const since = performance.now();
    await cacheOf(server).set('access', 'secret', 60_000);
    expect(await cacheOf(server).get('access')).toBe('secret');
    const redis = server.connect();
    expect(await redis.pttl('{keeptyping}:cache:access')).toBeGreaterThan(
      59_000 - (performance.now() - since),
    );
    expect(await cacheOf(server).get('never-set')).toBeNull();
  });

  test('drops a value only while it is still that one', async () => {
    const cache = cacheOf(server);
    await cache.set('token', 'new', 60_000);
    await cache.drop('token', 'old');
    expect(await cache.get('token')).toBe('new');
    await cache.drop('token', 'new');
    expect(await cache.get('token')).toBeNull();
  });

  test('gives a lock to one at a time and lets only its holder release it', async () => {
    const [one, other] = [cacheOf(server), cacheOf(server)];
    const token = await one.lock('fetch', 60_000);
    expect(token).toMatch(/^token-/);
    expect(await other.lock('fetch', 60_000)).toBeNull();
    await other.unlock('fetch', 'a guess');
    expect(await other.lock('fetch', 60_000)).toBeNull();
    await one.unlock('fetch', token ?? '');
    expect(await other.lock('fetch', 60_000)).toMatch(/^token-/);
  });

  test('a lock may bear the name of the value that it protects', async () => {
    const cache = cacheOf(server);
    await cache.set('both', 'value', 60_000);
    expect(await cache.lock('both', 60_000)).not.toBeNull();
    expect(await cache.get('both')).toBe('value');
  });

  test('a lock frees itself', async () => {
    const cache = cacheOf(server);
    await cache.lock('short', 20);
    await expect.poll(() => cache.lock('short', 1000), { interval: 5 }).not.toBeNull();
  });
});
