import { saidElsewhere } from '../../src/core/said.ts';
import type { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EndedTurn, Evidence } from '../../src/core/state.ts';
import { type HandClock, handClock } from '../support/clock.ts';
import { keys } from '../../src/redis/keys.ts';
import { type LearnedAccounts, createLearned, readSwitchedOff } from '../../src/typing/learned.ts';
import { recordLog } from '../support/log.ts';
import { scriptedPlatform } from '../support/platforms.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';

let server: TestRedis;
let redis: Redis;
let clock: HandClock;

beforeAll(async () => {
  server = await startRedis('embedded');
  redis = server.connect();
});
beforeEach(async () => {
  clock = handClock();
  await redis.del(keys.accounts);
});
afterAll(() => server.stop());

const shop = scriptedPlatform();
const minute = 60_000;
const hour = 60 * minute;

/** What one process knows. */
const process = (isAuto = true): LearnedAccounts =>
  createLearned({ redis, clock, log: recordLog(), isAuto: () => isAuto });

const ended = (...by: Evidence[]): EndedTurn[] =>
  by.map((each, n) => ({ id: `turn-${n}`, seen: true, by: each, asked: false, openedAt: 0, at: 0 }));

describe('an account that may not', () => {
  const off = { is: 'account-off', code: 48001, remedy: saidElsewhere('Certify it.') } as const;

  test('is tried again after 1, 2, 4… min, an hour at most, and mute for an hour', async () => {
    const learned = process();
    const pauses: number[] = [];
    for (let tries = 0; tries < 8; tries += 1) {
      await learned.switchOff(shop, off);
      const { offUntil, muteUntil } = learned.of(shop);
      expect(muteUntil).toBe(clock.now() + hour);
      pauses.push((offUntil - clock.now()) / minute);
      clock.set(offUntil - 1);
      expect(learned.rules(shop).mode).toBe('off');
      clock.set(offUntil);
      expect(learned.rules(shop).mode).toBe('continuous');
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
  });

  test('is refused once by calls of one moment, in one process and in two', async () => {
    const [one, other] = [process(), process()];
    await Promise.all([one.switchOff(shop, off), one.switchOff(shop, off), other.switchOff(shop, off)]);
    await one.refresh();
    expect(one.of(shop)).toMatchObject({ offUntil: clock.now() + minute, tries: 1 });
  });

  test('begins at a minute again once a typing call was accepted', async () => {
    const learned = process();
    await learned.switchOff(shop, off);
    clock.set(learned.of(shop).offUntil);
    await learned.switchOn(shop);
    expect(learned.of(shop)).toMatchObject({ offUntil: 0, muteUntil: 0, offCode: 0 });
    await learned.switchOff(shop, off);
    expect(learned.of(shop).offUntil).toBe(clock.now() + minute);
  });

  test.each(['send', 'passed'] as const)('is on again when a message is accepted: %s', async (by) => {
    const learned = process();
    await learned.switchOff(shop, off);
    await learned.switchOn(shop, by);
    expect(learned.rules(shop).mode).toBe('continuous');
    expect(learned.of(shop)).toMatchObject({ offUntil: 0, muteUntil: 0 });
  });

  test('whose messages pass while its typing is refused is switched on by typing alone', async () => {
    const learned = process();
    await learned.switchOff(shop, off);
    await learned.switchOn(shop, 'passed');
    await learned.switchOff(shop, off);
    expect(learned.of(shop).offUntil).toBe(clock.now() + 2 * minute);
    await learned.switchOn(shop, 'passed');
    expect(learned.isMute(shop)).toBe(true);
    await learned.switchOn(shop, 'send');
    expect(learned.isMute(shop)).toBe(false);
    expect(learned.rules(shop).mode).toBe('off');
    await learned.switchOn(shop);
    expect(learned.of(shop)).toMatchObject({ offUntil: 0, apart: false, tries: 0 });
  });

  test('is tried again at once in every process when somebody may have mended it', async () => {
    const [one, other, third] = [process(), process(), process()];
    await one.switchOff(shop, off);
    await other.tryAgain({ ...shop, account: 'other' });
    await third.refresh();
    expect(third.rules(shop).mode).toBe('off');
    await other.tryAgain();
    await third.refresh();
    expect(third.rules(shop).mode).toBe('continuous');
    expect(third.of(shop)).toMatchObject({ offUntil: clock.now(), offCode: 48001 });
    await third.switchOff(shop, off);
    expect(third.of(shop).offUntil).toBe(clock.now() + minute);
  });

  test('is off in every process that has looked since', async () => {
    const [one, other] = [process(), process()];
    await one.switchOff(shop, off);
    expect(other.rules(shop).mode).toBe('continuous');
    await other.refresh();
    expect(other.rules(shop).mode).toBe('off');
    await other.switchOn(shop);
    expect(one.rules(shop).mode).toBe('off');
    await one.refresh();
    expect(one.rules(shop).mode).toBe('continuous');
  });

  test('does not touch another one', async () => {
    const learned = process();
    await learned.switchOff(shop, off);
    expect(learned.rules({ ...shop, account: 'other' }).mode).toBe('continuous');
    expect(learned.rules({ ...shop, channel: 'nxcloud' }).mode).toBe('continuous');
  });

  test('that was never off is not written about when a call succeeds', async () => {
    await process().switchOn(shop);
    expect(await redis.exists(keys.accounts)).toBe(0);
  });

  test('stays off when one of its messages is refused as well', async () => {
    const [one, other] = [process(), process()];
    await one.switchOff(shop, off);
    await one.mute(shop);
    await other.refresh();
    expect(other.of(shop)).toMatchObject({ offUntil: clock.now() + minute, offCode: 48001 });
    expect(other.rules(shop).mode).toBe('off');
  });

  test('stays off when another process learns something else of it at the same moment', async () => {
    const [one, other] = [process(), process()];
    await Promise.all([one.switchOff(shop, off), other.noteEnds(shop, ended('status'))]);
    const third = process();
    await third.refresh();
    expect(third.rules(shop)).toMatchObject({ mode: 'off', afterAck: 'renew' });
  });

  test('may still show where only its messages are refused', async () => {
    const learned = process();
    await learned.mute(shop);
    expect(learned.rules(shop).mode).toBe('continuous');
    expect(learned.isMute(shop)).toBe(true);
    clock.set(clock.now() + hour);
    expect(learned.isMute(shop)).toBe(false);
  });
});

describe('what to do after an acknowledgement, where it is to be learned', () => {
  test.each(['gateway', 'status', 'echo', 'queue', 'control'] as const)(
    'evidence from outside, %s: renew',
    async (by) => {
      const learned = process();
      await learned.noteEnds(shop, ended(by));
      expect(learned.rules(shop).afterAck).toBe('renew');
    },
  );

  test.each(['passive-reply', 'bot', 'reply-failed', 'deliveries', 'handoff', 'left', 'crowded'] as const)(
    'what says nothing of later turns, %s: as it was',
    async (by) => {
      const learned = process();
      await learned.noteEnds(shop, ended(by));
      expect(learned.of(shop).afterAck).toBeNull();
    },
  );

  test('an end by hand of what was begun by hand, or of what was never begun: as it was', async () => {
    const learned = process();
    const [end] = ended('control');
    await learned.noteEnds(shop, end ? [{ ...end, asked: true }] : []);
    await learned.noteEnds(shop, end ? [{ ...end, seen: false }] : []);
    expect(learned.of(shop).afterAck).toBeNull();
  });

  test('three deadlines in a row: keep', async () => {
    const learned = process();
    const renewing = { ...shop, rules: { ...shop.rules, afterAck: 'renew' } } as const;
    await learned.noteEnds(renewing, ended('deadline', 'deadline'));
    expect(learned.rules(renewing).afterAck).toBe('renew');
    await learned.noteEnds(renewing, ended('deadline'));
    expect(learned.rules(renewing).afterAck).toBe('keep');
  });

  test('evidence in between starts the count anew', async () => {
    const learned = process();
    await learned.noteEnds(shop, ended('deadline', 'deadline', 'status', 'deadline', 'deadline'));
    expect(learned.rules(shop).afterAck).toBe('renew');
  });

  test.each(['passive-reply', 'reply-failed', 'deliveries', 'handoff', 'left', 'crowded'] as const)(
    '%s says nothing of it',
    async (by) => {
      await process().noteEnds(shop, ended(by, by, by));
      expect(await redis.exists(keys.accounts)).toBe(0);
    },
  );

  test('the same evidence again writes nothing', async () => {
    const learned = process();
    await learned.noteEnds(shop, ended('status'));
    await redis.del(keys.accounts);
    await learned.noteEnds(shop, ended('status'));
    expect(await redis.exists(keys.accounts)).toBe(0);
  });

  test('is shared', async () => {
    await process().noteEnds(shop, ended('status'));
    const other = process();
    await other.refresh();
    expect(other.rules(shop).afterAck).toBe('renew');
  });

  test('nothing, where the operator has decided', async () => {
    const learned = process(false);
    await learned.noteEnds(shop, ended('status'));
    expect(learned.rules(shop).afterAck).toBe('keep');
    expect(await redis.exists(keys.accounts)).toBe(0);
  });
});

test('what an earlier release wrote of an account is completed', async () => {
  await redis.hset(keys.accounts, 'wechat/shop/habit', JSON.stringify({ afterAck: 'renew' }));
  const learned = process();
  await learned.refresh();
  expect(learned.of(shop)).toMatchObject({ afterAck: 'renew', offUntil: 0, unheard: 0 });
});

test('what cannot be read of an account is as never learned, spoils nothing else, and is told once', async () => {
  const clockNow = clock.now();
  await redis.hset(keys.accounts, {
    'wechat/shop/permission': '{"offUntil":"secret"',
    'wechat/shop/habit': JSON.stringify({ afterAck: 'renew', unheard: 0 }),
    'wechat/other/permission': JSON.stringify({
      offUntil: clockNow + hour,
      offCode: 48001,
      remedy: 'Mend it.',
    }),
    'wechat/other/habit': '["secret"]',
    'wechat/third/habit': JSON.stringify({ afterAck: 'secret' }),
  });
  const log = recordLog();
  const learned = createLearned({ redis, clock, log, isAuto: () => true });
  await learned.refresh();
  await learned.refresh();
  expect(learned.of(shop)).toMatchObject({ afterAck: 'renew', offUntil: 0 });
  expect(learned.of({ ...shop, account: 'other' })).toMatchObject({ offCode: 48001, afterAck: null });
  expect(learned.of({ ...shop, account: 'third' })).toMatchObject({ afterAck: null });
  const fields = ['wechat/shop/permission', 'wechat/other/habit', 'wechat/third/habit'];
  expect(log.lines.map((line) => (line.fields as { field: string }).field).toSorted()).toEqual(
    fields.toSorted(),
  );
  expect(JSON.stringify(log.lines)).not.toContain('secret');
  expect(await readSwitchedOff(redis)).toEqual([
    { channel: 'wechat', account: 'other', code: 48001, remedy: expect.any(String) },
  ]);
  await learned.switchOff(shop, { is: 'account-off', code: 40200, remedy: saidElsewhere('Certify it.') });
  await learned.refresh();
  expect(learned.of(shop)).toMatchObject({ afterAck: 'renew', offCode: 40200 });
});
