import { beforeEach, describe, expect, test } from 'vitest';
import { keys } from '../../src/redis/keys.ts';
import { createAssurances } from '../../src/typing/assurances.ts';
import { handClock } from '../support/clock.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';

const place = { channel: 'nxcloud', account: 'sales' };

let hash: Record<string, string>;
let down: boolean;
let log: RecordedLog;
beforeEach(() => {
  [hash, down, log] = [{}, false, recordLog()];
});

const reach = async (): Promise<void> => {
  if (down) throw new Error('Redis is away');
};
const redis = {
  hgetall: async () => reach().then(() => ({ ...hash })),
  hset: async (key: string, field: string, value: string) => {
    expect(key).toBe(keys.assured);
    await reach();
    hash[field] = value;
  },
  hdel: async (_: string, field: string) => {
    await reach();
    delete hash[field];
  },
};

/** One process's, with this account. */
function process({ isOff = false } = {}) {
  const assurances = createAssurances({ redis, clock: handClock(), log });
  return { ...assurances, own: assurances.of(place, { isOff }) };
}

describe('an account of whose pushes one was signed', () => {
  test('is asked for it at once here, from then on elsewhere, and after a restart; the log says so once', async () => {
    const here = process();
    expect(here.own.isAsked()).toBe(false);
    here.own.note();
    here.own.note();
    expect(here.own.isAsked()).toBe(true);
    expect(log.lines).toEqual([
      expect.objectContaining({
        fields: place,
        message: expect.stringContaining('NXCLOUD_VERIFY_CALLBACKS=off'),
      }),
    ]);
    const later = process();
    await later.refresh();
    expect(later.own.isAsked()).toBe(true);
    expect(later.of({ ...place, account: 'other' }, { isOff: false }).isAsked()).toBe(false);
  });

  test('is asked for it while Redis is away, and Redis is told when it is back', async () => {
    const here = process();
    down = true;
    here.own.note();
    await expect(here.refresh()).rejects.toThrow('away');
    expect([here.own.isAsked(), hash]).toEqual([true, {}]);
    down = false;
    await here.refresh();
    expect([here.own.isAsked(), Object.keys(hash)]).toEqual([true, ['nxcloud/sales']]);
  });

  test('goes on being asked for it by whoever saw it, though Redis has lost everything', async () => {
    const here = process();
    here.own.note();
    hash = {};
    await here.refresh();
    expect(here.own.isAsked()).toBe(true);
  });

  test('is forgotten where it is switched off, and begins anew after that', async () => {
    process().own.note();
    const off = process({ isOff: true });
    off.own.note();
    await off.refresh();
    expect([off.own.isAsked(), hash]).toEqual([false, {}]);
    const again = process();
    await again.refresh();
    expect(again.own.isAsked()).toBe(false);
    again.own.note();
    expect(again.own.isAsked()).toBe(true);
  });

  test('is forgotten in a process that runs, when the account is set anew', async () => {
    const here = process();
    here.own.note();
    expect(here.of(place, { isOff: true }).isAsked()).toBe(false);
    await here.refresh();
    expect([here.of(place, { isOff: false }).isAsked(), hash]).toEqual([false, {}]);
  });
});
