/**
 * One access token for all processes, from `stable_token` in normal mode: repeated calls return the same token and
 * never invalidate one that the bot got from `/cgi-bin/token`. Never with force_refresh: it would kill the bot's.
 * https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
 */
import type { Clock } from '../core/ports.ts';
import type { WechatAccount } from './account.ts';
import type { Reply } from './api.ts';
import { codeOf } from './codes.ts';
import { canFetchToken, type Fetched, fetchToken, type TokenDeps, type TokenFault } from './token-source.ts';
import { createTokenStore, type Lock, type Token, type TokenStore } from './token-store.ts';

export type TokenResult = { is: 'token'; token: string } | TokenFault;

export interface AccessTokens {
  /** The token to use now. Never throws. */
  get(): Promise<TokenResult>;
  /** WeChat refused this token: forgets it, unless it has been replaced meanwhile. Never throws. */
  drop(token: string): Promise<void>;
}

/** Others may keep a token for a minute, then they must look again what the shared one is. */
const memoryMs = 60_000;
const lockMs = 4000;
const pollMs = 50;
const waitMs = 3000;

/** Makes the account's token keeper. One per process and account: concurrent callers share one fetch. */
export function createAccessTokens(account: WechatAccount, deps: TokenDeps): KeptTokens {
  const { appId, component } = account;
  const tokens = keepTokens(
    {
      name: component === undefined ? appId : `${component}/${appId}`,
      fetch: () => fetchTold(account.name, () => fetchToken(account, deps), deps),
    },
    deps,
  );
  const get = async () => (canFetchToken(account) ? tokens.get() : ({ is: 'no-credentials' } as const));
  return { ...tokens, get };
}

export interface TokenSource {
  /** Whose token it is, in the shared cache. */
  name: string;
  /** Never throws. */
  fetch(): Promise<Fetched>;
  /** Two must never fetch at once: whoever finds the lock taken, or cannot take it, does without. `ms`: a fetch's time. */
  exclusive?: { ms: number };
}

export interface KeptTokens extends AccessTokens {
  /** Whatever token there is counts no more. Never throws. */
  forget(): Promise<void>;
}

/** Keeps a token of any source for all processes. */
export function keepTokens(source: TokenSource, deps: Pick<TokenDeps, 'cache' | 'clock'>): KeptTokens {
  const store = createTokenStore(source.name, deps);
  let flight: Promise<TokenResult> | null = null;
  return {
    async get() {
      const held = store.remembered(memoryMs);
      if (held !== null) return { is: 'token', token: held.token };
      flight ??= obtain(store, source, deps.clock).finally(() => {
        flight = null;
      });
      return flight;
    },
    drop: (token) => store.drop(token),
    async forget() {
      const shared = await store.read();
      if (shared !== null) await store.drop(shared.token);
    },
  };
}

/** Fetches, and says of this account what came of it. */
export async function fetchTold(
  account: string,
  fetch: () => Promise<Fetched>,
  { observe, clock }: Pick<TokenDeps, 'observe' | 'clock'>,
): Promise<Fetched> {
  const fetched = await fetch();
  const results = { token: 'renewed', 'token-refused': 'refused', 'token-lost': 'lost' } as const;
  const result = fetched.is === 'no-credentials' ? 'refused' : results[fetched.is];
  const code = fetched.is === 'token-refused' ? fetched.code : 0;
  observe?.({ is: 'token', at: clock.now(), channel: 'wechat', account, result, code });
  return fetched;
}

const alone = {
  taken: { is: 'token-lost', cause: 'another process is fetching the access token' },
  down: { is: 'token-lost', cause: 'Redis is out of reach: a token cannot be fetched by one alone' },
} as const;

async function obtain(store: TokenStore, source: TokenSource, clock: Clock): Promise<TokenResult> {
  const { exclusive } = source;
  const shared = await store.read();
  if (shared !== null) return { is: 'token', token: shared.token };
  const lock = await lockOrToken(store, exclusive?.ms ?? lockMs, clock);
  if (typeof lock === 'object' && 'token' in lock) return { is: 'token', token: lock.token };
  if (exclusive && typeof lock === 'string') return alone[lock];
  try {
    // Whoever held the lock before may have stored a token between our look and our lock.
    const late = lock === 'taken' ? null : await store.read();
    return late === null ? await fetchAndStore(store, source) : { is: 'token', token: late.token };
  } finally {
    await store.unlock(lock);
  }
}

async function fetchAndStore(store: TokenStore, source: TokenSource): Promise<TokenResult> {
  const fetched = await source.fetch();
  if (fetched.is !== 'token') return fetched;
  await store.write(fetched);
  return { is: 'token', token: fetched.token };
}

/** The lock, or the token that its holder has fetched meanwhile. A holder who got none lets the next one try. */
async function lockOrToken(store: TokenStore, ms: number, clock: Clock): Promise<Lock | Token> {
  const until = clock.now() + waitMs;
  for (;;) {
    const lock = await store.lock(ms);
    if (lock !== 'taken' || clock.now() >= until) return lock;
    await clock.sleep(pollMs);
    const token = await store.read();
    if (token !== null) return token;
  }
}

/**
 * Calls with a token; where WeChat refuses the token, once more with a new one. When the same one comes back the
 * refusal stands: asking on would loop.
 */
export async function withToken(
  tokens: AccessTokens,
  call: (token: string) => Promise<Reply>,
): Promise<Reply | TokenFault> {
  const first = await tokens.get();
  if (first.is !== 'token') return first;
  const reply = await call(first.token);
  if (reply.is !== 'code' || codeOf(reply.code).meaning !== 'token') return reply;
  await tokens.drop(first.token);
  const second = await tokens.get();
  if (second.is !== 'token') return second;
  return second.token === first.token ? reply : call(second.token);
}
