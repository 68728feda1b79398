/** The operator's console over HTTP: the page at `/console`, its files, and what it asks below `/console/api/`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readJson } from '../pages/body.ts';
import { readPage, type Page } from '../pages/files.ts';
import { sendFile, sendJson } from '../pages/respond.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import { foreign, isFromElsewhere, isFromPage } from './origin.ts';
import type { Conversations, FailedJobs, Guard, Handler, Source } from './ports.ts';
import { routeAt, type Answer } from './routes.ts';
import { readSeldom } from './seldom.ts';
import { createSessions, type Sessions } from './session.ts';
import { takeSession } from './login.ts';
import { createWatch, type Watch } from './watch.ts';

export interface ConsoleOptions {
  /** Knows the control token where one is configured, and else this machine. */
  guard: Guard;
  /** The present one first; empty: nobody has to log in whom the guard admits. */
  tokens: readonly string[];
  source: Source;
  conversations: Conversations;
  failed: FailedJobs;
  /** What shows the queues' jobs below `/console/queues`; made when first asked for. */
  openQueues: () => Promise<Handler>;
  /** The page's own files. @default those beside this module */
  page?: () => Page;
}

export interface Console {
  handler: Handler;
  /** Ends all streams at once, and opens no more. */
  close(): void;
}

export interface ConsoleParts extends ConsoleOptions {
  sessions: Sessions;
  attempts: Attempts;
  watch: Watch;
}

/** A thousand of them take Redis and this process some 100 ms, and every open page asks whenever one fails. */
const failedEvery = 1_000;

/** `until`: when the login ends (ms). */
type Access = { is: 'in'; until: number | null } | { is: 'out' } | { is: 'hidden' };

export function createConsole(options: ConsoleOptions): Console {
  const { source, failed } = options;
  const { clock } = source;
  const parts: ConsoleParts = {
    ...options,
    failed: { ...failed, read: readSeldom(() => failed.read(), { clock, everyMs: failedEvery }) },
    sessions: createSessions(options.tokens, clock),
    attempts: createAttempts(clock),
    watch: createWatch(source),
    page: once(options.page ?? (() => readPage(new URL('./page/', import.meta.url)))),
    openQueues: once(options.openQueues),
  };
  // oxlint-disable-next-line max-params -- the form that connect and express know
  const handler: Handler = (request, response, next) => {
    const path = (request.url ?? '').replace(/\?.*/s, '');
    if (path !== '/console' && !path.startsWith('/console/')) return next();
    const access = accessOf(parts, request);
    if (access.is === 'hidden') return next();
    // Whoever hangs up while sending is not to be answered.
    void serve(parts, { request, response, path, access, next }).catch(() => response.destroy());
  };
  return { handler, close: () => parts.watch.close() };
}

function once<Made>(make: () => Made): () => Made {
  let made: { value: Made } | null = null;
  return () => (made ??= { value: make() }).value;
}

function accessOf({ guard, sessions }: ConsoleParts, request: IncomingMessage): Access {
  const admission = guard(request);
  if (admission === 'hidden') return { is: 'hidden' };
  if (admission === 'admitted') return { is: 'in', until: null };
  const until = sessions.check(request);
  return until === null ? { is: 'out' } : { is: 'in', until };
}

interface Asked {
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  access: Exclude<Access, { is: 'hidden' }>;
  next: () => void;
}

async function serve(parts: ConsoleParts, asked: Asked): Promise<void> {
  const { request, response, path, next } = asked;
  if (path === '/console/api/session') return takeSession(parts, request, response);
  if (path.startsWith('/console/api/')) return takeCall(parts, asked);
  if (path === '/console/queues' || path.startsWith('/console/queues/')) return showQueues(parts, asked);
  const name = path.replace(/^\/console\/?/, '') || 'index.html';
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const file = isRead ? parts.page?.().get(name) : undefined;
  return file ? sendFile(request, response, file) : next();
}

async function showQueues({ openQueues }: ConsoleParts, asked: Asked): Promise<void> {
  const { request, response, access, next } = asked;
  if (access.is === 'out') return void response.writeHead(303, { location: '/console' }).end();
  (await openQueues())(request, response, next);
}

async function takeCall(parts: ConsoleParts, { request, response, path, access }: Asked): Promise<void> {
  const { method = '' } = request;
  if (access.is === 'out') return sendJson(response, 401, { error: 'Log in with the control token.' });
  const route = routeAt(path.slice('/console/api/'.length));
  const run = route && Object.hasOwn(route.methods, method) ? route.methods[method] : undefined;
  if (!route || !run) return sendJson(response, 404, { error: 'The console does not know this.' });
  const changes = method !== 'GET';
  if (changes ? !isFromPage(request) : isFromElsewhere(request))
    return sendJson(response, 403, { error: foreign });
  const body = changes ? await readJson(request) : undefined;
  const query = new URL(request.url ?? '', 'http://console').searchParams;
  const answer = run(parts, { request, response, names: route.names, query, body, until: access.until });
  await Promise.resolve(answer).then(
    (given) => write(response, given),
    (error: unknown) => {
      parts.source.log.warn({ route: path.split('/')[3], error }, 'The console did not reach Redis.');
      sendJson(response, 503, { error: 'Redis is out of reach: try again in a moment.' });
    },
  );
}

function write(response: ServerResponse, answer: Answer): void {
  if (answer === null) return;
  if (answer.body) sendJson(response, answer.status, answer.body);
  else response.writeHead(answer.status, { 'cache-control': 'no-store' }).end();
}
