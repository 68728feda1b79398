/** The route by which refresh tokens are brought in, held against its description. */
import { createServer } from 'node:http';
import request, { type Test } from 'supertest';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { listen } from '../http/wire.ts';
import {
  authorizerRoutes,
  componentRoutes,
  createAuthorizerControl,
  type KeptToken,
} from '../../src/control/components.ts';
import { describeControl } from '../../src/control/control.ts';
import { operations } from '../../src/control/operations.ts';
import { createApp } from '../../src/http/app.ts';
import { createGuard, type GuardOptions } from '../../src/http/guard.ts';
import { recordLog } from '../support/log.ts';
import { error, token } from './scene.ts';

const readiness = () => ({ phase: 'ready' as const, degraded: [], skipped: [] });
const appId = 'wx1111111111111111';
const path = `/components/vendor/authorizers/${appId}`;
const refreshToken = 'refreshtoken@@@secret';

async function serve(guarded: GuardOptions = { tokens: [token], open: 'never' }) {
  const kept: string[][] = [];
  const state: { said: KeptToken | Error } = { said: { is: 'kept' } };
  const log = recordLog();
  const control = createAuthorizerControl({
    guard: createGuard(guarded),
    components: ['vendor'],
    keepRefreshToken: async (...given) => {
      if (state.said instanceof Error) throw state.said;
      kept.push(given);
      return state.said;
    },
    log,
  });
  const app = createApp({ log, readiness, receive: async () => {}, handshake: () => {}, control });
  const url = await listen(createServer(app));
  const put = (at = path): Test => request(url).put(at).set('Authorization', `Bearer ${token}`);
  return { url, put, kept, state, log };
}

test('a refresh token is kept for its account, and answered and logged by nobody', async () => {
  const { put, kept, log } = await serve();
  const { status, text } = await put().send({ refreshToken });
  expect([status, text]).toEqual([204, '']);
  expect(kept).toEqual([['vendor', appId, refreshToken]]);
  expect(JSON.stringify(log.lines)).not.toContain('@@@');
});

test('where Redis is out of reach its error, which may hold the token, is not logged', async () => {
  const { put, state, log } = await serve();
  state.said = Object.assign(new Error(`SET ${refreshToken}`), { command: { args: [refreshToken] } });
  expect((await put().send({ refreshToken })).status).toBe(503);
  expect(log.lines).toHaveLength(1);
  expect(JSON.stringify(log.lines)).not.toContain('@@@');
});

test.each([{}, { refreshToken: '' }, { refreshToken: 1 }, { refreshToken, other: 1 }, []])(
  '%j is refused in one sentence and keeps nothing',
  async (said) => {
    const { put, kept } = await serve();
    const { status, body, text } = await put().send(said);
    expect([status, body, kept]).toEqual([400, error, []]);
    expect(text).not.toContain('@@@');
  },
);

test.each(['shop', 'wx111111111111111', 'WX1111111111111111'])('%s is no AppID', async (name) => {
  const { put, kept } = await serve();
  const { status } = await put(`/components/vendor/authorizers/${name}`).send({ refreshToken });
  expect([status, kept]).toEqual([400, []]);
});

test('it is for whoever has the token; without one being set it is hidden', async () => {
  const { url, kept } = await serve();
  expect((await request(url).put(path).send({ refreshToken })).status).toBe(401);
  const hidden = await serve({ tokens: [], open: 'never' });
  expect((await hidden.put().send({ refreshToken })).status).toBe(404);
  expect([...kept, ...hidden.kept]).toEqual([]);
});

describe('the document', () => {
  const document = z
    .object({ paths: z.record(z.string(), z.record(z.string(), z.unknown())) })
    .parse(
      JSON.parse(JSON.stringify(describeControl(operations, { more: [componentRoutes, authorizerRoutes] }))),
    );
  const here = z
    .object({ responses: z.record(z.string(), z.unknown()) })
    .parse(document.paths['/components/{component}/authorizers/{appid}']?.['put']);

  const provoked: Record<string, (scene: Awaited<ReturnType<typeof serve>>) => Test> = {
    204: ({ put }) => put().send({ refreshToken }),
    400: ({ put }) => put().send({}),
    401: ({ put }) => put().set('Authorization', 'Bearer wrong'),
    404: ({ put }) => put(`/components/other/authorizers/${appId}`).send({ refreshToken }),
    409: ({ put, state }) => {
      state.said = { is: 'refused', error: 'It has a token service.' };
      return put().send({ refreshToken });
    },
    413: ({ put }) => put().send({ x: 'x'.repeat(20_000) }),
    415: ({ put }) => put().set('Content-Encoding', 'gzip').send({}),
    503: ({ put, state }) => {
      state.said = new Error('away');
      return put().send({ refreshToken });
    },
  };

  test('names every status that it answers with', async () => {
    expect(Object.keys(here.responses)).toEqual(Object.keys(provoked));
    for (const [status, provoke] of Object.entries(provoked)) {
      const answer = await provoke(await serve());
      expect([answer.status, answer.body]).toEqual([Number(status), status === '204' ? {} : error]);
    }
  });
});
