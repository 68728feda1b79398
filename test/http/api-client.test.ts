/** The client of few JSON calls: what its users rely on, on real connections. */
import { createServer } from 'node:http';
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { asNoAnswer, NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { createApiClient } from '../../src/http/api-client.ts';
import { listen, startBot, startRaw, textOf, type Connection } from './wire.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"errcode":0}  ';

function openClient(over: Partial<Parameters<typeof createApiClient>[0]> = {}) {
  const client = createApiClient({ idleMs: 5_000, ...over });
  onTestFinished(() => client.close());
  return client;
}

function post(url: string, over: Partial<OutboundRequest> = {}): OutboundRequest {
  const headers = [['content-type', 'application/json; charset=utf-8']] as const;
  return { method: 'POST', url, headers, body: '{"a":"你"} ', timeoutMs: 5_000, ...over };
}

async function faultOf(request: OutboundRequest, over: Parameters<typeof openClient>[0] = {}) {
  const fault = await openClient(over).send(request).catch(asNoAnswer);
  if (fault instanceof NoAnswer) return fault;
  throw new Error(`an answer came: ${fault.status}`);
}

test('a call carries its body to the byte, its lines and its query', async () => {
  const api = await startBot((response) => response.end('{}'));
  await openClient().send(post(`${api.url}?access_token=a%2Fb&x=1`, { headers: [['Authorization', 'me']] }));
  const [asked] = api.asked;
  expect(textOf(asked?.body ?? Buffer.alloc(0))).toBe('{"a":"你"} ');
  expect(asked?.url).toBe('/bot?access_token=a%2Fb&x=1');
  expect(asked?.headers).toContainEqual(['Authorization', 'me']);
});

describe('an answer', () => {
  test.each([200, 302, 404, 500])(
    'with the status %i is an answer, and nobody is led elsewhere',
    async (status) => {
      const api = await startBot((response) =>
        response.writeHead(status, { Location: '/elsewhere', 'Set-Cookie': ['a=1', 'b=2'] }).end('{"a":1} '),
      );
      const answer = await openClient().send(post(api.url));
      expect([answer.status, textOf(answer.body)]).toEqual([status, '{"a":1} ']);
      expect(answer.headers.filter(([name]) => name === 'set-cookie')).toEqual([
        ['set-cookie', 'a=1'],
        ['set-cookie', 'b=2'],
      ]);
      expect(api.asked).toHaveLength(1);
    },
  );

  test('that is compressed is unpacked', async () => {
    const api = await startBot((response) =>
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync('{"a":1}')),
    );
    expect(textOf((await openClient().send(post(api.url))).body)).toBe('{"a":1}');
  });
});

describe('no answer', () => {
  test('from a closed port: not begun', async () => {
    const server = createServer();
    const url = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await faultOf(post(url))).toMatchObject({
      message: 'ECONNREFUSED',
      begun: false,
      timedOut: false,
    });
  });

  test('from a proxy that opens no tunnel: not begun', async () => {
    const proxy = createServer().on('connect', (_, socket) => {
      socket.end('HTTP/1.1 502 No\r\nContent-Length: 2\r\n\r\nno');
    });
    const proxyUrl = await listen(proxy);
    const fault = await faultOf(post('http://api.invalid/'), { proxyFor: () => proxyUrl });
    expect(fault).toMatchObject({ message: 'ERR_PROXY_REFUSED', begun: false, timedOut: false });
  });

  test('within the limit: timed out, and the connection is given up', async () => {
    const server = await startRaw(() => {});
    const fault = await faultOf(post(server.url, { timeoutMs: 50 }));
    expect(fault).toMatchObject({ message: 'no answer within 0.05 s', begun: true, timedOut: true });
    await server.connections[0]?.closed;
  });

  test('or half of one, or too long a one: begun', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    const long = `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(11 * 1024 * 1024)}`;
    for (const bytes of [half, long]) {
      const server = await startRaw(({ socket }) => void socket.end(bytes));
      expect(await faultOf(post(server.url))).toMatchObject({ begun: true, timedOut: false });
    }
  });

  test('holds nothing of the request', async () => {
    const server = await startRaw(({ socket }) => void socket.resetAndDestroy());
    const fault = await faultOf(post(`${server.url}/?access_token=hush`, { body: 'hush' }));
    expect(fault).toMatchObject({ message: 'ECONNRESET', begun: true });
    expect(inspect(fault, { depth: Infinity })).not.toContain('hush');
  });

  test.each([
    ['an answer', ({ socket }: Connection) => void socket.write(ok)],
    ['a limit', () => {}],
  ])('nor does %s leave anything on the caller’s signal', async (_, reply) => {
    const server = await startRaw(reply);
    const { signal } = new AbortController();
    await openClient()
      .send(post(server.url, { signal, timeoutMs: 50 }))
      .catch(asNoAnswer);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  });

  test('for a caller who has given up; nothing is sent', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    expect(await faultOf(post(server.url, { signal: AbortSignal.abort() }))).toMatchObject({
      timedOut: false,
    });
    expect(server.connections).toHaveLength(0);
  });
});
