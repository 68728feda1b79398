import { Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { AxiosError, type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { NoAnswer, type Answer, type HeaderLines, type OutboundRequest, type Send } from '../core/wire.ts';

export interface ClientOptions {
  /** Connections at most per host; further requests wait for one within their own timeout. */
  maxSockets: number;
  /**
   * An idle connection is closed after this (ms). It has to be shorter than the other side's own limit, or a request
   * can meet its closing: nobody knows then whether it was taken up.
   */
  idleMs: number;
  /** For requests that do no harm twice: one that meets the closing of an idle connection counts as not begun. */
  harmlessTwice: boolean;
  /** The proxy for a URL, or "" for none. @default never one */
  proxyFor?: (url: string) => string;
}

export interface Client {
  send: Send;
  close(): void;
}

/** Answers are short messages, or media that a bot fetches: more than this is a fault (bytes). */
const answerLimit = 10 * 1024 * 1024;

/** HTTP as it is: bytes in, bytes out; no redirects, no decompression, no header that the caller did not name. */
export function createClient(options: ClientOptions): Client {
  const pool = { keepAlive: true, timeout: options.idleMs, maxSockets: options.maxSockets };
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) };
  const proxies = new Map<string, HttpsProxyAgent<string>>();
  const instance = axios.create({ proxy: false, maxRedirects: 0, decompress: false, responseType: 'stream' });
  const proxied = (url: string): HttpsProxyAgent<string> | undefined => {
    const proxy = options.proxyFor?.(url) ?? '';
    if (proxy === '') return undefined;
    const known = proxies.get(proxy) ?? new HttpsProxyAgent(proxy, pool);
    proxies.set(proxy, known);
    return known;
  };
  return {
    send: (request) => {
      const agent = proxied(request.url);
      const routed = { httpAgent: agent ?? agents.http, httpsAgent: agent ?? agents.https };
      return exchange(instance, request, { routed, harmlessTwice: options.harmlessTwice });
    },
    close: () => [agents.http, agents.https, ...proxies.values()].forEach((agent) => agent.destroy()),
  };
}

interface Route {
  routed: Pick<AxiosRequestConfig, 'httpAgent' | 'httpsAgent'>;
  harmlessTwice: boolean;
}

async function exchange(instance: AxiosInstance, request: OutboundRequest, route: Route): Promise<Answer> {
  const limit = AbortSignal.timeout(request.timeoutMs);
  const signal = request.signal ? AbortSignal.any([limit, request.signal]) : limit;
  try {
    const response = await instance.request<IncomingMessage>({
      ...route.routed,
      method: request.method,
      url: request.url,
      headers: headersOf(request.headers),
      data:
        typeof request.body === 'string' || request.body === null ? request.body : Buffer.from(request.body),
      signal,
      transformRequest: [(data: unknown) => data],
      validateStatus: () => true,
    });
    const body = await readBody(response.data, signal);
    return { status: response.status, headers: pairs(response.data.rawHeaders), body };
  } catch (error) {
    throw noAnswer(error, {
      timedOut: limit.aborted,
      harmlessTwice: route.harmlessTwice,
      ms: request.timeoutMs,
    });
  }
}

async function readBody(stream: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const abort = (): void => void stream.destroy(new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > answerLimit) throw new Error(`the answer is longer than ${answerLimit} bytes`);
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return Buffer.concat(chunks);
}

/** axios adds these unless they are switched off by name. */
const axiosDefaults = ['Accept', 'Accept-Encoding', 'Content-Type', 'User-Agent'];

function headersOf(lines: HeaderLines): Record<string, string | string[] | false> {
  const headers: Record<string, string | string[] | false> = {};
  for (const name of axiosDefaults) {
    if (!lines.some(([given]) => given.toLowerCase() === name.toLowerCase())) headers[name] = false;
  }
  for (const [name, value] of lines) {
    const before = headers[name];
    headers[name] = before === undefined || before === false ? value : [before, value].flat();
  }
  return headers;
}

/** Node keeps header lines as a flat list of names and values. */
export function pairs(rawHeaders: readonly string[]): HeaderLines {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : [],
  );
}

/** Faults before a connection stood: nothing of the request can have arrived. */
const beforeConnection = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);

function noAnswer(error: unknown, how: { timedOut: boolean; harmlessTwice: boolean; ms: number }): NoAnswer {
  const code = (error instanceof AxiosError ? error.code : undefined) ?? codeOf(error) ?? 'no answer';
  const stale =
    how.harmlessTwice && error instanceof AxiosError && reused(error.request) && code === 'ECONNRESET';
  const message = how.timedOut ? `no answer within ${how.ms} ms` : code;
  const begun = how.timedOut || !(beforeConnection.has(code) || stale);
  // axios's own error holds the request, secrets and all: it goes no further.
  return new NoAnswer(message, { begun, timedOut: how.timedOut });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function reused(request: unknown): boolean {
  return (
    typeof request === 'object' &&
    request !== null &&
    'reusedSocket' in request &&
    request.reusedSocket === true
  );
}
