import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Log } from '../core/log.ts';
import { readBody, type ReadBody } from './control-body.ts';
import type { Operation, Result, Subjects } from './control-operation.ts';
import { operations } from './control-table.ts';
import type { Guard } from './guard.ts';
import { describeControl, saysDark, type Bodies, type MoreRoutes } from './openapi.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

export interface ControlOptions extends Subjects {
  guard: Guard;
  log: Log;
  /** Described beside these routes. @default none */
  more?: readonly MoreRoutes[];
  /** What an operation's body may hold, by the operation's id, where its own schema does not say it. @default none */
  bodies?: Bodies;
}

/** The routes by which a bot, or a human, says what keeptyping cannot see, and sets accounts; and their description. */
export function createControl(options: ControlOptions): Router {
  const { guard, bodies } = options;
  const router = Router();
  router.use(['/conversations', '/accounts'], admit(guard));
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const here = operations.filter((operation) => operation.path === path);
    const route = router.route(path.replaceAll(/\{(\w+)\}/g, ':$1'));
    for (const operation of here)
      route[operation.method]((request, response) => take(options, operation, { request, response }));
    const allowed = here.map(({ method }) => method.toUpperCase()).join(', ');
    route.all((_, response) => refuseMethod(response, allowed));
  }
  const document = describeControl(operations, { bodies, more: options.more });
  router
    .route('/openapi.json')
    // It holds no secret; but of what is hidden there is no description either.
    .all((request, _, next) => (guard(request) === 'hidden' ? next('router') : next()))
    .get((_, response) => void response.json(document))
    .all((_, response) => refuseMethod(response, 'GET'));
  return router;
}

/** Lets only those through whom the guard admits. */
export function admit(guard: Guard): RequestHandler {
  return (request, response, next) => {
    const admission = guard(request);
    if (admission === 'hidden') return next('router');
    response.set('Cache-Control', 'no-store');
    if (admission === 'admitted') return next();
    response.set('WWW-Authenticate', 'Bearer');
    refuse(response, 401, 'This is not the control token: send "Authorization: Bearer", then CONTROL_TOKEN.');
  };
}

interface Asked {
  request: Request;
  response: Response;
}

async function take(options: ControlOptions, operation: Operation, asked: Asked): Promise<void> {
  const { request, response } = asked;
  const params = Object.entries(request.params).map(([name, value]) => [name, String(value)] as const);
  const task = operation.at(options, Object.fromEntries(params));
  if (typeof task !== 'function') return refuse(response, task.status, task.error);
  const read = await readTaken(operation, asked);
  if (read.is === 'refusal') return refuse(response, read.status, read.error);
  try {
    answer(response, await task(read.body));
  } catch (error) {
    options.log.warn({ operation: operation.id, error }, 'The control API did not reach Redis.');
    refuseInOutage(operation, response);
  }
}

async function readTaken({ from }: Operation, { request, response }: Asked): Promise<ReadBody> {
  return from === 'body' ? readBody(request, response) : { is: 'body', body: request.query };
}

function answer(response: Response, result: Result): void {
  switch (result.status) {
    case 200:
    case 201:
      return void response.status(result.status).json(result.body);
    case 204:
      return void response.status(204).end();
    default: {
      const { status, ...said } = result;
      return void response.status(status).json(said);
    }
  }
}

function refuseInOutage({ method, path }: Operation, response: Response): void {
  const error =
    method === 'get'
      ? 'Redis is out of reach: ask again in a moment.'
      : 'Redis is out of reach: say it again in a moment, which does no harm should it have been taken.';
  response
    .status(503)
    .json(saysDark({ method, path }) ? { error, dark: { reason: 'redis_down' } } : { error });
}
