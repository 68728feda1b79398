/** The operator's console over HTTP: the page at `/console`, its files, and what it asks below `/console/api/`. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import type { AfterHook } from '@bull-board/api/typings/app';
import type { Queue } from 'bullmq';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import type { Clock } from '../core/ports.ts';
import { said } from '../core/said.ts';
import type { Guard } from '../http/guard.ts';
import type { Guessed } from '../http/guesses.ts';
import {
  type Handler,
  type Page,
  readJson,
  readPage,
  readPageFile,
  sendFile,
  sendJson,
} from '../pages/pages.ts';
import type { Conversations } from '../typing/conversations.ts';
import {
  createInvitation,
  createSessions,
  foreign,
  type Invitation,
  isFromElsewhere,
  isFromPage,
  type Sessions,
  takeSession,
} from './login.ts';
import { type RouteAnswer, routeAt } from './routes.ts';
import { type ConsoleWatch, createWatch } from './watch.ts';
import type { ConsoleSource, FailedJobs } from './wire.ts';

export interface ConsoleOptions {
  /** Knows the control token; without one nobody, or this machine. */
  guard: Guard;
  /** Hears of wrong tokens, and says when they may be refused. @default at once */
  guessed?: { bearer: Guessed; login: Guessed };
  /** The present one first; empty: nobody has to log in whom the guard admits. */
  tokens: readonly string[];
  source: ConsoleSource;
  conversations: Pick<Conversations, 'read' | 'names' | 'pause' | 'resume'>;
  failed: FailedJobs;
  /** What shows the queues' jobs below `/console/queues`; made when first asked for. */
  openQueues: () => Promise<Handler>;
  /** The page's own files. @default those beside this module */
  page?: () => Page;
}

export interface Console {
  handler: Handler;
  /** The code that stands after `/console#login=`, and logs in once. */
  invite(): string;
  /** Ends all streams at once, and opens no more. */
  close(): void;
}

interface ConsoleParts extends ConsoleOptions {
  guessed: Required<ConsoleOptions>['guessed'];
  sessions: Sessions;
  invitation: Invitation;
  watch: ConsoleWatch;
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
    guessed: options.guessed ?? { bearer: atOnce, login: atOnce },
    invitation: createInvitation(clock),
    watch: createWatch(source),
    page: once(options.page ?? readOwnPage),
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
  return { handler, invite: () => parts.invitation.make(), close: () => parts.watch.close() };
}

/** What other rooms say, in Chinese: JavaScript, whatever the end of its name. */
export const sentences = new URL(`../core/chinese${extname(import.meta.url)}`, import.meta.url);

function readOwnPage(): Page {
  const page = readPage(new URL('./page/', import.meta.url));
  return new Map([...page, ['sentences.js', readPageFile(sentences, 'sentences.js')]]);
}

const atOnce: Guessed = async () => {};

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

interface ConsoleRequest {
  request: IncomingMessage;
  response: ServerResponse;
  path: string;
  access: Exclude<Access, { is: 'hidden' }>;
  next: () => void;
}

async function serve(parts: ConsoleParts, asked: ConsoleRequest): Promise<void> {
  const { request, response, path, next } = asked;
  if (path === '/console/api/session')
    return takeSession({ ...parts, guessed: parts.guessed.login }, request, response);
  if (path.startsWith('/console/api/')) return takeCall(parts, asked);
  if (path === '/console/queues' || path.startsWith('/console/queues/')) return showQueues(parts, asked);
  const name = path.replace(/^\/console\/?/, '') || 'index.html';
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const file = isRead ? parts.page?.().get(name) : undefined;
  return file ? sendFile(request, response, file) : next();
}

async function showQueues({ openQueues }: ConsoleParts, asked: ConsoleRequest): Promise<void> {
  const { request, response, access, next } = asked;
  if (access.is === 'out') return void response.writeHead(303, { location: '/console' }).end();
  (await openQueues())(request, response, next);
}

async function takeCall(
  parts: ConsoleParts,
  { request, response, path, access }: ConsoleRequest,
): Promise<void> {
  const { method = '' } = request;
  if (access.is === 'out') {
    await parts.guessed.bearer(request);
    return sendJson(response, 401, { error: said('Log in with the control token.') });
  }
  const route = routeAt(path.slice('/console/api/'.length));
  const run = route && Object.hasOwn(route.methods, method) ? route.methods[method] : undefined;
  if (!route || !run) return sendJson(response, 404, { error: said('The console does not know this.') });
  const changes = method !== 'GET';
  if (changes ? !isFromPage(request) : isFromElsewhere(request))
    return sendJson(response, 403, { error: foreign });
  const body = changes ? await readJson(request) : undefined;
  const query = new URL(request.url ?? '', 'http://console').searchParams;
  const answer = run(parts, { request, response, names: route.names, query, body, until: access.until });
  await Promise.resolve(answer).then(
    (given) => writeAnswer(response, given),
    (error: unknown) => {
      parts.source.log.warn({ route: path.split('/')[3], error }, 'The console did not reach Redis.');
      sendJson(response, 503, { error: said('Redis is out of reach: try again in a moment.') });
    },
  );
}

function writeAnswer(response: ServerResponse, answer: RouteAnswer): void {
  if (answer === null) return;
  if (answer.body) sendJson(response, answer.status, answer.body);
  else response.writeHead(answer.status, { 'cache-control': 'no-store' }).end();
}

/**
 * Both queues' jobs in bull-board, to look at: what a job holds is left out, and nothing can be done to it. A failed
 * reply is run again on the console's own page, which knows of answers that may have reached their user.
 */

const path = '/console/queues';

/** As the package's own page needs it: its styles are written by its scripts. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; " +
    "img-src 'self' data:; font-src 'self'; worker-src 'self'; base-uri 'self'; form-action 'none'; " +
    "frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

const hidden = 'not shown: it may hold a message';

const uiConfig = {
  boardTitle: 'keeptyping',
  hideDocsLink: true,
  hideRedisDetails: true,
  showMetrics: false,
  showWorkers: false,
  pollingInterval: { forceInterval: 5, showSetting: false },
} as const;

/** Loads bull-board, which is big and mostly not asked for. */
export async function openBoard(shards: readonly (readonly Queue[])[]): Promise<Handler> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }, { default: express }] =
    await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
      import('express'),
    ]);
  const server = new ExpressAdapter().setBasePath(path);
  const adapters = shards.flatMap((queues, shard) =>
    queues.map((queue) => {
      // It tells queues apart by their names.
      const named = { prefix: shard === 0 ? '' : `${shard}:` };
      const adapter = new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false, ...named });
      for (const field of ['data', 'returnValue', 'progress'] as const)
        adapter.setFormatter(field, () => hidden);
      return adapter;
    }),
  );
  createBullBoard({
    queues: adapters,
    serverAdapter: server,
    options: { uiConfig, handlerHooks: { after: hide } },
  });
  const board: Express = server.getRouter();
  board.disable('x-powered-by');
  const app = express();
  app.disable('x-powered-by');
  app.use(path, onlyReads, withoutFonts, board);
  app.use((_, response) => void response.status(404).json({ error: 'There is nothing here.' }));
  app.use(asSentence);
  return (request, response) => void app(request, response);
}

const onlyReads: RequestHandler = (request, response, next) => {
  response.set(headers);
  if (request.method === 'GET' || request.method === 'HEAD') return next();
  response.set('allow', 'GET').status(405).json({ error: 'Here the queues can only be looked at.' });
};

/** The page asks another site for its fonts, which needs no one to know who looks at it. */
const withoutFonts: RequestHandler = (_, response, next) => {
  const render = response.render.bind(response);
  response.render = (view: string, values: object = {}) =>
    render(view, values, (error: Error | null, html) => {
      if (error) return next(error);
      response.send(html.replaceAll(/<link[^>]*"https?:[^>]*>/g, ''));
    });
  next();
};

/** Logs are written by nobody; should that change, nobody has looked at what they hold. */
const hide: AfterHook = ({ route }, result) => ({
  ...result,
  body: route.endsWith('/logs') ? [] : bare(result.body),
});

/** Traces, and what else of an error may repeat what it failed on. */
function bare<Body>(body: Body): Body {
  const text = JSON.stringify(body, (name, value: unknown) => (traces.includes(name) ? [] : value));
  // What JSON gives back has the shape that it took.
  return text === undefined ? body : (JSON.parse(text) as Body);
}

const traces = ['stacktrace', 'deferredFailure'];

// oxlint-disable-next-line max-params -- express knows an error handler by its four parameters
const asSentence: ErrorRequestHandler = (_error, _request, response, _next) => {
  response.status(500).json({ error: 'The queues cannot be shown: is Redis out of reach?' });
};

/**
 * What is dear to read, for all who ask: read again at most once in so many ms. Whoever asks meanwhile waits for the
 * next reading, so that no answer is older than its question.
 */
export function readSeldom<Found>(
  read: () => Promise<Found>,
  { clock, everyMs }: { clock: Clock; everyMs: number },
): () => Promise<Found> {
  let begunAt = -Infinity;
  let next: Promise<Found> | null = null;
  const readNext = async (): Promise<Found> => {
    await clock.sleep(Math.min(everyMs, Math.max(0, begunAt + everyMs - clock.now())));
    begunAt = clock.now();
    next = null;
    return read();
  };
  return () => (next ??= readNext());
}
