import { expect, test } from 'vitest';
import { createRoster, type Served } from '../../src/core/roster.ts';
import { scriptedPlatform } from '../support/platforms.ts';

const servedAs = (account: string): Served => ({
  platform: { ...scriptedPlatform(), account },
  apiBase: 'http://127.0.0.1:9',
  bot: null,
});

test('an account that is made on demand is found by its name, and is not among all', () => {
  const made = servedAs('vendor.wx1111111111111111');
  const roster = createRoster([servedAs('shop')], {
    more: ({ channel, account }) =>
      `${channel}/${account}` === 'wechat/vendor.wx1111111111111111' ? made : null,
  });
  expect(roster.of({ channel: 'wechat', account: 'vendor.wx1111111111111111' })).toBe(made);
  expect(roster.find('wechat', 'vendor.wx1111111111111111')).toEqual([made]);
  expect(roster.of({ channel: 'nxcloud', account: 'vendor.wx1111111111111111' })).toBeNull();
  expect(roster.all().map(({ platform }) => platform.account)).toEqual(['shop']);
  expect(roster.find('wechat', undefined)).toHaveLength(1);
});
