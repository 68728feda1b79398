import type { Request, Response } from 'express';
import { endToEnd } from '../core/bot.ts';
import { type Answer, pairs, type RawPush } from '../core/wire.ts';

/** The request as it arrived; the raw body parser has put its bytes into `body`. */
export function pushOf(request: Request): RawPush {
  const mark = request.originalUrl.indexOf('?');
  const body: unknown = request.body;
  return {
    method: request.method,
    rawQuery: mark < 0 ? '' : request.originalUrl.slice(mark + 1),
    headers: pairs(request.rawHeaders),
    body: body instanceof Uint8Array ? body : new Uint8Array(),
  };
}

/** One sentence for whoever sent something that cannot be taken. */
export function refuse(response: Response, status: number, error: string): void {
  response.status(status).json({ error });
}

/** Writes an answer byte for byte. Resolves with whether it left whole. */
export function write(response: Response, answer: Answer): Promise<boolean> {
  if (response.destroyed || response.writableEnded) return Promise.resolve(false);
  const written = new Promise<boolean>((resolve) => {
    response.once('finish', () => resolve(true));
    response.once('close', () => resolve(response.writableFinished));
  });
  response.status(answer.status);
  for (const [name, value] of endToEnd(answer.headers)) response.appendHeader(name, value);
  // Node's own end: express's send would add an ETag and a charset.
  response.end(Buffer.from(answer.body));
  return written;
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
