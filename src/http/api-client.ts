import axios, { type AxiosInstance } from 'axios';
import type { Answer, HeaderLines, OutboundRequest } from '../core/wire.ts';
import { type Agents, type AgentsOptions, createAgents } from './agents.ts';
import { answerLimit, CANCELED, type Client, codeOf, noAnswer } from './client.ts';

/**
 * For JSON calls of a platform's API that are few and need no byte of theirs kept: tokens, and answers that are sent
 * late. axios may add header lines and unpack answers; what must go through as it is has `createClient`.
 */
export function createApiClient(options: AgentsOptions): Client {
  const agents = createAgents(options);
  const instance = axios.create({
    proxy: false,
    maxRedirects: 0,
    maxContentLength: answerLimit,
    responseType: 'arraybuffer',
    transformRequest: [(data: unknown) => data],
    validateStatus: () => true,
  });
  return {
    send: (request) => call(instance, request, agents),
    close: () => agents.close(),
  };
}

async function call(
  instance: AxiosInstance,
  request: OutboundRequest,
  { agentFor }: Agents,
): Promise<Answer> {
  const { method, url, headers, body, timeoutMs } = request;
  const limit = createLimit(request);
  try {
    const agent = agentFor(url);
    const answer = await instance.request<Buffer>({
      httpAgent: agent,
      httpsAgent: agent,
      method,
      url,
      headers: Object.fromEntries(headers),
      data: typeof body === 'string' || body === null ? body : Buffer.from(body),
      signal: limit.signal,
    });
    return { status: answer.status, headers: linesOf(answer.headers), body: answer.data };
  } catch (error) {
    // axios's own error holds the request, secrets and all: it goes no further.
    throw limit.timedOut() ? noAnswer(CANCELED, { timedOutMs: timeoutMs }) : noAnswer(codeOf(error));
  } finally {
    limit.end();
  }
}

function linesOf(headers: object): HeaderLines {
  return Object.entries(headers).flatMap(([name, value]) =>
    [value].flat().map((each) => [name, String(each)] as const),
  );
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
