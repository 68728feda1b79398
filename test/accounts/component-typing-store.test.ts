import { describe, expect, test } from 'vitest';
import { createComponentTypings } from '../../src/accounts/component-typing.ts';
import { readSwitchedOff } from '../../src/typing/learned.ts';
import { recordLog } from '../support/log.ts';

const key = '{keeptyping}:component:vendor';

/** Redis as several processes see it. */
function scene() {
  const values = new Map<string, string>();
  const state = { down: false };
  const reach = (): void => {
    if (state.down) throw new Error('away');
  };
  const redis = {
    get: async (name: string) => (reach(), values.get(name) ?? null),
    mget: async (...names: string[]) => (reach(), names.map((name) => values.get(name) ?? null)),
    set: async (name: string, value: string) => (reach(), void values.set(name, value)),
  };
  const log = recordLog();
  const process = () => createComponentTypings({ redis, components: ['other', 'vendor'], log });
  return { values, state, log, process };
}

const some = { typing: { is: 'share', percent: 5 }, accounts: { wx1111111111111111: 'on' } } as const;
const untold = { typing: { is: 'template' }, accounts: {} };

const never = async (): Promise<never> => Promise.reject(new Error('asked'));

describe('the typing record of a component', () => {
  test('is versioned JSON that the other processes follow', async () => {
    const { process, values } = scene();
    const [one, two] = [process(), process()];
    await one.write('vendor', some);
    expect(JSON.parse(values.get(key) ?? '')).toEqual({ v: 1, ...some });
    expect([one.of('vendor'), two.of('vendor')]).toEqual([some, untold]);
    await two.refresh();
    expect([two.of('vendor'), two.of('other'), await two.read('vendor')]).toEqual([some, untold, some]);
  });

  test('that is gone leaves the template’s word', async () => {
    const { process, values } = scene();
    const one = process();
    await one.write('vendor', some);
    values.clear();
    await one.refresh();
    expect(one.of('vendor')).toEqual(untold);
  });

  test('stays as last known while Redis is away', async () => {
    const { process, state } = scene();
    const one = process();
    await one.write('vendor', some);
    state.down = true;
    await expect(one.refresh()).rejects.toThrow('away');
    expect(one.of('vendor')).toEqual(some);
  });

  test.each(['{', '{"v":2,"typing":{"is":"all"}}', '{"v":1,"typing":{"is":"most"}}'])(
    'that cannot be read (%s) changes nothing, and that is said once',
    async (spoilt) => {
      const { process, values, log } = scene();
      const one = process();
      await one.write('vendor', some);
      values.set(key, spoilt);
      await one.refresh();
      await one.refresh();
      expect(one.of('vendor')).toEqual(some);
      expect(log.lines).toHaveLength(1);
    },
  );

  test('of no component asks Redis nothing', async () => {
    const redis = { get: never, mget: never, set: never };
    const none = createComponentTypings({ redis, components: [], log: recordLog() });
    await expect(none.refresh()).resolves.toBeUndefined();
  });
});

test('accounts whose typing was refused are found with the code, those that are on again are not', async () => {
  const off = { offUntil: 2_000, muteUntil: 0, remedy: '' };
  const learned = {
    'wechat/vendor.wx1111111111111111/permission': JSON.stringify({ ...off, offCode: 61005 }),
    'wechat/shop/permission': JSON.stringify({ ...off, offUntil: 0, offCode: 0 }),
    'wechat/shop/habit': JSON.stringify({ afterAck: 'keep', unheard: 0 }),
  };
  expect(await readSwitchedOff({ hgetall: async () => learned })).toEqual([
    { channel: 'wechat', account: 'vendor.wx1111111111111111', code: 61005, remedy: '' },
  ]);
});
