import { expect, test } from 'vitest';
import type { Finding } from './promises.ts';
import { isOfReleaseBefore } from './whose.ts';

const at = 1_700_000_000_000;
const shown: Finding = { promised: 'no typing begins after the answer', who: 'oUser_04', at, words: '' };
const line = (ms: number, user = 'oUser_04'): string =>
  JSON.stringify({ time: at + ms, conversation: `wechat/default/${user}`, msg: 'typing call' });
const before = (output: string) => ({ isThisRelease: false, output });
const here = (output: string) => ({ isThisRelease: true, output });

test('a call is of the release before where nobody else had to do with that user', () => {
  expect(isOfReleaseBefore(shown, [before(line(5)), here(`${line(-9_000)}\n${line(5, 'oUser_05')}`)])).toBe(
    true,
  );
});

test('a call that this release may have led to is not', () => {
  expect(isOfReleaseBefore(shown, [before(line(5)), here(line(-1_000))])).toBe(false);
  expect(isOfReleaseBefore(shown, [before(''), here('')])).toBe(false);
});

test('what is missing has no author', () => {
  expect(isOfReleaseBefore({ ...shown, promised: 'whoever waits sees typing' }, [before(line(5))])).toBe(
    false,
  );
});
