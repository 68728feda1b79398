/** What the bot remembers of each webhook request that reached it. */
import { EventEmitter, once } from 'node:events';
import { type HeaderLines, headerOf } from '../core/wire.ts';
import type { Reply, Request } from './server.ts';

/** A number is an HTTP status; `garbage` is HTTP 200 with what no platform can read. */
export type Breakage = 'hang' | 'reset' | 'garbage' | number;

export interface BotCall {
  /** Arrival, ms since 1970. */
  at: number;
  /** When the answer left; null before, and when the caller hung up first. */
  answeredAt: number | null;
  hungUp: boolean;
  /** When the caller hung up; null: it has not. */
  goneAt: number | null;
  /** What went wrong with it on purpose. */
  broken: Breakage | null;
  /** Resolves when the answer has left or the caller has hung up. */
  ended: Promise<void>;
  method: string;
  path: string;
  rawQuery: string;
  headers: HeaderLines;
  body: Buffer;
  /** Header `Idempotency-Key`. */
  key: string | null;
  /** Header `X-Keeptyping-Attempt`. */
  attempt: string | null;
}

export interface BotCalls {
  all: readonly BotCall[];
  /** Resolves with the n-th call, counted from 1, when it has arrived. */
  nth: (n: number) => Promise<BotCall>;
  /** Returns the way to say that the answer has left. */
  add: (request: Request, broken: Breakage | null) => () => void;
}

export function createBotCalls(
  now: () => number,
  { forgetful = false }: { forgetful?: boolean } = {},
): BotCalls {
  const all: BotCall[] = [];
  const waiting = new Set<() => void>();
  return {
    all,
    async nth(n) {
      for (;;) {
        const call = all[n - 1];
        if (call !== undefined) return call;
        await new Promise<void>((resolve) => waiting.add(resolve));
      }
    },
    add(request, broken) {
      const { call, answered } = openCall(request, { broken, now });
      if (!forgetful) all.push(call);
      for (const arrived of waiting) arrived();
      waiting.clear();
      return answered;
    },
  };
}

function openCall(
  { signal, query: _query, ...seen }: Request,
  { broken, now }: { broken: Breakage | null; now: () => number },
): { call: BotCall; answered: () => void } {
  const key = headerOf(seen.headers, 'idempotency-key');
  const attempt = headerOf(seen.headers, 'x-keeptyping-attempt');
  const end = new EventEmitter();
  const ended = once(end, 'end').then(() => undefined);
  const call: BotCall = {
    ...seen,
    at: now(),
    answeredAt: null,
    hungUp: false,
    goneAt: null,
    broken,
    ended,
    key,
    attempt,
  };
  signal.addEventListener('abort', () => {
    call.hungUp = true;
    call.goneAt = now();
    end.emit('end');
  });
  const answered = (): void => {
    call.answeredAt = now();
    end.emit('end');
  };
  return { call, answered };
}

/** One message that the bot is to answer. */
export interface BotMessage {
  user: string;
  text: string;
  /** The answer to give in the webhook's answer; null where the platform has no such thing. */
  inline: ((text: string) => Reply) | null;
  /** The webhook's answer that passes the user on to a human; null where there is no such thing. */
  transfer: (() => Reply) | null;
  /** Sends by the platform's API. Resolves with the platform's code. */
  send: (text: string) => Promise<number>;
  /** Shows typing by the platform's API. Resolves with the platform's code. */
  type: () => Promise<number>;
}

/** A webhook request as the bot understands it. */
export interface BotPush {
  acknowledgement: Reply;
  messages: BotMessage[];
}
