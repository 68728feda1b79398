import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import type { Log } from '../core/ports.ts';
import { authorizerName, eventsName } from '../core/roster.ts';
import { type Bodies, createBodies, refuse, refuseUnread } from './respond.ts';
import { passLong } from './long.ts';
import { refusalOf, refuseMethod, shakeHands, takePush, type WebhookDeps } from './webhook.ts';

export interface Readiness {
  /** `starting` and `stopping` are not ready; what is `degraded` still forwards pushes. */
  phase: 'starting' | 'ready' | 'stopping';
  degraded: string[];
  /** Why, in sentences, where that is known. @default [] */
  reasons?: string[];
  /** Accounts of the configuration that could not be loaded, with the reason. */
  skipped: { account: string; reason: string }[];
}

interface AppOptions {
  log: Log;
  readiness: () => Readiness;
  /** Takes a push; `webhooks` or the panic switch's forwarder. */
  receive: (request: Request, response: Response) => Promise<void>;
  handshake: (request: Request, response: Response) => void | Promise<void>;
  /** Takes a push whose body is too long to be held. @default as any other */
  receiveLong?: (request: Request, response: Response) => Promise<void>;
  /** Why a push is refused before its body is read; null: it is read. @default none is refused */
  admit?: (request: Request) => { status: number; error: string } | null;
  /** Receives the bodies. @default by the usual bounds */
  bodies?: Bodies;
  /** The names of the third-party platforms. @default none */
  components?: readonly string[];
  /** The control API's router. @default null: there is none */
  control?: RequestHandler | null;
  /** What answers `GET /metrics`. @default null: there is nothing */
  metrics?: RequestHandler | null;
  /** The operator's console: calls `next` for what is not its own. @default null: there is none */
  console?: RequestHandler | null;
  /** A page at the root. @default null: there is none */
  page?: RequestHandler | null;
}

const webhookPath = '/webhooks/:channel{/:account}';

export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  serveWebhooks(app, options);
  app.get('/healthz', (_, response) => void response.json({ status: 'alive' }));
  app.get('/readyz', (request, response) => tellReadiness(options.readiness(), request, response));
  if (options.metrics) app.all('/metrics', options.metrics);
  if (options.control) app.use(options.control);
  if (options.console) app.use(options.console);
  if (options.page) app.use(options.page);
  app.use((request, response) => refuse(response, 404, `There is nothing at ${request.path}.`));
  app.use(asSentence(options.log));
  return app;
}

function serveWebhooks(app: Express, options: AppOptions): void {
  const { components = [], bodies = createBodies(), receive, receiveLong = receive } = options;
  const name = nameComponentAccount(components);
  const paths = components.length > 0 ? [webhookPath, ...componentPaths] : [webhookPath];
  for (const path of paths) {
    const route = app.route(path);
    if (path !== webhookPath) route.all(name);
    route
      .get((request, response) => options.handshake(request, response))
      .post(refuseEarly(options), bodies.receive, (request, response) =>
        (bodies.isLong(request) ? receiveLong : receive)(request, response),
      )
      .all((_, response) => refuseMethod(response, 'GET, POST'));
  }
}

/** The cheap checks first: nothing of a body is read, or kept, for whoever cannot be meant. */
function refuseEarly({ readiness, admit }: AppOptions): RequestHandler {
  return (request, response, next) => {
    const refusal = readiness().phase === 'stopping' ? stopping : admit?.(request);
    if (refusal) refuseUnread(request, response, refusal);
    else next();
  };
}

/** What is taken now may find nobody here to deal with it: the platform sends it again, to whoever comes next. */
const stopping = { status: 503, error: 'This process is stopping: send the push again.' };

/** The handlers for webhooks that are checked and queued. */
export function webhooks(
  deps: WebhookDeps,
): Pick<AppOptions, 'admit' | 'receive' | 'receiveLong' | 'handshake'> {
  return {
    admit: (request) => refusalOf(deps, request),
    receive: (request, response) => takePush(deps, request, response),
    receiveLong: (request, response) => passLong(deps, request, response),
    handshake: (request, response) => shakeHands(deps, request, response),
  };
}

function tellReadiness(readiness: Readiness, request: Request, response: Response): void {
  const { phase, degraded, skipped, reasons = [] } = readiness;
  const verbose = 'verbose' in request.query ? { skipped } : {};
  const why = reasons.length > 0 ? { reasons } : {};
  response.status(phase === 'ready' ? 200 : 503).json({ status: phase, degraded, ...why, ...verbose });
}

function asSentence(log: Log): ErrorRequestHandler {
  // oxlint-disable-next-line max-params -- express knows an error handler by its four parameters
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const status = statusOf(error);
    if (status === 500) log.error({ path: request.path, error }, 'A request failed.');
    refuse(response, status, sentences[status] ?? 'The request could not be read.');
  };
}

/** What express and body-parser name as the status of what they refuse. */
function statusOf(error: unknown): number {
  const status = typeof error === 'object' && error !== null && 'status' in error ? error.status : 500;
  return typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
}

const sentences: Record<number, string> = {
  415: 'The body is compressed: send it as it is.',
  500: 'keeptyping failed on this request; its log says why.',
};

/** The URLs that a WeChat third-party platform has in its console, beside those of accounts. */

const base = '/webhooks/wechat/component{/:component}';

/** `$APPID$` in the console's message URL becomes `:appid`; authorization events have one URL for all accounts. */
const componentPaths = [`${base}/:appid/callback`, `${base}/events`];

/**
 * Calls what the URL means by the name that it has as an account. A URL without a component's name means `default`,
 * or the only one.
 */
function nameComponentAccount(components: readonly string[]): RequestHandler {
  const only = components.length === 1 ? components[0] : undefined;
  const usual = components.includes('default') ? 'default' : only;
  return (request, response, next) => {
    const { component, appid } = request.params;
    const name = component === undefined ? usual : String(component);
    if (name === undefined)
      return refuse(response, 404, `${request.path} names no component: write its name behind /component/.`);
    const account = appid === undefined ? eventsName(name) : authorizerName(name, String(appid));
    request.params = { channel: 'wechat', account };
    next();
  };
}
