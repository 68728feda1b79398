import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import express from 'express';
import { describe, expect, test } from 'vitest';
import {
  bodyOf,
  call,
  type Connection,
  createGate,
  listen,
  pairsOf,
  startBot,
  startRaw,
  textOf,
} from '../http/wire.ts';
import { isForGateway } from '../../src/gateway/gateway.ts';
import { pathFault } from '../../src/gateway/route.ts';
import type { GatewayWatch } from '../../src/gateway/watch.ts';
import { isFromHere } from '../../src/http/guard.ts';
import { ask, createWatch, openGateway, openRaw, speak } from './scene.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const said = (body: string, more = ''): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const accepted = said('{"errcode":0,"errmsg":"ok"}');
const send = '/cgi-bin/message/custom/send';
const typing = '/cgi-bin/message/custom/typing';
const message = '{"touser":"oUser","msgtype":"text","text":{"content":"你好"}}';
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('a call passes', () => {
  test('with its header lines in order, as they are spelled, less those of its connection', async () => {
    const { url, host, asked, apiHost } = await openRaw(ok);
    const lines = [
      'accessKey: a',
      'X-b: 1',
      'user-AGENT: bot/1',
      'x-B: 2',
      'Content-type: text/plain',
      'Keep-Alive: timeout=5',
      'TE: trailers',
      'Upgrade: websocket',
      'X-Own: dropped',
      'Connection: keep-alive, X-Own',
      'Content-LENGTH: 3',
      'X-Empty: ',
      'X-Latin: é',
    ];
    const path = `/gateway/wechat/default/cgi-bin/x?access_token=T%2b'&a=1&a=%e4&u=/../x`;
    const bytes = Buffer.from(
      `PUT ${path} HTTP/1.1\r\nHOST: ${host}\r\n${lines.join('\r\n')}\r\n\r\nabc`,
      'latin1',
    );
    await speak(url, bytes, (text) => text.endsWith('ok'));
    expect(asked).toEqual([
      `PUT /cgi-bin/x?access_token=T%2b'&a=1&a=%e4&u=/../x HTTP/1.1\r\nHOST: ${apiHost}\r\naccessKey: a\r\nX-b: 1\r\n` +
        'user-AGENT: bot/1\r\nx-B: 2\r\nContent-type: text/plain\r\nContent-LENGTH: 3\r\nX-Empty: \r\nX-Latin: é\r\n' +
        'Connection: keep-alive\r\n\r\nabc',
    ]);
  });

  test('back with the answer’s status, words and lines', async () => {
    const { url, host, base } = await openRaw(
      Buffer.from(
        'HTTP/1.1 418 I am a teapot\r\nset-Cookie: a=1\r\nX-b: é\r\nSet-Cookie: b=2\r\nConnection: close, X-Own\r\n' +
          'X-Own: dropped\r\nKeep-Alive: timeout=1\r\nLocation: https://elsewhere.test/\r\ncontent-length: 2\r\n\r\nno',
        'latin1',
      ),
    );
    const { pathname } = new URL(base);
    const { text } = await speak(url, ask(host, `GET ${pathname}/x`));
    expect(text).toBe(
      'HTTP/1.1 418 I am a teapot\r\nset-Cookie: a=1\r\nX-b: é\r\nSet-Cookie: b=2\r\n' +
        'Location: https://elsewhere.test/\r\ncontent-length: 2\r\nConnection: close\r\n\r\nno',
    );
  });

  test.each([
    ['/gateway/wechat/default/cgi-bin//a/', '/base/cgi-bin//a/'],
    ['/gateway/wechat/default//cgi-bin/a', '/base//cgi-bin/a'],
    ['/gateway/wechat/default//evil.test/a', '/base//evil.test/a'],
    ['/gateway/wechat/default/a%20b/%E4%BD%A0/%2F/x.y/...?', '/base/a%20b/%E4%BD%A0/%2F/x.y/...?'],
    ['/gateway/wechat/default/100%25/a%3fb', '/base/100%25/a%3fb'],
    ['/gateway/wechat/default?x=1?y=\\', '/base?x=1?y=\\'],
    ['/gateway/wechat/default', '/base'],
    ['/gateway/nxcloud/sales/api/wa/mt', '/base/api/wa/mt'],
  ])('to its path below the base, byte for byte: %s', async (path, asks) => {
    const { url, host, asked } = await openRaw(ok, { basePath: '/base/' });
    await speak(url, ask(host, `GET ${path}`));
    expect(asked[0]?.split(' ')[1]).toBe(asks);
  });

  test('to the base itself without a path', async () => {
    const { url, host, asked } = await openRaw(ok);
    await speak(url, ask(host, 'GET /gateway/wechat/default?a'));
    await speak(url, ask(host, 'GET /gateway/wechat/default//evil.test/'));
    expect(asked.map((bytes) => bytes.split(' ')[1])).toEqual(['/?a', '//evil.test/']);
  });

  test('without a body as one without a body', async () => {
    const { url, host, asked, apiHost } = await openRaw(ok);
    const path = '/gateway/wechat/default/x';
    for (const method of ['GET', 'DELETE', 'POST']) await speak(url, ask(host, `${method} ${path}`));
    const rest = ` /x HTTP/1.1\r\nHost: ${apiHost}\r\n`;
    const end = 'Connection: keep-alive\r\n\r\n';
    expect(asked).toEqual([
      `GET${rest}${end}`,
      `DELETE${rest}${end}`,
      `POST${rest}Content-Length: 0\r\n${end}`,
    ]);
  });

  test('of a client that speaks HTTP/1.0 and names no host', async () => {
    const access = { by: 'key', keys: ['K'] } as const;
    const { url, asked, apiHost } = await openRaw(
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
      { access },
    );
    const { text } = await speak(url, 'GET /gateway/K/wechat/default/x HTTP/1.0\r\n\r\n');
    expect(asked[0]).toMatch(`GET /x HTTP/1.1\r\nHost: ${apiHost}\r\n`);
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\nConnection: close\r\n\r\nok$/);
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n', 'Content-Length: 100\r\n'],
    ['HEAD', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n', ''],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
    [
      'GET',
      'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: "a"\r\n\r\n',
      'Content-Length: 5\r\nETag: "a"\r\n',
    ],
    ['POST', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 'Content-Length: 0\r\n'],
    [
      'GET',
      'HTTP/1.1 302 \r\nLocation: /x\r\nContent-Length: 0\r\n\r\n',
      'Location: /x\r\nContent-Length: 0\r\n',
    ],
    [
      'GET',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      'Content-Length: 0\r\n',
    ],
  ])('%s back without a body: %j', async (method, answer, lines) => {
    const { url, host } = await openRaw(answer);
    const { text } = await speak(url, ask(host, `${method} /gateway/wechat/default/x`));
    const status = answer.split('\r\n').findLast((line) => line.startsWith('HTTP/'));
    expect(text).toBe(`${status}\r\n${lines}Connection: close\r\n\r\n`);
  });

  test('with trailers, both ways', async () => {
    const { url, host, asked } = await openRaw((connection) => {
      // The request's head is complete before its chunks are.
      const answer = () => {
        if (!connection.received().endsWith('X-Sum: 1\r\n\r\n')) return;
        asked.push(connection.received());
        connection.socket.write(
          'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n',
        );
      };
      connection.socket.on('data', answer);
      answer();
    });
    const chunked = 'Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n';
    const { text } = await speak(
      url,
      `POST /gateway/wechat/default/x HTTP/1.1\r\nHost: ${host}\r\n${chunked}`,
      (text) => text.endsWith('X-Sum: 2\r\n\r\n'),
    );
    expect(asked.at(-1)).toContain('Transfer-Encoding: chunked\r\n');
    expect(asked.at(-1)).toMatch(/\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n$/);
    expect(text).toMatch(/\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 2\r\n\r\n$/);
  });

  test('whose client waits to be told to continue', async () => {
    const { url, host, asked } = await openRaw(ok);
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(
      `POST /gateway/wechat/default/x HTTP/1.1\r\nHost: ${host}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n`,
    );
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(first.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('hello');
    const [second] = (await once(socket, 'data')) as [Buffer];
    expect(second.toString()).toMatch(/^HTTP\/1\.1 200 OK/);
    expect(asked[0]).toMatch(/\r\n\r\nhello$/);
    socket.destroy();
  });

  test('again and again on one connection to the API', async () => {
    const { base, api } = await openRaw(ok);
    for (let count = 0; count < 5; count += 1) await call(`${base}/x`).answer;
    expect(api.connections).toHaveLength(1);
  });

  test('below express, wherever it is mounted', async () => {
    for (const mounted of ['/gateway', '/']) {
      const { base, asked } = await openRaw(ok, {
        mount: (gateway) => express().use(mounted, gateway),
      });
      expect((await call(`${base}/a/b?c`, { body: 'x' }).answer).status).toBe(200);
      expect(asked[0]).toMatch(/^POST \/a\/b\?c HTTP/);
    }
  });

  test('a token is passed on and never looked at', async () => {
    const { base, log } = await openRaw(said('{"access_token":"hush","expires_in":7200}'));
    const { body } = await call(`${base}/cgi-bin/stable_token`, { body: '{"secret":"hush"}' }).answer;
    expect(textOf(body)).toBe('{"access_token":"hush","expires_in":7200}');
    expect(log.lines).toEqual([]);
  });
});

/** An API that keeps what it was sent and gives these bytes. */
async function openMedia(give: Buffer = Buffer.from('{}'), chunked = false) {
  const asked: { headers: IncomingMessage['headers']; body: Buffer }[] = [];
  const api = createServer((request, response) => {
    const take = async (): Promise<void> => {
      asked.push({ headers: request.headers, body: await bodyOf(request) });
      response.writeHead(200, chunked ? {} : { 'Content-Length': give.length });
      for (let at = 0; at < give.length; at += 100_003) response.write(give.subarray(at, at + 100_003));
      response.end();
    };
    void take();
  });
  return { ...(await openGateway({ api: await listen(api) })), asked };
}

describe('bodies pass to the byte', () => {
  const bytes = randomBytes(5 * 1024 * 1024);

  test('an upload of some MB as multipart', async () => {
    const { base, asked } = await openMedia();
    const head = '--b\r\nContent-Disposition: form-data; name="media"; filename="a.mp4"\r\n\r\n';
    const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from('\r\n--b--\r\n')]);
    const headers = ['Content-Type', 'multipart/form-data; boundary=b'];
    await call(`${base}/cgi-bin/media/upload?type=video`, { headers, body }).answer;
    expect(asked[0]?.headers).toMatchObject({
      'content-type': 'multipart/form-data; boundary=b',
      'content-length': String(body.length),
    });
    expect(sha(asked[0]?.body ?? bytes)).toBe(sha(body));
  });

  test.each(['POST', 'GET'])('an upload in chunks, by %s', async (method) => {
    const { base, asked } = await openMedia();
    const outgoing = httpRequest(`${base}/x`, { method, headers: { 'Transfer-Encoding': 'chunked' } });
    for (let at = 0; at < bytes.length; at += 70_001) outgoing.write(bytes.subarray(at, at + 70_001));
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    answer.resume();
    expect(asked[0]?.headers).toMatchObject({ 'transfer-encoding': 'chunked' });
    expect(asked[0]?.headers['content-length']).toBeUndefined();
    expect(sha(asked[0]?.body ?? Buffer.alloc(0))).toBe(sha(bytes));
  });

  test.each([false, true])('a download, in chunks: %s', async (chunked) => {
    const { base } = await openMedia(bytes, chunked);
    const { headers, body } = await call(`${base}/cgi-bin/media/get`, { method: 'GET' }).answer;
    expect(sha(body)).toBe(sha(bytes));
    expect(Object.fromEntries(headers)).toMatchObject(
      chunked ? { 'Transfer-Encoding': 'chunked' } : { 'Content-Length': String(bytes.length) },
    );
  });

  test('a compressed answer stays compressed', async () => {
    const packed = gzipSync('{"errcode":0}');
    const { base } = await openRaw(
      Buffer.concat([
        Buffer.from(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`),
        packed,
      ]),
    );
    expect((await call(`${base}${send}`, { body: message }).answer).body).toEqual(packed);
  });

  test('a download waits for a bot that reads slowly', async () => {
    const big = randomBytes(1024 * 1024);
    const given = { count: 0 };
    const api = createServer((request, response) => {
      if (request.url === '/ping') return void response.end();
      const give = (): void => {
        while (given.count < 64) {
          given.count += 1;
          if (!response.write(big)) return void response.once('drain', give);
        }
        response.end();
      };
      give();
    });
    const { base } = await openGateway({ api: await listen(api) });
    const outgoing = httpRequest(`${base}/x`).end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    // As much time as the whole of it would need.
    for (let count = 0; count < 300; count += 1) await call(`${base}/ping`).answer;
    expect(given.count).toBeLessThan(32);
    expect(sha(await bodyOf(answer))).toBe(sha(Buffer.concat(Array.from({ length: 64 }, () => big))));
  });

  test('an upload waits for an API that reads slowly', async () => {
    const arrived = createGate<IncomingMessage>();
    const api = createServer((request, response) => {
      if (request.url === '/ping') return void response.end();
      arrived.open(request);
      request.once('end', () => response.end());
    });
    const { base } = await openGateway({ api: await listen(api) });
    const outgoing = httpRequest(`${base}/x`, { method: 'POST' });
    let written = 0;
    const big = randomBytes(1024 * 1024);
    const write = (): void => {
      while (written < 64) {
        written += 1;
        if (!outgoing.write(big)) return void outgoing.once('drain', write);
      }
      outgoing.end();
    };
    write();
    const incoming = await arrived.passed;
    for (let count = 0; count < 300; count += 1) await call(`${base}/ping`).answer;
    expect(written).toBeLessThan(32);
    incoming.resume();
    await once(outgoing, 'response');
    expect(written).toBe(64);
  });
});

describe('never anywhere else', () => {
  test.each([
    '/..',
    '/../x',
    '/a/../x',
    '/a/./x',
    '/.',
    '/a/..',
    '/%2e%2e/x',
    '/%2E./x',
    '/.%2e',
    '/%2e/x',
    '/a%2F..%2Fx',
    '/a%2f%2e%2e%2fx',
    '/%252e%252e/x',
    '/%25252e%25252E/x',
    '/a%252f..%252fx',
    '/a\\..\\x',
    '/a%5cx',
    '/a%255C..%255cx',
    '/..;/x',
    '/..;a=b/x',
    '/%2e%2e%3b/x',
    '/%c0%ae%c0%ae/x',
    '/%ff',
    '/a%',
    '/a%2',
    '/a%zz',
    '/a%u002e',
    '/%25zz/%252e%252e/x',
    '/a%00',
    '/a%0d%0aX: y',
    '/a%0aHost:%20evil.test',
    '/a%7f',
    '/%250a',
    `/${'%25'.repeat(3)}${'25'.repeat(5)}41`,
    '/a#b',
    '/a?b#c',
  ])('%s is refused with a sentence before anything is called', async (path) => {
    const { url, host, api } = await openRaw(ok);
    const { text } = await speak(url, ask(host, `GET /gateway/wechat/default${path}`));
    expect(text).toMatch(/^HTTP\/1\.1 400 /);
    expect(api.connections).toHaveLength(0);
  });

  test.each(['http://evil.test/gateway/wechat/default/x', 'https://127.0.0.1/gateway/wechat/default/x', '*'])(
    'a request of the form "%s" is refused',
    async (target) => {
      const { url, host, api } = await openRaw(ok);
      const { text } = await speak(url, ask(host, `GET ${target}`));
      expect(text).toMatch(
        /^HTTP\/1\.1 400 [^]*\{"error":"The request names a whole URL: ask for its path alone\.","errcode":400,/,
      );
      expect(api.connections).toHaveLength(0);
    },
  );

  test('no tunnel is opened, and no other protocol spoken', async () => {
    const { url, host, api, asked } = await openRaw(ok);
    const { text } = await speak(url, ask(host, 'CONNECT evil.test:80'));
    expect(text).toBe('');
    expect(api.connections).toHaveLength(0);
    await speak(url, ask(host, 'GET /gateway/wechat/default/x', ['Upgrade: websocket']), (text) =>
      text.endsWith('ok'),
    );
    expect(asked[0]).not.toMatch(/upgrade/i);
  });

  test('what a Host header names is nobody’s address', async () => {
    const other = await startRaw(({ socket }) => void socket.write(ok));
    const access = { by: 'key', keys: ['K'] } as const;
    const { url, asked, apiHost } = await openRaw(ok, { access });
    await speak(url, ask(new URL(other.url).host, 'GET /gateway/K/wechat/default/x'));
    expect(asked[0]).toContain(`Host: ${apiHost}\r\n`);
    expect(other.connections).toHaveLength(0);
  });

  test('a redirect is handed back, not followed', async () => {
    const other = await startRaw(({ socket }) => void socket.write(ok));
    const { base } = await openRaw(
      `HTTP/1.1 307 Moved\r\nLocation: ${other.url}/x\r\nContent-Length: 0\r\n\r\n`,
    );
    expect((await call(`${base}/x`, { body: 'x' }).answer).status).toBe(307);
    expect(other.connections).toHaveLength(0);
  });

  test('ordinary paths have no fault', () => {
    for (const path of [
      '',
      '/',
      '//',
      '/a.b',
      '/..a',
      '/a..',
      '/...',
      '/%E4%BD%A0',
      '/a;b',
      '/%20',
      '/a%2Fb',
      '/100%25',
    ])
      expect(pathFault(path)).toBeNull();
  });
});

describe('who may use it', () => {
  const sentence = 'There is nothing at this path.';
  // An SDK that asks for no status must not take it for a success.
  const nothing = { error: sentence, errcode: 404, errmsg: sentence, code: 404, message: sentence };

  async function tryPath(path: string, access: Parameters<typeof openRaw>[1]) {
    const { url, api } = await openRaw(ok, access);
    const { status, body } = await call(`${url}${path}`).answer;
    const refused = status === 404 && JSON.stringify(nothing) === textOf(body);
    return { status: refused ? 'nothing' : status, calls: api.connections.length };
  }

  const keys = { access: { by: 'key', keys: ['secret key', 'old/key'] } } as const;

  test.each(['/gateway/secret%20key/wechat/default/x', '/gateway/old%2Fkey/nxcloud/sales/x'])(
    'any holder of a key: %s',
    async (path) => {
      expect(await tryPath(path, keys)).toEqual({ status: 200, calls: 1 });
    },
  );

  test.each([
    '/gateway/wrong/wechat/default/x',
    '/gateway/secret%20ke/wechat/default/x',
    '/gateway/secret%20keyy/wechat/default/x',
    '/gateway/%zz/wechat/default/x',
    '/gateway//wechat/default/x',
    '/gateway/wechat/default/x',
    '/gateway/secret%20key/wechat/nobody/x',
    '/gateway/secret%20key/telegram/default/x',
    '/gateway/secret%20key/nxcloud/default/x',
    '/gateway/secret%20key/wechat',
    '/gateway/secret%20key/wechat/',
    '/gateway/secret%20key',
    '/gateway/wrong/wechat/default/../x',
    '/Gateway/secret%20key/wechat/default/x',
    '//gateway/secret%20key/wechat/default/x',
  ])('nobody else, and nobody learns why: %s', async (path) => {
    expect(await tryPath(path, keys)).toEqual({ status: 'nothing', calls: 0 });
  });

  test('an empty key opens nothing', async () => {
    const access = { by: 'key', keys: [''] } as const;
    for (const path of ['/gateway//wechat/default/x', '/gateway/%zz/wechat/default/x'])
      expect(await tryPath(path, { access })).toEqual({ status: 'nothing', calls: 0 });
  });

  test('nobody, where the route is off', async () => {
    const off = { access: { by: 'nobody' } } as const;
    expect(await tryPath('/gateway/wechat/default/x', off)).toEqual({ status: 'nothing', calls: 0 });
    expect(await tryPath('/gateway//wechat/default/x', off)).toEqual({ status: 'nothing', calls: 0 });
  });

  test.each([
    '/gateway/wechat/nobody/x',
    '/gateway/wechat/x',
    '/gateway/__proto__/constructor/x',
    '/gateway/wechat/%zz/x',
    '/gateway/wechat/../x',
  ])('without a key only accounts that exist: %s', async (path) => {
    expect(await tryPath(path, {})).toEqual({ status: 'nothing', calls: 0 });
  });

  test.each([
    ['127.0.0.1', { host: 'localhost:3000' }, true],
    ['::1', { host: '[::1]:3000' }, true],
    ['::ffff:127.0.0.1', { host: '127.0.0.1' }, true],
    ['127.8.9.10', { host: 'LOCALHOST' }, true],
    ['127.0.0.1', { host: 'evil.test' }, false],
    ['127.0.0.1', { host: 'localhost.evil.test' }, false],
    ['127.0.0.1', { host: '127.0.0.1.evil.test' }, false],
    ['127.0.0.1', {}, false],
    ['10.0.0.7', { host: 'localhost' }, false],
    ['::ffff:10.0.0.7', { host: 'localhost' }, false],
    ['1127.0.0.1', { host: 'localhost' }, false],
    [undefined, { host: 'localhost' }, false],
    ['127.0.0.1', { host: 'localhost', 'x-forwarded-for': '1.2.3.4' }, false],
    ['127.0.0.1', { host: 'localhost', 'x-forwarded-host': 'x' }, false],
    ['127.0.0.1', { host: 'localhost', forwarded: 'for=127.0.0.1' }, false],
    ['127.0.0.1', { host: 'localhost', via: '1.1 proxy' }, false],
  ])('without a key only programs here: from %s with %j: %s', (remoteAddress, headers, here) => {
    expect(isFromHere({ socket: { remoteAddress }, headers })).toBe(here);
  });

  test('a proxy that says nothing of itself is known by its HTTP/1.0', () => {
    const asked = { socket: { remoteAddress: '127.0.0.1' }, headers: { host: '127.0.0.1:3000' } };
    expect(isFromHere({ ...asked, httpVersion: '1.0' })).toBe(false);
    expect(isFromHere({ ...asked, httpVersion: '1.1' })).toBe(true);
  });

  test('a name that was led here is refused at the wire', async () => {
    const { url, api } = await openRaw(ok);
    const { text } = await speak(url, ask('rebound.evil.test', 'GET /gateway/wechat/default/x'));
    expect(text).toMatch(/^HTTP\/1\.1 404 /);
    expect(api.connections).toHaveLength(0);
  });

  test('the gateway knows its requests by their URL', () => {
    expect(['/gateway/', '/gateway/wechat/default/x', 'http://x.test/gateway/y'].map(isForGateway)).toEqual([
      true,
      true,
      true,
    ]);
    expect(['/', '/gateway', '/gatewayx/', '/webhooks/wechat', '/x/gateway/'].map(isForGateway)).toEqual([
      false,
      false,
      false,
      false,
      false,
    ]);
  });
});

function fault(): never {
  throw new Error('a fault of ours');
}

/** An API that tells of the head of each request, and may answer it: the body is still to come. */
async function openHeads(answer: (response: ServerResponse) => void, watch: GatewayWatch) {
  const bodies: string[] = [];
  const api = createServer((request, response) => {
    answer(response);
    request.on('data', (chunk: Buffer) => void bodies.push(String(chunk)));
    request.on('end', () => response.writableEnded || response.end('{"errcode":0}'));
  });
  const { base } = await openGateway({ api: await listen(api), watch });
  return { base, bodies };
}

describe('a message of the bot', () => {
  test('is announced before it leaves, and its outcome is told before the bot has it', async () => {
    const { watch, told } = createWatch();
    const { base, asked } = await openRaw(
      ({ socket }) => {
        expect(told).toEqual([{ is: 'sending', account: 'default', user: 'oUser' }]);
        socket.write(accepted);
      },
      { watch },
    );
    const { body } = await call(`${base}${send}?access_token=T`, { body: message }).answer;
    expect(textOf(body)).toBe('{"errcode":0,"errmsg":"ok"}');
    expect(asked[0]).toMatch(/^POST \/cgi-bin\/message\/custom\/send\?access_token=T /);
    expect(
      Buffer.from(asked[0] ?? '', 'latin1')
        .toString()
        .endsWith(`\r\n\r\n${message}`),
    ).toBe(true);
    expect(told.slice(1)).toEqual([
      { is: 'over', user: 'oUser', verdict: { is: 'accepted', messageId: null } },
    ]);
  });

  test('of NXCloud is told with the id that its statuses will carry', async () => {
    const { watch, told } = createWatch();
    const { url } = await openRaw(said('{"code":0,"data":{"messages":[{"id":"wamid.1"}]}}'), { watch });
    await call(`${url}/gateway/nxcloud/sales/api/wa/mt`, { body: '{"to":"+86138","type":"text"}' }).answer;
    expect(told).toEqual([
      { is: 'sending', account: 'sales', user: '86138' },
      { is: 'over', user: '86138', verdict: { is: 'accepted', messageId: 'wamid.1' } },
    ]);
  });

  test('that is refused is told so, by its code', async () => {
    const { watch, verdicts } = createWatch();
    const { base } = await openRaw(said('{"errcode":45047,"errmsg":"x"}'), { watch });
    await call(`${base}${send}`, { body: message }).answer;
    expect(verdicts()).toEqual([{ is: 'refused', code: 45047, name: 'customer message count out of limit' }]);
  });

  test('leaves when the watch lets it, and other calls need not wait', async () => {
    const free = createGate();
    const { watch, told, count } = createWatch((user) =>
      user === 'oUser' ? free.passed : Promise.resolve(),
    );
    const { base, asked } = await openRaw(accepted, { watch });
    const held = call(`${base}${send}`, { body: message });
    await count(1);
    await call(`${base}/cgi-bin/x`).answer;
    await call(`${base}${send}`, { body: '{"touser":"oOther"}' }).answer;
    expect(asked).toHaveLength(2);
    expect(held.sofar()).toBeNull();
    free.open();
    expect((await held.answer).status).toBe(200);
    expect(told.map(({ is, user }) => `${is} ${user}`)).toEqual([
      'sending oUser',
      'sending oOther',
      'over oOther',
      'over oUser',
    ]);
  });

  test('whose bot hangs up meanwhile does not leave any more', async () => {
    const free = createGate();
    const { watch, count, verdicts } = createWatch(() => free.passed);
    const gone = createGate();
    const { base, api, asked } = await openRaw(accepted, {
      watch,
      mount: (gateway) => (request, response) => {
        response.once('close', () => gone.open());
        gateway(request, response);
      },
    });
    const { hangUp } = call(`${base}${send}`, { body: message });
    await count(1);
    hangUp();
    await gone.passed;
    free.open();
    await count(2);
    expect(verdicts()).toEqual([{ is: 'unknown' }]);
    for (const { closed } of api.connections) await closed;
    expect(asked).toEqual([]);
  });

  test('has its head on the way while it waits, and nothing of its body', async () => {
    const [free, arrived] = [createGate(), createGate()];
    const { watch, verdicts } = createWatch(() => free.passed);
    const { base, bodies } = await openHeads(() => arrived.open(), watch);
    const { answer } = call(`${base}${send}`, { body: message });
    await arrived.passed;
    expect(bodies).toEqual([]);
    free.open();
    expect(textOf((await answer).body)).toBe('{"errcode":0}');
    expect(bodies).toEqual([message]);
    expect(verdicts()).toEqual([{ is: 'accepted', messageId: null }]);
  });

  test('that is answered by its head alone is told once, when it may leave', async () => {
    const free = createGate();
    const { watch, verdicts, count } = createWatch(() => free.passed);
    const { base } = await openHeads((response) => response.writeHead(413).end('{"errcode":45002}'), watch);
    const { status } = await call(`${base}${send}`, { body: message }).answer;
    expect(status).toBe(413);
    expect(verdicts()).toEqual([]);
    free.open();
    await count(2);
    expect(verdicts()).toMatchObject([{ is: 'refused', code: 45002 }]);
  });

  const long = 'x'.repeat(70_000);
  test.each([
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"e\r\n9\r\nrrcode":0\r\n1\r\n}\r\n0\r\n\r\n',
      'accepted',
    ],
    ['up to the end of the connection', null, 'accepted'],
    ['with a status of 500', 'HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n', 'unknown'],
    ['as a page', said('<html>'), 'unknown'],
    ['at length', said(`{"errcode":0,"errmsg":"${long}"}`), 'unknown'],
    ['with a redirect', 'HTTP/1.1 302 X\r\nLocation: /\r\nContent-Length: 0\r\n\r\n', 'unknown'],
  ])('that is answered %s is told once', async (_, answer, is) => {
    const { watch, verdicts } = createWatch();
    const { base } = await openRaw(
      ({ socket }) =>
        answer === null ? socket.end('HTTP/1.1 200 OK\r\n\r\n{"errcode":0}') : socket.write(answer),
      { watch },
    );
    await call(`${base}${send}`, { body: message }).answer;
    expect(verdicts()).toMatchObject([{ is }]);
  });

  const json = '{"errcode":0,"errmsg":"ok"}';
  test.each([
    ['gzip', gzipSync(json), 'accepted'],
    ['x-gzip', gzipSync(json), 'accepted'],
    ['GZIP', gzipSync(json), 'accepted'],
    ['deflate', deflateSync(json), 'accepted'],
    ['deflate', deflateRawSync(json), 'accepted'],
    ['br', brotliCompressSync(json), 'accepted'],
    ['gzip, br', brotliCompressSync(gzipSync(json)), 'accepted'],
    ['identity', Buffer.from(json), 'accepted'],
    ['zstd', Buffer.from(json), 'unknown'],
    ['gzip', Buffer.from(json), 'unknown'],
    ['gzip', gzipSync(`${json}${' '.repeat(10_000_000)}`), 'unknown'],
  ])('whose answer is encoded (%s) is read', async (encoding, body, is) => {
    const { watch, verdicts } = createWatch();
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: ${encoding}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { base } = await openRaw(Buffer.concat([Buffer.from(head), body]), { watch });
    expect((await call(`${base}${send}`, { body: message }).answer).body).toEqual(body);
    expect(verdicts()).toMatchObject([{ is }]);
  });

  test('that is cut off on its way is told as unknown, once', async () => {
    const { watch, verdicts, count } = createWatch();
    const { base } = await openRaw(
      ({ socket }) => void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"errcode":0}'),
      { watch },
    );
    await expect(call(`${base}${send}`, { body: message }).answer).rejects.toThrow('aborted');
    await count(2);
    expect(verdicts()).toEqual([{ is: 'unknown' }]);
  });

  test.each([
    ['resets', ({ socket }: Connection) => void socket.resetAndDestroy()],
    ['hangs up', ({ socket }: Connection) => void socket.end()],
    ['answers no HTTP', ({ socket }: Connection) => void socket.end('hello\r\n\r\n')],
    [
      'switches protocols',
      ({ socket }: Connection) =>
        void socket.write('HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n'),
    ],
    ['never answers', () => {}],
  ])('whose API %s is told as unknown, once, and the bot gets a 502', async (_, reply) => {
    const { watch, verdicts } = createWatch();
    const { base } = await openRaw(reply, { watch, idleMs: 100 });
    const { status } = await call(`${base}${send}`, { body: message }).answer;
    expect(status).toBe(502);
    expect(verdicts()).toEqual([{ is: 'unknown' }]);
  });

  test('whose bot hangs up is told as unknown, once, and its call is dropped', async () => {
    const arrived = createGate<Connection>();
    const { watch, verdicts, count } = createWatch();
    const { base } = await openRaw((connection) => arrived.open(connection), { watch });
    const { hangUp } = call(`${base}${send}`, { body: message });
    const { closed } = await arrived.passed;
    hangUp();
    await closed;
    await count(2);
    expect(verdicts()).toEqual([{ is: 'unknown' }]);
  });

  test('of more than 1 MiB passes unread, whole, with and without a length', async () => {
    const { watch, told } = createWatch();
    const bodies: string[] = [];
    const { url: api } = await startBot((response, { body }) => {
      bodies.push(sha(body));
      response.end('{"errcode":0}');
    });
    const { base } = await openGateway({ api, watch });
    const body = Buffer.from(`{"touser":"oUser","text":"${'é'.repeat(600_000)}"}`);
    await call(`${base}${send}`, { body }).answer;
    const outgoing = httpRequest(`${base}${send}`, { method: 'POST' });
    for (let at = 0; at < body.length; at += 50_001) outgoing.write(body.subarray(at, at + 50_001));
    outgoing.end();
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect((await bodyOf(answer)).toString()).toBe('{"errcode":0}');
    expect(bodies).toEqual([sha(body), sha(body)]);
    expect(told).toEqual([]);
  });

  test('in chunks is read, and passed on in chunks', async () => {
    const { watch, verdicts } = createWatch();
    const asked: [string, string][] = [];
    const { url: api } = await startBot((response, { headers, body }) => {
      asked.push(...headers.map(([name, value]) => [name, value] as [string, string]), [
        'body',
        body.toString(),
      ]);
      response.end('{"errcode":0}');
    });
    const { base } = await openGateway({ api, watch });
    const outgoing = httpRequest(`${base}${send}`, { method: 'POST' });
    outgoing.write(message.slice(0, 20));
    outgoing.end(message.slice(20));
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    await bodyOf(answer);
    expect(asked).toContainEqual(['Transfer-Encoding', 'chunked']);
    expect(asked.at(-1)).toEqual(['body', message]);
    expect(verdicts()).toEqual([{ is: 'accepted', messageId: null }]);
  });

  test.each(['{"msgtype":"text"}', 'no JSON', '', '{"touser":"oUser"'])(
    'that names no user passes, and nobody hears of it: %j',
    async (body) => {
      const { watch, told } = createWatch();
      const { base, asked } = await openRaw(accepted, { watch });
      expect((await call(`${base}${send}`, { body }).answer).status).toBe(200);
      expect(asked[0]?.endsWith(`\r\n\r\n${body}`)).toBe(true);
      expect(told).toEqual([]);
    },
  );

  test('passes whatever happens in the watch', async () => {
    const over = { waitedForShow: false, over: fault };
    for (const watch of [
      { sending: () => Promise.resolve(over), aside: fault, typed: fault },
      { sending: () => Promise.reject(new Error('a fault of ours')), aside: fault, typed: fault },
    ]) {
      const { base, log } = await openRaw(accepted, { watch });
      expect((await call(`${base}${send}`, { body: message }).answer).status).toBe(200);
      const command = '{"touser":"o1","command":"Typing"}';
      expect((await call(`${base}${typing}`, { body: command }).answer).status).toBe(200);
      expect(log.lines.map(({ level }) => level)).toEqual(['error', 'error']);
    }
  });
});

describe('the bot’s own typing call', () => {
  test.each([
    ['Typing', '{"errcode":0}', true, { is: 'accepted', messageId: null }],
    ['Typing', '{"errcode":45081}', true, { is: 'accepted', messageId: null }],
    ['CancelTyping', '{"errcode":0}', false, { is: 'accepted', messageId: null }],
    ['Typing', '{"errcode":48001}', true, { is: 'refused', code: 48001 }],
  ])('%s answered with %s is told', async (command, answer, on, verdict) => {
    const { watch, told } = createWatch();
    const { base } = await openRaw(said(answer), { watch });
    const body = JSON.stringify({ touser: 'o1', command });
    expect(textOf((await call(`${base}${typing}`, { body }).answer).body)).toBe(answer);
    expect(told).toMatchObject([{ is: 'typed', user: 'o1', on, verdict }]);
  });

  test('without an answer is told as unknown', async () => {
    const { watch, told } = createWatch();
    const { base } = await openRaw(({ socket }) => void socket.resetAndDestroy(), { watch });
    const body = '{"touser":"o1","command":"Typing"}';
    expect((await call(`${base}${typing}`, { body }).answer).status).toBe(502);
    expect(told).toEqual([{ is: 'typed', user: 'o1', on: true, verdict: { is: 'unknown' } }]);
  });
});

describe('when the API fails', () => {
  test('before its answer began, the bot gets a 502 that is no JSON, and the log no secret', async () => {
    const { base, log, apiHost } = await openRaw(({ socket }) => void socket.resetAndDestroy());
    const answer = await call(`${base}/cgi-bin/x?access_token=hush`, { body: 'hush' }).answer;
    expect(answer.status).toBe(502);
    expect(Object.fromEntries(answer.headers)['Content-Type']).toBe('text/plain; charset=utf-8');
    expect(textOf(answer.body)).toBe(
      `${apiHost} gave the gateway no answer (ECONNRESET): check apiBase of wechat/default and the way there.`,
    );
    expect(() => JSON.parse(textOf(answer.body))).toThrow('JSON');
    expect(log.lines).toMatchObject([
      { level: 'warn', fields: { account: 'wechat/default', reason: 'ECONNRESET' } },
    ]);
    expect(JSON.stringify(log.lines)).not.toContain('hush');
  });

  test.each([
    ['http://127.0.0.1:9', 'ECONNREFUSED'],
    ['http://nowhere.invalid', /ENOTFOUND|EAI_AGAIN/],
  ])('because %s is out of reach: 502', async (api, reason) => {
    const { base } = await openGateway({ api });
    const { status, body } = await call(`${base}${send}`, { body: message }).answer;
    expect(status).toBe(502);
    expect(textOf(body)).toMatch(reason);
  });

  test.each([
    ['a stated length', 'Content-Length: 10\r\n\r\nhalf'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['chunks, one of them broken', 'Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n'],
  ])('in the middle of its answer, the bot sees a cut answer: %s', async (_, rest) => {
    for (const end of [true, false]) {
      const { base } = await openRaw(
        ({ socket }) => {
          socket.write(`HTTP/1.1 200 OK\r\n${rest}`);
          if (end) socket.end();
        },
        { idleMs: 100 },
      );
      await expect(call(`${base}/x`).answer).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    }
  });

  test('in the middle of its answer, an HTTP/1.0 client sees a reset', async () => {
    const access = { by: 'key', keys: ['key'] } as const;
    const half = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n';
    const { url, host } = await openRaw(({ socket }) => void socket.end(half), { access });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const failed = new Promise((resolve) => socket.once('error', resolve));
    socket.write(`GET /gateway/key/wechat/default/x HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
    expect(await failed).toMatchObject({ code: 'ECONNRESET' });
  });

  test('while a body is still coming, the rest of it is taken and the next call is served', async () => {
    const api = await openClosed();
    const { url, host } = await openGateway({ api });
    const body = 'x'.repeat(3_000_000);
    const post = `POST /gateway/wechat/default/x HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const next = `GET /gateway/wechat/nobody/x HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    const { text } = await speak(url, `${post}${next}`, (text) => text.includes('nothing at this path'));
    expect(text).toMatch(/^HTTP\/1\.1 502 [^]*HTTP\/1\.1 404 /);
  });

  test('that has been silent for too long: 502, and the call is dropped', async () => {
    const { base, api } = await openRaw(() => {}, { idleMs: 50 });
    const { status, body } = await call(`${base}/x`).answer;
    expect({ status, body: textOf(body) }).toEqual({
      status: 502,
      body: expect.stringContaining('ETIMEDOUT'),
    });
    await api.connections[0]?.closed;
  });

  test('or its connections are all taken: 502', async () => {
    const { base } = await openRaw(
      ({ socket, closed }) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
        const timer = setInterval(() => socket.write('.'), 5);
        void closed.then(() => clearInterval(timer));
      },
      { idleMs: 100, agents: { maxSockets: 1 } },
    );
    const { hangUp } = call(`${base}/endless`);
    const { status, body } = await call(`${base}/x`).answer;
    expect({ status, body: textOf(body) }).toEqual({
      status: 502,
      body: expect.stringContaining('ETIMEDOUT'),
    });
    hangUp();
  });

  test('an answer that cannot be written is a 502', async () => {
    const { base } = await openRaw('HTTP/1.1 200 O\u0001K\r\nContent-Length: 2\r\n\r\nok');
    expect((await call(`${base}/x`).answer).status).toBe(502);
  });
});

/** An address at which nobody listens. */
async function openClosed(): Promise<string> {
  const server = createServer();
  const url = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  return url;
}

function closing({ socket }: Connection, _: string, count: number): void {
  if (count === 2) socket.resetAndDestroy();
  else socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
}

describe('a connection that the API closes as it is used again', () => {
  test.each(['GET', 'HEAD'])('%s is asked again', async (method) => {
    const { url, host, asked } = await openRaw(closing);
    for (let count = 0; count < 2; count += 1) {
      const { text } = await speak(url, ask(host, `${method} /gateway/wechat/default/x`));
      expect(text).toMatch(/^HTTP\/1\.1 200 /);
    }
    expect(asked).toHaveLength(3);
  });

  test.each([
    ['POST', []],
    ['DELETE', []],
    ['GET', ['Content-Length: 0']],
  ])('%s %j is not: nobody knows whether it was taken up', async (method, headers) => {
    const { url, host, asked } = await openRaw(closing);
    const texts = [];
    for (let count = 0; count < 2; count += 1)
      texts.push((await speak(url, ask(host, `${method} /gateway/wechat/default/x`, headers))).text);
    expect(texts[1]).toMatch(/^HTTP\/1\.1 502 /);
    expect(asked).toHaveLength(2);
  });

  test('a new connection that fails is not asked again', async () => {
    const { url, host, asked } = await openRaw(({ socket }) => void socket.resetAndDestroy());
    const { text } = await speak(url, ask(host, 'GET /gateway/wechat/default/x'));
    expect(text).toMatch(/^HTTP\/1\.1 502 /);
    expect(asked).toHaveLength(1);
  });
});

describe('when the bot hangs up', () => {
  test.each(['', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'])(
    'its call is dropped without a word, when the answer had come so far: %j',
    async (begin) => {
      const arrived = createGate<Connection>();
      const { base, log } = await openRaw((connection, _, count) => {
        connection.socket.write(count === 1 ? begin : ok);
        arrived.open(connection);
      });
      const { hangUp } = call(`${base}/x`);
      const { closed } = await arrived.passed;
      hangUp();
      await expect(closed).resolves.toBeUndefined();
      expect((await call(`${base}/x`).answer).status).toBe(200);
      expect(log.lines).toEqual([]);
    },
  );

  test('in the middle of an upload, the upload is dropped', async () => {
    const arrived = createGate<IncomingMessage>();
    const api = createServer((request) => arrived.open(request));
    const { base } = await openGateway({ api: await listen(api) });
    const outgoing = httpRequest(`${base}/x`, { method: 'POST', headers: { 'Content-Length': 1_000 } });
    outgoing.on('error', () => {});
    outgoing.write('half');
    const incoming = await arrived.passed;
    outgoing.destroy();
    await new Promise((resolve) => incoming.once('close', resolve));
    expect(incoming.complete).toBe(false);
  });

  test('in the middle of an upload that is answered already, the upload is dropped', async () => {
    const arrived = createGate<IncomingMessage>();
    const api = createServer({ keepAliveTimeout: 0 }, (request, response) => {
      response.end('too long');
      arrived.open(request);
    });
    const { base } = await openGateway({ api: await listen(api) });
    const outgoing = httpRequest(`${base}/x`, { method: 'POST', headers: { 'Content-Length': 1_000 } });
    outgoing.on('error', () => {});
    outgoing.write('half');
    const incoming = await arrived.passed;
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    expect((await bodyOf(answer)).toString()).toBe('too long');
    const closed = new Promise((resolve) => incoming.socket.once('close', resolve));
    outgoing.destroy();
    await closed;
  });
});

describe('through a proxy', () => {
  test.each([200, 407])('that answers %i', async (status) => {
    const tunnels: string[] = [];
    const proxy = createServer();
    proxy.on('connect', (request, socket) => {
      tunnels.push(request.url ?? '');
      if (status !== 200)
        return void socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 13\r\n\r\n{"errcode":0}`);
      const { hostname, port } = new URL(`http://${request.url}`);
      const target = connect(Number(port), hostname);
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      target
        .on('error', () => {})
        .pipe(socket)
        .on('error', () => {})
        .pipe(target);
    });
    const proxyUrl = await listen(proxy);
    const { watch, verdicts } = createWatch();
    const { base, apiHost } = await openRaw(accepted, { watch, agents: { proxyFor: () => proxyUrl } });
    const answer = await call(`${base}${send}`, { body: message }).answer;
    expect(tunnels).toEqual([apiHost]);
    expect(answer.status).toBe(status === 200 ? 200 : 502);
    expect(verdicts()).toMatchObject([{ is: status === 200 ? 'accepted' : 'unknown' }]);
  });
});

test('header lines of the answer keep their number and order for a library too', async () => {
  const { base } = await openRaw(
    'HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nB: 1\r\nset-cookie: c\r\nContent-Length: 0\r\n\r\n',
  );
  const outgoing = httpRequest(`${base}/x`).end();
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
  answer.resume();
  expect(pairsOf(answer.rawHeaders).slice(0, 4)).toEqual([
    ['Set-Cookie', 'a'],
    ['B', '1'],
    ['set-cookie', 'c'],
    ['Content-Length', '0'],
  ]);
});
