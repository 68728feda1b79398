import { expect, test } from 'vitest';
import { kinds, lengthOf, planOf, wordsOf } from './plan.ts';

const seeds = Array.from({ length: 200 }, (_, n) => n);

test('the same seed is the same plan, another one another', () => {
  expect(planOf({ seed: 7, seconds: 24 })).toEqual(planOf({ seed: 7, seconds: 24 }));
  expect(planOf({ seed: 7, seconds: 24 })).not.toEqual(planOf({ seed: 8, seconds: 24 }));
});

test('no two faults at once, all within the traffic, and each kind in some seed', () => {
  const seen = new Set<string>();
  for (const seed of seeds) {
    let free = 0;
    for (const { at, strike } of planOf({ seed, seconds: 24 }).strikes) {
      expect(at).toBeGreaterThanOrEqual(free);
      free = at + lengthOf(strike) + 1_000;
      expect(free).toBeLessThanOrEqual(24_000);
      seen.add(strike.kind);
    }
  }
  expect([...seen].toSorted()).toEqual([...kinds].toSorted());
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
