/** One HTTP server on 127.0.0.1 and a free port, which closes with all its connections. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { z } from 'zod';
import type { HeaderLines } from '../core/wire.ts';

export interface Request {
  method: string;
  path: string;
  rawQuery: string;
  query: URLSearchParams;
  headers: HeaderLines;
  body: Buffer;
  /** Aborted when the client hangs up before the answer. */
  signal: AbortSignal;
}

export interface Reply {
  status: number;
  /** @default application/json */
  type?: string;
  headers?: Record<string, string>;
  body: string;
  /** Runs once the reply has left (true) or the connection is gone (false). */
  after?: (left: boolean) => void;
}

/** `hang`: never answered. `reset`: the connection is reset. */
type Handler = (request: Request) => Promise<Reply | 'hang' | 'reset'>;

export interface RunningServer {
  /** Without a slash at the end. */
  url: string;
  close(): Promise<void>;
}

export async function startServer(handler: Handler): Promise<RunningServer> {
  const server = createServer((incoming, response) => {
    serve(handler, incoming, response).catch((error: unknown) => {
      response.destroy(error instanceof Error ? error : new Error('The simulator failed.', { cause: error }));
    });
  });
  // An idle connection of a keep-alive pool would otherwise be closed under a client's next request.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${portOf(server)}`, close: () => closeServer(server) };
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('The simulator has no port: start it again.');
  return address.port;
}

async function serve(handler: Handler, incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  const hungUp = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) hungUp.abort();
  });
  const reply = await handler(await readRequest(incoming, hungUp.signal));
  if (reply === 'hang') return;
  if (reply === 'reset') {
    incoming.socket.resetAndDestroy();
    return;
  }
  if (response.destroyed) reply.after?.(false);
  else response.on('close', () => reply.after?.(response.writableFinished));
  const type = { 'content-type': reply.type ?? 'application/json' };
  response.writeHead(reply.status, { ...type, ...reply.headers }).end(reply.body);
}

async function readRequest(incoming: IncomingMessage, signal: AbortSignal): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
  const url = new URL(incoming.url ?? '/', 'http://simulator');
  return {
    method: incoming.method ?? 'GET',
    path: url.pathname,
    rawQuery: url.search.slice(1),
    query: url.searchParams,
    headers: headerLines(incoming.rawHeaders),
    body: Buffer.concat(chunks),
    signal,
  };
}

function headerLines(raw: readonly string[]): HeaderLines {
  return raw.flatMap((name, index) => (index % 2 === 0 ? [[name, raw[index + 1] ?? ''] as const] : []));
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** Reading JSON that others wrote. */

const RECORD = z.record(z.string(), z.unknown());

export type JsonObject = Record<string, unknown>;

/** The object that the text holds; null for anything else. */
export function readObject(text: string): JsonObject | null {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return null;
  }
}

export function asObject(value: unknown): JsonObject | null {
  const parsed = RECORD.safeParse(value);
  return parsed.success ? parsed.data : null;
}

export function asText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
