/** One HTTP request of a platform or a bot; a fresh connection each, so that hanging up is always possible. */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';

interface Outgoing {
  method: 'GET' | 'POST';
  url: string;
  headers: Record<string, string>;
  body: string;
  /** The connection is closed when no complete answer has come after so many ms. */
  timeoutMs: number;
  /** Closes the connection at once. */
  signal: AbortSignal;
}

/** One attempt to hand something to a webhook. */
export interface Delivery {
  /** ms since 1970. */
  at: number;
  /** null: no answer came. */
  status: number | null;
  body: Buffer | null;
  tookMs: number;
}

/** @throws Error of node:http when no complete answer came. */
export function exchange(outgoing: Outgoing): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { method, headers, signal } = outgoing;
    const open = outgoing.url.startsWith('https:') ? httpsRequest : httpRequest;
    const request = open(outgoing.url, { method, headers, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    const hangUp = (): unknown => request.destroy(new Error('No complete answer in time.'));
    const timer = setTimeout(hangUp, outgoing.timeoutMs);
    request.on('error', reject);
    request.on('close', () => clearTimeout(timer));
    request.end(outgoing.body);
  });
}

/** Like `exchange`, but a missing answer is a value. */
export async function deliver(outgoing: Outgoing, now: () => number): Promise<Delivery> {
  const at = now();
  const answer = await exchange(outgoing).catch(() => ({ status: null, body: null }));
  return { at, ...answer, tookMs: now() - at };
}

/** The URL with a further query, behind the one it may have. */
export function withQuery(url: string, query: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}${query}`;
}

export function isAccepted({ status }: Delivery): boolean {
  return status !== null && status >= 200 && status < 300;
}
