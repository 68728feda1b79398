/** The control API: its routes, and the document that describes them, made of one table: https://spec.openapis.org/oas/v3.1.1 */
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { z } from 'zod';
import { channels } from '../core/platform.ts';
import type { Log, Standing } from '../core/ports.ts';
import { servedNamePattern } from '../core/roster.ts';
import type { Guard } from '../http/guard.ts';
import type { Guessed } from '../http/guesses.ts';
import { refuse } from '../http/respond.ts';
import { refuseMethod } from '../http/webhook.ts';
import {
  type Operation,
  readBody,
  type ReadBody,
  type Result,
  type Subjects,
  userPattern,
} from './operation.ts';
import { operations } from './operations.ts';
import { failure, outage } from './schemas.ts';

interface ControlOptions extends Subjects {
  guard: Guard;
  /** @default nobody who guesses waits */
  guessed?: Guessed | undefined;
  log: Log;
  /** How Redis stands. @default well */
  standing?: () => Standing;
  /** Described beside these routes. @default none */
  more?: readonly MoreRoutes[];
  /** What an operation's body may hold, by the operation's id, where its own schema does not say it. @default none */
  bodies?: Bodies;
}

/** The routes by which a bot, or a human, says what keeptyping cannot see, and sets accounts; and their description. */
export function createControl(options: ControlOptions): Router {
  const { guard, guessed, bodies } = options;
  const router = Router();
  router.use(['/conversations', '/accounts'], admit(guard, guessed));
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
export function admit(guard: Guard, guessed: Guessed = async () => {}): RequestHandler {
  return async (request, response, next) => {
    const admission = guard(request);
    if (admission === 'hidden') return next('router');
    response.set('Cache-Control', 'no-store');
    if (admission === 'admitted') return next();
    await guessed(request);
    response.set('WWW-Authenticate', 'Bearer');
    refuse(response, 401, 'This is not the control token: send "Authorization: Bearer", then CONTROL_TOKEN.');
  };
}

export interface ControlRequest {
  request: Request;
  response: Response;
}

async function take(options: ControlOptions, operation: Operation, asked: ControlRequest): Promise<void> {
  const { request, response } = asked;
  const params = Object.entries(request.params).map(([name, value]) => [name, String(value)] as const);
  const task = operation.at(options, Object.fromEntries(params));
  if (typeof task !== 'function') return refuse(response, task.status, task.error);
  const read = await readTaken(operation, asked);
  if (read.is === 'refusal') return refuse(response, read.status, read.error);
  try {
    writeResult(response, await task(read.body));
  } catch (error) {
    options.log.warn({ operation: operation.id, error }, 'The control API did not reach Redis.');
    refuseInOutage(operation, { response, remedy: options.standing?.().says ?? null });
  }
}

async function readTaken({ from }: Operation, { request, response }: ControlRequest): Promise<ReadBody> {
  return from === 'body' ? readBody(request, response) : { is: 'body', body: request.query };
}

function writeResult(response: Response, result: Result): void {
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

function refuseInOutage(
  { method, path }: Operation,
  { response, remedy }: { response: Response; remedy: string | null },
): void {
  const how = remedy ?? 'Redis is out of reach.';
  const error =
    method === 'get'
      ? `${how} Ask again in a moment.`
      : `${how} Say it again in a moment, which does no harm should it have been taken.`;
  response
    .status(503)
    .json(saysDark({ method, path }) ? { error, dark: { reason: 'redis_down', remedy } } : { error });
}

type Json = { readonly [name: string]: unknown };

/** By the operation's id. */
type Bodies = Readonly<Record<string, z.ZodType>>;

/** Routes beside the table's, as OpenAPI has them; `parameters`: those of their paths, by name. */
export interface MoreRoutes {
  paths: Json;
  parameters: Json;
}

interface MoreDescriptions {
  bodies?: Bodies | undefined;
  more?: readonly MoreRoutes[] | undefined;
}

export function describeControl(
  operations: readonly Operation[],
  { bodies = {}, more = [] }: MoreDescriptions = {},
): Json {
  const paths = new Map<string, Json>([['/openapi.json', itself]]);
  for (const operation of operations) {
    const { path, method } = operation;
    const known = paths.get(path) ?? parametersOf(path);
    paths.set(path, {
      ...known,
      [method]: describeOperation(operation, bodies[operation.id] ?? operation.takes),
    });
  }
  return {
    openapi: '3.1.0',
    info,
    servers: [{ url: '/' }],
    security: [{ controlToken: [] }],
    paths: Object.fromEntries([...paths, ...more.flatMap((routes) => Object.entries(routes.paths))]),
    components: {
      securitySchemes: { controlToken: { type: 'http', scheme: 'bearer', description: 'CONTROL_TOKEN' } },
      parameters: {
        ...parameters,
        ...Object.fromEntries(more.flatMap((routes) => Object.entries(routes.parameters))),
      },
      schemas: { Error: schemaOf(failure), Outage: schemaOf(outage) },
    },
  };
}

const info = {
  title: 'keeptyping control API',
  version: '1',
  description:
    'For what keeptyping cannot see: when a turn begins and ends, and when a human has the conversation; and for accounts that come and go. Every operation may be said twice.',
  license: { name: 'MIT', identifier: 'MIT' },
};

const parameters = {
  channel: inPath('channel', { enum: [...channels] }),
  account: inPath(
    'account',
    { pattern: servedNamePattern },
    'Its name in the configuration; of plain environment variables: default.',
  ),
  user: inPath(
    'user',
    { pattern: userPattern.replace('^', '^\\+?') },
    'The openid, the phone number with country code, or the business-scoped user id, percent-encoded. A leading + is dropped.',
  ),
};

function parametersOf(path: string): Json {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return names.length === 0
    ? {}
    : { parameters: names.map((name) => ({ $ref: `#/components/parameters/${name}` })) };
}

export function inPath(name: string, schema: Json, description?: string): Json {
  const described = description === undefined ? {} : { description };
  return { name, in: 'path', required: true, ...described, schema: { type: 'string', ...schema } };
}

const itself = {
  get: {
    operationId: 'describe',
    summary: 'This document',
    security: [],
    responses: { 200: answerOf('OpenAPI 3.1', { type: 'object' }) },
  },
};

function describeOperation({ statuses, answer, ...operation }: Operation, takes: z.ZodType): Json {
  const { id, summary, description, from } = operation;
  const others = Object.entries(statuses).map(([status, what]) => [
    status,
    status === '201' && answer ? answerOf(what, schemaOf(answer)) : error(what),
  ]);
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(from === 'body' ? { requestBody: { content: json(schemaOf(takes)) } } : queryOf(takes)),
    responses: {
      ...(answer === null
        ? { 204: { description: 'Done, or there was nothing to do' } }
        : { 200: answerOf('Done', schemaOf(answer)) }),
      ...Object.fromEntries(others),
      401: error('The control token is missing or wrong'),
      ...(from === 'body'
        ? { 413: error('The body is longer than 16 kB'), 415: error('The body is compressed, or no UTF-8') }
        : {}),
      503: error('Redis is out of reach', saysDark(operation) ? 'Outage' : 'Error'),
    },
  };
}

/** Whether it is asked why nothing shows: an outage is an answer to that. */
function saysDark({ method, path }: Pick<Operation, 'method' | 'path'>): boolean {
  return method === 'get' && path.startsWith('/conversations');
}

function queryOf(takes: z.ZodType): Json {
  const fields = takes instanceof z.ZodObject ? Object.entries<z.ZodType>(takes.shape) : [];
  if (fields.length === 0) return {};
  return { parameters: fields.map(([name, field]) => inQuery(name, field)) };
}

function inQuery(name: string, field: z.core.$ZodType): Json {
  return { name, in: 'query', required: false, schema: schemaOf(field) };
}

export function error(description: string, schema: 'Error' | 'Outage' = 'Error'): Json {
  return answerOf(description, { $ref: `#/components/schemas/${schema}` });
}

export function answerOf(description: string, schema: Json): Json {
  return { description, content: json(schema) };
}

export function json(schema: Json): Json {
  return { 'application/json': { schema } };
}

/** OpenAPI 3.1 speaks JSON Schema 2020-12, as zod does. */
export function schemaOf(schema: z.core.$ZodType): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
  return rest;
}
