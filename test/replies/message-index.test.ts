import type { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { keys } from '../../src/redis/keys.ts';
import { createMessageIndex } from '../../src/replies/intake.ts';
import { scriptedPlatform } from '../support/platforms.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
});
afterAll(() => server.stop());

const inbound = {
  is: 'inbound',
  user: 'u',
  type: 'text',
  sentAt: 0,
  opensTurn: true,
  interaction: true,
} as const;

test('a message is found by the id that the platform gave it, and by its key', async () => {
  const index = createMessageIndex(redis);
  const platform = scriptedPlatform();
  await index.note(platform, { ...inbound, key: 'wamid.1', messageId: 'wamid.1@8615800001795' });
  const place = { conversation: { channel: 'wechat', account: 'shop', user: 'u' }, turn: 'wamid.1' };
  expect(await index.find('wamid.1')).toEqual(place);
  expect(await index.find('wamid.1@8615800001795')).toEqual(place);
  expect(await index.find('wamid.2')).toBeNull();
});

test.each(['{', 'null', '{"conversation":{"channel":"telegram","account":"a","user":"u"},"turn":"t"}'])(
  'what stands there as %j is nobody’s',
  async (spoilt) => {
    await redis.set(keys.message('spoilt'), spoilt);
    expect(await createMessageIndex(redis).find('spoilt')).toBeNull();
  },
);

test('it is forgotten a while after its turn can be open', async () => {
  const platform = scriptedPlatform({ rules: { deadline: 5_000 } });
  const since = performance.now();
  await createMessageIndex(redis).note(platform, { ...inbound, key: 'u-7', messageId: '7' });
  const left = await redis.pttl(keys.message('7'));
  expect(left).toBeGreaterThan(60_000 - (performance.now() - since));
  expect(left).toBeLessThanOrEqual(65_000);
});
