/** The routes by which typing is switched behind third-party platforms, held against their description. */
import { createServer } from 'node:http';
import request, { type Test } from 'supertest';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { listen } from '../http/wire.ts';
import type { ComponentTyping } from '../../src/accounts/component-typing.ts';
import { componentRoutes, createComponentControl } from '../../src/control/components.ts';
import { describeControl } from '../../src/control/control.ts';
import { operations } from '../../src/control/operations.ts';
import { createApp } from '../../src/http/app.ts';
import { createGuard, type GuardOptions } from '../../src/http/guard.ts';
import { recordLog } from '../support/log.ts';
import { error, token } from './scene.ts';

const readiness = () => ({ phase: 'ready' as const, degraded: [], skipped: [] });
const path = '/components/vendor/typing';
const appId = 'wx1111111111111111';

async function serve(guarded: GuardOptions = { tokens: [token], open: 'never' }) {
  const state: { typing: ComponentTyping; down: boolean } = {
    typing: { typing: { is: 'template' }, accounts: {} },
    down: false,
  };
  const reach = (): void => {
    if (state.down) throw new Error('away');
  };
  const typings = {
    read: async () => (reach(), state.typing),
    write: async (_: string, typing: ComponentTyping) => (reach(), void (state.typing = typing)),
  };
  const log = recordLog();
  const control = createComponentControl({
    guard: createGuard(guarded),
    components: ['vendor'],
    typings,
    log,
  });
  const app = createApp({ log, readiness, receive: async () => {}, handshake: () => {}, control });
  const url = await listen(createServer(app));
  const ask = (method: 'get' | 'put' | 'delete', at = path): Test =>
    request(url)[method](at).set('Authorization', `Bearer ${token}`);
  return { url, ask, state, log };
}

describe('PUT and GET …/typing', () => {
  test.each([
    { typing: { is: 'all' }, accounts: {} },
    { typing: { is: 'none' }, accounts: { [appId]: 'on' } },
    { typing: { is: 'template' }, accounts: {} },
    { typing: { is: 'list', appids: [appId] }, accounts: {} },
    { typing: { is: 'share', percent: 12.5 }, accounts: { [appId]: 'off' } },
  ])('%j is taken, answered and read', async (said) => {
    const { ask, state } = await serve();
    const put = await ask('put').send(said);
    expect([put.status, put.body]).toEqual([200, said]);
    expect(state.typing).toEqual(said);
    expect((await ask('get')).body).toEqual(said);
  });

  test('accounts may be left out', async () => {
    const { ask, state } = await serve();
    expect((await ask('put').send({ typing: { is: 'all' } })).status).toBe(200);
    expect(state.typing).toEqual({ typing: { is: 'all' }, accounts: {} });
  });

  test.each([
    {},
    { typing: 'all' },
    { typing: { is: 'most' } },
    { typing: { is: 'list' } },
    { typing: { is: 'list', appids: ['shop'] } },
    { typing: { is: 'share', percent: 101 } },
    { typing: { is: 'share', percent: '5' } },
    { typing: { is: 'all', percent: 5 } },
    { typing: { is: 'all' }, accounts: { shop: 'on' } },
    { typing: { is: 'all' }, accounts: { [appId]: true } },
    { typing: { is: 'all' }, other: 1 },
  ])('%j is refused in one sentence and changes nothing', async (said) => {
    const { ask, state } = await serve();
    const { status, body } = await ask('put').send(said);
    expect([status, body]).toEqual([400, error]);
    expect(state.typing.typing).toEqual({ is: 'template' });
  });

  test('takes a list of two thousand accounts', async () => {
    const { ask, state } = await serve();
    const appids = Array.from({ length: 2_000 }, (_, n) => `wx${n.toString(16).padStart(16, '0')}`);
    expect((await ask('put').send({ typing: { is: 'list', appids } })).status).toBe(200);
    expect(state.typing.typing).toEqual({ is: 'list', appids });
  });

  test('is for whoever has the token; without one being set it is hidden', async () => {
    const { url } = await serve();
    expect((await request(url).get(path)).status).toBe(401);
    const hidden = await serve({ tokens: [], open: 'never' });
    expect((await hidden.ask('get')).status).toBe(404);
  });
});

const schema = z.record(z.string(), z.unknown());
const content = z.object({ 'application/json': z.object({ schema }) });
const described = z.object({
  requestBody: z.object({ content }).optional(),
  responses: z.record(z.string(), z.object({ content })),
});
const document = z
  .object({
    paths: z.record(z.string(), schema),
    components: z.object({ parameters: schema, schemas: schema }),
  })
  .parse(JSON.parse(JSON.stringify(describeControl(operations, { more: [componentRoutes] }))));
const here = document.paths['/components/{component}/typing'] ?? {};

describe('the document', () => {
  const provoked: Record<string, (scene: Awaited<ReturnType<typeof serve>>, method: 'get' | 'put') => Test> =
    {
      200: ({ ask }, method) => ask(method).send({ typing: { is: 'all' } }),
      400: ({ ask }, method) => ask(method).send({ typing: 1 }),
      401: ({ ask }, method) => ask(method).set('Authorization', 'Bearer wrong'),
      404: ({ ask }, method) => ask(method, '/components/other/typing'),
      413: ({ ask }, method) => ask(method).send({ x: 'x'.repeat(70_000) }),
      415: ({ ask }, method) => ask(method).set('Content-Encoding', 'gzip').send({}),
      503: ({ ask, state }, method) => {
        state.down = true;
        return ask(method).send({ typing: { is: 'all' } });
      },
    };

  test.each(['get', 'put'] as const)('%s answers with every documented status', async (method) => {
    for (const status of Object.keys(described.parse(here[method]).responses)) {
      const answer = await provoked[status]?.(await serve(), method);
      const typing = { typing: { is: method === 'get' ? 'template' : 'all' }, accounts: {} };
      expect([answer?.status, answer?.body]).toEqual([Number(status), status === '200' ? typing : error]);
    }
  });

  test('says what a body may hold as it is taken', async () => {
    const { ask } = await serve();
    const valid = z.fromJSONSchema(
      described.parse(here['put']).requestBody?.content['application/json'].schema as Parameters<
        typeof z.fromJSONSchema
      >[0],
    );
    for (const body of [
      {},
      { typing: { is: 'all' } },
      { typing: { is: 'list', appids: ['x'] } },
      { typing: { is: 'share', percent: -1 } },
    ]) {
      const { status } = await ask('put').send(body);
      expect({ body, taken: status === 200 }).toEqual({ body, taken: valid.safeParse(body).success });
    }
  });

  test('names the path’s parameter, and a method that it does not name is not there', async () => {
    expect(here['parameters']).toEqual([{ $ref: '#/components/parameters/component' }]);
    expect(document.components.parameters).toHaveProperty('component');
    const { ask } = await serve();
    expect((await ask('delete')).status).toBe(405);
  });
});
