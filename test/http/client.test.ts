import { getEventListeners, setMaxListeners } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { connect } from 'node:net';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { NoAnswer, type OutboundRequest } from '../../src/core/wire.ts';
import { openClient } from './scene.ts';
import { createGate, gzipLooking, linesOf, listen, startRaw, textOf, utf8, type Connection } from './wire.ts';

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

function post(url: string, over: Partial<OutboundRequest> = {}): OutboundRequest {
  return { method: 'POST', url, headers: [], body: 'hello', timeoutMs: 5_000, ...over };
}

/** What the client says when there is no answer. */
async function faultOf(answer: Promise<unknown>): Promise<NoAnswer> {
  const fault: unknown = await answer.then(
    () => null,
    (error: unknown) => error,
  );
  if (fault instanceof NoAnswer) return fault;
  throw new Error('an answer came, or an error that is no NoAnswer', { cause: fault });
}

/** The bytes of the one request that the client makes. */
async function bytesOf(over: Partial<OutboundRequest>, path = '/hook'): Promise<string> {
  const seen: string[] = [];
  const server = await startRaw(({ socket }, bytes) => {
    seen.push(bytes);
    socket.write(ok);
  });
  await openClient().send(post(`${server.url}${path}`, over));
  return seen.join('').replaceAll(new URL(server.url).host, 'bot');
}

describe('a request', () => {
  test('carries the caller’s lines in their order, case and number, and no others', async () => {
    const headers = [
      ['x-b', '1'],
      ['User-Agent', 'Mozilla/4.0'],
      ['X-B', '2'],
      ['content-TYPE', 'text/xml'],
      ['x-b', '3'],
      ['X-Empty', ''],
      ['9', 'nine'],
      ['1', 'one'],
    ] as const;
    expect(await bytesOf({ headers })).toBe(
      'POST /hook HTTP/1.1\r\nHost: bot\r\nx-b: 1\r\nUser-Agent: Mozilla/4.0\r\nX-B: 2\r\ncontent-TYPE: text/xml\r\n' +
        'x-b: 3\r\nX-Empty: \r\n9: nine\r\n1: one\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
    );
  });

  test('without lines has Host, Content-Length and Connection only', async () => {
    expect(await bytesOf({})).toBe(
      'POST /hook HTTP/1.1\r\nHost: bot\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
    );
    expect(await bytesOf({ method: 'GET', body: null })).toBe(
      'GET /hook HTTP/1.1\r\nHost: bot\r\nConnection: keep-alive\r\n\r\n',
    );
    expect(await bytesOf({ body: null })).toContain('\r\nContent-Length: 0\r\n');
    expect(await bytesOf({ body: new Uint8Array() })).toContain('\r\nContent-Length: 0\r\n');
  });

  test.each(['constructor', '__proto__', 'toString', 'set', 'get', 'has', 'Accept-Encoding', 'Accept'])(
    'may have a header that is called %s',
    async (name) => {
      expect(await bytesOf({ headers: [[name, 'x']] })).toContain(`\r\n${name}: x\r\n`);
    },
  );

  test('keeps the bytes of its headers', async () => {
    expect(await bytesOf({ headers: [['X-Name', 'é\u00ff']] })).toContain('\r\nX-Name: é\u00ff\r\n');
  });

  test('asks for the path and query as they are', async () => {
    const query = '?own=1&signature=ab&a=1&a=2&e=&x=\'"&p=%e4%BD&plus=a+b&q=?';
    expect(await bytesOf({}, `/a%20b/${query}`)).toMatch(/^POST \/a%20b\//);
    expect((await bytesOf({}, `/hook${query}`)).split(' ')[1]).toBe(`/hook${query}`);
  });

  test('goes to the address it names, however many there have been', async () => {
    const seen: string[] = [];
    const server = await startRaw(({ socket }, bytes) => {
      seen.push(bytes.split(' ')[1] ?? '');
      socket.write(ok);
    });
    const { send } = openClient();
    const paths = Array.from({ length: 1_005 }, (_, index) => `/bot-${index}?q=${index}`);
    for (const path of [...paths, ...paths.slice(0, 3)]) await send(post(`${server.url}${path}`));
    expect(seen).toEqual([...paths, ...paths.slice(0, 3)]);
  });

  test('writes a query that HTTP cannot carry as a URL does', async () => {
    expect(await bytesOf({}, '/hook?a=你 b')).toMatch(/^POST \/hook\?a=%E4%BD%A0%20b /);
  });

  test('carries its body to the byte, text as UTF-8', async () => {
    const sent = await bytesOf({ body: gzipLooking, headers: [['Content-Type', 'application/json']] });
    expect(sent.split('\r\n\r\n', 2)[0]).toContain(`Content-Length: ${gzipLooking.length}`);
    expect(sent.slice(sent.indexOf('\r\n\r\n') + 4)).toBe(Buffer.from(gzipLooking).toString('latin1'));
    const text = await bytesOf({ body: '你好' });
    expect(text).toContain('Content-Length: 6\r\n');
    expect(Buffer.from(text, 'latin1').toString()).toMatch(/你好$/);
  });

  test('names the host that the caller names', async () => {
    expect(await bytesOf({ headers: [['HOST', 'other']] })).toBe(
      'POST /hook HTTP/1.1\r\nHOST: other\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
    );
  });

  test('signs in as its URL says, unless it does so itself', async () => {
    const seen: string[] = [];
    const server = await startRaw(({ socket }, bytes) => {
      seen.push(bytes);
      socket.write(ok);
    });
    const url = server.url.replace('//', '//us%40er:pass@');
    const client = openClient();
    await client.send(post(url));
    await client.send(post(url, { headers: [['authorization', 'Bearer x']] }));
    expect(seen[0]).toContain(`\r\nAuthorization: Basic ${Buffer.from('us@er:pass').toString('base64')}\r\n`);
    expect(seen[1]).toContain('\r\nauthorization: Bearer x\r\n');
    expect(seen[1]).not.toContain('Basic');
  });
});

/** What the client makes of these bytes. */
async function answerTo(bytes: string | Buffer, over: Partial<OutboundRequest> = {}) {
  const server = await startRaw(({ socket }) => void socket.write(bytes));
  const answer = await openClient().send(post(server.url, over));
  return { answer, connections: server.connections };
}

describe('an answer', () => {
  test('keeps its lines in their order, case and number', async () => {
    const { answer } = await answerTo(
      'HTTP/1.1 201 Made\r\nSet-Cookie: a=1\r\nX-tyPING: none\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n',
    );
    expect(answer).toEqual({
      status: 201,
      headers: [
        ['Set-Cookie', 'a=1'],
        ['X-tyPING', 'none'],
        ['set-cookie', 'b=2'],
        ['Content-Length', '0'],
      ],
      body: Buffer.alloc(0),
    });
  });

  test.each([
    ['compressed', gzipSync('hello')],
    ['said to be compressed', Buffer.from(gzipLooking)],
  ])('that is %s stays as it is', async (_, body) => {
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { answer } = await answerTo(Buffer.concat([Buffer.from(head), body]));
    expect(answer.body).toEqual(body);
    expect(linesOf(answer.headers, 'content-encoding')).toEqual(['gzip']);
  });

  test('in chunks, or up to the end of the connection, is whole', async () => {
    const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n';
    expect(textOf((await answerTo(chunks)).answer.body)).toBe('abcde');
    const server = await startRaw(({ socket }) => void socket.end('HTTP/1.0 200 OK\r\n\r\nuntil the end'));
    expect(textOf((await openClient().send(post(server.url))).body)).toBe('until the end');
  });

  test('that redirects is the answer', async () => {
    const { answer, connections } = await answerTo(
      'HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n',
    );
    expect(answer.status).toBe(302);
    expect(connections.map((one) => one.received().match(/HTTP\/1\.1/g)?.length)).toEqual([1]);
  });

  test.each([400, 404, 500, 503])('with the status %i is an answer', async (status) => {
    const { answer } = await answerTo(`HTTP/1.1 ${status} X\r\nContent-Length: 0\r\n\r\n`);
    expect(answer.status).toBe(status);
  });
});

describe('no answer', () => {
  test.each(['127.0.0.1', 'localhost'])('from a closed port of %s: not begun', async (host) => {
    const server = createHttpServer();
    const { port } = new URL(await listen(server));
    await new Promise((resolve) => server.close(resolve));
    expect(await faultOf(openClient().send(post(`http://${host}:${port}/`)))).toMatchObject({
      message: 'ECONNREFUSED',
      begun: false,
      timedOut: false,
    });
  });

  test('from an unknown host: not begun', async () => {
    expect(await faultOf(openClient().send(post('http://nowhere.invalid/')))).toMatchObject({
      begun: false,
      timedOut: false,
    });
  });

  test('within the limit: timed out, and the connection is given up', async () => {
    const server = await startRaw(() => {});
    const fault = await faultOf(openClient().send(post(server.url, { timeoutMs: 50 })));
    expect(fault).toMatchObject({ message: 'no answer within 0.05 s', begun: true, timedOut: true });
    await server.connections[0]?.closed;
  });

  test('within the limit because it trickles: timed out', async () => {
    const server = await startRaw(({ socket, closed }) => {
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n');
      const timer = setInterval(() => socket.write('.'), 5);
      void closed.then(() => clearInterval(timer));
    });
    const fault = await faultOf(openClient().send(post(server.url, { timeoutMs: 80 })));
    expect(fault).toMatchObject({ begun: true, timedOut: true });
    await server.connections[0]?.closed;
  });

  test('because all connections are busy: timed out', async () => {
    const server = await startRaw(() => {});
    const { send } = openClient({ maxSockets: 1 });
    const first = faultOf(send(post(server.url, { timeoutMs: 100 })));
    expect(await faultOf(send(post(server.url, { timeoutMs: 50 })))).toMatchObject({ timedOut: true });
    await first;
    expect(server.connections).toHaveLength(1);
  });

  test('but a reset after the request: begun, whatever harm a second one does', async () => {
    const server = await startRaw(({ socket }) => void socket.resetAndDestroy());
    for (const harmlessTwice of [false, true]) {
      const fault = await faultOf(openClient({ harmlessTwice }).send(post(server.url)));
      expect(fault).toMatchObject({ message: 'ECONNRESET', begun: true, timedOut: false });
    }
  });

  test('but half of one: begun', async () => {
    const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';
    const server = await startRaw(({ socket }) => void socket.end(half));
    expect(await faultOf(openClient({ harmlessTwice: true }).send(post(server.url)))).toMatchObject({
      begun: true,
      timedOut: false,
    });
  });

  test('but more than 10 MiB: refused, and the connection is given up', async () => {
    const mebibyte = Buffer.alloc(1024 * 1024);
    const server = await startRaw(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      for (let count = 0; count < 11; count += 1) socket.write(mebibyte);
    });
    expect(await faultOf(openClient().send(post(server.url)))).toMatchObject({
      message: 'the answer is longer than 10485760 bytes',
      begun: true,
    });
    await server.connections[0]?.closed;
  });

  test('10 MiB are taken', async () => {
    const server = await startRaw(({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.end(Buffer.alloc(10 * 1024 * 1024));
    });
    expect((await openClient().send(post(server.url))).body).toHaveLength(10 * 1024 * 1024);
  });

  test('because the caller gave up: begun, not timed out, and the connection is closed', async () => {
    const arrived = createGate<Connection>();
    const server = await startRaw((connection) => arrived.open(connection));
    const abort = new AbortController();
    const fault = faultOf(openClient().send(post(server.url, { signal: abort.signal })));
    const { closed } = await arrived.passed;
    abort.abort();
    expect(await fault).toMatchObject({ begun: true, timedOut: false });
    await closed;
  });

  test('because the caller gave up in the middle of the body', async () => {
    const arrived = createGate<Connection>();
    const server = await startRaw((connection) => {
      connection.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf');
      arrived.open(connection);
    });
    const abort = new AbortController();
    const fault = faultOf(openClient().send(post(server.url, { signal: abort.signal })));
    const { closed } = await arrived.passed;
    abort.abort();
    expect(await fault).toMatchObject({ begun: true, timedOut: false });
    await closed;
  });

  test('for a caller who has given up already; nothing is sent', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    await faultOf(openClient().send(post(server.url, { signal: AbortSignal.abort() })));
    expect(server.connections).toHaveLength(0);
  });

  test('because it switches protocols, which nobody has asked for', async () => {
    const switching = 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n';
    const server = await startRaw(({ socket }) => void socket.write(switching));
    expect(await faultOf(openClient().send(post(server.url)))).toMatchObject({
      begun: true,
      timedOut: false,
    });
  });

  test.each(['nowhere', 'ftp://nowhere/', 'http://nowhere/%', 'http://a%:b@nowhere.invalid/'])(
    'from %s',
    async (url) => {
      expect(await faultOf(openClient().send(post(url)))).toMatchObject({ timedOut: false });
    },
  );

  test('for a header line that HTTP cannot carry; nothing is sent', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    await faultOf(openClient().send(post(server.url, { headers: [['X-Name', 'a\nb']] })));
    expect(server.connections).toHaveLength(0);
  });

  test('holds nothing of the request', async () => {
    const server = await startRaw(({ socket }) => void socket.resetAndDestroy());
    const secret = post(server.url, { headers: [['Authorization', 'hush']], body: 'hush' });
    const fault = await faultOf(openClient().send(secret));
    expect(inspect(fault, { depth: Infinity })).not.toContain('hush');
  });
});

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe('on the caller’s signal', () => {
  const half = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf';

  test('the client listens while a request is under way', async () => {
    const arrived = createGate<Connection>();
    const server = await startRaw((connection) => arrived.open(connection));
    const { signal } = new AbortController();
    const answer = openClient().send(post(server.url, { signal }));
    const { socket } = await arrived.passed;
    expect(listeners(signal)).toBe(1);
    socket.write(ok);
    await answer;
    expect(listeners(signal)).toBe(0);
  });

  test('nothing is left by many answers', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    const { send } = openClient();
    const { signal } = new AbortController();
    setMaxListeners(0, signal);
    await Promise.all(Array.from({ length: 20 }, () => send(post(server.url, { signal }))));
    expect(listeners(signal)).toBe(0);
  });

  test.each([
    ['a reset', ({ socket }: Connection) => void socket.resetAndDestroy()],
    ['a limit', () => {}],
    ['a limit in the middle of the body', ({ socket }: Connection) => void socket.write(half)],
  ])('nothing is left by %s', async (_, reply) => {
    const server = await startRaw(reply);
    const { signal } = new AbortController();
    await faultOf(openClient().send(post(server.url, { signal, timeoutMs: 50 })));
    expect(listeners(signal)).toBe(0);
  });

  test('nothing is left when the caller gave up, before or while it was under way', async () => {
    const arrived = createGate<Connection>();
    const server = await startRaw((connection) => arrived.open(connection));
    const { send } = openClient();
    const given = AbortSignal.abort();
    await faultOf(send(post(server.url, { signal: given })));
    expect(listeners(given)).toBe(0);
    const abort = new AbortController();
    const fault = faultOf(send(post(server.url, { signal: abort.signal })));
    await arrived.passed;
    abort.abort();
    await fault;
    expect(listeners(abort.signal)).toBe(0);
  });
});

describe('connections', () => {
  test('are used again', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    const { send } = openClient();
    await send(post(server.url));
    await send(post(server.url));
    expect(server.connections).toHaveLength(1);
  });

  test('are closed when they have been idle, also after a slower answer', async () => {
    const server = await startRaw(({ socket }) => void setTimeout(() => socket.write(ok), 60));
    const { send } = openClient({ idleMs: 30 });
    expect((await send(post(server.url))).status).toBe(200);
    await server.connections[0]?.closed;
    await send(post(server.url));
    expect(server.connections).toHaveLength(2);
  });

  test.each([
    [true, false],
    [false, true],
  ])('closed under a request that does no harm twice (%s): begun is %s', async (harmlessTwice, begun) => {
    const server = await startRaw(({ socket }, _, count) =>
      count === 1 ? socket.write(ok) : socket.resetAndDestroy(),
    );
    const { send } = openClient({ harmlessTwice });
    await send(post(server.url));
    expect(await faultOf(send(post(server.url)))).toMatchObject({ begun, timedOut: false });
    expect(server.connections).toHaveLength(1);
  });

  test('closed under half an answer: begun, whatever harm a second request does', async () => {
    const server = await startRaw(({ socket }, _, count) => {
      if (count === 1) return void socket.write(ok);
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf', () => socket.resetAndDestroy());
    });
    const { send } = openClient({ harmlessTwice: true });
    await send(post(server.url));
    expect(await faultOf(send(post(server.url)))).toMatchObject({ begun: true, timedOut: false });
    expect(server.connections).toHaveLength(1);
  });

  test('are closed with the client', async () => {
    const server = await startRaw(({ socket }) => void socket.write(ok));
    const client = openClient();
    await client.send(post(server.url));
    client.close();
    await expect(server.connections[0]?.closed).resolves.toBeUndefined();
  });
});

/** An HTTP proxy that opens tunnels, or refuses to. */
async function startProxy(status = 200) {
  const asked: string[] = [];
  const tunnels: Promise<void>[] = [];
  const server = createHttpServer();
  server.on('connect', (request, socket) => {
    asked.push(request.url ?? '');
    tunnels.push(new Promise((resolve) => socket.once('close', () => resolve())));
    if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const target = connect(Number(port), hostname);
    target.on('error', () => {});
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    target.pipe(socket).pipe(target);
    socket.once('close', () => target.destroy());
  });
  return { url: await listen(server), asked, tunnels };
}

describe('through a proxy', () => {
  test('requests go as they are through one tunnel, and others around it', async () => {
    const proxy = await startProxy();
    const seen: string[] = [];
    const target = await startRaw(({ socket }, bytes) => {
      seen.push(bytes);
      socket.write(ok);
    });
    const { host } = new URL(target.url);
    const { send } = openClient({ proxyFor: (url) => (url.includes('direct') ? '' : proxy.url) });
    await send(post(`${target.url}/one?'`, { headers: [['x-b', '1']] }));
    await send(post(`${target.url}/two`));
    await send(post(`${target.url}/direct`));
    expect(proxy.asked).toEqual([host]);
    expect(seen[0]).toBe(
      `POST /one?' HTTP/1.1\r\nHost: ${host}\r\nx-b: 1\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello`,
    );
    expect(seen).toHaveLength(3);
    expect(target.connections).toHaveLength(2);
  });

  test('idle tunnels are closed too', async () => {
    const proxy = await startProxy();
    const target = await startRaw(({ socket }) => void socket.write(ok));
    const { send } = openClient({ idleMs: 30, proxyFor: () => proxy.url });
    await send(post(target.url));
    await expect(proxy.tunnels[0]).resolves.toBeUndefined();
    await expect(target.connections[0]?.closed).resolves.toBeUndefined();
  });

  test('a refused tunnel is no answer of the platform: not begun', async () => {
    const proxy = await startProxy(502);
    const target = await startRaw(({ socket }) => void socket.write(ok));
    const { send } = openClient({ proxyFor: () => proxy.url });
    expect(await faultOf(send(post(target.url, { body: utf8('x') })))).toMatchObject({
      begun: false,
      timedOut: false,
    });
    expect(target.connections).toHaveLength(0);
  });
});
