/** Pushes that are not taken, as the log and whoever observes hear of them. */
import { saidElsewhere } from '../../src/core/said.ts';
import { describe, expect, test } from 'vitest';
import type { Notice } from '../../src/core/notice.ts';
import { createRefused } from '../../src/http/refused.ts';
import { handClock, noon } from '../support/clock.ts';
import { recordLog } from '../support/log.ts';

const shop = { channel: 'wechat', account: 'shop' } as const;
const [token, key] = [saidElsewhere('Set the Token.'), saidElsewhere('Set the key.')];

/** Minutes end when the test says so. */
function createScene() {
  const minutes: (() => void)[] = [];
  const clock = handClock(
    noon,
    (ms, signal) =>
      new Promise((resolve, reject) => {
        expect(ms).toBe(60_000);
        minutes.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason));
        if (signal?.aborted) reject(signal.reason);
      }),
  );
  const log = recordLog();
  const told: Notice[] = [];
  const refused = createRefused({ clock, log, observe: (notice) => void told.push(notice) });
  const endMinute = async () => {
    minutes.splice(0).forEach((end) => end());
    await new Promise(setImmediate);
  };
  return { refused, clock, told, endMinute, lines: () => log.lines };
}

describe('pushes that are not taken', () => {
  test('are told at once, then in one line a minute, with the count and what mends each', async () => {
    const it = createScene();
    it.refused.note(shop, token);
    expect(it.lines()).toMatchObject([{ level: 'warn', fields: { ...shop, count: 1 } }]);
    expect(it.lines()[0]?.message).toBe('Pushes were not taken, 1 within a minute. Set the Token.');
    for (const reason of [token, key, token]) it.refused.note(shop, reason);
    expect(it.lines()).toHaveLength(1);
    await it.endMinute();
    expect(it.lines()[1]?.message).toBe(
      'Pushes were not taken, 3 within a minute. 2: Set the Token. 1: Set the key.',
    );
    await it.endMinute();
    it.refused.note(shop, key);
    expect(it.lines()).toHaveLength(3);
  });

  test('are told to whoever observes with the time of the last one', async () => {
    const it = createScene();
    it.refused.note(shop, token);
    it.clock.pass(5_000);
    it.refused.note(shop, key);
    it.clock.pass(55_000);
    await it.endMinute();
    expect(it.told).toEqual([
      { is: 'refused', ...shop, at: noon, count: 1, reason: token },
      { is: 'refused', ...shop, at: noon + 5_000, count: 1, reason: key },
    ]);
  });

  test('are told as the process stops', async () => {
    const it = createScene();
    for (const reason of [token, key]) it.refused.note(shop, reason);
    it.refused.close();
    await new Promise(setImmediate);
    expect(it.lines()).toHaveLength(2);
  });

  test('of accounts behind a third-party platform are one account’s, whatever AppIDs are named', () => {
    const it = createScene();
    for (let n = 0; n < 100; n += 1) {
      const account = `vendor.wx${String(n).padStart(16, '0')}`;
      it.refused.note({ channel: 'wechat', account }, token);
    }
    expect(it.lines()).toMatchObject([{ fields: { account: 'vendor', count: 1 } }]);
  });
});
