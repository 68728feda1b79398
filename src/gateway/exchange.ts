import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { relayAnswer, type Told } from './answer.ts';
import type { Api } from './api.ts';
import { isBare, requestLines } from './lines.ts';
import { pairs } from '../core/wire.ts';

export interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  api: Api;
  /** Below the API's base, with the query, as it came. */
  target: string;
  /** The request's body where it has been read already; null: it is passed on as it comes. */
  body: Buffer | null;
  /** Called exactly once, if given. */
  told: Told | null;
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
      outgoing = open(call, { told, lost });
    } catch (error) {
      lost(codeOf(error));
    }
  };
  attempt();
  response.once('close', () => {
    if (!response.writableFinished) outgoing?.destroy();
    told?.(null);
  });
}

interface Ends {
  told: Told | null;
  lost: (reason: string) => void;
}

function open({ request, response, api, target, body }: Exchange, { told, lost }: Ends): ClientRequest {
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
  outgoing.on('error', (error) => (reason = codeOf(error)));
  // Also without an error: Node hangs up on an answer that switches protocols.
  outgoing.once('close', () => {
    // What is still to come of the body goes nowhere, but the bot may read its answer only after it.
    request.unpipe(outgoing).resume();
    lost(reason);
  });
  boundWait(outgoing, api.idleMs, () => lost('ETIMEDOUT'));
  if (body !== null || isBare(request)) outgoing.end(body ?? undefined);
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

function once(told: Told | null): Told | null {
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
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'no answer';
}
