import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeptSecrets } from '../../src/redis/kept-secrets.ts';
import { redisKinds, startRedis, type TestRedis } from '../helpers/redis.ts';

describe.each(await redisKinds())('kept secrets on the %s Redis', (kind) => {
  let server: TestRedis;
  const process = () => createKeptSecrets(server.connect());

  beforeAll(async () => {
    server = await startRedis(kind);
  });
  afterAll(() => server.stop());

  test('what one process writes another reads, for ever or for its time', async () => {
    await process().write('a', 'one', null);
    await process().write('b', 'two', 60_000.5);
    expect([await process().read('a'), await process().read('b'), await process().read('c')]).toEqual([
      'one',
      'two',
      null,
    ]);
    const redis = server.connect();
    expect(await redis.pttl('{keeptyping}:secret:a')).toBe(-1);
    expect(await redis.pttl('{keeptyping}:secret:b')).toBeGreaterThan(59_000);
  });

  test('a replacement takes place only where the old one stands, and may be said again', async () => {
    const kept = process();
    await kept.write('token', 'R1', null);
    expect(await kept.replace('token', { from: 'R0', to: 'R9' })).toBe(false);
    expect(await kept.replace('token', { from: 'R1', to: 'R2' })).toBe(true);
    expect(await kept.replace('token', { from: 'R1', to: 'R2' })).toBe(true);
    expect(await kept.read('token')).toBe('R2');
    await kept.drop('token');
    expect(await kept.replace('token', { from: 'R2', to: 'R3' })).toBe(false);
    expect(await kept.read('token')).toBeNull();
  });
});
