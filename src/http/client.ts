import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { pipeline, Readable } from 'node:stream';
import { urlToHttpOptions } from 'node:url';
import { type Answer, errorCodeOf, NoAnswer, type OutboundRequest, pairs, type Send } from '../core/wire.ts';
import { type AgentsOptions, createAgents, PROXY_REFUSED } from './agents.ts';
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
export const answerLimit = 10 * 1024 * 1024;
const tooLong = `the answer is longer than ${answerLimit} bytes`;

/**
 * HTTP as it is: bytes in, bytes out; no redirects, no decompression, no header that the caller did not name. Every push
 * is forwarded through it and every typing call made, so it is node:http alone, which costs a third of what axios does.
 */
export function createClient(options: ClientOptions): Client {
  const agents = createAgents(options);
  const begin = createBegin(agents.agentFor);
  const { harmlessTwice } = options;
  return {
    send: (request) => exchange(request, { begin, harmlessTwice }),
    close: () => agents.close(),
  };
}

/** Ends once, with the first thing that ends it; whatever comes after is not heard. */
function exchange(request: OutboundRequest, { begin, harmlessTwice }: Exchanging): Promise<Answer> {
  const { timeoutMs, signal } = request;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(noAnswer(CANCELED));
    const outgoing = begin(request);
    const limit = setTimeout(() => giveUp(noAnswer(CANCELED, { timedOutMs: timeoutMs })), timeoutMs);
    const over = (): void => {
      clearTimeout(limit);
      signal?.removeEventListener('abort', abort);
    };
    const fail = (fault: NoAnswer): void => {
      over();
      reject(fault);
    };
    const giveUp = (fault: NoAnswer): void => {
      fail(fault);
      outgoing.destroy();
    };
    const abort = (): void => giveUp(noAnswer(CANCELED));
    signal?.addEventListener('abort', abort);
    let answering = false;
    outgoing.on('error', (error) => {
      const code = codeOf(error);
      const stale = harmlessTwice && !answering && outgoing.reusedSocket && closing.has(code);
      fail(noAnswer(code, { notBegun: stale }));
    });
    // Also without an error: Node hangs up on an answer that switches protocols.
    outgoing.on('close', () => {
      if (!answering) fail(noAnswer(noCode));
    });
    outgoing.on('response', (answer) => {
      answering = true;
      collect(answer, {
        whole: (body) => {
          over();
          resolve({ status: answer.statusCode ?? 0, headers: pairs(answer.rawHeaders), body });
        },
        broken: (error) => fail(noAnswer(codeOf(error))),
        tooLong: () => giveUp(new NoAnswer(tooLong, { begun: true })),
      });
    });
    // Where it breaks off, so does the request: nobody is to take a part of it for the whole.
    if (request.stream)
      return pipeline(Readable.from(request.stream, { objectMode: false }), outgoing, () => {});
    // Bytes always: beside text Node would write the header lines as UTF-8 too.
    outgoing.end(typeof request.body === 'string' ? Buffer.from(request.body) : request.body);
  });
}

interface Collecting {
  whole: (body: Buffer) => void;
  broken: (error: unknown) => void;
  tooLong: () => void;
}

function collect(answer: IncomingMessage, told: Collecting): void {
  const chunks: Buffer[] = [];
  let size = 0;
  answer.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size > answerLimit) told.tooLong();
    else chunks.push(chunk);
  });
  answer.on('end', () => told.whole(Buffer.concat(chunks)));
  answer.on('error', told.broken);
  answer.on('close', () => {
    if (!answer.readableEnded) told.broken(null);
  });
}

interface Exchanging {
  begin: Begin;
  harmlessTwice: boolean;
}

/** @throws NoAnswer for what cannot be sent: a URL that is none, a header line that HTTP cannot carry */
type Begin = (request: OutboundRequest) => ClientRequest;

function createBegin(agentFor: (url: string) => Agent): Begin {
  const targetOf = createTargets(agentFor);
  return (request) => {
    try {
      const target = targetOf(request.url);
      const { start, connection } = target;
      const [path, headers] = [pathOf(request.url, target), headerLinesOf(request, target)];
      return start({ ...connection, method: request.method, path, headers });
    } catch (error) {
      throw noAnswer(codeOf(error));
    }
  };
}

/** What the beginning of a URL says of each request to it. */
interface Target {
  start: typeof requestHttp;
  connection: RequestOptions;
  path: string;
  host: string;
  /** As its URL says. */
  authorization: string | null;
}

/** The query is another one with each push; what stands before it is of few kinds: bots, and calls of an API. */
const targetsKept = 1_000;

function createTargets(agentFor: (url: string) => Agent): (url: string) => Target {
  const known = new Map<string, Target>();
  return (url) => {
    const mark = url.indexOf('?');
    const base = mark < 0 ? url : url.slice(0, mark);
    const held = known.get(base);
    if (held !== undefined) return held;
    const target = readTarget(base, agentFor(base));
    if (known.size >= targetsKept) known.clear();
    known.set(base, target);
    return target;
  };
}

function readTarget(base: string, agent: Agent): Target {
  const url = new URL(base);
  const { protocol, hostname, port } = urlToHttpOptions(url);
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    start: url.protocol === 'https:' ? requestHttps : requestHttp,
    connection: { protocol, hostname, port, agent },
    path: url.pathname,
    host: url.host,
    authorization: credentials === ':' ? null : `Basic ${Buffer.from(credentials).toString('base64')}`,
  };
}

/** https://url.spec.whatwg.org/#query-state writes some characters another way: the query is taken as it is. */
function pathOf(url: string, { path }: Target): string {
  const mark = url.indexOf('?');
  if (mark < 0) return path;
  const query = url.slice(mark);
  return `${path}${/^[!-~]*$/.test(query) ? query : new URL(url).search}`;
}

/** The caller's lines as they are, flat as Node takes them; only what HTTP needs is added. */
function headerLinesOf({ method, headers, body }: OutboundRequest, target: Target): string[] {
  const lines: string[] = [];
  const named = new Set<string>();
  for (const [name, value] of headers) {
    named.add(name.toLowerCase());
    lines.push(name, value);
  }
  if (!named.has('host')) lines.unshift('Host', target.host);
  if (target.authorization !== null && !named.has('authorization'))
    lines.push('Authorization', target.authorization);
  const bare = (body === null && ['GET', 'HEAD'].includes(method)) || named.has('content-length');
  if (!bare) lines.push('Content-Length', String(Buffer.byteLength(body ?? '')));
  return lines;
}

/** Given up by us: its time is up, or its caller wants it no more. */
export const CANCELED = 'ERR_CANCELED';

/** An error that has no code of its own. */
const noCode = 'no answer';

export function codeOf(error: unknown): string {
  return errorCodeOf(error) ?? noCode;
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

/** What a failed request means. Of its error only the code goes further: it may hold the request, secrets and all. */
export function noAnswer(code: string, how: { timedOutMs?: number; notBegun?: boolean } = {}): NoAnswer {
  const { timedOutMs, notBegun = false } = how;
  const timedOut = timedOutMs !== undefined;
  const message = timedOut ? `no answer within ${timedOutMs / 1000} s` : code;
  const begun = timedOut || !(beforeConnection.has(code) || notBegun);
  // Its code alone, for whoever says what happened in a sentence of their own.
  return new NoAnswer(message, { begun, timedOut, cause: { code } });
}
