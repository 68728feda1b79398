/**
 * Both queues' jobs in bull-board, to look at: what a job holds is left out, and nothing can be done to it. A failed
 * reply is run again on the console's own page, which knows of answers that may have reached their user.
 */
import type { AfterHook } from '@bull-board/api/typings/app';
import type { Queue } from 'bullmq';
import type { ErrorRequestHandler, Express, RequestHandler } from 'express';
import type { Handler } from './ports.ts';

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
export async function openBoard(queues: readonly Queue[]): Promise<Handler> {
  const [{ createBullBoard }, { BullMQAdapter }, { ExpressAdapter }, { default: express }] =
    await Promise.all([
      import('@bull-board/api'),
      import('@bull-board/api/bullMQAdapter'),
      import('@bull-board/express'),
      import('express'),
    ]);
  const server = new ExpressAdapter().setBasePath(path);
  const adapters = queues.map((queue) => {
    const adapter = new BullMQAdapter(queue, { readOnlyMode: true, allowRetries: false });
    for (const field of ['data', 'returnValue', 'progress'] as const)
      adapter.setFormatter(field, () => hidden);
    return adapter;
  });
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
