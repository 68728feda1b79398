import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { modeOf, type Reach } from '../../src/accounts/component-typing.ts';
import { authorizerName, behindOf, eventsName, fractionOf } from '../../src/core/roster.ts';

const appId = 'wx1111111111111111';
const appIds = fc.stringMatching(/^wx[0-9a-f]{16}$/);

/** AppIDs that differ at their ends, and in their middles. */
function like(n: number): string[] {
  const hex = n.toString(16);
  return [`wx${hex.padStart(16, '0')}`, `wx${hex.padStart(4, '0')}aaaabbbbcccc`];
}

const of = (typing: Reach, accounts: Record<string, 'on' | 'off'> = {}) => ({ typing, accounts });

describe('the mode of an account behind a component', () => {
  test.each([
    { said: of({ is: 'template' }), mode: 'once' },
    { said: of({ is: 'all' }), mode: 'once' },
    { said: of({ is: 'none' }), mode: 'off' },
    { said: of({ is: 'list', appids: [appId] }), mode: 'once' },
    { said: of({ is: 'list', appids: [] }), mode: 'off' },
    { said: of({ is: 'share', percent: 100 }), mode: 'once' },
    { said: of({ is: 'share', percent: 0 }), mode: 'off' },
    { said: of({ is: 'none' }, { [appId]: 'on' }), mode: 'once' },
    { said: of({ is: 'all' }, { [appId]: 'off' }), mode: 'off' },
    { said: of({ is: 'template' }, { [appId]: 'off' }), mode: 'off' },
  ] as const)('$said.typing with $said.accounts is $mode', ({ said, mode }) => {
    expect(modeOf(said, appId, 'once')).toBe(mode);
  });

  test('what is switched on where the template is off types continuously; untold it stays off', () => {
    expect(modeOf(of({ is: 'all' }), appId, 'off')).toBe('continuous');
    expect(modeOf(of({ is: 'template' }), appId, 'off')).toBe('off');
    expect(modeOf(of({ is: 'template' }, { [appId]: 'on' }), appId, 'off')).toBe('continuous');
  });

  test('an account by an inherited name is not named', () => {
    expect(modeOf(of({ is: 'none' }), 'constructor', 'once')).toBe('off');
  });

  test('a higher share keeps every account that a lower one had', () => {
    fc.assert(
      fc.property(appIds, fc.nat(100), fc.nat(100), (name, one, other) => {
        const [low, high] = [Math.min(one, other), Math.max(one, other)];
        const on = (percent: number) => modeOf(of({ is: 'share', percent }), name, 'once') === 'once';
        expect(on(low) && !on(high)).toBe(false);
      }),
    );
  });

  test('a share of accounts is about as large as it says, whatever their AppIDs look like', () => {
    const names = Array.from({ length: 2_000 }, (_, n) => like(n)).flat();
    for (const percent of [5, 25, 50, 90]) {
      const share = (names.filter((name) => fractionOf(name) * 100 < percent).length / names.length) * 100;
      expect(Math.abs(share - percent)).toBeLessThan(2.5);
    }
  });
});

describe('the name of an account behind a component', () => {
  test('is read as it is made', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/), appIds, (component, appId) => {
        expect(behindOf(authorizerName(component, appId))).toEqual({ component, appId });
        expect(behindOf(eventsName(component))).toEqual({ component, appId: null });
        expect(behindOf(component)).toBeNull();
      }),
    );
  });

  test.each([
    '',
    '.',
    '.wx1111111111111111',
    'a.',
    'a.wx1',
    'a.WX1111111111111111',
    'a.b.wx1111111111111111',
  ])('%j is none', (name) => {
    expect(behindOf(name)).toBeNull();
  });
});
