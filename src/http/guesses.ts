/** Whoever shows a wrong token is counted, told, and answered later and later. The right one never comes here. */
import { setMaxListeners } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { GuessedToken, Observe } from '../core/notice.ts';
import type { Clock, Log } from '../core/ports.ts';

type Guesser = Pick<IncomingMessage, 'headers' | 'socket'>;

/** Resolves when a refusal may be said: at once to whoever has shown no token at all. Never rejects. */
export type Guessed = (caller: Guesser) => Promise<void>;

export interface Guesses {
  at(token: GuessedToken): Guessed;
  /** Tells what was counted, and lets nobody wait any more. */
  close(): void;
}

interface GuessesOptions {
  clock: Clock;
  log: Log;
  /** @default nobody counts */
  observe?: Observe;
}

/** All is counted for so long, and then told in one line (ms). */
const counted = 60_000;
/** A source's first one waits so long, each further one twice as long… */
const firstWait = 100;
/** …at most (ms). */
const longestWait = 2_000;
/** Addresses are the guesser's to choose: those beyond so many share one count… */
const mostSources = 1_000;
/** …and those beyond so many are answered at once: what they hold open is worth more than what they learn. */
const mostWaiting = 200;

export function createGuesses({ clock, log, observe = () => {} }: GuessesOptions): Guesses {
  const closing = new AbortController();
  setMaxListeners(mostWaiting + 1, closing.signal);
  let counts: Map<string, number> | null = null;
  const meant = new Set<GuessedToken>();
  let waiting = 0;
  const sleep = (ms: number): Promise<void> => clock.sleep(ms, closing.signal).catch(() => {});
  const tell = async (sources: ReadonlyMap<string, number>): Promise<void> => {
    await sleep(counted);
    counts = null;
    const [from, most] = [...sources].toSorted(([, one], [, other]) => other - one)[0] ?? [];
    const all = [...sources.values()].reduce((sum, count) => sum + count, 0);
    log.warn({ count: all, sources: sources.size, most, from, tokens: [...meant] }, guessing);
    meant.clear();
  };
  const countOf = (source: string): number => {
    const known = counts ?? new Map<string, number>();
    if (counts === null) void tell(known);
    counts = known;
    const name = known.has(source) || known.size < mostSources ? source : 'others';
    const count = (known.get(name) ?? 0) + 1;
    known.set(name, count);
    return count;
  };
  const wait = async (caller: Guesser): Promise<void> => {
    const ms = Math.min(longestWait, firstWait * 2 ** (countOf(sourceOf(caller)) - 1));
    if (waiting >= mostWaiting) return;
    waiting += 1;
    await sleep(ms);
    waiting -= 1;
  };
  return {
    at: (token) => async (caller) => {
      const isBearer = token === 'control' || token === 'metrics';
      if (isBearer && caller.headers.authorization === undefined) return;
      observe({ is: 'guess', token, at: clock.now() });
      meant.add(token);
      await wait(caller);
    },
    close: () => closing.abort(new Error('the process stops')),
  };
}

const guessing =
  'Wrong tokens were shown: somebody guesses, or has an old one. keeptyping_wrong_tokens_total counts them by the token that was meant (login: the console’s).';

/** Behind a proxy the address is the proxy's, and the last one that it has added the caller's. */
function sourceOf({ headers, socket }: Guesser): string {
  const forwarded = String(headers['x-forwarded-for'] ?? '');
  const last = forwarded.split(',').at(-1)?.trim() ?? '';
  return [socket.remoteAddress ?? '', last.slice(0, 64)].filter((part) => part !== '').join(' for ');
}
