import { Agent as HttpAgent, type AgentOptions, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import axios, { type AxiosInstance, type AxiosRequestConfig } from 'axios';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { NoAnswer, type Answer, type HeaderLines, type OutboundRequest, type Send } from '../core/wire.ts';
import { createLimit } from './limit.ts';
import { noAnswer } from './no-answer.ts';
import { createTransport } from './transport.ts';

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
const tooLong = `the answer is longer than ${answerLimit} bytes`;

/** HTTP as it is: bytes in, bytes out; no redirects, no decompression, no header that the caller did not name. */
export function createClient(options: ClientOptions): Client {
  const pool = { keepAlive: true, timeout: options.idleMs, maxSockets: options.maxSockets };
  const agents = { http: new HttpAgent(pool), https: new HttpsAgent(pool) };
  const proxies = new Map<string, HttpsProxyAgent<string>>();
  const instance = axios.create({ proxy: false, maxRedirects: 0, decompress: false, responseType: 'stream' });
  const proxied = (url: string): HttpsProxyAgent<string> | undefined => {
    const proxy = options.proxyFor?.(url) ?? '';
    if (proxy === '') return undefined;
    const known = proxies.get(proxy) ?? createProxyAgent(proxy, pool);
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

function createProxyAgent(proxy: string, pool: AgentOptions & { timeout: number }): HttpsProxyAgent<string> {
  const agent = new HttpsProxyAgent(proxy, pool);
  // It drops its options when it is made; node:http reads the idle limit from there.
  agent.options.timeout = pool.timeout;
  return agent;
}

interface Route {
  routed: Pick<AxiosRequestConfig, 'httpAgent' | 'httpsAgent'>;
  harmlessTwice: boolean;
}

async function exchange(instance: AxiosInstance, request: OutboundRequest, route: Route): Promise<Answer> {
  const limit = createLimit(request);
  try {
    const response = await instance.request<IncomingMessage>({
      ...route.routed,
      method: request.method,
      url: request.url,
      transport: createTransport(request),
      data:
        typeof request.body === 'string' || request.body === null ? request.body : Buffer.from(request.body),
      signal: limit.signal,
      transformRequest: [(data: unknown) => data],
      validateStatus: () => true,
    });
    const body = await readBody(response.data, limit.signal);
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

async function readBody(stream: IncomingMessage, signal: AbortSignal): Promise<Buffer> {
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

/** Node keeps header lines as a flat list of names and values. */
export function pairs(rawHeaders: readonly string[]): HeaderLines {
  return rawHeaders.flatMap((name, index) =>
    index % 2 === 0 ? [[name, rawHeaders[index + 1] ?? ''] as const] : [],
  );
}
