import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Server-sent events to one reader. */
export interface EventStream {
  send(event: string, data: object): void;
  end(): void;
}

/** Nothing from elsewhere, nothing inline, in nobody's frame. */
const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const;

export function sendFile(request: IncomingMessage, response: ServerResponse, file: PageFile): void {
  const gzip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
  const body = gzip ? file.gzipped : file.body;
  response.writeHead(200, {
    ...headers,
    'content-type': file.type,
    'content-length': body.length,
    vary: 'accept-encoding',
    ...(gzip ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

export function sendJson(response: ServerResponse, status: number, body: object): void {
  const fresh = { 'content-type': 'application/json', 'cache-control': 'no-store' };
  response.writeHead(status, { ...headers, ...fresh }).end(JSON.stringify(body));
}

/** A reader that takes nothing must not fill the memory (bytes). */
export const backlog = 1_048_576;

/** A proxy that collects would hold back what happens now. */
export const eventHeaders = {
  ...headers,
  'content-type': 'text/event-stream',
  'cache-control': 'no-store',
  'x-accel-buffering': 'no',
} as const;

/** One event as it is written. */
export function eventText(event: string, data: object): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function openStream(response: ServerResponse): EventStream {
  return {
    send(event, data) {
      // The first word opens it: a visitor who is refused gets no stream.
      if (!response.headersSent) response.writeHead(200, eventHeaders);
      if (response.writableLength > backlog) response.destroy();
      else response.write(eventText(event, data));
    },
    end: () => void response.end(),
  };
}

const bodyLimit = 8_192;

/**
 * The JSON value of a body; undefined for anything else. A form of another site can send no `application/json`.
 */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) return undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > bodyLimit) return undefined;
    chunks.push(bytes);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}

/** A page's own files, read once; they are small. */

export interface PageFile {
  type: string;
  body: Buffer;
  gzipped: Buffer;
}

/** By name. */
export type Page = ReadonlyMap<string, PageFile>;

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};

export function readPage(folder: URL): Page {
  const names = readdirSync(folder).filter((name) => types[extname(name)] !== undefined);
  return new Map(names.map((name) => [name, readPageFile(new URL(name, folder))]));
}

/** @param name @default the file's own, whose end says what it is */
export function readPageFile(file: URL, name = file.pathname): PageFile {
  const body = readFileSync(file);
  return { type: types[extname(name)] ?? '', body, gzipped: gzipSync(body, { level: 9 }) };
}

/** The form that connect and express know: calls `next` for what is not its own. */
export type Handler = (request: IncomingMessage, response: ServerResponse, next: () => void) => void;
