import { beforeEach, describe, expect, test } from 'vitest';
import type { Place } from '../../src/core/roster.ts';
import { createSightings, createSightsObserver, sightsOf } from '../../src/typing/learned.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

const shop: Place = { channel: 'wechat', account: 'shop' };
const hour = 3_600_000;

let clock: HandClock;
let hash: Record<string, string>;
let writes: string[];
let down: boolean;
beforeEach(() => {
  clock = handClock();
  [hash, writes, down] = [{}, [], false];
});

const redis = {
  hset: async (_: string, field: string, value: string) => {
    writes.push(field);
    if (down) throw new Error('Redis is away');
    hash[field] = value;
  },
};

const process = () => createSightings({ redis, clock, log: recordLog() });

describe('what is seen of an account', () => {
  test('is noted with its time, and only its own is read', () => {
    const saw = process();
    saw(shop, ['message', 'end-by-gateway']);
    saw({ ...shop, account: 'shop-2' }, ['status']);
    expect(sightsOf(hash, shop)).toEqual({ message: clock.now(), 'end-by-gateway': clock.now() });
    expect(sightsOf(hash, { ...shop, account: 'shop-2' })).toEqual({ status: clock.now() });
  });

  test.each([
    { age: undefined, sights: [] },
    { age: 60, sights: ['aged-1-min'] },
    { age: 3_600, sights: ['aged-1-h'] },
    { age: 80_000, sights: ['aged-12-h'] },
  ])('of the age of pushes: $age s', ({ age, sights }) => {
    const observe = createSightsObserver(process());
    observe({ is: 'push', at: clock.now(), ...shop, channel: 'wechat', result: 'taken', status: 200, age });
    expect(Object.keys(sightsOf(hash, shop))).toEqual(['taken', ...sights]);
  });

  test('is written once an hour', () => {
    const saw = process();
    saw(shop, ['message', 'message']);
    clock.set(clock.now() + hour - 1);
    saw(shop, ['message']);
    expect(writes).toHaveLength(1);
    clock.set(clock.now() + 1);
    saw(shop, ['message']);
    expect(writes).toHaveLength(2);
    expect(sightsOf(hash, shop).message).toBe(clock.now());
  });

  test('of pushes, taken or not, is written once a minute: what was taken since shows what is mended', () => {
    const observe = createSightsObserver(process());
    const push = { is: 'push', ...shop, channel: 'wechat', result: 'taken', status: 200 } as const;
    const refused = { is: 'refused', ...shop, channel: 'wechat', count: 2, reason: 'Set it.' } as const;
    const began = clock.now();
    for (const ms of [0, 30_000, 30_000]) {
      clock.pass(ms);
      observe({ ...push, at: clock.now() });
      observe({ ...refused, at: clock.now() - 1 });
    }
    expect(writes).toHaveLength(4);
    expect(sightsOf(hash, shop)).toEqual({ taken: began + 60_000, 'refused Set it.': began + 59_999 });
  });

  test('is tried again in a minute when Redis is away, and nobody hears of it', async () => {
    const saw = process();
    down = true;
    saw(shop, ['message']);
    await Promise.resolve();
    saw(shop, ['message']);
    expect(writes).toHaveLength(1);
    down = false;
    clock.set(clock.now() + 60_000);
    saw(shop, ['message']);
    expect(sightsOf(hash, shop)).toEqual({ message: clock.now() });
  });
});
