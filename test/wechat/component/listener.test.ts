import { describe, expect, test } from 'vitest';
import { codeOf } from '../../../src/wechat/api.ts';
import { createListener, type News, switchOf } from '../../../src/wechat/component/events.ts';
import { noTicket } from '../../../src/wechat/component/tokens.ts';
import { createComponentSecrets } from '../../../src/wechat/component/secrets.ts';
import { vendor } from '../../support/accounts.ts';
import { handClock } from '../../support/clock.ts';
import { recordLog } from '../../support/log.ts';
import { fakeKept, plainSeal, shop } from './scene.ts';

const at = 1_700_000_000_000;
const authorised = { is: 'authorized', appId: shop, code: 'CODE', expiresAt: at + 600_000, at } as const;

function scene({ byItself = true, refused = 0 } = {}) {
  const [clock, log, kept] = [handClock(at), recordLog(), fakeKept()];
  const own = createComponentSecrets(vendor.appId, { kept, seal: plainSeal, now: clock.now });
  const [news, tokens]: [News[], string[]] = [[], []];
  const listen = createListener({
    name: 'vendor',
    secrets: byItself ? own : null,
    tokensOf: (appId) => ({
      get: async () => {
        tokens.push(`get ${appId}`);
        return refused === 0 ? { is: 'no-credentials' } : { is: 'token-refused', code: refused };
      },
      forget: async () => void tokens.push(`forget ${appId}`),
    }),
    told: (said) => news.push(said),
    clock,
    log,
  });
  return { clock, log, kept, own, news, tokens, listen };
}

describe('a ticket', () => {
  test('is kept closed; an older one that comes again changes nothing', async () => {
    const { listen, own, kept, news } = scene();
    await listen({ is: 'ticket', ticket: 'NEW', at });
    await listen({ is: 'ticket', ticket: 'REPLAYED', at: at - 600_000 });
    expect(await own.ticket()).toBe('NEW');
    expect([...kept.entries.values()].every((value) => value.startsWith('closed('))).toBe(true);
    expect(news).toContainEqual({ is: 'ticket' });
  });

  test('that Redis does not take is kept when it is back', async () => {
    const { listen, own, kept } = scene();
    kept.down = 3;
    await listen({ is: 'ticket', ticket: 'NEW', at });
    await expect.poll(() => own.ticket()).toBe('NEW');
  });

  test('that cannot be kept at all is said', async () => {
    const { listen, kept, log } = scene();
    kept.down = 1_000;
    await listen({ is: 'ticket', ticket: 'NEW', at });
    await expect
      .poll(() => log.lines.map(({ message }) => message))
      .toContainEqual(expect.stringContaining('could not be kept'));
    expect(JSON.stringify(log.lines)).not.toContain('NEW');
  });
});

describe('an authorization', () => {
  test('its code is kept, a token is fetched at once, and the account is granted', async () => {
    const { listen, own, tokens, news } = scene();
    await listen(authorised);
    expect(await own.code(shop)).toMatchObject({ secret: 'CODE', at });
    await expect.poll(() => news).toEqual([{ is: 'granted', appId: shop }]);
    expect(tokens).toEqual([`forget ${shop}`, `get ${shop}`]);
  });

  test('whose code WeChat refuses, as it does a replayed one, grants nothing', async () => {
    const { listen, tokens, news } = scene({ refused: 61023 });
    await listen(authorised);
    await expect.poll(() => tokens).toHaveLength(2);
    await listen({ is: 'ticket', ticket: 'NEXT', at });
    expect(news).toEqual([{ is: 'ticket' }]);
  });

  test.each([
    { name: 'whose code has expired', event: { ...authorised, expiresAt: at - 1 } },
    { name: 'older than the one that stands', event: { ...authorised, at: at - 1 } },
  ])('$name changes nothing', async ({ event }) => {
    const { listen, own, news } = scene();
    await own.keepRefreshToken(shop, { secret: 'R1', at });
    await listen(event);
    expect(await own.code(shop)).toBeNull();
    expect(news).toEqual([]);
  });

  test('is not exchanged where the vendor’s service has the tokens', async () => {
    const { listen, kept, news } = scene({ byItself: false });
    await listen(authorised);
    expect(kept.entries.size).toBe(0);
    await expect.poll(() => news).toEqual([{ is: 'granted', appId: shop }]);
  });
});

describe('a withdrawal', () => {
  test('takes code, refresh token and access token', async () => {
    const { listen, own, kept, tokens, news } = scene();
    await own.keepRefreshToken(shop, { secret: 'R1', at: at - 1 });
    await own.keepCode(shop, { secret: 'CODE', at: at - 1 }, 60_000);
    await listen({ is: 'unauthorized', appId: shop, at });
    expect(kept.entries.size).toBe(0);
    expect(tokens).toEqual([`forget ${shop}`]);
    expect(news).toEqual([{ is: 'withdrawn', appId: shop }]);
  });

  test('that is played again after a new authorization takes nothing', async () => {
    const { listen, own, news } = scene();
    await own.keepRefreshToken(shop, { secret: 'R2', at });
    await listen({ is: 'unauthorized', appId: shop, at: at - 1 });
    expect(await own.refreshToken(shop)).toMatchObject({ secret: 'R2' });
    expect(news).toEqual([]);
  });

  test('with nothing to hold it against, only a fresh one counts', async () => {
    const { listen, news } = scene({ byItself: false });
    await listen({ is: 'unauthorized', appId: shop, at: at - 2 * 3_600_000 });
    expect(news).toEqual([]);
    await listen({ is: 'unauthorized', appId: shop, at: at - 1_000 });
    expect(news).toEqual([{ is: 'withdrawn', appId: shop }]);
  });
});

describe('what news means to the typing of the accounts behind', () => {
  const place = { channel: 'wechat', account: `vendor.${shop}` };

  test('a withdrawal switches that account off, as WeChat will say with its next call', () => {
    const off = switchOf('vendor', { is: 'withdrawn', appId: shop });
    expect(off).toEqual({
      is: 'off',
      place,
      why: { is: 'account-off', code: 61003, remedy: expect.stringMatching(/authorise again/) },
    });
    expect(codeOf(61003).meaning).toBe('account');
  });

  test('a grant switches it on', () => {
    expect(switchOf('vendor', { is: 'granted', appId: shop })).toEqual({ is: 'on', place });
  });

  test.each([
    ['for want of a ticket', place, 0, true, noTicket],
    ['for want of an authorization', place, 0, false, 'Let it authorise again.'],
    ['with an expired ticket', place, 61005, true],
    ['with an invalid ticket', place, 61006, true],
    ['for another reason', place, 48001, false],
    ['behind another platform', { ...place, account: `other.${shop}` }, 61005, false],
    ['by itself', { ...place, account: 'vendor' }, 61005, false],
    ['on another channel', { ...place, channel: 'nxcloud' }, 0, false],
  ])('a ticket mends an account that was refused %s: or not', (_, off, code, isMended, remedy = '') => {
    const mended = switchOf('vendor', { is: 'ticket' });
    expect(mended.is === 'mended' && mended.mends({ ...off, code, remedy })).toBe(isMended);
  });
});
