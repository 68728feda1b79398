import type { Agent, IncomingMessage } from 'node:http';
import axios, { type AxiosInstance } from 'axios';
import { NoAnswer, pairs, type Answer, type OutboundRequest, type Send } from '../core/wire.ts';
import { createAgents, type AgentsOptions } from './agents.ts';
import { createLimit } from './limit.ts';
import { noAnswer } from './no-answer.ts';
import { createTransport } from './transport.ts';

/** Requests wait for a connection within their own timeout. */
export interface ClientOptions extends AgentsOptions {
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
    send: (request) => exchange(instance, request, { agent: agents.agentFor(request.url), harmlessTwice }),
    close: () => agents.close(),
  };
}

interface Route {
  agent: Agent;
  harmlessTwice: boolean;
}

async function exchange(instance: AxiosInstance, request: OutboundRequest, route: Route): Promise<Answer> {
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
