import { expect, test } from 'vitest';
import { type Ground, kindsOn, lengthOf, planOf, shardsOn, wordsOf } from './plan.ts';

const seeds = Array.from({ length: 200 }, (_, n) => n);

test('the same seed is the same plan, another one another', () => {
  expect(planOf({ seed: 7, seconds: 24 })).toEqual(planOf({ seed: 7, seconds: 24 }));
  expect(planOf({ seed: 7, seconds: 24 })).not.toEqual(planOf({ seed: 8, seconds: 24 }));
});

const grounds = Object.keys(shardsOn) as Ground[];

test.each(grounds)('%s: no two faults at once, all within the traffic, each kind in some seed', (ground) => {
  const seen = new Set<string>();
  const shards = new Set<number>();
  for (const seed of seeds) {
    let free = 0;
    for (const { at, strike } of planOf({ seed, seconds: 40, ground }).strikes) {
      expect(at).toBeGreaterThanOrEqual(free);
      free = at + lengthOf(strike) + 1_000;
      expect(free).toBeLessThanOrEqual(40_000);
      seen.add(strike.kind);
      if ('shard' in strike && strike.shard !== undefined) shards.add(strike.shard);
    }
  }
  expect([...seen].toSorted()).toEqual(kindsOn(ground).toSorted());
  expect(shards.size).toBe(shardsOn[ground] > 1 ? shardsOn[ground] : 0);
});

const fails = (ground: Ground): boolean[] =>
  seeds.map((seed) =>
    planOf({ seed, seconds: 24, ground }).strikes.some(({ strike }) => strike.kind === 'redis-failover'),
  );

test('a primary dies in each run where a replica can take its place, and in no other', () => {
  expect(new Set([...fails('cluster'), ...fails('sentinel')])).toEqual(new Set([true]));
  expect(new Set([...fails('single'), ...fails('several')])).toEqual(new Set([false]));
});

test('a seed writes the same in its calm run, where nothing goes wrong', () => {
  const [wild, calm] = [planOf({ seed: 3, seconds: 24 }), planOf({ seed: 3, seconds: 24, only: [] })];
  expect(calm.messages).toEqual(wild.messages);
  expect([calm.strikes, calm.clocksApart]).toEqual([[], false]);
});

test('both channels and both kinds of bot, some writing on before their answer', () => {
  const { messages } = planOf({ seed: 1, seconds: 24 });
  expect(new Set(messages.map(({ user }) => user)).size).toBe(60);
  expect(new Set(messages.map(({ channel, style }) => `${channel} ${style}`)).size).toBe(3);
  expect(new Set(messages.map(({ text }) => text)).size).toBe(messages.length);
  const overlapping = messages.filter((message, n) => {
    const next = messages[n + 1];
    return next?.user === message.user && next.at < message.at + message.thinkMs;
  });
  expect(overlapping.length).toBeGreaterThan(5);
});

test('a strike in words', () => {
  expect(wordsOf({ kind: 'pause', target: 'web-1', ms: 3_000 })).toBe('pause, target web-1, ms 3000');
});
