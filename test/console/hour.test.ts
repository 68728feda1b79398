import { describe, expect, test } from 'vitest';
import {
  binOf,
  coverBounds,
  createHour,
  createTally,
  distributionOf,
  type Hour,
  bucketOf,
  quantile,
  under,
  waitBounds,
} from '../../src/console/hour.ts';
import type { Notice } from '../../src/core/notice.ts';

const minute = 60_000;
const start = 1_700_000_040_000; // A full minute.
const whose = { channel: 'wechat', account: 'shop', user: 'openid' } as const;
const { user: _, ...account } = whose;

function ended(at: number, changes: Partial<Extract<Notice, { is: 'ended' }>> = {}): Notice {
  const wait = { waitMs: 10_000, litMs: 9_000, firstMs: 100, untyped: null };
  return { is: 'ended', at, ...whose, turn: 't', by: 'gateway', ...wait, ...changes };
}

function call(at: number, changes: Partial<Extract<Notice, { is: 'call' }>> = {}): Notice {
  return {
    is: 'call',
    at,
    ...whose,
    kind: 'show',
    outcome: 'done',
    code: 0,
    remedy: null,
    ms: 1,
    ...changes,
  };
}

function hourOf(...notices: Notice[]): Hour {
  const hour = createHour();
  notices.forEach((notice, n) => hour.add({ id: `${n}-0`, notice, by: 'one' }));
  return hour;
}

describe('a tally', () => {
  test('counts an hour, minute by minute', () => {
    const tally = createTally();
    tally.add(start, 'a');
    tally.add(start + 59_999, 'a', 2);
    tally.add(start + minute, 'a');
    expect(tally.total.get('a')).toBe(4);
    tally.forget(start + 60 * minute - 1);
    expect(tally.total.get('a')).toBe(4);
    tally.forget(start + 60 * minute);
    expect(tally.total.get('a')).toBe(1);
    tally.forget(start + 61 * minute);
    expect([...tally.total]).toEqual([]);
  });

  test('knows the last full minute', () => {
    const tally = createTally();
    tally.add(start, 'a', 7);
    tally.add(start + minute, 'a');
    expect(tally.lastMinute(start + 30_000, 'a')).toBe(0);
    expect(tally.lastMinute(start + minute, 'a')).toBe(7);
    expect(tally.lastMinute(start + 2 * minute, 'a')).toBe(1);
  });

  test('lists what begins alike, most first', () => {
    expect(
      under(
        new Map([
          ['end a', 1],
          ['end b', 2],
          ['ended', 9],
        ]),
        'end ',
      ),
    ).toEqual([
      ['b', 2],
      ['a', 1],
    ]);
  });
});

describe('waits', () => {
  test.each([0.2, 1, 4.2, 15, 61, 600])('of %d s are read off within 3 %%', (seconds) => {
    const read = quantile([[String(binOf(seconds)), 1]], 0.5) ?? 0;
    expect(Math.abs(read / seconds - 1)).toBeLessThan(0.035);
  });

  test('have a middle and a 95th of 100', () => {
    const bins = Array.from({ length: 100 }, (_, n): [string, number] => [String(binOf(n + 1)), 1]);
    expect(quantile(bins, 0.5)).toBeCloseTo(50, -1);
    expect(quantile(bins, 0.95)).toBeCloseTo(95, -1);
    expect(quantile([], 0.5)).toBeNull();
  });

  test('stand in the first bound that they do not pass, or beyond the last', () => {
    expect([1, 1.1, 600, 601].map((wait) => bucketOf(waitBounds, wait))).toEqual([0, 1, 13, 14]);
    expect(
      distributionOf(
        [1, 2],
        [
          ['2', 5],
          ['0', 1],
        ],
      ),
    ).toEqual({ bounds: [1, 2], counts: [1, 0, 5] });
  });
});

describe('an hour', () => {
  test.each(['mode_off', 'paused', 'answered_first'] as const)(
    'counts no lack of typing where none was wanted: %s',
    (untyped) => {
      const hour = hourOf(ended(start, { litMs: 0, untyped }));
      expect([...hour.of('wechat/shop').total.keys()]).not.toContain('waited');
      expect([...hour.all.total.keys()].filter((key) => key.startsWith('cover'))).toEqual([]);
    },
  );

  test('counts what ended, by what, how long it took and how much typing showed', () => {
    const hour = hourOf(
      ended(start),
      ended(start, { by: 'status', litMs: 10_500 }),
      ended(start, { waitMs: 500, litMs: 0 }),
      ended(start, { by: 'deadline', litMs: 0, untyped: 'cap' }),
    );
    const { total } = hour.of('wechat/shop');
    expect(Object.fromEntries(total)).toMatchObject({
      ended: 4,
      'end gateway': 2,
      'end status': 1,
      'end deadline': 1,
      waited: 30_000,
      lit: 19_000,
    });
    expect(Object.fromEntries(hour.all.total)).toEqual({
      [`wait ${bucketOf(waitBounds, 10)}`]: 2,
      [`wait ${bucketOf(waitBounds, 0.5)}`]: 1,
      [`cover ${bucketOf(coverBounds, 0.9)}`]: 1,
      [`cover ${bucketOf(coverBounds, 1)}`]: 1,
      [`cover ${bucketOf(coverBounds, 0)}`]: 1,
      'untyped cap': 1,
    });
    hour.forget(start + 60 * minute);
    expect(hour.all.total.size + total.size).toBe(0);
  });

  test.each(['deadline', 'left', 'crowded', 'handoff', 'reply-failed', 'deliveries'] as const)(
    'knows of no answer where a wait ended by %s',
    (by) => {
      const hour = hourOf(ended(start, { by, waitMs: 2_000 }));
      expect(under(hour.all.total, 'wait ')).toEqual([]);
      expect(under(hour.of('wechat/shop').total, 'wait ')).toEqual([]);
    },
  );

  test('counts calls and refusals, with what mends them', () => {
    const off = { outcome: 'account-off', code: 48001, remedy: 'Ask for it.' } as const;
    const hour = hourOf(
      call(start),
      call(start, { kind: 'hide' }),
      call(start, { kind: 'interim' }),
      call(start, { outcome: 'already', code: 45081 }),
      call(start, off),
      call(start, off),
    );
    const tally = hour.of('wechat/shop');
    expect(tally.lastMinute(start + minute, 'call')).toBe(5);
    expect(under(tally.total, 'refused ')).toEqual([['48001 account-off', 2]]);
    expect(hour.remedy('wechat/shop', 48001)).toBe('Ask for it.');
    expect(hour.remedy('wechat/other', 48001)).toBeNull();
  });

  test('keeps what the bot looks like, until something tells of its answers, or for an hour', () => {
    const look = { is: 'look', at: start, ...account, reason: 'The bot only acknowledges.' } as const;
    const hour = hourOf(ended(start, { by: 'gateway' }), look, ended(start, { by: 'deadline' }));
    expect(hour.look('wechat/shop')).toBe(look.reason);
    expect(hour.look('wechat/other')).toBeNull();
    hour.forget(start + 60 * minute);
    expect(hour.look('wechat/shop')).toBe(look.reason);
    hour.forget(start + 61 * minute);
    expect(hour.look('wechat/shop')).toBeNull();
    expect(hourOf(look, ended(start, { by: 'gateway' })).look('wechat/shop')).toBeNull();
  });

  test('counts what the bot answered, and why it failed; pushes that were not taken, by why', () => {
    const bot = { is: 'bot', at: start, ...whose, turn: 't', ms: 1, overheadMs: null } as const;
    const why = 'status 500, http://bot.example/';
    const hour = hourOf(
      { ...bot, status: 200, result: 'answered' },
      { ...bot, status: 500, result: 'again', why },
      { ...bot, status: 500, result: 'failed', why },
      { is: 'refused', at: start, ...account, count: 3, reason: 'Set the Token.' },
    );
    const { total } = hour.of('wechat/shop');
    expect(total.get('answered')).toBe(1);
    expect(under(total, 'bot ')).toEqual([[why, 1]]);
    expect(under(total, 'not taken ')).toEqual([['Set the Token.', 3]]);
  });

  test('counts messages that started nothing', () => {
    const skipped: Notice = { is: 'skipped', at: start, ...whose, turn: 't', reason: 'event_kind' };
    expect(under(hourOf(skipped).all.total, 'untyped ')).toEqual([['event_kind', 1]]);
  });

  test('a breaker is open while any process has it open', () => {
    const hour = createHour();
    const say = (by: string, state: 'open' | 'closed' | 'half-open', at = start): void =>
      hour.add({ id: '1-0', notice: { is: 'breaker', at, ...account, state }, by });
    expect(hour.breaker('wechat/shop', start)).toBe('closed');
    say('one', 'open');
    say('two', 'closed');
    expect(hour.breaker('wechat/shop', start)).toBe('open');
    say('one', 'half-open');
    expect(hour.breaker('wechat/shop', start)).toBe('half-open');
    say('two', 'open');
    expect(hour.breaker('wechat/shop', start)).toBe('open');
    expect(hour.breaker('wechat/shop', start + 10 * minute)).toBe('closed');
  });
});
