/** Both ends of real connections: a client that can hang up, and servers that keep what reached them. */
import {
  createServer as createHttpServer,
  request,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { Answer, HeaderLines } from '../../src/core/wire.ts';

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Bytes that begin as gzip's do and are none: whoever unpacks or decodes them on the way breaks them. */
export const gzipLooking = Uint8Array.of(0x1f, 0x8b, 8, 0, 0xff, 0xfe, 0x00, 0x0d, 0x0a, 0xc3, 0x28, 0x80);

export interface Gate<T = void> {
  passed: Promise<T>;
  open(value: T): void;
}

/** A promise that the test resolves. */
export function createGate<T = void>(): Gate<T> {
  const gate: Partial<Gate<T>> = {};
  const passed = new Promise<T>((resolve) => (gate.open = resolve));
  return { passed, open: (value) => gate.open?.(value) };
}

export function pairsOf(rawHeaders: readonly string[]): HeaderLines {
  return rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : []));
}

/** The header lines of a name, whatever its case. */
export function linesOf(headers: HeaderLines, name: string): string[] {
  return headers.flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []));
}

export interface Call {
  method?: string;
  headers?: readonly string[];
  body?: Uint8Array | string;
}

export interface UnderWay {
  /** Rejects when the connection ends without one. */
  answer: Promise<Answer>;
  /** What has come so far; null before the answer. */
  sofar: () => Answer | null;
  hangUp: () => void;
}

/** A request whose connection the test can close. `headers` is a flat list, as Node keeps them. */
export function call(url: string, { method = 'POST', headers = [], body = '' }: Call = {}): UnderWay {
  const length = String(Buffer.byteLength(body));
  const { host } = new URL(url);
  // As it is written: a URL would be tidied.
  const path = url.slice(url.indexOf('/', url.indexOf('//') + 2));
  const outgoing = request(url, {
    path,
    method,
    agent: false,
    headers: ['Host', host, ...headers, 'Content-Length', length],
  });
  const seen: { answer: Answer | null } = { answer: null };
  const answer = new Promise<Answer>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      const read = async (): Promise<Answer> => {
        const body = await bodyOf(response);
        seen.answer = { status: response.statusCode ?? 0, headers: pairsOf(response.rawHeaders), body };
        return seen.answer;
      };
      resolve(read());
    });
  });
  // Whoever hangs up does not look at the answer.
  answer.catch(() => {});
  outgoing.end(body);
  return { answer, sofar: () => seen.answer, hangUp: () => outgoing.destroy() };
}

export async function bodyOf(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Listens on a free port until the test is over. */
export async function listen(server: Server): Promise<string> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // The other side may reset; what a test waits for it waits for by name.
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface Asked {
  method: string;
  url: string;
  headers: HeaderLines;
  body: Buffer;
  /** Resolves when the caller's connection is gone. */
  gone: Promise<void>;
}

/** A bot on real HTTP: answers by `reply`, and keeps what it was asked. */
export async function startBot(
  reply: (response: ServerResponse, asked: Asked) => void,
): Promise<{ url: string; asked: Asked[] }> {
  const asked: Asked[] = [];
  const server = createHttpServer((incoming, response) => {
    const gone = new Promise<void>((resolve) => response.once('close', resolve));
    const take = async (): Promise<void> => {
      const { method = '', url = '', rawHeaders } = incoming;
      const one = { method, url, headers: pairsOf(rawHeaders), body: await bodyOf(incoming), gone };
      asked.push(one);
      reply(response, one);
    };
    void take();
  });
  return { url: `${await listen(server)}/bot`, asked };
}

/** What reached a raw server on one connection. */
export interface Connection {
  socket: Socket;
  /** Everything so far, as latin1. */
  received(): string;
  closed: Promise<void>;
}

/** A server that speaks no HTTP by itself: `request` is called with each whole request's bytes. */
export async function startRaw(
  request: (connection: Connection, bytes: string, count: number) => void,
): Promise<{ url: string; connections: Connection[] }> {
  const connections: Connection[] = [];
  let count = 0;
  const server = createServer((socket) => {
    let all = '';
    let rest = '';
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const connection = { socket, received: () => all, closed };
    connections.push(connection);
    socket.on('data', (chunk) => {
      all += chunk.toString('latin1');
      rest += chunk.toString('latin1');
      const end = endOf(rest);
      if (end === null) return;
      const bytes = rest.slice(0, end);
      rest = rest.slice(end);
      request(connection, bytes, (count += 1));
    });
  });
  return { url: await listen(server), connections };
}

/** Where the first whole request of the text ends; null when it is not whole. */
function endOf(text: string): number | null {
  const head = text.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const length = /^content-length: (\d+)$/im.exec(text.slice(0, head))?.[1] ?? '0';
  const end = head + 4 + Number(length);
  return text.length >= end ? end : null;
}
