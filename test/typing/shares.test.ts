import { describe, expect, test } from 'vitest';
import { createShares, type SharesOptions } from '../../src/typing/shares.ts';
import { handClock } from '../support/clock.ts';

const one = { channel: 'wechat', account: 'one' };
const two = { channel: 'nxcloud', account: 'one' };

function open(options: Partial<SharesOptions> = {}) {
  const clock = handClock(0);
  const shares = createShares({ places: 200, reserve: 0, accounts: () => 10, clock, ...options });
  /** How many places it gets, asking for this many. */
  const take = (place: typeof one, wanted: number): number => {
    let taken = 0;
    while (taken < wanted && !shares.isCrowded(place)) {
      shares.enter(place);
      taken += 1;
    }
    return taken;
  };
  return { shares, take, clock };
}

describe('an account gets', () => {
  test('all places when it is the only one', () => {
    expect(open({ accounts: () => 1 }).take(one, 300)).toBe(200);
  });

  test('half of them before the others have asked, and the others their share of all', () => {
    const { take } = open();
    expect(take(one, 300)).toBe(100);
    expect(take(two, 300)).toBe(20);
  });

  test('never what is kept from each', () => {
    expect(open({ reserve: 150, accounts: () => 1 }).take(one, 300)).toBe(50);
  });

  test('eight, however many accounts there are', () => {
    const { take } = open({ places: 10, accounts: () => 500 });
    expect(take(one, 300)).toBe(8);
    expect(take(two, 300)).toBe(8);
  });

  test('no more than there are', () => {
    expect(open({ places: 2, reserve: 1, accounts: () => 500 }).take(one, 300)).toBe(2);
  });

  test('no more than its own limit', () => {
    const { shares } = open();
    shares.enter(one);
    expect(shares.isCrowded(one, 1)).toBe(true);
    expect(shares.isCrowded(two, 1)).toBe(false);
  });

  test('a place again when it leaves one', () => {
    const { shares, take } = open({ accounts: () => 1 });
    const leave = shares.enter(one);
    take(one, 300);
    leave();
    expect(take(one, 300)).toBe(1);
  });

  test('its share of what there is now, when accounts come and go', () => {
    let accounts = 2;
    const { take } = open({ accounts: () => accounts });
    take(one, 300);
    expect(take(two, 1)).toBe(1);
    accounts = 20;
    expect(take(two, 300)).toBe(9);
  });
});

describe('a job that is turned away comes again', () => {
  test('soon, while places become free quickly', () => {
    const { shares, clock } = open();
    const leave = shares.enter(one);
    clock.set(10);
    leave();
    expect(shares.turnAway(one, 'a')).toBe(100);
  });

  test('when its turn may come: so many before it, each as long as the last ones', () => {
    const { shares, clock } = open();
    for (let n = 1; n <= 100; n += 1) {
      const leave = shares.enter(one);
      clock.set(n * 1_000);
      leave();
    }
    expect(shares.turnAway(one, 'a')).toBeCloseTo(1_000, -1);
    expect(shares.turnAway(one, 'b')).toBeCloseTo(2_000, -1);
    expect(shares.turnAway(one, 'a')).toBeCloseTo(2_000, -1);
    expect(shares.turnAway(two, 'a')).toBe(100);
    shares.enter(one, 'a');
    expect(shares.turnAway(one, 'b')).toBeCloseTo(1_000, -1);
  });

  test('the sooner the more places there are', () => {
    const { shares, clock } = open();
    const leaves = Array.from({ length: 10 }, () => shares.enter(one));
    clock.set(2_000);
    leaves.pop()?.();
    const last = Array.from({ length: 90 }, (_, n) => shares.turnAway(one, `job-${n}`)).at(-1);
    expect(last).toBe((90 / 9) * 250);
  });

  test('the later the longer nothing has moved, but within 5 s', () => {
    const { shares, clock } = open();
    shares.enter(one);
    clock.set(700);
    expect(shares.turnAway(one, 'a')).toBe(700);
    clock.set(60_000);
    expect(shares.turnAway(one, 'a')).toBe(5_000);
  });

  test('soon after a moment in which nothing moved, as soon as something does', () => {
    const { shares, clock } = open();
    const leaves = Array.from({ length: 50 }, () => shares.enter(one));
    clock.set(400);
    for (const leave of leaves.splice(0, 5)) leave();
    const last = Array.from({ length: 50 }, (_, n) => shares.turnAway(one, `job-${n}`)).at(-1);
    expect(last).toBeLessThan(250);
  });

  test('the more there are the later: two hundred a second may come, however many wait', () => {
    const { shares, clock } = open();
    shares.enter(one);
    clock.set(1_000);
    const last = Array.from({ length: 4_000 }, (_, n) => shares.turnAway(one, `job-${n}`)).at(-1);
    expect(last).toBe(20_000);
    const later = Array.from({ length: 30_000 }, (_, n) => shares.turnAway(one, `more-${n}`)).at(-1);
    expect(later).toBe(60_000);
  });

  test('without those that another process has taken, which never come again here', () => {
    const { shares, clock } = open();
    shares.enter(one);
    clock.set(100);
    for (let n = 0; n < 900; n += 1) shares.turnAway(one, `job-${n}`);
    for (const at of [5_600, 12_000]) {
      clock.set(at);
      expect(shares.turnAway(one, 'b')).toBe(5_000);
    }
    shares.enter(one)();
    clock.set(12_200);
    expect(shares.turnAway(one, 'b')).toBeLessThan(500);
  });

  test('soon, when nothing of its account was under way for long', () => {
    const { shares, clock } = open();
    clock.set(60_000);
    shares.enter(one);
    expect(shares.turnAway(one, 'a')).toBe(100);
  });
});
