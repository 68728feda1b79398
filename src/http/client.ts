import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import axios, { AxiosError, type AxiosInstance } from 'axios';
import {
  type Answer,
  errorCodeOf,
  type HeaderLines,
  NoAnswer,
  type OutboundRequest,
  pairs,
  type Send,
} from '../core/wire.ts';
import { type AgentsOptions, createAgents } from './agents.ts';
import { ADDRESS_REFUSED } from './confine.ts';

/** Requests wait for a connection within their own timeout. */
interface ClientOptions extends AgentsOptions {
  /** For requests that do no harm twice: one that meets the closing of an idle connection counts as not begun. */
  harmlessTwice: boolean;
}

export interface Client {
  send: Send;
  close(): void;
}

/** Answers are short messages, or media that a bot fetches: more than this is a fault (bytes). */
const answerLimit = 10 * 1024 * 1024;
const tooLong = `the answer is longer than ${answerLimit} bytes`;

/** HTTP as it is: bytes in, bytes out; no redirects, no decompression, no header that the caller did not name. */
export function createClient(options: ClientOptions): Client {
  const agents = createAgents(options);
  const instance = axios.create({ proxy: false, maxRedirects: 0, decompress: false, responseType: 'stream' });
  const { harmlessTwice } = options;
  return {
    send: (request) => sendOnce(instance, request, { agent: agents.agentFor(request.url), harmlessTwice }),
    close: () => agents.close(),
  };
}

interface Connecting {
  agent: Agent;
  harmlessTwice: boolean;
}

async function sendOnce(
  instance: AxiosInstance,
  request: OutboundRequest,
  route: Connecting,
): Promise<Answer> {
  const limit = createLimit(request);
  try {
    const response = await instance.request<IncomingMessage>({
      httpAgent: route.agent,
      httpsAgent: route.agent,
      method: request.method,
      url: request.url,
      transport: createTransport(request),
      data:
        typeof request.body === 'string' || request.body === null ? request.body : Buffer.from(request.body),
      signal: limit.signal,
      transformRequest: [(data: unknown) => data],
      validateStatus: () => true,
    });
    const body = await collectBody(response.data, limit.signal);
    return { status: response.status, headers: pairs(response.data.rawHeaders), body };
  } catch (error) {
    if (error instanceof NoAnswer) throw error;
    throw noAnswer(error, {
      timedOut: limit.timedOut(),
      harmlessTwice: route.harmlessTwice,
      ms: request.timeoutMs,
    });
  } finally {
    limit.end();
  }
}

async function collectBody(stream: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const abort = (): void => void stream.destroy(new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > answerLimit) throw new NoAnswer(tooLong, { begun: true });
      chunks.push(chunk);
    }
  } finally {
    signal.removeEventListener('abort', abort);
  }
  return Buffer.concat(chunks);
}

/** The end of a request that does not end by itself: its time is up, or its caller gives it up. */
interface Limit {
  signal: AbortSignal;
  timedOut: () => boolean;
  /** To be called when the request is over. */
  end: () => void;
}

/** `AbortSignal.any` would keep something of every request for as long as the caller's signal lives. */
function createLimit({ timeoutMs, signal }: Pick<OutboundRequest, 'timeoutMs' | 'signal'>): Limit {
  const controller = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    controller.abort();
  }, timeoutMs);
  const abort = (): void => controller.abort();
  signal?.addEventListener('abort', abort, { once: true });
  if (signal?.aborted) abort();
  return {
    signal: controller.signal,
    timedOut: () => timedOut,
    end: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    },
  };
}

/** How a request's lines come onto the wire: as the caller has them. axios would sort, merge and rename them. */

/** axios's seam to node:http. */
interface Transport {
  request(options: RequestOptions, answered: (answer: IncomingMessage) => void): ClientRequest;
}

/** The proxy did not open a tunnel: the request itself never left. */
const PROXY_REFUSED = 'ERR_PROXY_REFUSED';

/** Sends the request's own header lines, in their order, and its query unchanged; only what HTTP needs is added. */
function createTransport(request: OutboundRequest): Transport {
  const lines = headerLinesOf(request).flat();
  return {
    request: (options, answered) => {
      const start = options.protocol === 'https:' ? requestHttps : requestHttp;
      const path = pathOf(request.url);
      const outgoing = start({ ...options, path, headers: lines }, answered);
      return outgoing.once('proxyConnect', ({ statusCode }: { statusCode: number }) => {
        if (statusCode !== 200) outgoing.destroy(proxyRefused(statusCode));
      });
    },
  };
}

/** https://url.spec.whatwg.org/#query-state writes some characters another way: the query is taken as it is. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  const mark = url.indexOf('?');
  const query = mark < 0 ? '' : url.slice(mark);
  return `${pathname}${/^[!-~]*$/.test(query) ? query : search}`;
}

function headerLinesOf({ url, method, headers, body }: OutboundRequest): HeaderLines {
  const has = (wanted: string): boolean => headers.some(([name]) => name.toLowerCase() === wanted);
  const { host, username, password } = new URL(url);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const signIn = credentials !== ':' && !has('authorization');
  const bare = (body === null && ['GET', 'HEAD'].includes(method)) || has('content-length');
  return [
    ...(has('host') ? [] : [['Host', host] as const]),
    ...headers,
    ...(signIn ? [['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`] as const] : []),
    ...(bare ? [] : [['Content-Length', String(Buffer.byteLength(body ?? ''))] as const]),
  ];
}

function proxyRefused(status: number): Error {
  return Object.assign(new Error(`the proxy answered CONNECT with ${status}`), { code: PROXY_REFUSED });
}

/** Faults before a connection stood: nothing of the request can have arrived. */
const beforeConnection = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  PROXY_REFUSED,
  ADDRESS_REFUSED,
]);

/** What a request meets that was given to a connection as the other side closed it. */
const closing = new Set(['ECONNRESET', 'EPIPE']);

/** What a failed request means. axios's own error holds the request, secrets and all: it goes no further. */
function noAnswer(error: unknown, how: { timedOut: boolean; harmlessTwice: boolean; ms: number }): NoAnswer {
  const code = (error instanceof AxiosError ? error.code : undefined) ?? errorCodeOf(error) ?? 'no answer';
  const stale =
    how.harmlessTwice && error instanceof AxiosError && reused(error.request) && closing.has(code);
  const message = how.timedOut ? `no answer within ${how.ms} ms` : code;
  const begun = how.timedOut || !(beforeConnection.has(code) || stale);
  // Its code alone, for whoever says what happened in a sentence of their own.
  return new NoAnswer(message, { begun, timedOut: how.timedOut, cause: { code } });
}

function reused(request: unknown): boolean {
  return (
    typeof request === 'object' &&
    request !== null &&
    'reusedSocket' in request &&
    request.reusedSocket === true
  );
}
