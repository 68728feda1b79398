/** The document, held against the routes by real requests, and against OpenAPI's own rules. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { describeControl } from '../../src/control/control.ts';
import { operations } from '../../src/control/operations.ts';
import { reasons } from '../../src/control/schemas.ts';
import { type ControlScene, serveControl } from './scene.ts';

const field = z.looseObject({ name: z.string(), in: z.enum(['path', 'query']), required: z.boolean() });
const schema = z.record(z.string(), z.unknown());
const content = z.strictObject({ 'application/json': z.strictObject({ schema }) });
const described = z.strictObject({
  operationId: z.string().regex(/^\w+$/),
  summary: z.string().min(1),
  description: z.string().min(1).optional(),
  security: z.array(z.unknown()).optional(),
  parameters: z.array(field).optional(),
  requestBody: z.strictObject({ content }).optional(),
  responses: z.record(
    z.string().regex(/^[1-5]\d\d$/),
    z.strictObject({ description: z.string().min(1), content: content.optional() }),
  ),
});
const reference = z.strictObject({ $ref: z.string() });
/** What of OpenAPI 3.1 the document uses; anything else is a slip. https://spec.openapis.org/oas/v3.1.1 */
const openapi = z.strictObject({
  openapi: z.literal('3.1.0'),
  info: z.looseObject({ title: z.string(), version: z.string() }),
  servers: z.array(z.strictObject({ url: z.string() })),
  security: z.array(z.record(z.string(), z.array(z.string()))),
  paths: z.record(
    z.string().startsWith('/'),
    z.strictObject({
      parameters: z.array(reference).optional(),
      get: described.optional(),
      put: described.optional(),
      delete: described.optional(),
    }),
  ),
  components: z.strictObject({
    securitySchemes: z.record(z.string(), z.looseObject({ type: z.literal('http') })),
    parameters: z.record(z.string(), field.extend({ schema })),
    schemas: z.record(z.string(), schema),
  }),
});
type Described = z.infer<typeof described>;

const methods = ['get', 'put', 'delete'] as const;
/** As it is written. */
const document = openapi.parse(JSON.parse(JSON.stringify(describeControl(operations))));

/** Every operation of the document. */
function all(): { method: (typeof methods)[number]; path: string; operation: Described }[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation ? [{ method, path, operation }] : [];
    }),
  );
}

/** The whole text with each reference resolved, so that a schema stands by itself. */
function resolved(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(resolved);
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) return resolved(follow(String(value.$ref)));
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, resolved(each)]));
}

function follow(reference: string): unknown {
  const steps = reference.replace(/^#\//, '').split('/');
  const found = steps.reduce<unknown>((at, step) => z.looseObject({}).parse(at)[step], document);
  if (found === undefined) throw new Error(`${reference} leads nowhere.`);
  return found;
}

type JsonSchema = Parameters<typeof z.fromJSONSchema>[0];

/** Takes no field that the schema does not name. */
function validator(written: unknown): z.ZodType {
  const closed = JSON.parse(JSON.stringify(written), (_, value: unknown) =>
    z.looseObject({ properties: schema }).safeParse(value).success
      ? { ...z.looseObject({}).parse(value), additionalProperties: false }
      : value,
  ) as JsonSchema;
  return z.fromJSONSchema(closed);
}

const paths = { channel: 'wechat', account: 'shop', user: 'openid' };
const fill = (path: string, values: Record<string, string> = paths): string =>
  path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? '');

const isAccounts = (path: string): boolean => path.startsWith('/accounts');

/** How each status of an operation comes about. */
const provoked: Record<string, (scene: ControlScene, method: Method, path: string) => PromiseLike<Answered>> =
  {
    200: ({ ask }, method, path) => ask(method, fill(path)),
    204: ({ ask }, method, path) => ask(method, fill(path)),
    201: ({ ask }, method, path) => ask(method, fill(path, { ...paths, account: 'new' })),
    400: ({ ask }, method, path) =>
      ask(method, fill(path, { ...paths, ...(isAccounts(path) ? { account: '-a' } : { user: 'a b' }) })),
    401: ({ ask }, method, path) => ask(method, fill(path)).set('Authorization', 'Bearer wrong'),
    404: ({ ask }, method, path) =>
      ask(method, fill(path, { ...paths, ...(isAccounts(path) ? { channel: 'x' } : { account: 'other' }) })),
    409: ({ ask }, method, path) => ask(method, fill(path, { ...paths, account: 'files' })),
    413: ({ ask }, method, path) => ask(method, fill(path)).send({ messageId: 'm'.repeat(20_000) }),
    415: ({ ask }, method, path) => ask(method, fill(path)).set('Content-Encoding', 'gzip').send({}),
    503: ({ ask }, method, path) => ask(method, fill(path)),
  };
type Method = (typeof methods)[number];
interface Answered {
  status: number;
  type: string;
  text: string;
  body: unknown;
}

const gone = async (): Promise<never> => Promise.reject(new Error('away'));
const register = { list: gone, read: gone, put: gone, remove: gone, tryAgain: gone };
const away = { read: gone, start: gone, stop: gone, forget: gone, pause: gone, resume: gone, register };

const documented = ['/openapi.json get', ...operations.map(({ method, path }) => `${path} ${method}`)];

describe.each(documented.map((name) => name.split(' ')))('%s %s', (path = '', method = '') => {
  const here = () => all().find((each) => each.path === path && each.method === method);

  test('is documented', () => {
    expect(here()).toBeDefined();
  });

  test('answers with every documented status as documented', async () => {
    const statuses = Object.entries(here()?.operation.responses ?? {});
    expect(statuses).not.toEqual([]);
    for (const [status, { content }] of statuses) {
      const scene = await serveControl(status === '503' ? away : {});
      const answer = await provoked[status]?.(scene, method as Method, path);
      expect(answer?.status).toBe(Number(status));
      expect(answer?.type).toBe(content ? 'application/json' : '');
      expect(answer?.text === '').toBe(content === undefined);
      expect(bodyOf(path, content).safeParse(answer?.body).error).toBeUndefined();
    }
  });
});

/** What an answer's body is to be. */
function bodyOf(path: string, documented: z.infer<typeof content> | undefined): z.ZodType {
  if (path === '/openapi.json') return openapi;
  return documented ? validator(resolved(documented['application/json'].schema)) : z.unknown();
}

test('every route is documented, and nothing else', () => {
  expect(
    all()
      .map(({ path, method }) => `${path} ${method}`)
      .toSorted(),
  ).toEqual(documented.toSorted());
});

test('a method that is not documented is not there', async () => {
  const { ask } = await serveControl();
  for (const [path, item] of Object.entries(document.paths)) {
    const others = (['get', 'put', 'post', 'delete'] as const).filter((method) => !(method in item));
    for (const method of others) expect((await ask(method, fill(path))).status).toBe(405);
  }
});

describe('what a request holds', () => {
  test('is documented as it is taken', async () => {
    const { ask } = await serveControl();
    const bodies = [
      {},
      { messageId: 'm1' },
      { seconds: 1 },
      { seconds: 0 },
      { seconds: '1' },
      { x: 1 },
      { messageId: '' },
    ];
    const conversations = all().filter(({ method, path }) => method === 'put' && !isAccounts(path));
    for (const { path, operation } of conversations) {
      const valid = z.fromJSONSchema(
        resolved(operation.requestBody?.content['application/json'].schema) as JsonSchema,
      );
      for (const body of bodies) {
        const { status } = await ask('put', fill(path)).send(body);
        expect({ path, body, taken: status === 200 }).toEqual({
          path,
          body,
          taken: valid.safeParse(body).success,
        });
      }
    }
  });

  test('in a query is documented by name', () => {
    const stop = all().find(({ operation }) => operation.operationId === 'stopTyping');
    expect(stop?.operation.parameters?.map(({ name }) => name)).toEqual(['turn', 'messageId']);
  });

  test('names the user as the document says', async () => {
    const { ask } = await serveControl();
    const { schema } = z
      .object({ schema: z.object({ pattern: z.string() }) })
      .parse(document.components.parameters['user']);
    for (const name of [
      'openid',
      '+8613800000000',
      'US.1',
      'a b',
      'a:b',
      '++1',
      'a'.repeat(131),
      'a'.repeat(132),
    ]) {
      const { status } = await ask('get', `/conversations/wechat/shop/${encodeURIComponent(name)}`);
      expect({ name, taken: status === 200 }).toEqual({ name, taken: new RegExp(schema.pattern).test(name) });
    }
  });
});

describe('by the rules of OpenAPI', () => {
  test('every reference leads somewhere', () => {
    expect(() => resolved(document)).not.toThrow();
    expect(JSON.stringify(document)).toContain('$ref');
  });

  test('operations have names of their own', () => {
    const names = all().map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  test('a path’s parameters are those of its template, each once and required', () => {
    const lists = z.array(field);
    for (const [path, { parameters = [] }] of Object.entries(document.paths)) {
      const inTemplate = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const declared = lists.parse(resolved(parameters));
      expect(declared.map(({ name }) => name)).toEqual(inTemplate);
      expect(declared.every((each) => each.in === 'path' && each.required)).toBe(true);
    }
  });

  test('security names a scheme that there is', () => {
    const schemes = Object.keys(document.components.securitySchemes);
    expect(document.security.flatMap((each) => Object.keys(each))).toEqual(schemes);
  });
});

test('the document is the one that is served', async () => {
  const { ask } = await serveControl();
  expect((await ask('get', '/openapi.json')).body).toEqual(document);
});

test('docs/control-api.md explains every reason', () => {
  const text = readFileSync(new URL('../../docs/control-api.md', import.meta.url), 'utf8');
  const explained = [...text.matchAll(/^\| `(\w+)` +\|/gm)].map(([, name]) => name);
  expect(explained).toEqual([...reasons.options, 'redis_down']);
});
