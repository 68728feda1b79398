/**
 * Who is logged in: a cookie that says until when, signed with a key that is made of the control token. Every web
 * process knows it by that alone, and it is worth nothing as soon as the token is another.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Caller } from './ports.ts';

export interface Sessions {
  /** The `Set-Cookie` header for who has shown this token. */
  start(token: string, caller: Caller): string;
  /** The one that takes it back. */
  end(caller: Caller): string;
  /** Until when the caller is logged in (ms); null: not at all. */
  check(caller: Caller): number | null;
}

const name = 'keeptyping_console';
const lasts = 12 * 60 * 60_000;

export function createSessions(tokens: readonly string[], clock: { now: () => number }): Sessions {
  const keys = tokens.map(keyOf);
  return {
    start: (token, caller) => {
      const until = String(Math.floor(clock.now()) + lasts);
      return header(`${until}.${sign(keyOf(token), until).toString('base64url')}`, lasts / 1000, caller);
    },
    end: (caller) => header('', 0, caller),
    check: ({ headers }) => {
      const good = cookiesOf(headers.cookie).filter((value) => isSigned(keys, value));
      const until = Math.max(0, ...good.map((value) => Number.parseInt(value, 10)));
      return until > clock.now() ? until : null;
    },
  };
}

function header(value: string, seconds: number, caller: Caller): string {
  const secure = cameByHttps(caller) ? '; Secure' : '';
  return `${name}=${value}; Path=/console; Max-Age=${seconds}; HttpOnly; SameSite=Strict${secure}`;
}

function keyOf(token: string): Buffer {
  return createHmac('sha256', token).update('keeptyping console session').digest();
}

function sign(key: Buffer, until: string): Buffer {
  return createHmac('sha256', key).update(until).digest();
}

function isSigned(keys: readonly Buffer[], value: string): boolean {
  const [, until = '', signature = ''] = /^(\d{1,15})\.([\w-]{43})$/.exec(value) ?? [];
  if (until === '') return false;
  const given = Buffer.from(signature, 'base64url');
  return keys.map((key) => timingSafeEqual(sign(key, until), given)).includes(true);
}

/** A browser may send several of one name, from other places than ours. */
function cookiesOf(header = ''): string[] {
  const pairs = header.split(';').map((pair) => pair.trim());
  return pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1));
}

/** Heroku's router, and most others, speak HTTP with us and say what was spoken with them. */
function cameByHttps({ headers, socket }: Caller): boolean {
  const told = String(headers['x-forwarded-proto'] ?? '').split(',');
  return 'encrypted' in socket || told[0]?.trim() === 'https';
}
