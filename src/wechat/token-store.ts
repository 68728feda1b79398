/** Keeps a token in the shared cache, and in memory for when that is out of reach. No member throws. */
import { z } from 'zod';
import type { Clock, SharedCache } from '../core/ports.ts';
import { jsonOf } from '../core/wire.ts';

/** Times in ms since 1970. */
export interface Token {
  token: string;
  /** From then on a new one should be fetched… */
  renewAt: number;
  /** …and from then on this one is worth nothing. */
  expiresAt: number;
}

const stored = z.object({ token: z.string().min(1), renewAt: z.number(), expiresAt: z.number() });

interface Memory {
  token: Token;
  readAt: number;
}

/** What the shared cache says; `down` when it cannot be asked. */
type Cached = { value: string; token: Token } | 'none' | 'down';
export type Lock = { id: string } | 'taken' | 'down';

export interface TokenStore {
  /** The token in memory, if it was looked up at most `forMs` ago and need not be renewed. */
  remembered(forMs: number): Token | null;
  /** The shared token; while the cache is out of reach the one in memory. */
  read(): Promise<Token | null>;
  write(token: Token): Promise<void>;
  /** Forgets this token, in memory and for all, but not one that has replaced it. */
  drop(token: string): Promise<void>;
  /** `down`: nobody can be excluded, go on alone. */
  lock(ttlMs: number): Promise<Lock>;
  unlock(lock: Lock): Promise<void>;
}

function keyOf(name: string): string {
  return `token/wechat/${name}`;
}

/** The lock that whoever fetches this token holds. */
export function lockOf(name: string): string {
  return `${keyOf(name)}/lock`;
}

/** @param name whose token it is: an AppID, or the place below a third-party platform */
export function createTokenStore(
  name: string,
  { cache, clock }: { cache: SharedCache; clock: Clock },
): TokenStore {
  const key = keyOf(name);
  const lockKey = lockOf(name);
  let memory: Memory | null = null;
  const usable = () => (memory !== null && clock.now() < memory.token.renewAt ? memory : null);
  return {
    remembered(forMs) {
      const held = usable();
      return held !== null && clock.now() - held.readAt < forMs ? held.token : null;
    },
    async read() {
      const seen = await look(cache, key, clock.now());
      if (seen === 'none') return null;
      const token = seen === 'down' ? (usable()?.token ?? null) : seen.token;
      if (token !== null) memory = { token, readAt: clock.now() };
      return token;
    },
    async write(token) {
      memory = { token, readAt: clock.now() };
      const value = JSON.stringify(stored.parse(token));
      await quietly(cache.set(key, value, Math.ceil(token.renewAt - clock.now())));
    },
    async drop(token) {
      if (memory?.token.token === token) memory = null;
      const seen = await look(cache, key, clock.now());
      if (typeof seen === 'object' && seen.token.token === token) await quietly(cache.drop(key, seen.value));
    },
    lock: (ttlMs) => lockIn(cache, lockKey, ttlMs),
    async unlock(lock) {
      if (typeof lock === 'object') await quietly(cache.unlock(lockKey, lock.id));
    },
  };
}

async function lockIn(cache: SharedCache, key: string, ttlMs: number): Promise<Lock> {
  try {
    const id = await cache.lock(key, ttlMs);
    return id === null ? 'taken' : { id };
  } catch {
    return 'down';
  }
}

async function look(cache: SharedCache, key: string, now: number): Promise<Cached> {
  try {
    const value = await cache.get(key);
    return value === null ? 'none' : readStored(value, now);
  } catch {
    return 'down';
  }
}

function readStored(value: string, now: number): Cached {
  const parsed = stored.safeParse(jsonOf(value));
  return parsed.success && now < parsed.data.renewAt ? { value, token: parsed.data } : 'none';
}

/** A cache that is out of reach costs another fetch, never a call. */
async function quietly(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {});
}
