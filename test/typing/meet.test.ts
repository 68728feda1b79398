import { expect, test } from 'vitest';
import { createMeet } from '../../src/typing/perform.ts';
import { scriptedPlatform } from '../support/platforms.ts';
import { Postponed } from '../../src/typing/shares.ts';

const place = { channel: 'wechat', account: 'shop' };

test('an account that is known is not looked for', async () => {
  let looks = 0;
  const meet = createMeet({
    platformOf: () => scriptedPlatform(),
    lookAgain: async () => {
      looks += 1;
    },
  });
  await meet(place);
  expect(looks).toBe(0);
});

test('one that is not known is looked for before its job begins', async () => {
  const known = new Set<string>();
  const meet = createMeet({
    platformOf: ({ account }) => (known.has(account) ? scriptedPlatform() : null),
    lookAgain: async () => void known.add('shop'),
  });
  await meet(place);
  expect(known.has('shop')).toBe(true);
});

test('while Redis does not say, its job waits and does not fail', async () => {
  const meet = createMeet({ platformOf: () => null, lookAgain: () => Promise.reject(new Error('away')) });
  await expect(meet(place)).rejects.toBeInstanceOf(Postponed);
});
