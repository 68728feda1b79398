import { createServer } from 'node:http';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { createApp, type Readiness } from '../../src/http/app.ts';
import { recordLog } from '../support/log.ts';
import { call, listen, textOf } from './wire.ts';

async function serve(readiness: Partial<Readiness> = {}, receive: () => Promise<void> = async () => {}) {
  const log = recordLog();
  const whole: Readiness = { phase: 'ready', degraded: [], skipped: [], ...readiness };
  const app = createApp({ log, readiness: () => whole, receive, handshake: () => {} });
  return { url: await listen(createServer(app)), log };
}

describe('health', () => {
  test('is alive in every phase', async () => {
    const { url } = await serve({ phase: 'stopping' });
    const { status, body } = await request(url).get('/healthz');
    expect({ status, body }).toEqual({ status: 200, body: { status: 'alive' } });
  });

  test.each([
    ['starting', 503],
    ['ready', 200],
    ['stopping', 503],
  ] as const)('while %s is ready with %i', async (phase, expected) => {
    const { url } = await serve({ phase });
    const { status, body } = await request(url).get('/readyz');
    expect({ status, body }).toEqual({ status: expected, body: { status: phase, degraded: [] } });
  });

  test('is ready without Redis, and says so', async () => {
    const { url } = await serve({ degraded: ['redis'] });
    const { status, body } = await request(url).get('/readyz');
    expect({ status, body }).toEqual({ status: 200, body: { status: 'ready', degraded: ['redis'] } });
  });

  test('says why it is not all that it could be', async () => {
    const { url } = await serve({ degraded: ['redis'], reasons: ['EVAL is refused.'] });
    const { status, body } = await request(url).get('/readyz');
    expect(status).toBe(200);
    expect(body).toEqual({ status: 'ready', degraded: ['redis'], reasons: ['EVAL is refused.'] });
  });

  test('lists the accounts that were left out only when asked', async () => {
    const skipped = [{ account: 'wechat/shop', reason: 'appId is missing' }];
    const { url } = await serve({ skipped });
    expect((await request(url).get('/readyz')).body).not.toHaveProperty('skipped');
    expect((await request(url).get('/readyz?verbose')).body).toMatchObject({ skipped });
  });
});

describe('a request that leads nowhere', () => {
  test.each(['/', '/webhooks', '/webhooks/wechat/shop/more', '/admin'])('to %s is 404', async (path) => {
    const { url } = await serve();
    const { status, body } = await request(url).post(path);
    expect({ status, body }).toEqual({ status: 404, body: { error: `There is nothing at ${path}.` } });
  });

  test('with a broken escape in its path is 400', async () => {
    const { url } = await serve();
    const answer = await call(`${url}/webhooks/wechat/%E0%A4%A`, { method: 'POST' }).answer;
    expect(answer.status).toBe(400);
    expect(JSON.parse(textOf(answer.body))).toEqual({ error: 'The request could not be read.' });
  });

  test('does not say what serves it', async () => {
    const { url } = await serve();
    const { headers } = await request(url).get('/healthz');
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag');
  });
});

describe('a fault of our own', () => {
  test('is 500 with a sentence, its reason in the log alone', async () => {
    const { url, log } = await serve({}, () => Promise.reject(new Error('inner secret')));
    const { status, body } = await request(url).post('/webhooks/wechat').send('x');
    expect({ status, body }).toEqual({
      status: 500,
      body: { error: 'keeptyping failed on this request; its log says why.' },
    });
    expect(log.lines).toMatchObject([{ level: 'error', fields: { path: '/webhooks/wechat' } }]);
    expect((await request(url).get('/healthz')).status).toBe(200);
  });

  test('that claims a status of its own is 500 too, unless it is the caller’s', async () => {
    const { url } = await serve({}, () => Promise.reject(Object.assign(new Error('x'), { status: 302 })));
    expect((await request(url).post('/webhooks/wechat').send('x')).status).toBe(500);
  });
});
