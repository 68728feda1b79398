import { AxiosError } from 'axios';
import { NoAnswer } from '../core/wire.ts';
import { ADDRESS_REFUSED } from './confine.ts';
import { PROXY_REFUSED } from './transport.ts';

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
export function noAnswer(
  error: unknown,
  how: { timedOut: boolean; harmlessTwice: boolean; ms: number },
): NoAnswer {
  const code = (error instanceof AxiosError ? error.code : undefined) ?? codeOf(error) ?? 'no answer';
  const stale =
    how.harmlessTwice && error instanceof AxiosError && reused(error.request) && closing.has(code);
  const message = how.timedOut ? `no answer within ${how.ms} ms` : code;
  const begun = how.timedOut || !(beforeConnection.has(code) || stale);
  // Its code alone, for whoever says what happened in a sentence of their own.
  return new NoAnswer(message, { begun, timedOut: how.timedOut, cause: { code } });
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function reused(request: unknown): boolean {
  return (
    typeof request === 'object' &&
    request !== null &&
    'reusedSocket' in request &&
    request.reusedSocket === true
  );
}
