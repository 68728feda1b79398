import { Router, type Request, type RequestHandler, type Response } from 'express';
import type { Log } from '../core/log.ts';
import type { Roster } from '../core/served.ts';
import { readBody, type ReadBody } from './control-body.ts';
import type { Conversations, Operation, Result } from './control-operation.ts';
import { operations } from './control-table.ts';
import type { Guard } from './guard.ts';
import { describeControl, userPattern, type MoreRoutes } from './openapi.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

export interface ControlOptions {
  guard: Guard;
  accounts: Roster;
  conversations: Conversations;
  log: Log;
  /** Described beside these routes. @default none */
  more?: readonly MoreRoutes[];
}

/** The routes by which a bot, or a human, says what keeptyping cannot see; and their description. */
export function createControl(options: ControlOptions): Router {
  const { guard } = options;
  const router = Router();
  router.use('/conversations', admit(guard));
  for (const path of new Set(operations.map((operation) => operation.path))) {
    const here = operations.filter((operation) => operation.path === path);
    const route = router.route(path.replaceAll(/\{(\w+)\}/g, ':$1'));
    for (const operation of here)
      route[operation.method]((request, response) => take(options, operation, { request, response }));
    const allowed = here.map(({ method }) => method.toUpperCase()).join(', ');
    route.all((_, response) => refuseMethod(response, allowed));
  }
  const document = describeControl(operations, options.more);
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
  const channel = String(request.params.channel);
  const account = String(request.params.account);
  const served = options.accounts.of({ channel, account });
  if (!served) return refuse(response, 404, unknownAccount(channel, account));
  const user = userOf(String(request.params.user));
  if (user === null) return refuse(response, 400, noUser);
  const read = await readTaken(operation, asked);
  if (read.is === 'refusal') return refuse(response, read.status, read.error);
  try {
    const place = { platform: served.platform, user };
    answer(response, await operation.carryOut(options.conversations, place, read.body));
  } catch (error) {
    options.log.warn({ operation: operation.id, error }, 'The control API did not reach Redis.');
    refuseInOutage(operation, response);
  }
}

function unknownAccount(channel: string, account: string): string {
  return `No account "${account}" is configured for channel "${channel}": check the URL against the configuration.`;
}

const noUser =
  'The URL names no user: write the openid, the phone number in digits, or the business-scoped user id.';

/** Platforms name users by such; a phone number's "+" stands in no push. */
function userOf(written: string): string | null {
  const user = written.replace(/^\+/, '');
  return new RegExp(userPattern).test(user) ? user : null;
}

async function readTaken({ from }: Operation, { request, response }: Asked): Promise<ReadBody> {
  return from === 'body' ? readBody(request, response) : { is: 'body', body: request.query };
}

function answer(response: Response, result: Result): void {
  switch (result.status) {
    case 200:
      return void response.json(result.body);
    case 204:
      return void response.status(204).end();
    case 400:
      return refuse(response, 400, result.error);
  }
}

function refuseInOutage({ method }: Operation, response: Response): void {
  const error =
    method === 'get'
      ? 'Redis is out of reach: ask again in a moment.'
      : 'Redis is out of reach: say it again in a moment, which does no harm should it have been taken.';
  response.status(503).json(method === 'get' ? { error, dark: { reason: 'redis_down' } } : { error });
}
