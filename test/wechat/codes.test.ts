import { describe, expect, test } from 'vitest';
import type { Outcome } from '../../src/core/platform.ts';
import { codeOf, codes, hiddenOutcome, shownOutcome } from '../../src/wechat/api.ts';

const hour = 3_600_000;

describe('a Typing answered with', () => {
  test.each<[number[], (code: number) => Outcome]>([
    [[0], () => ({ is: 'done' })],
    [[45081], () => ({ is: 'already' })],
    [[45080, 45015, 45047, 43004, 50005, 48002], (code) => ({ is: 'window-closed', code })],
    [[40003, 46004, 43019, 41009], (code) => ({ is: 'user-back-off', code, forMs: hour })],
    [[40001, 40014, 42001, 41001], (code) => ({ is: 'account-back-off', code, forMs: 60_000 })],
    [[45011], (code) => ({ is: 'account-back-off', code, forMs: 5000 })],
    [[45009], (code) => ({ is: 'account-back-off', code, forMs: hour })],
    [[45072, 47001, 43002, 43003, 44002], (code) => ({ is: 'failed', code, bug: true })],
    [[-1, 61450, 45002, 99_999], (code) => ({ is: 'failed', code })],
  ])('%j has its outcome', (these, outcome) => {
    for (const code of these) expect(shownOutcome(code)).toEqual(outcome(code));
  });

  test.each([
    40200, 48001, 48004, 48008, 50001, 50002, 50004, 40013, 40125, 41002, 41004, 40164, 45035, 89501, 89503,
    45071, 61003, 61004, 61005, 61006, 61007, 61009, 61017, 61023, 61024, 61451, 61457, 65400, 65417,
  ])('%i switches the account off and says how to mend it, in one sentence', (code) => {
    const outcome = shownOutcome(code);
    expect(outcome).toEqual({
      is: 'account-off',
      code,
      remedy: expect.stringMatching(/^[A-Z][^\n]{20,}\.$/),
    });
  });

  test('40164 names the IP allowlist', () => {
    expect(shownOutcome(40164)).toMatchObject({
      remedy: "Add this server's egress IP to the IP allowlist in the WeChat console.",
    });
  });
});

describe('a CancelTyping answered with', () => {
  test.each([0, 45080, 45015, 45047, 43004, 50005, 48002])('%i: nothing shows', (code) => {
    expect(hiddenOutcome(code)).toEqual({ is: 'done' });
  });

  test('45081 or a fault is to be tried again; 48001 switches the account off', () => {
    expect(hiddenOutcome(45081)).toEqual({ is: 'failed', code: 45081 });
    expect(hiddenOutcome(-1)).toEqual({ is: 'failed', code: -1 });
    expect(hiddenOutcome(48001)).toMatchObject({ is: 'account-off' });
  });
});

test("every code of the typing page is known by the page's name", () => {
  const page = [
    [-1, 'system error'],
    [40001, 'invalid credential'],
    [40200, 'invalid account type'],
    [45072, 'invalid command'],
    [45080, 'last 30 seconds'],
    [45081, 'you are already typing'],
  ] as const;
  for (const [code, name] of page) expect(codeOf(code).name).toContain(name);
  expect(codeOf(12_345).name).toBe('code 12345');
});

test('exactly the codes that somebody must mend have a remedy', () => {
  for (const { meaning, remedy } of codes.values()) expect(remedy !== '').toBe(meaning === 'account');
});
