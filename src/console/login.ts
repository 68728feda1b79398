import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller, Guard } from '../http/guard.ts';
import type { Guessed } from '../http/guesses.ts';
import { said } from '../core/said.ts';
import { readJson, sendJson } from '../pages/pages.ts';
import { sessionBody } from './routes.ts';

interface LoginParts {
  guard: Guard;
  /** Empty: there is nothing to log in with. */
  tokens: readonly string[];
  sessions: Sessions;
  guessed: Guessed;
  invitation: Invitation;
}

/** Logs in and out, and tells whether there is anything to log in with. */
export async function takeSession(
  parts: LoginParts,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = '' } = request;
  if (method === 'GET') return sendJson(response, 200, { login: parts.tokens.length > 0 });
  if (method !== 'POST' && method !== 'DELETE')
    return sendJson(response, 404, { error: said('The console does not know this.') });
  if (!isFromPage(request)) return sendJson(response, 403, { error: foreign });
  const body = await readJson(request);
  if (body === undefined) return sendJson(response, 400, { error: said('Send what the page sends.') });
  if (method === 'POST' && parts.tokens.length > 0) return logIn(parts, { request, response, body });
  done(response, parts.sessions.end(request));
}

async function logIn(
  { guard, tokens, sessions, guessed, invitation }: LoginParts,
  { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: unknown },
): Promise<void> {
  const shown = sessionBody.safeParse(body).data ?? { token: '' };
  if ('code' in shown && invitation.redeem(shown.code))
    return done(response, sessions.start(tokens[0] ?? '', request));
  if ('token' in shown && guard(bearing(request, shown.token)) === 'admitted')
    return done(response, sessions.start(shown.token, request));
  await guessed(request);
  const error = 'code' in shown ? 'This link logs in no more.' : 'This is not the control token.';
  sendJson(response, 401, { error });
}

/** The guard knows a token as a bearer's. Header bytes are latin1. */
function bearing({ headers, httpVersion, socket }: Caller, token: string): Caller {
  const authorization = `Bearer ${Buffer.from(token).toString('latin1')}`;
  return { headers: { ...headers, authorization }, httpVersion, socket };
}

function done(response: ServerResponse, cookie: string): void {
  response.writeHead(204, { 'set-cookie': cookie, 'cache-control': 'no-store' }).end();
}

/** A link that logs in once, for whoever has started the process and been told no token. */
export interface Invitation {
  /** The code of a new link, which is worth an hour; the one before is worth nothing any more. */
  make(): string;
  /** Whether it was the code; it is none from then on. */
  redeem(code: string): boolean;
}

const invited = 60 * 60_000;

export function createInvitation(clock: { now: () => number }): Invitation {
  let open: { code: Buffer; until: number } | null = null;
  return {
    make: () => {
      const code = randomBytes(24).toString('base64url');
      open = { code: Buffer.from(code), until: clock.now() + invited };
      return code;
    },
    redeem: (given) => {
      const code = Buffer.from(given);
      if (open === null || clock.now() >= open.until) return false;
      if (code.length !== open.code.length || !timingSafeEqual(code, open.code)) return false;
      open = null;
      return true;
    },
  };
}

export const foreign = said('Only the console’s own page may ask this.');

type Headed = Pick<Caller, 'headers'>;

/**
 * Whether our own page asks, for what changes something. Every browser says so by one of the two headers, and a page
 * of another site can set neither: https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
 */
export function isFromPage({ headers }: Headed): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin = '' } = headers;
  return URL.canParse(origin) && new URL(origin).host === headers.host;
}

/** For what is only read: nobody's page but ours, or a person who has typed the address, or a program. */
export function isFromElsewhere({ headers }: Headed): boolean {
  return !['same-origin', 'none', undefined].includes(headers['sec-fetch-site']);
}

/**
 * Who is logged in: a cookie that says until when, signed with a key that is made of the control token. Every web
 * process knows it by that alone, and it is worth nothing as soon as the token is another.
 */

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
