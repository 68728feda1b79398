import { createServer } from 'node:http';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { call, linesOf, listen, textOf } from '../http/wire.ts';
import { createApp } from '../../src/http/app.ts';
import { recordLog } from '../support/log.ts';
import { error, readable, serveControl, token, user } from './scene.ts';

describe('the routes', () => {
  test('start typing for a message, and answer its turn', async () => {
    const { ask, said } = await serveControl();
    const { status, body, headers } = await ask('put', `${user}/typing`).send({ messageId: 'm1' });
    expect({ status, body }).toEqual({ status: 200, body: { turn: 'turn-of-m1' } });
    expect(headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(said).toEqual([['start', 'wechat/shop', 'openid', 'm1']]);
  });

  test.each([
    ['an empty object', '{}'],
    ['nothing', ''],
  ])('start typing without a message for a body of %s, whatever its type', async (_, body) => {
    const { ask, said } = await serveControl();
    const typed = ask('put', `${user}/typing`).set('Content-Type', 'application/x-www-form-urlencoded');
    expect((await typed.send(body)).status).toBe(200);
    expect(said).toEqual([['start', 'wechat/shop', 'openid', null]]);
  });

  test.each([
    ['', { is: 'all' }],
    ['?turn=a%2Fb', { is: 'turn', turn: 'a/b' }],
    ['?messageId=m1', { is: 'message', messageId: 'm1' }],
  ])('stop typing: %s', async (query, which) => {
    const { ask, said } = await serveControl();
    const { status, text } = await ask('delete', `${user}/typing${query}`);
    expect({ status, text }).toEqual({ status: 204, text: '' });
    expect(said).toEqual([['stop', 'wechat/shop', 'openid', which]]);
  });

  test('read a conversation', async () => {
    const { ask } = await serveControl();
    const { status, body } = await ask('get', user);
    expect({ status, body }).toEqual({ status: 200, body: readable });
  });

  test('forget a user', async () => {
    const { ask, said } = await serveControl();
    expect((await ask('delete', user)).status).toBe(204);
    expect(said).toEqual([['forget', 'wechat/shop', 'openid']]);
  });

  test.each([
    [{}, null, { until: null }],
    [{ seconds: 60 }, 60, { until: 60_000 }],
  ])('pause: %j', async (body, seconds, answer) => {
    const { ask, said } = await serveControl();
    const { status, body: answered } = await ask('put', `${user}/pause`).send(body);
    expect({ status, answered }).toEqual({ status: 200, answered: answer });
    expect(said).toEqual([['pause', 'wechat/shop', 'openid', seconds]]);
  });

  test('resume', async () => {
    const { ask, said } = await serveControl();
    expect((await ask('delete', `${user}/pause`)).status).toBe(204);
    expect(said).toEqual([['resume', 'wechat/shop', 'openid']]);
  });
});

describe('a user', () => {
  test.each([
    ['/conversations/wechat/shop/oAbC_-123', 'oAbC_-123'],
    ['/conversations/nxcloud/sales/%2B8613800000000', '8613800000000'],
    ['/conversations/nxcloud/sales/+8613800000000', '8613800000000'],
    ['/conversations/nxcloud/sales/US.13491208655302741918', 'US.13491208655302741918'],
    [`/conversations/nxcloud/sales/US.${'a'.repeat(128)}`, `US.${'a'.repeat(128)}`],
  ])('of %s is %s', async (path, name) => {
    const { ask, said } = await serveControl();
    expect((await ask('delete', path)).status).toBe(204);
    expect(said).toMatchObject([['forget', expect.any(String), name]]);
  });

  test.each(['a%2Fb', 'a%20b', '%0A', '+', 'a:b', 'a'.repeat(132), '%E7%94%A8'])(
    'of the name %s there is none',
    async (name) => {
      const { ask, said } = await serveControl();
      expect(await ask('get', `/conversations/wechat/shop/${name}`)).toMatchObject({
        status: 400,
        body: error,
      });
      expect(said).toEqual([]);
    },
  );
});

describe('what cannot be taken', () => {
  test.each([
    ['typing', '{"messageId":', 'The body is no JSON object'],
    ['typing', '"m1"', 'The body is no JSON object'],
    ['typing', '[]', 'The body is no object'],
    ['typing', '{"messageId":24101234567890123}', 'messageId must be one string'],
    ['typing', '{"messageId":""}', 'messageId is empty'],
    ['typing', '{"messageID":"m1"}', '"messageID"'],
    ['typing', `{"messageId":"${'m'.repeat(513)}"}`, 'longer than 512'],
    ['pause', '{"seconds":"60"}', 'seconds must be a whole number'],
    ['pause', '{"seconds":1.5}', 'seconds must be a whole number'],
    ['pause', '{"seconds":0}', 'seconds must be from 1'],
    ['pause', '{"seconds":31536001}', 'seconds must be from 1 to 31536000'],
    ['pause', '{"seconds":60,"until":1}', '"until"'],
  ])('PUT %s with %s is 400 with the reason', async (name, body, reason) => {
    const { ask, said } = await serveControl();
    const typed = ask('put', `${user}/${name}`).set('Content-Type', 'application/json');
    const answer = await typed.send(body);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(reason) } });
    expect(said).toEqual([]);
  });

  test.each([
    ['turn=', 'turn is empty'],
    ['turn=a&turn=b', 'turn must be one string'],
    ['turn=a&messageId=b', 'name one of them'],
    ['trun=a', '"trun"'],
  ])('DELETE typing?%s is 400, for it must not end everything', async (query, reason) => {
    const { ask, said } = await serveControl();
    const answer = await ask('delete', `${user}/typing?${query}`);
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringContaining(reason) } });
    expect(said).toEqual([]);
  });

  test('a start that needs a message id is 400 with the remedy', async () => {
    const { ask } = await serveControl({ start: async () => ({ is: 'refused', error: 'Pass messageId.' }) });
    const { status, body } = await ask('put', `${user}/typing`);
    expect({ status, body }).toEqual({ status: 400, body: { error: 'Pass messageId.' } });
  });

  test('a body over 16 kB is 413', async () => {
    const { ask } = await serveControl();
    const answer = await ask('put', `${user}/typing`).send({ messageId: 'm'.repeat(16 * 1024) });
    expect(answer).toMatchObject({ status: 413, body: { error: 'The body is longer than 16 kB.' } });
  });

  test.each([
    ['Content-Encoding', 'gzip'],
    ['Content-Type', 'application/json; charset=gbk'],
  ])('a body of %s: %s is 415', async (name, value) => {
    const { url } = await serveControl();
    const headers = ['Authorization', `Bearer ${token}`, name, value];
    const { status } = await call(`${url}${user}/typing`, { method: 'PUT', headers, body: '{}' }).answer;
    expect(status).toBe(415);
  });

  test.each([
    ['wechat', 'other'],
    ['telegram', 'shop'],
  ])('channel %s with account %s is 404, which names them', async (channel, account) => {
    const { ask } = await serveControl();
    const { status, body } = await ask('get', `/conversations/${channel}/${account}/openid`);
    expect(status).toBe(404);
    expect(body.error).toContain(`"${account}"`);
    expect(body.error).toContain(`"${channel}"`);
  });

  test.each([
    ['post', `${user}/typing`, 'PUT, DELETE'],
    ['get', `${user}/pause`, 'PUT, DELETE'],
    ['put', user, 'GET, DELETE'],
    ['options', user, 'GET, DELETE'],
    ['delete', '/openapi.json', 'GET'],
  ] as const)('%s %s is 405', async (method, path, allow) => {
    const { ask } = await serveControl();
    const { status, body, headers } = await ask(method, path);
    expect({ status, allow: headers['allow'] }).toEqual({ status: 405, allow });
    expect(body).toEqual(error);
  });

  test.each(['/conversations', '/conversations/wechat/shop', `${user}/more`])('%s is 404', async (path) => {
    const { ask } = await serveControl();
    expect(await ask('get', path)).toMatchObject({ status: 404, body: error });
  });
});

const away = async (): Promise<never> => Promise.reject(new Error('Connection is closed.'));

describe('without Redis', () => {
  test('a look is 503 and says why it is dark', async () => {
    const { ask, log } = await serveControl({ read: away });
    const { status, body } = await ask('get', user);
    expect({ status, body }).toEqual({
      status: 503,
      body: { error: expect.any(String), dark: { reason: 'redis_down', remedy: null } },
    });
    expect(log.lines).toMatchObject([{ level: 'warn' }]);
  });

  test('an order is 503', async () => {
    const { ask } = await serveControl({ stop: away });
    expect(await ask('delete', `${user}/typing`)).toMatchObject({ status: 503, body: error });
  });
});

describe('who may', () => {
  test.each([
    ['no token', []],
    ['a wrong token', ['Authorization', 'Bearer wrong']],
  ])('with %s: 401, and nothing is told', async (_, headers) => {
    const { url, said } = await serveControl();
    const answer = await call(`${url}${user}/typing`, { method: 'DELETE', headers }).answer;
    expect(answer.status).toBe(401);
    expect(linesOf(answer.headers, 'www-authenticate')).toEqual(['Bearer']);
    expect(JSON.parse(textOf(answer.body))).toEqual(error);
    expect(said).toEqual([]);
  });

  test('with the control token configured anybody may read what the API is', async () => {
    const { url } = await serveControl();
    expect(await request(url).get('/openapi.json')).toMatchObject({
      status: 200,
      body: { openapi: '3.1.0' },
    });
  });

  test.each([user, `${user}/typing`, '/openapi.json'])(
    'where it is off %s is a path like any other that leads nowhere',
    async (path) => {
      const { url } = await serveControl({}, { tokens: [], open: 'never' });
      for (const method of ['get', 'post'] as const) {
        const { status, body, headers } = await request(url)[method](path);
        expect({ status, body }).toEqual({ status: 404, body: { error: `There is nothing at ${path}.` } });
        expect(headers).not.toHaveProperty('allow');
      }
    },
  );

  test('without a token this machine may, a proxy on it may not', async () => {
    const { url } = await serveControl({}, { tokens: [], open: 'loopback' });
    expect((await request(url).get(user)).status).toBe(200);
    expect((await request(url).get(user).set('X-Forwarded-For', '10.0.0.7')).status).toBe(404);
    expect((await request(url).get(user).set('Host', 'evil.example')).status).toBe(404);
  });

  test('an app without the control API has none of it', async () => {
    const options = { log: recordLog(), receive: async () => {}, handshake: () => {} };
    const app = createApp({ ...options, readiness: () => ({ phase: 'ready', degraded: [], skipped: [] }) });
    const url = await listen(createServer(app));
    expect((await request(url).get('/openapi.json')).status).toBe(404);
  });
});
