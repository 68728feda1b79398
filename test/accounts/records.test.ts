/** Accounts in a real Redis, as several processes know them. The account is a made-up one: whatever its fields say. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createDirectory } from '../../src/accounts/put.ts';
import { type All, createSeal } from '../../src/accounts/record.ts';
import { createRecords, createRecordStore, type RecordStore } from '../../src/accounts/records.ts';
import type { Fields } from '../../src/core/wire.ts';
import { handClock } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';
import { redisKinds, startRedis, type TestRedis } from '../support/redis.ts';

interface Account {
  fields: Fields;
}

const shop = { channel: 'wechat', account: 'shop' };
const sales = { channel: 'nxcloud', account: 'sales' };
const fields = { appId: 'wx1', token: 'open sesame', botUrl: 'https://bot.example/?key=hush' };
const [first, second] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const ok = (fields: Fields) => ({ fields, fault: null, removed: false });
const tokenOf = (text: string): string => /"token":"([^"]+)"/.exec(text)?.[1] ?? '';
const recordsKey = '{keeptyping}:account-records';

describe.each(await redisKinds())('on the %s Redis', (kind) => {
  let server: TestRedis;
  let redis: Redis;

  beforeAll(async () => {
    server = await startRedis(kind);
    redis = server.connect();
  });
  afterAll(() => server.stop());
  beforeEach(() => redis.flushall());

  /** One process. `needs` are the fields without which an account is faulty. */
  function openProcess(how: { keys?: Buffer[]; needs?: string; configured?: string; most?: number } = {}) {
    const { keys: [present, ...before] = [first], needs = 'token', configured = '', most } = how;
    const log = recordLog();
    const clock = handClock();
    const changes: All<Account>[] = [];
    const store = createRecordStore(redis, randomUUID, most);
    const understanding = {
      seal: present ? createSeal({ keys: [present, ...before], random: randomBytes }) : null,
      read: (_: object, fields: Fields) =>
        needs in fields ? { account: { fields } } : { faults: [`${needs} is missing`] },
      secretsOf: () => ['token', 'appSecret', 'botUrl'],
    };
    const records = createRecords<Account>({
      ...understanding,
      store,
      clock,
      log,
      keepRemovedMs: 1_000,
      changed: (known) => changes.push(known),
    });
    const directory = createDirectory({
      ...understanding,
      store,
      records,
      clock,
      keptOf: () => ['token', 'appSecret'],
      urlFaults: async (_, { botUrl }) => (botUrl === 'http://inside/' ? ['botUrl leads inside'] : []),
      isConfigured: ({ account }) => account === configured,
    });
    const known = () =>
      Object.fromEntries(
        [...records.all()].map(([id, { account, fault, removedAt }]) => [
          id,
          { fields: account?.fields ?? null, fault, removed: removedAt !== null },
        ]),
      );
    const lines = (): string[] => log.lines.map(({ message }) => message);
    return { records, directory, known, lines, log, clock, changes };
  }

  const raw = async (id = 'wechat/shop'): Promise<string> => (await redis.hget(recordsKey, id)) ?? '';

  describe('an account that is set', () => {
    test('is known here at once, and to another process when it looks', async () => {
      const [here, there] = [openProcess(), openProcess()];
      await there.records.follow();
      expect(await here.directory.put(shop, fields)).toEqual({ is: 'created' });
      expect(here.known()).toEqual({ 'wechat/shop': ok(fields) });
      expect(there.known()).toEqual({});
      await there.records.follow();
      expect(there.known()).toEqual({ 'wechat/shop': ok(fields) });
      expect(there.log.lines).toEqual([
        {
          level: 'info',
          fields: { account: 'wechat/shop' },
          message: 'This account has been added at run time.',
        },
      ]);
    });

    test('stands in Redis without a secret, in a versioned record', async () => {
      await openProcess().directory.put(shop, fields);
      const stored: unknown = JSON.parse(await raw());
      expect(stored).toEqual({
        v: 1,
        fields: { appId: 'wx1' },
        secrets: { token: expect.stringMatching(/^v1\./), botUrl: expect.stringMatching(/^v1\./) },
      });
      for (const secret of ['sesame', 'hush', 'bot.example']) expect(await raw()).not.toContain(secret);
    });

    test('and set again as it is changes nothing', async () => {
      const { directory, changes } = openProcess();
      await directory.put(shop, fields);
      const before = await raw();
      const count = changes.length;
      expect(await directory.put(shop, fields)).toEqual({ is: 'updated' });
      expect(await raw()).toBe(before);
      expect(changes).toHaveLength(count);
    });

    test('keeps the secrets that an update leaves out, takes away what is null, and replaces all else', async () => {
      const { directory, known } = openProcess();
      await directory.put(shop, { ...fields, appSecret: 'hush hush', kind: 'mini' });
      await directory.put(shop, { appId: 'wx2', appSecret: '' });
      expect(known()).toEqual({
        'wechat/shop': ok({ appId: 'wx2', token: 'open sesame', appSecret: 'hush hush' }),
      });
      await directory.put(shop, { appId: 'wx2', appSecret: null });
      expect(known()).toEqual({ 'wechat/shop': ok({ appId: 'wx2', token: 'open sesame' }) });
      expect(await raw()).not.toContain('appSecret');
    });

    test('is refused with all that is wrong, and nothing is written', async () => {
      const { directory } = openProcess();
      const put = await directory.put(shop, { appId: 'wx1', botUrl: 'http://inside/' });
      expect(put).toEqual({ is: 'faulty', faults: ['token is missing', 'botUrl leads inside'] });
      expect(await redis.dbsize()).toBe(0);
    });

    test('is refused without a key, with the remedy', async () => {
      const { directory } = openProcess({ keys: [] });
      const put = await directory.put(shop, fields);
      expect(put).toMatchObject({ is: 'refused', error: expect.stringContaining('ACCOUNTS_KEY is not set') });
      expect(await redis.dbsize()).toBe(0);
    });

    test('is refused where files define one of that name', async () => {
      const { directory } = openProcess({ configured: 'shop' });
      expect(await directory.put(shop, fields)).toMatchObject({ is: 'refused' });
      expect(await directory.remove(shop)).toMatchObject({ is: 'refused' });
      expect(await redis.dbsize()).toBe(0);
    });

    test('is refused when there are too many; an update is not', async () => {
      const { directory } = openProcess({ most: 1 });
      await directory.put(shop, fields);
      expect(await directory.put(sales, fields)).toMatchObject({ is: 'refused', error: /room/ });
      expect(await directory.put(shop, { ...fields, appId: 'wx2' })).toEqual({ is: 'updated' });
    });

    test('by two at once ends as one of them said, and both processes agree', async () => {
      const processes = [openProcess(), openProcess()];
      const puts = processes.flatMap(({ directory }, which) =>
        [1, 2, 3].map((n) => directory.put(shop, { ...fields, appId: `wx${which}${n}` })),
      );
      const said = await Promise.all(puts);
      expect(said.filter(({ is }) => is === 'created')).toHaveLength(1);
      for (const { records } of processes) await records.follow();
      expect(processes[0]?.known()).toEqual(processes[1]?.known());
    });
  });

  describe('an account that is removed', () => {
    test('stays known as removed while its work may be under way, then nothing is left of it', async () => {
      const [here, there] = [openProcess(), openProcess()];
      await here.directory.put(shop, fields);
      expect(await here.directory.remove(shop)).toEqual({ is: 'removed' });
      await there.records.follow();
      for (const { known } of [here, there])
        expect(known()).toEqual({ 'wechat/shop': { fields, fault: null, removed: true } });
      there.clock.set(there.clock.now() + 1_000);
      await there.records.follow();
      expect(there.known()).toEqual({});
      expect(await redis.hlen(recordsKey)).toBe(0);
      await here.records.follow();
      expect(here.known()).toEqual({});
    });

    test('and one that never was: both are removed', async () => {
      const { directory } = openProcess();
      expect(await directory.remove(shop)).toEqual({ is: 'removed' });
      await directory.put(shop, fields);
      await directory.remove(shop);
      expect(await directory.remove(shop)).toEqual({ is: 'removed' });
    });

    test('leaves no secret to one that is set after it', async () => {
      const { directory } = openProcess();
      await directory.put(shop, fields);
      await directory.remove(shop);
      expect(await directory.put(shop, { appId: 'wx1' })).toEqual({
        is: 'faulty',
        faults: ['token is missing'],
      });
      expect(await directory.put(shop, fields)).toEqual({ is: 'created' });
    });
  });

  describe('a record that cannot be used', () => {
    const broken: [what: string, text: string, fault: string][] = [
      [
        'of another version',
        '{"v":2,"fields":{},"secrets":{}}',
        'has a version that this release does not know',
      ],
      ['that is no JSON', '{"v":1', 'cannot be read'],
      ['without secrets', '{"v":1,"fields":{}}', 'cannot be read'],
      ['that is a list', '[]', 'cannot be read'],
      ['whose secret was changed', '{"v":1,"fields":{},"secrets":{"token":"v1.x"}}', 'closed by another key'],
      ['that lacks a field', '{"v":1,"fields":{"appId":"wx1"},"secrets":{}}', 'token is missing'],
    ];

    test.each(broken)('%s stops no other, and is said once', async (_, text, fault) => {
      const { records, directory, known, lines } = openProcess();
      await directory.put(sales, fields);
      await redis.hset(recordsKey, 'wechat/shop', text);
      await directory.put(sales, { ...fields, appId: 'wx2' });
      await records.follow();
      await records.follow();
      expect(known()).toEqual({
        'nxcloud/sales': ok({ ...fields, appId: 'wx2' }),
        'wechat/shop': { fields: null, fault: expect.stringContaining(fault), removed: false },
      });
      expect(lines().filter((line) => line.includes(fault))).toHaveLength(1);
    });

    test('leaves what this process served as it was: a newer release may have written it', async () => {
      const [here, there] = [openProcess(), openProcess({ needs: 'appSecret' })];
      await here.directory.put(shop, fields);
      await there.directory.put(shop, { appId: 'wx3', appSecret: 'x', token: null });
      await here.records.follow();
      expect(here.known()).toEqual({ 'wechat/shop': { fields, fault: 'token is missing', removed: false } });
      expect(here.lines()).toContain('This account goes on as it was: token is missing');
      await there.directory.put(shop, { appId: 'wx3', token: 'y' });
      await here.records.follow();
      expect(here.known()).toMatchObject({ 'wechat/shop': { fields: { appId: 'wx3' }, fault: null } });
    });

    test('of another version is not overwritten, and can be deleted', async () => {
      const { directory } = openProcess();
      await redis.hset(recordsKey, 'wechat/shop', '{"v":2}');
      expect(await directory.put(shop, fields)).toMatchObject({ is: 'refused' });
      expect(await raw()).toBe('{"v":2}');
      expect(await directory.remove(shop)).toEqual({ is: 'removed' });
      expect(await directory.put(shop, fields)).toEqual({ is: 'created' });
    });
  });

  describe('with another key', () => {
    test('an account is faulty, with the remedy; with the key that closed it, it is not', async () => {
      await openProcess().directory.put(shop, fields);
      const [wrong, none, right] = [
        openProcess({ keys: [second] }),
        openProcess({ keys: [] }),
        openProcess(),
      ];
      for (const { records } of [wrong, none, right]) await records.follow();
      expect(wrong.known()).toMatchObject({
        'wechat/shop': { fields: null, fault: /ACCOUNTS_KEY_PREVIOUS/ },
      });
      expect(none.known()).toMatchObject({ 'wechat/shop': { fields: null, fault: /set ACCOUNTS_KEY/ } });
      expect(right.known()).toEqual({ 'wechat/shop': ok(fields) });
    });

    test('a removed one that cannot be opened is of no interest', async () => {
      const { directory } = openProcess();
      await directory.put(shop, fields);
      await directory.remove(shop);
      const { records, known, lines } = openProcess({ keys: [second] });
      await records.follow();
      expect(known()).toMatchObject({ 'wechat/shop': { fields: null, removed: true } });
      expect(lines()).toEqual([]);
    });

    test('secrets that cannot be opened are not lost in silence: an update has to name them', async () => {
      await openProcess().directory.put(shop, { ...fields, appSecret: 'x' });
      const { directory, known } = openProcess({ keys: [second] });
      const put = await directory.put(shop, { appId: 'wx1', token: 'new' });
      expect(put).toMatchObject({ is: 'refused', error: /^What is stored of appSecret was closed/ });
      expect(await directory.put(shop, { appId: 'wx1', token: 'new', appSecret: null })).toEqual({
        is: 'updated',
      });
      expect(known()).toEqual({ 'wechat/shop': ok({ appId: 'wx1', token: 'new' }) });
    });

    test('and the one before, all is sealed anew by itself; then the one before is not needed', async () => {
      const old = openProcess();
      await old.directory.put(shop, fields);
      await old.directory.put(sales, fields);
      const rotating = [openProcess({ keys: [second, first] }), openProcess({ keys: [second, first] })];
      await Promise.all(rotating.map(({ records }) => records.follow()));
      const after = openProcess({ keys: [second] });
      await after.records.follow();
      expect(after.known()).toEqual({ 'wechat/shop': ok(fields), 'nxcloud/sales': ok(fields) });
      expect(
        rotating.flatMap(({ lines }) => lines()).filter((line) => line.includes('closed by the present')),
      ).toHaveLength(2);
      // One that has not been restarted yet goes on with what it knows.
      await old.records.follow();
      expect(old.known()).toMatchObject({ 'wechat/shop': { fields }, 'nxcloud/sales': { fields } });
    });

    test('what is swapped between accounts or fields is not opened', async () => {
      const { directory, known, records } = openProcess();
      await directory.put(shop, fields);
      await directory.put(sales, { ...fields, token: 'other' });
      const [one, other] = [await raw(), await raw('nxcloud/sales')];
      await redis.hset(recordsKey, 'wechat/shop', one.replace(tokenOf(one), tokenOf(other)));
      const fresh = openProcess();
      await fresh.records.follow();
      expect(fresh.known()).toMatchObject({ 'wechat/shop': { fields: null, fault: /another key/ } });
      await records.follow();
      expect(known()).toMatchObject({ 'nxcloud/sales': { fault: null } });
    });
  });

  test('a Redis that has lost its data is given back what a process knows', async () => {
    const [here, there] = [openProcess(), openProcess()];
    await here.directory.put(shop, fields);
    await there.records.follow();
    await redis.flushall();
    await Promise.all([here.records.follow(), there.records.follow()]);
    for (const { records, known } of [here, there]) {
      await records.follow();
      expect(known()).toEqual({ 'wechat/shop': ok(fields) });
    }
    const fresh = openProcess();
    await fresh.records.follow();
    expect(fresh.known()).toEqual({ 'wechat/shop': ok(fields) });
  });
});

/** Records that make no account and hold no secret, over a store by hand. */
const recordsOver = (store: RecordStore) =>
  createRecords({
    store,
    seal: null,
    clock: handClock(),
    log: recordLog(),
    read: (_, fields) => ({ account: fields }),
    secretsOf: () => [],
    keepRemovedMs: 1_000,
    changed: () => {},
  });

test('while Redis is away what is known stays known, and the next look finds out', async () => {
  let isAway = false;
  const away = async <Value>(value: Value): Promise<Value> => {
    if (isAway) throw new Error('away');
    return value;
  };
  const hash = { 'wechat/shop': '{"v":1,"fields":{"appId":"wx1"},"secrets":{}}' };
  const records = recordsOver({
    revision: () => away('1'),
    all: () => away(hash),
    of: () => away(null),
    replace: () => away('replaced' as const),
  });
  isAway = true;
  await expect(records.follow()).rejects.toThrow('away');
  expect(records.isLoaded()).toBe(false);
  isAway = false;
  await records.follow();
  isAway = true;
  await expect(records.follow()).rejects.toThrow('away');
  expect([...records.all().keys()]).toEqual(['wechat/shop']);
  expect(records.isLoaded()).toBe(true);
});

test('a look costs one command while nothing has changed', async () => {
  const asked: string[] = [];
  const note = async <Value>(what: string, value: Value): Promise<Value> => {
    asked.push(what);
    return value;
  };
  const records = recordsOver({
    revision: () => note('revision', 'a word'),
    all: () => note('all', {}),
    of: () => note('of', null),
    replace: () => note('replace', 'replaced' as const),
  });
  for (let n = 0; n < 3; n += 1) await records.follow();
  expect(asked).toEqual(['revision', 'all', 'revision', 'revision']);
  // Any number of jobs may ask at once: one look that begins after they have is enough for all.
  asked.length = 0;
  await Promise.all(Array.from({ length: 1_000 }, () => records.follow()));
  expect(asked).toEqual(['revision']);
});
