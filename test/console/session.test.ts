import { createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createSessions, isFromElsewhere, isFromPage } from '../../src/console/login.ts';
import type { Caller } from '../../src/http/guard.ts';
import { handClock } from '../support/clock.ts';

const token = 'control-token-0123456789';
const hour = 60 * 60_000;

function caller(headers: Record<string, string> = {}): Caller {
  const asked: Pick<Caller, 'headers' | 'httpVersion'> & { socket: object } = {
    headers,
    httpVersion: '1.1',
    socket: {},
  };
  return asked as Caller;
}

const bringing = (cookie: string): Caller => caller({ cookie });

describe('a session’s cookie', () => {
  const clock = handClock();
  const sessions = createSessions([token], clock);
  const cookie = sessions.start(token, caller()).split(';')[0] ?? '';

  test('is for the console alone, for no script, no other site and twelve hours', () => {
    expect(sessions.start(token, caller())).toMatch(
      /^keeptyping_console=[\w.-]+; Path=\/console; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    );
    expect(sessions.end(caller())).toBe(
      'keeptyping_console=; Path=/console; Max-Age=0; HttpOnly; SameSite=Strict',
    );
  });

  test.each(['https', 'https,http', 'https , http'])(
    'is Secure where the request came by %s',
    (forwarded) => {
      expect(sessions.start(token, caller({ 'x-forwarded-proto': forwarded }))).toMatch(/; Secure$/);
    },
  );

  test('is not where it came by http', () => {
    expect(sessions.start(token, caller({ 'x-forwarded-proto': 'http' }))).not.toContain('Secure');
  });

  test('holds nothing of the token', () => {
    expect(cookie).not.toContain(token);
    expect(Buffer.from(cookie.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain(token);
  });

  test('admits until its time is over, on every process', () => {
    const other = handClock(clock.now());
    const there = createSessions([token], other);
    expect(there.check(bringing(cookie))).toBe(clock.now() + 12 * hour);
    other.set(clock.now() + 12 * hour - 1);
    expect(there.check(bringing(cookie))).not.toBeNull();
    other.set(clock.now() + 12 * hour);
    expect(there.check(bringing(cookie))).toBeNull();
  });

  test('is found among others, also of its name', () => {
    const all = `a=b; keeptyping_console=x; ${cookie}; keeptyping_console=1.2`;
    expect(sessions.check(bringing(all))).not.toBeNull();
  });

  const [until = '', signature = ''] = cookie.replace('keeptyping_console=', '').split('.');
  const longer = String(Number(until) + 1);
  const guessed = createHmac('sha256', 'keeptyping console session').update(longer).digest('base64url');
  test.each([
    ['nothing', ''],
    ['no signature', `keeptyping_console=${until}`],
    ['an empty signature', `keeptyping_console=${until}.`],
    ['a longer time', `keeptyping_console=${longer}.${signature}`],
    ['a key that is known', `keeptyping_console=${longer}.${guessed}`],
    ['a changed signature', `keeptyping_console=${until}.${signature.slice(0, -2)}AA`],
    ['a time that is none', `keeptyping_console=NaN.${signature}`],
    ['another name', `keeptyping=${until}.${signature}`],
  ])('with %s admits nobody', (_, forged) => {
    expect(sessions.check(bringing(forged))).toBeNull();
  });

  test('of the token before admits while that one is accepted, and no longer', () => {
    const next = 'control-token-new-456789';
    expect(createSessions([next, token], clock).check(bringing(cookie))).not.toBeNull();
    expect(createSessions([next], clock).check(bringing(cookie))).toBeNull();
    expect(createSessions([], clock).check(bringing(cookie))).toBeNull();
  });
});

describe('a request that changes something', () => {
  const host = 'console.example:3000';
  test.each([
    [{ 'sec-fetch-site': 'same-origin' }, true],
    [{ 'sec-fetch-site': 'same-origin', origin: 'https://proxied.example' }, true],
    [{ 'sec-fetch-site': 'same-site' }, false],
    [{ 'sec-fetch-site': 'cross-site', origin: `http://${host}` }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{ origin: `http://${host}` }, true],
    [{ origin: `https://${host}` }, true],
    [{ origin: 'http://console.example' }, false],
    [{ origin: 'https://evil.example' }, false],
    [{ origin: 'null' }, false],
    [{}, false],
  ] as Record<string, string>[][])('with %j is from our page: %s', (headers, fromPage) => {
    expect(isFromPage({ headers: { host, ...headers } })).toBe(fromPage);
  });

  test.each([
    [{ 'sec-fetch-site': 'cross-site' }, true],
    [{ 'sec-fetch-site': 'same-site' }, true],
    [{ 'sec-fetch-site': 'same-origin' }, false],
    [{ 'sec-fetch-site': 'none' }, false],
    [{}, false],
  ] as Record<string, string>[][])('one that reads, with %j, is from elsewhere: %s', (headers, elsewhere) => {
    expect(isFromElsewhere({ headers })).toBe(elsewhere);
  });
});
