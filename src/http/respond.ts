/** The bytes of a webhook's request and of its answer. */
import bodyParser from 'body-parser';
import type { Request, RequestHandler, Response } from 'express';
import type { Config } from '../config/index.ts';
import { endToEnd } from '../core/bot.ts';
import { type Answer, pairs, type PushHead, type RawPush } from '../core/wire.ts';

/** The request as it arrived, without its body. */
export function headOf({ method, originalUrl, rawHeaders }: Request): PushHead {
  const mark = originalUrl.indexOf('?');
  return { method, rawQuery: mark < 0 ? '' : originalUrl.slice(mark + 1), headers: pairs(rawHeaders) };
}

/** The request as it arrived; the raw body parser has put its bytes into `body`. */
export function pushOf(request: Request, head: PushHead = headOf(request)): RawPush {
  const body: unknown = request.body;
  return { ...head, body: body instanceof Uint8Array ? body : new Uint8Array() };
}

const MiB = 1024 * 1024;
/** What nearly every push fits in (bytes). */
const small = 64 * 1024;
/** What one takes that passes through, in the buffers on its way (bytes). */
const passing = 256 * 1024;

export interface BodyBounds {
  /** A longer body is refused (bytes). @default 16 MiB */
  longest?: number;
  /** A longer one that says its length is left to be read as it comes (bytes). @default 1 MiB: WeChat and NXCloud send a few kB */
  whole?: number;
  /** Of all bodies together; those beyond 64 kB get half of it, so that they keep no usual push out (bytes). @default 64 MiB */
  together?: number;
  /** By then a body must have come (ms). @default 10 s */
  withinMs?: number;
}

export function boundsOf({
  webhookBodyMb,
  webhookMemoryMb,
}: Pick<Config, 'webhookBodyMb' | 'webhookMemoryMb'>): { longest: number; together: number } {
  return { longest: webhookBodyMb * MiB, together: webhookMemoryMb * MiB };
}

/** The bodies of webhooks, which count from their first byte until nobody needs them any more. */
export interface Bodies {
  /** Receives one, whatever its content type says: the bytes are checked and forwarded as they came. */
  receive: RequestHandler;
  /** It is longer than what is held whole: what there is of it is the request's `body`, or still to come. */
  isLong(request: Request): boolean;
  /** It is needed for longer than until its request is answered: until this is settled. */
  keep(response: Response, over: Promise<unknown>): void;
}

interface Held {
  bytes: number;
  users: number;
}

export function createBodies(bounds: BodyBounds = {}): Bodies {
  const { longest = 16 * MiB, whole = MiB, together = 64 * MiB, withinMs = 10_000 } = bounds;
  const parse = bodyParser.raw({ type: () => true, limit: longest, inflate: false });
  const tooLong = `The body is longer than ${longest / MiB} MiB.`;
  const held = new WeakMap<Response, Held>();
  let total = 0;
  const release = (one: Held): void => {
    one.users -= 1;
    if (one.users === 0) total -= one.bytes;
  };
  return {
    receive: (request, response, next) => {
      if (announcedOf(request) > longest)
        return refuseUnread(request, response, { status: 413, error: tooLong });
      const one = { bytes: 0, users: 1 };
      held.set(response, one);
      onClose(response, () => release(one));
      let isRefused = false;
      const stop = (status: number, error: string): void => {
        isRefused = true;
        clearTimeout(limit);
        refuseUnread(request, response, { status, error });
      };
      const limit = setTimeout(() => {
        if (response.headersSent) return void request.destroy();
        response.set('Connection', 'close');
        stop(408, `The body did not come within ${withinMs / 1_000} s.`);
      }, withinMs);
      const count = (bytes: number): void => {
        one.bytes += bytes;
        total += bytes;
        if (one.bytes > longest) stop(413, tooLong);
        else if (total > (one.bytes > small ? together / 2 : together)) {
          response.set('Retry-After', '5');
          stop(503, 'This process has no room for more pushes: send it again.');
        }
      };
      if (announcedOf(request) > whole) {
        request.once('end', () => clearTimeout(limit)).once('close', () => clearTimeout(limit));
        count(passing);
        return isRefused ? undefined : next();
      }
      request.on('data', (chunk: Buffer) => count(chunk.length));
      parse(request, response, (error?: unknown) => {
        clearTimeout(limit);
        if (!isRefused) next(error);
      });
    },
    isLong: (request) => {
      const body: unknown = request.body;
      return (body instanceof Uint8Array ? body.length : announcedOf(request)) > whole;
    },
    keep: (response, over) => {
      const one = held.get(response);
      if (!one || one.users === 0) return;
      one.users += 1;
      over.catch(() => {}).finally(() => release(one));
    },
  };
}

function announcedOf({ headers }: Request): number {
  return Number(headers['content-length'] ?? 0);
}

/** One sentence for whoever sent something that cannot be taken. */
export function refuse(response: Response, status: number, error: string): void {
  response.status(status).json({ error });
}

/** Who is cut off at once may lose the sentence that says why (ms). */
const lingerMs = 1_000;

/** Refuses a request whose body has not come, or not all of it: nothing of the rest is kept, and it is not waited for. */
export function refuseUnread(
  request: Request,
  response: Response,
  { status, error }: { status: number; error: string },
): void {
  refuse(response, status, error);
  request.removeAllListeners('data');
  leave(request);
}

/** Nothing more is wanted of its body. */
export function leave(request: Request): void {
  request.resume();
  const cut = (): void => {
    if (!request.complete) request.destroy();
  };
  setTimeout(cut, lingerMs).unref();
}

/** Writes an answer byte for byte. Resolves with whether it left whole. */
export function write(response: Response, answer: Answer): Promise<boolean> {
  // Who has ended its side has given up: what is written then is dropped, though it looks written.
  const isGone = response.destroyed || response.req.socket.readableEnded;
  if (isGone || response.writableEnded) return Promise.resolve(false);
  // Node tells the end of one that left whole, too.
  const written = new Promise<boolean>((resolve) => {
    response.once('close', () => resolve(response.writableFinished));
  });
  response.status(answer.status);
  for (const [name, value] of endToEnd(answer.headers)) response.appendHeader(name, value);
  // Node's own end: express's send would add an ETag and a charset.
  response.end(Buffer.from(answer.body));
  return written;
}

/**
 * Resolves when the end of a connection has been read, too, that lay there behind its request: where this process was
 * behind, the platform may have given up before it looked. A read takes what there is, and the end is the next one's.
 */
export function readOn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
}

/** Calls back when the connection can take no answer any more: it has one, or the platform has hung up. */
export function onClose(response: Response, closed: () => void): void {
  if (response.destroyed) return closed();
  response.once('close', closed);
}

/** Aborted when the platform hangs up before it was answered. */
export function hangUpOf(response: Response): AbortSignal {
  const hangUp = new AbortController();
  onClose(response, () => {
    if (!response.writableFinished) hangUp.abort(new Error('the platform hung up'));
  });
  return hangUp.signal;
}
