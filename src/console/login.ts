import type { IncomingMessage, ServerResponse } from 'node:http';
import { readJson } from '../pages/body.ts';
import { sendJson } from '../pages/respond.ts';
import type { Attempts } from './attempts.ts';
import { foreign, isFromPage } from './origin.ts';
import type { Caller, Guard } from './ports.ts';
import { sessionBody } from './requests.ts';
import type { Sessions } from './session.ts';

export interface LoginParts {
  guard: Guard;
  /** Empty: there is nothing to log in with. */
  tokens: readonly string[];
  sessions: Sessions;
  attempts: Attempts;
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
    return sendJson(response, 404, { error: 'The console does not know this.' });
  if (!isFromPage(request)) return sendJson(response, 403, { error: foreign });
  const body = await readJson(request);
  if (body === undefined) return sendJson(response, 400, { error: 'Send what the page sends.' });
  if (method === 'POST' && parts.tokens.length > 0) return logIn(parts, { request, response, body });
  done(response, parts.sessions.end(request));
}

function logIn(
  { guard, sessions, attempts }: LoginParts,
  { request, response, body }: { request: IncomingMessage; response: ServerResponse; body: unknown },
): void {
  const caller = callerOf(request);
  const wait = attempts.wait(caller);
  if (wait > 0) {
    response.setHeader('retry-after', Math.ceil(wait / 1000));
    return sendJson(response, 429, { error: 'Too many wrong tokens: wait a minute.' });
  }
  const read = sessionBody.safeParse(body);
  if (read.success && guard(bearing(request, read.data.token)) === 'admitted')
    return done(response, sessions.start(read.data.token, request));
  attempts.failed(caller);
  sendJson(response, 401, { error: 'This is not the control token.' });
}

/** Behind a proxy the address is the proxy's, and the last one that it has added the caller's. */
function callerOf({ headers, socket }: IncomingMessage): string {
  const forwarded =
    String(headers['x-forwarded-for'] ?? '')
      .split(',')
      .at(-1)
      ?.trim() ?? '';
  return `${socket.remoteAddress ?? ''} ${forwarded.slice(0, 64)}`;
}

/** The guard knows a token as a bearer's. Header bytes are latin1. */
function bearing({ headers, httpVersion, socket }: Caller, token: string): Caller {
  const authorization = `Bearer ${Buffer.from(token).toString('latin1')}`;
  return { headers: { ...headers, authorization }, httpVersion, socket };
}

function done(response: ServerResponse, cookie: string): void {
  response.writeHead(204, { 'set-cookie': cookie, 'cache-control': 'no-store' }).end();
}
