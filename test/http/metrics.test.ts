import { createServer } from 'node:http';
import request from 'supertest';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { anyOf, createGuard, type Guard } from '../../src/http/guard.ts';
import { createMetricsPage } from '../../src/http/metrics.ts';
import { recordLog } from '../support/log.ts';
import { listen } from './wire.ts';

const contentType = 'text/plain; version=0.0.4; charset=utf-8';
const text = '# TYPE up gauge\nup 1\n';

async function serve(guard: Guard): Promise<string> {
  const app = createApp({
    log: recordLog(),
    readiness: () => ({ phase: 'ready', degraded: [], skipped: [] }),
    receive: async () => {},
    handshake: () => {},
    metrics: createMetricsPage({ guard, scrape: async () => ({ contentType, text }) }),
  });
  return listen(createServer(app));
}

describe('GET /metrics', () => {
  const guard = createGuard({ tokens: ['metrics-token'], open: 'never' });

  test('with the token tells all, as the kind of text that it is', async () => {
    const answer = await request(await serve(guard))
      .get('/metrics')
      .set('Authorization', 'Bearer metrics-token');
    expect(answer.status).toBe(200);
    expect(answer.text).toBe(text);
    expect(answer.headers).toMatchObject({ 'content-type': contentType, 'cache-control': 'no-store' });
  });

  test('without it says which one to send', async () => {
    const { status, body, headers } = await request(await serve(guard)).get('/metrics');
    expect(status).toBe(401);
    expect(body).toEqual({ error: expect.stringContaining('METRICS_TOKEN') });
    expect(headers['www-authenticate']).toBe('Bearer');
  });

  test('is a path that leads nowhere where nobody may see it', async () => {
    const hidden = createGuard({ tokens: [], open: 'never' });
    const { status, body } = await request(await serve(hidden)).get('/metrics');
    expect({ status, body }).toEqual({ status: 404, body: { error: 'There is nothing at /metrics.' } });
  });

  test('is the only method, with HEAD', async () => {
    const url = await serve(() => 'admitted');
    expect((await request(url).head('/metrics')).status).toBe(200);
    const { status, headers } = await request(url).post('/metrics');
    expect(status).toBe(405);
    expect(headers['allow']).toBe('GET, HEAD');
  });
});

describe('of several guards', () => {
  const asked = {} as Parameters<Guard>[0];

  test.each([
    ['admitted', ['refused', 'admitted']],
    ['admitted', ['admitted', 'hidden']],
    ['refused', ['hidden', 'refused']],
    ['hidden', ['hidden', 'hidden']],
  ] as const)('the answer is %s: %s', (expected, [first, second]) => {
    expect(
      anyOf(
        () => first,
        () => second,
      )(asked),
    ).toBe(expected);
  });
});
