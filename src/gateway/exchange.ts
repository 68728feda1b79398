import {
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
  type ServerResponse,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { endToEnd } from '../core/bot.ts';
import { type Answer, errorCodeOf, type HeaderLines, pairs } from '../core/wire.ts';
import { decode } from '../replies/coding.ts';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  api: Api;
  /** Below the API's base, with the query, as it came. */
  target: string;
  /** The request's body where it has been read already; a promise: it is to leave then; null: it is passed on as it comes. */
  body: Buffer | Promise<Buffer> | null;
  /** Called exactly once, if given. */
  told: TellAnswer | null;
  /** No answer came, for this reason; the bot is still to be answered. */
  failed: (reason: string) => void;
}

/** Makes the bot's call in its place. When the bot hangs up, the call is dropped. */
export function exchange(call: Exchange): void {
  const { response } = call;
  const told = once(call.told);
  if (response.destroyed) return told?.(null);
  let outgoing: ClientRequest | null = null;
  const lost = (reason: string): void => {
    if (response.destroyed || response.headersSent) return;
    if (isStale(outgoing, reason) && isRepeatable(call)) return attempt();
    told?.(null);
    call.failed(reason);
  };
  const attempt = (): void => {
    try {
      outgoing = startCall(call, { told, lost });
    } catch (error) {
      lost(errorCodeOf(error) ?? 'no answer');
    }
  };
  attempt();
  response.once('close', () => {
    if (!response.writableFinished) outgoing?.destroy();
    told?.(null);
  });
}

interface Ends {
  told: TellAnswer | null;
  lost: (reason: string) => void;
}

function startCall({ request, response, api, target, body }: Exchange, { told, lost }: Ends): ClientRequest {
  const headers = requestLines(request, api.host);
  const outgoing = api.start({ method: request.method ?? 'GET', target, headers });
  let reason = 'no answer';
  outgoing.once('response', (answer) => {
    try {
      relayAnswer(answer, response, told);
    } catch (error) {
      outgoing.destroy(error instanceof Error ? error : undefined);
    }
  });
  outgoing.on('error', (error) => (reason = errorCodeOf(error) ?? 'no answer'));
  // Also without an error: Node hangs up on an answer that switches protocols.
  outgoing.once('close', () => {
    // What is still to come of the body goes nowhere, but the bot may read its answer only after it.
    request.unpipe(outgoing).resume();
    lost(reason);
  });
  boundWait(outgoing, api.idleMs, () => lost('ETIMEDOUT'));
  if (body instanceof Promise) {
    outgoing.flushHeaders();
    void body.then((bytes) => outgoing.end(bytes));
  } else if (body !== null || isBare(request)) outgoing.end(body ?? undefined);
  else stream(request, outgoing);
  return outgoing;
}

/**
 * Node's own limit counts from the socket on. Before it there may be a full pool, or a proxy that opens no tunnel, and
 * a request that is given up there tells nobody.
 */
function boundWait(outgoing: ClientRequest, limitMs: number, over: () => void): void {
  const waiting = setTimeout(() => {
    outgoing.destroy();
    over();
  }, limitMs);
  const stop = (): void => clearTimeout(waiting);
  outgoing.once('socket', stop).once('close', stop);
}

function stream(request: IncomingMessage, outgoing: ClientRequest): void {
  request.once('end', () => {
    if (request.rawTrailers.length > 0)
      outgoing.addTrailers(pairs(request.rawTrailers).map(([...line]) => line));
  });
  // After an early answer neither the request nor the response tells that the bot is gone.
  const { socket } = request;
  const drop = (): void => void outgoing.destroy();
  socket.once('close', drop);
  outgoing.once('close', () => socket.off('close', drop));
  request.pipe(outgoing);
}

/** The request met the closing of a connection that had been idle. */
function isStale(outgoing: ClientRequest | null, reason: string): boolean {
  return outgoing?.reusedSocket === true && ['ECONNRESET', 'EPIPE'].includes(reason);
}

/** It asks for something and does nothing: only then a second one is the gateway's to make. */
function isRepeatable({ request }: Exchange): boolean {
  return ['GET', 'HEAD'].includes(request.method ?? '') && isBare(request);
}

function once(told: TellAnswer | null): TellAnswer | null {
  if (told === null) return null;
  let isOpen = true;
  return (answer) => {
    if (isOpen) {
      isOpen = false;
      told(answer);
    }
  };
}

/** An error's sentence may name what it is not to name; its code does not. */
/** The API's answer, decoded; null when none came, or none that can be read. Called once. */
export type TellAnswer = (answer: Answer | null) => void;

/** What is read is some 100 bytes; longer answers pass unread (bytes). */
const readLimit = 64 * 1024;
const decodedLimit = 256 * 1024;

/**
 * Hands the API's answer to the bot as it comes, and reads it on the way where somebody is to be told.
 * @throws Error when a header line of the answer cannot be written
 */
function relayAnswer(answer: IncomingMessage, response: ServerResponse, told: TellAnswer | null): void {
  response.sendDate = false;
  response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', answerLines(answer));
  const copy = told === null ? null : createCopy(answer, told);
  let left = Number(answer.headers['content-length'] ?? Number.NaN);
  answer.on('data', (chunk: Buffer) => {
    copy?.add(chunk);
    left -= chunk.length;
    // Told before the last bytes leave: what the bot does next may depend on what was told.
    if (left === 0) copy?.end();
    if (left === 0) response.end(chunk);
    else if (!response.write(chunk)) answer.pause();
  });
  response.on('drain', () => answer.resume());
  answer.once('end', () => {
    if (response.writableEnded) return;
    copy?.end();
    if (answer.rawTrailers.length > 0)
      response.addTrailers(pairs(answer.rawTrailers).map(([...line]) => line));
    response.end();
  });
  // A broken connection is an error of this stream too; its close follows.
  answer.on('error', () => {});
  answer.once('close', () => {
    if (!answer.complete) cut(response);
  });
}

/** The bot must not take half an answer for a whole one. Where its end is the connection's end, only a reset tells. */
function cut(response: ServerResponse): void {
  if (response.req.httpVersionMinor === 0) response.socket?.resetAndDestroy();
  response.destroy();
}

function createCopy(answer: IncomingMessage, told: TellAnswer) {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add(chunk: Buffer): void {
      size += chunk.length;
      if (size <= readLimit) chunks.push(chunk);
      else chunks.length = 0;
    },
    end(): void {
      const encoding = answer.headers['content-encoding'] ?? 'identity';
      const body = size > readLimit ? null : decode(Buffer.concat(chunks), encoding, decodedLimit);
      told(body && { status: answer.statusCode ?? 0, headers: pairs(answer.rawHeaders), body });
    },
  };
}

/** One account's API: the only address that its calls go to. */
export interface Api {
  host: string;
  /** A call on which nothing moves for so long fails with ETIMEDOUT (ms). */
  idleMs: number;
  /** @throws Error when a header line cannot be written */
  start(request: { method: string; target: string; headers: string[] }): ClientRequest;
}

export function createApi(base: string, { agent, idleMs }: { agent: Agent; idleMs: number }): Api {
  const url = new URL(base);
  const basePath = url.pathname.replace(/\/+$/, '');
  const { protocol, hostname, port } = urlToHttpOptions(url);
  const connection: RequestOptions = { protocol, hostname, port, agent, timeout: idleMs };
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return {
    host: url.host,
    idleMs,
    start: ({ method, target, headers }) => {
      const path = `${basePath}${target}`;
      const slash = path.startsWith('/') ? '' : '/';
      return withLimit(request({ ...connection, method, path: `${slash}${path}`, headers }));
    },
  };
}

function withLimit(outgoing: ClientRequest): ClientRequest {
  return outgoing.once('timeout', () => {
    const error = new Error('the call to the API was given up');
    outgoing.destroy(Object.assign(error, { code: 'ETIMEDOUT' }));
  });
}

/** Methods whose requests have no body unless they say so; others without a body say a length of 0. */
const mostlyBare = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'];

/** The bot's header lines for the API, flat as Node takes them: in order, as spelled, for the API's own host. */
function requestLines(request: IncomingMessage, host: string): string[] {
  const lines = kept(request.rawHeaders, ['host', 'content-length', 'transfer-encoding']).map(
    ([name, value]) => [name, name.toLowerCase() === 'host' ? host : value] as const,
  );
  if (request.headers.host === undefined) lines.unshift(['Host', host]);
  if (isBare(request) && !mostlyBare.includes(request.method ?? '')) lines.push(['Content-Length', '0']);
  return lines.flat();
}

/** The API's header lines for the bot. Node cuts a body of unsaid length into chunks again. */
function answerLines(answer: IncomingMessage): string[] {
  return kept(answer.rawHeaders, ['content-length']).flat();
}

/** The request says of no body. */
function isBare({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && headers['content-length'] === undefined;
}

/** The lines that travel on, and these, whatever `Connection` says of them. */
function kept(rawHeaders: readonly string[], framing: readonly string[]): HeaderLines[number][] {
  const lines = pairs(rawHeaders);
  const onward = new Set(endToEnd(lines));
  return lines.filter((line) => onward.has(line) || framing.includes(line[0].toLowerCase()));
}
