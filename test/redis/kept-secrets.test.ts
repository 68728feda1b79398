import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeptSecrets } from '../../src/redis/shared.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

describe.each(await redisKinds())('kept secrets on the %s Redis', (kind) => {
  let server: TestRedis;
  const process = () => createKeptSecrets(server.connect());

  beforeAll(async () => {
    server = await startRedis(kind);
  });
  afterAll(() => server.stop());

  test('what one process writes another reads, for ever or for its time', async () => {
    const since = performance.now();
    await process().write('a', 'one', null);
    await process().write('b', 'two', 60_000.5);
    expect([await process().read('a'), await process().read('b'), await process().read('c')]).toEqual([
      'one',
      'two',
      null,
    ]);
    const redis = server.connect();
    expect(await redis.pttl('{keeptyping}:secret:a')).toBe(-1);
    expect(await redis.pttl('{keeptyping}:secret:b')).toBeGreaterThan(59_000 - (performance.now() - since));
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

  test('a replacement stays no longer than what it replaces would have', async () => {
    const kept = process();
    await kept.write('ticket', 'T1', 60_000);
    expect(await kept.replace('ticket', { from: 'T1', to: 'T2' })).toBe(true);
    const left = await server.connect().pttl('{keeptyping}:secret:ticket');
    expect([left > 50_000, left <= 60_000]).toEqual([true, true]);
  });

  test('names are found by their beginning, however many there are', async () => {
    const kept = process();
    const names = Array.from({ length: 2_500 }, (_, n) => `list/${n}`);
    await Promise.all(names.map((name) => kept.write(name, 'x', null)));
    await kept.write('listed', 'x', null);
    expect((await kept.names('list/')).toSorted()).toEqual(names.toSorted());
  });
});
