import { describe, expect, test } from 'vitest';
import { readRedisUrl } from '../../src/core/redis-url.ts';

describe('a URL of Redis', () => {
  test.each([
    ['redis://localhost', 'host', [{ host: 'localhost', port: 6379 }], {}, []],
    [
      'rediss://:pass@10.0.0.1:6380/2',
      'host',
      [{ host: '10.0.0.1', port: 6380 }],
      { password: 'pass' },
      ['2'],
    ],
    [
      'redis://app:a%3Ab%40@[::1]:7000',
      'host',
      [{ host: '::1', port: 7000 }],
      { username: 'app', password: 'a:b@' },
      [],
    ],
    [
      'redis+cluster://a:7001,b,c:7003',
      'cluster',
      [
        { host: 'a', port: 7001 },
        { host: 'b', port: 6379 },
        { host: 'c', port: 7003 },
      ],
      {},
      [],
    ],
    [
      'rediss+sentinel://s1,s2:26380/main/3',
      'sentinel',
      [
        { host: 's1', port: 26_379 },
        { host: 's2', port: 26_380 },
      ],
      {},
      ['main', '3'],
    ],
  ])('%s', (url, kind, hosts, login, path) => {
    expect(readRedisUrl(url)).toMatchObject({ kind, hosts, login, path, isTls: url.startsWith('rediss') });
  });

  test.each([
    'http://localhost',
    'redis:localhost',
    'redis://',
    'redis://a:7001,b:7002',
    'redis+cluster://a:7001,',
    'redis+sentinel://s1:26379',
    'redis://host:notaport',
    'redis://host:70000',
    'redis://:%zz@host',
  ])('is not %s', (url) => {
    expect(readRedisUrl(url)).toBeNull();
  });
});
