import { describe, expect, test } from 'vitest';
import { createShares, type SharesOptions } from '../../src/queue/shares.ts';

const one = { channel: 'wechat', account: 'one' };
const two = { channel: 'nxcloud', account: 'one' };

function open(options: Partial<SharesOptions> = {}) {
  const shares = createShares({ places: 200, reserve: 0, accounts: () => 10, ...options });
  /** How many places it gets, asking for this many. */
  const take = (place: typeof one, wanted: number): number => {
    let taken = 0;
    while (taken < wanted && !shares.isCrowded(place)) {
      shares.enter(place);
      taken += 1;
    }
    return taken;
  };
  return { shares, take };
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

  test('eight, however many accounts there are and however few places', () => {
    const { take } = open({ places: 4, accounts: () => 500 });
    expect(take(one, 300)).toBe(8);
    expect(take(two, 300)).toBe(8);
  });

  test('no more than its own limit', () => {
    const { shares } = open();
    shares.enter(one);
    expect(shares.isCrowded(one, 1)).toBe(true);
    expect(shares.isCrowded(two, 1)).toBe(false);
  });

  test('a place again when it leaves one', () => {
    const { shares, take } = open({ accounts: () => 1 });
    take(one, 300);
    shares.leave(one);
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

describe('jobs that were turned away', () => {
  test('are counted once each, for each account, until they enter', () => {
    const { shares } = open();
    expect(shares.turnAway(one, 'a')).toBe(1);
    expect(shares.turnAway(one, 'b')).toBe(2);
    expect(shares.turnAway(one, 'a')).toBe(2);
    expect(shares.turnAway(two, 'a')).toBe(1);
    shares.enter(one, 'a');
    expect(shares.turnAway(one, 'b')).toBe(1);
  });
});
