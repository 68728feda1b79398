import type { OutboundRequest } from '../core/wire.ts';

/** The end of a request that does not end by itself: its time is up, or its caller gives it up. */
export interface Limit {
  signal: AbortSignal;
  timedOut: () => boolean;
  /** To be called when the request is over. */
  end: () => void;
}

/** `AbortSignal.any` would keep something of every request for as long as the caller's signal lives. */
export function createLimit({ timeoutMs, signal }: Pick<OutboundRequest, 'timeoutMs' | 'signal'>): Limit {
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
