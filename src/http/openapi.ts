/** The control API described, made of the table that its routes are made of: https://spec.openapis.org/oas/v3.1.1 */
import { z } from 'zod';
import type { Operation } from './control-operation.ts';
import { failure, outage } from './control-schemas.ts';

export type Json = { readonly [name: string]: unknown };

/** An openid, a phone number's digits, a business-scoped user id: two letters, a dot and at most 128 characters. */
export const userPattern = '^[\\w@.=-]{1,131}$';

/** Routes beside the table's, as OpenAPI has them; `parameters`: those of their paths, by name. */
export interface MoreRoutes {
  paths: Json;
  parameters: Json;
}

export function describeControl(operations: readonly Operation[], more: readonly MoreRoutes[] = []): Json {
  const paths = new Map<string, Json>([['/openapi.json', itself]]);
  for (const operation of operations) {
    const { path, method } = operation;
    const known = paths.get(path) ?? { parameters: placeParameters };
    paths.set(path, { ...known, [method]: describe(operation) });
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
    'For what keeptyping cannot see: when a turn begins and ends, and when a human has the conversation. Every operation may be said twice.',
  license: { name: 'MIT', identifier: 'MIT' },
};

const parameters = {
  channel: inPath('channel', { enum: ['wechat', 'nxcloud'] }),
  account: inPath('account', {}, 'Its name in the configuration; of plain environment variables: default.'),
  user: inPath(
    'user',
    { pattern: userPattern.replace('^', '^\\+?') },
    'The openid, the phone number with country code, or the business-scoped user id, percent-encoded. A leading + is dropped.',
  ),
};

const placeParameters = Object.keys(parameters).map((name) => ({ $ref: `#/components/parameters/${name}` }));

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

function describe({ id, summary, description, from, takes, answer, method }: Operation): Json {
  return {
    operationId: id,
    summary,
    ...(description === undefined ? {} : { description }),
    ...(from === 'body' ? { requestBody: { content: json(schemaOf(takes)) } } : queryOf(takes)),
    responses: {
      ...(answer === null
        ? { 204: { description: 'Done, or there was nothing to do' } }
        : { 200: answerOf('Done', schemaOf(answer)) }),
      400: error('What is asked for cannot be'),
      401: error('The control token is missing or wrong'),
      404: error('No such channel or account'),
      ...(from === 'body'
        ? { 413: error('The body is longer than 16 kB'), 415: error('The body is compressed, or no UTF-8') }
        : {}),
      503: error('Redis is out of reach', method === 'get' ? 'Outage' : 'Error'),
    },
  };
}

function queryOf({ shape }: z.ZodObject): Json {
  const fields = Object.entries(shape);
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
