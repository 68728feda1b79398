import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import { createJournal, type Journal } from '../../src/journal/journal.ts';
import { createJournalReader, type JournalReader, workLimit } from '../../src/journal/reader.ts';
import { readRecord, recordVersion, writeRecord } from '../../src/journal/record.ts';
import { handClock } from '../support/clock.ts';
import { keys } from '../../src/redis/keys.ts';
import { recordLog } from '../support/log.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

const day = 24 * 60 * 60_000;
const whose = { channel: 'wechat', account: 'shop', user: 'openid-1' } as const;
const { user: _, ...account } = whose;

/** One of each kind that is kept. */
const all: Notice[] = [
  { is: 'inbound', at: 1, ...whose, turn: 'openid-1-7', messageId: '7', type: 'text', opensTurn: true },
  { is: 'refused', at: 2, ...account, count: 3, reason: 'Set the Token.' },
  { is: 'skipped', at: 2, ...whose, turn: 'openid-1-8', reason: 'event_kind' },
  { is: 'call', at: 3, ...whose, kind: 'show', outcome: 'account-off', code: 48001, remedy: 'Do.', ms: 83 },
  {
    is: 'ended',
    at: 4,
    ...whose,
    turn: 'openid-1-7',
    by: 'gateway',
    waitMs: 9,
    litMs: 8,
    firstMs: null,
    untyped: 'cap',
  },
  { is: 'ghost', at: 5, ...whose, ms: 40 },
  { is: 'outbound', isMore: false, at: 6, ...whose, by: 'status', messageId: null },
  { is: 'handoff', at: 7, ...whose, on: true, by: 'control' },
  { is: 'delivery', at: 8, ...account, user: null, turn: 'openid-1-7', way: 'unknown', code: 0, job: '12' },
  {
    is: 'bot',
    at: 9,
    ...whose,
    turn: 'openid-1-7',
    status: 200,
    result: 'answered',
    ms: 3,
    overheadMs: null,
  },
  {
    is: 'bot',
    at: 9,
    ...whose,
    turn: 'openid-1-7',
    status: 0,
    result: 'failed',
    ms: 3,
    overheadMs: null,
    why: 'connection refused (ECONNREFUSED), http://bot.example/',
  },
  { is: 'breaker', at: 10, ...account, state: 'open' },
  { is: 'token', at: 11, ...account, result: 'refused', code: 40013 },
  { is: 'account', at: 12, ...account, typing: 'off', code: 48001, remedy: 'Do.' },
];

describe('a record', () => {
  test.each(all)('of $is comes back as it was', (notice) => {
    expect(readRecord(writeRecord(notice) ?? '')).toEqual(notice);
  });

  test.each<Notice>([
    { is: 'push', at: 1, ...account, result: 'taken', status: 200 },
    { is: 'gateway', at: 1, ...account, overheadMs: 1, waitedForShow: false },
    { is: 'lag', at: 1, queue: 'typing', ms: 1 },
    { is: 'token', at: 1, ...account, result: 'renewed', code: 0 },
  ])('of $is is not made: it is counted elsewhere', (notice) => {
    expect(writeRecord(notice)).toBeNull();
  });

  test('of a breaker that the release before called probing is half-open', () => {
    expect(readRecord('["r",7,"wechat","shop","probing"]')).toEqual({
      is: 'breaker',
      at: 7,
      ...account,
      state: 'half-open',
    });
  });

  test('holds whole numbers and no word longer than 256 letters', () => {
    const notice: Notice = { is: 'ghost', at: 1.4, ...whose, user: 'u'.repeat(1_000), ms: 40.6 };
    expect(readRecord(writeRecord(notice) ?? '')).toEqual({
      ...notice,
      at: 1,
      user: 'u'.repeat(256),
      ms: 41,
    });
  });

  test.each(['', '{}', '[]', '["?",1]', '["g","when","wechat"]', '["g",1,"wechat","shop","u"]'])(
    'that reads %s is none',
    (json) => expect(readRecord(json)).toBeNull(),
  );
});

function message(at: number, user: string, id = '7'): Notice {
  const turn = `${user}-${id}`;
  return { is: 'inbound', at, ...whose, user, turn, messageId: id, type: 'text', opensTurn: true };
}

function noticesOf(entries: { notice: Notice }[]): Notice[] {
  return entries.map(({ notice }) => notice);
}

for (const kind of await redisKinds()) {
  describe(`on the ${kind} Redis`, () => {
    let server: TestRedis;
    let redis: Redis;
    let journal: Journal;
    let reader: JournalReader;
    const clock = handClock(Date.now());

    beforeAll(async () => {
      server = await startRedis(kind);
      redis = server.connect();
      reader = createJournalReader(redis);
    });
    beforeEach(async () => {
      // Redis names records by its own time; the clock must not have fallen behind it.
      clock.set(Date.now());
      await redis.del(keys.journal);
      journal = open(20_000);
    });
    afterAll(() => server.stop());

    const open = (length: number, log = recordLog()): Journal =>
      createJournal({ redis, clock, log, length, by: 'this-one' });
    const told = async (...notices: Notice[]): Promise<void> => {
      notices.forEach((notice) => journal.observe(notice));
      await journal.flush();
    };
    const everything = { q: null, from: null, to: null, before: null, limit: 100 };

    test('everything told is found, newest first, and says when the journal begins', async () => {
      expect(await reader.startsAt()).toBeNull();
      const since = Date.now();
      await told(...all);
      const { entries, before } = await reader.search(everything);
      expect(noticesOf(entries)).toEqual(all.toReversed());
      expect(before).toBeNull();
      expect(noticesOf(await reader.newest(2))).toEqual(all.slice(-2));
      const startsAt = (await reader.startsAt()) ?? 0;
      expect(startsAt).toBeGreaterThanOrEqual(since);
      expect(startsAt).toBeLessThanOrEqual(Date.now());
    });

    test('it is written by itself, without a flush', async () => {
      journal.observe(all[0] ?? message(1, 'a'));
      await expect.poll(() => redis.xlen(keys.journal)).toBe(1);
      expect(await redis.pttl(keys.journal)).toBeGreaterThan(day - 60_000);
    });

    test('only a breaker’s record names its process', async () => {
      await told(...all);
      const { entries } = await reader.search(everything);
      expect(entries.filter(({ by }) => by !== null).map(({ notice, by }) => [notice.is, by])).toEqual([
        ['breaker', 'this-one'],
      ]);
    });

    test.each([
      ['a user', 'openid-1', 2],
      ['a message’s id', '7001', 1],
      ['a turn', 'openid-2-7002', 1],
      ['the id that ends a turn', '7002', 1],
      ['a part of a user', 'openid', 0],
      ['quotes', '"', 0],
    ])('%s finds what is its own', async (_, q, count) => {
      await told(message(1, 'openid-1', '7001'), message(2, 'openid-2', '7002'), {
        is: 'ghost',
        at: 3,
        ...whose,
        ms: 1,
      });
      expect((await reader.search({ ...everything, q: [q] })).entries).toHaveLength(count);
    });

    test('a time finds what happened then', async () => {
      const now = clock.now();
      await told(message(now - 2_000, 'a'), message(now - 1_000, 'b'), message(now, 'c'));
      const found = await reader.search({ ...everything, from: now - 1_500, to: now - 500 });
      expect(noticesOf(found.entries)).toEqual([message(now - 1_000, 'b')]);
    });

    test('pages follow each other without a gap', async () => {
      await told(...Array.from({ length: 25 }, (_, n) => message(n, 'a', String(n))));
      const seen: number[] = [];
      let before: string | null = null;
      do {
        const page: Awaited<ReturnType<JournalReader['search']>> = await reader.search({
          ...everything,
          limit: 10,
          before,
        });
        seen.push(...page.entries.map(({ notice }) => notice.at));
        before = page.before;
      } while (before !== null);
      expect(seen).toEqual(Array.from({ length: 25 }, (_, n) => 24 - n));
    });

    test('one who follows gets what came since, oldest first', async () => {
      await told(message(1, 'a'), message(2, 'b'));
      const first = await reader.since('0-0');
      expect(noticesOf(first.entries)).toEqual([message(1, 'a'), message(2, 'b')]);
      await told(message(3, 'c'));
      const next = await reader.since(first.last);
      expect(noticesOf(next.entries)).toEqual([message(3, 'c')]);
      expect(await reader.since(next.last)).toEqual({ entries: [], last: next.last, more: false });
    });

    test('records of another version are passed over', async () => {
      await redis.xadd(keys.journal, '*', '2', '["of","tomorrow"]');
      await told(message(1, 'a'));
      await redis.xadd(keys.journal, '*', 'other', 'x');
      expect(noticesOf((await reader.search(everything)).entries)).toEqual([message(1, 'a')]);
      expect((await reader.since('0-0')).entries).toHaveLength(1);
    });

    test('a user who is forgotten vanishes, and nobody else', async () => {
      const other: Notice = { is: 'ghost', at: 5, ...whose, account: 'other', ms: 1 };
      await told(...all, message(20, 'openid-10'), other);
      await redis.xadd(keys.journal, '*', '2', '["of","tomorrow","openid-1"]');
      await reader.forget(whose);
      expect(JSON.stringify(await redis.xrange(keys.journal, '-', '+'))).not.toContain('tomorrow');
      const left = noticesOf((await reader.search(everything)).entries).map(({ is }) => is);
      expect(left).toEqual(['ghost', 'inbound', 'account', 'token', 'breaker', 'refused']);
    });

    test('its length is capped', async () => {
      journal = open(200);
      for (let n = 0; n < 10; n += 1)
        await told(...Array.from({ length: 100 }, (_, index) => message(n * 100 + index, 'a')));
      const length = await redis.xlen(keys.journal);
      expect(length).toBeGreaterThanOrEqual(200);
      expect(length).toBeLessThanOrEqual(400);
    });

    test('what is older than a day goes, in a quiet journal too', async () => {
      await redis.xadd(keys.journal, String(clock.now() - day - 1), '1', writeRecord(message(1, 'a')) ?? '');
      await redis.xadd(
        keys.journal,
        String(clock.now() - day + 1_000),
        '1',
        writeRecord(message(2, 'b')) ?? '',
      );
      await journal.trim();
      expect(noticesOf(await reader.newest(10))).toEqual([message(2, 'b')]);
    });

    test('with length 0 nothing is kept', async () => {
      journal = open(0);
      await told(...all);
      expect(await redis.exists(keys.journal)).toBe(0);
    });
  });
}

describe('a search', () => {
  test('reads so much at a time, and says where it goes on', async () => {
    const page = Array.from({ length: 1_000 }, (_, n): [string, string[]] => [`9-${1_000 - n}`, ['1', '[]']]);
    let reads = 0;
    const reader = createJournalReader({
      xrange: async () => [],
      xrevrange: async () => {
        reads += 1;
        return page;
      },
      xdel: async () => 0,
    });
    const found = await reader.search({ q: ['nobody'], from: null, to: null, before: null, limit: 10 });
    expect(found).toEqual({ entries: [], before: '9-1' });
    expect(reads).toBe(workLimit / 1_000);
  });
});

/** A Redis whose scripts end like that. */
function scriptsThat(end: (...args: (string | number)[]) => Promise<unknown>) {
  return {
    evalsha: (_: string, __: number, ...args: (string | number)[]) => end(...args),
    eval: (_: string, __: number, ...args: (string | number)[]) => end(...args),
    pipeline: () => ({ exec: () => Promise.reject(new Error('away')) }),
  };
}

describe('with Redis away', () => {
  const notice = all[0] as Notice;

  test('records are lost, counted, and told once a minute', async () => {
    const clock = handClock();
    const log = recordLog();
    const redis = scriptsThat(() => Promise.reject(new Error('away')));
    const journal = createJournal({ redis, clock, log, length: 10, by: 'a' });
    for (let n = 0; n < 3; n += 1) {
      journal.observe(notice);
      await journal.flush();
    }
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ lost: 1 }]);
    clock.set(clock.now() + 60_000);
    journal.observe(notice);
    await journal.flush();
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ lost: 1 }, { lost: 3 }]);
    await journal.close();
  });

  test('a batch that Redis refuses is counted whole', async () => {
    const log = recordLog();
    const redis = scriptsThat(() => Promise.reject(new Error('OOM command not allowed')));
    const journal = createJournal({ redis, clock: handClock(), log, length: 10, by: 'a' });
    journal.observe(notice);
    journal.observe(notice);
    await journal.close();
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ lost: 2 }]);
  });

  test('what waits for one that hangs is bounded', async () => {
    const sizes: number[] = [];
    const answers: (() => void)[] = [];
    const redis = scriptsThat(
      (...args) =>
        new Promise((_, reject) => {
          // Of each record its length, its version and its JSON; before them what the script gets besides.
          sizes.push(args.filter((arg) => arg === recordVersion).length);
          answers.push(() => reject(new Error('away')));
        }),
    );
    const log = recordLog();
    const journal = createJournal({ redis, clock: handClock(), log, length: 10, by: 'a' });
    for (let n = 0; n < 5_000; n += 1) journal.observe(notice);
    expect(sizes).toEqual([100]);
    answers.shift()?.();
    await expect.poll(() => sizes).toEqual([100, 1_000]);
    answers.shift()?.();
    await journal.close();
    expect(log.lines.map(({ fields }) => fields)).toEqual([{ lost: 1 }, { lost: 4_999 }]);
  });
});
