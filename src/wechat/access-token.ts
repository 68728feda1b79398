/**
 * One access token for all processes, from `stable_token` in normal mode: repeated calls return the same token and
 * never invalidate one that the bot got from `/cgi-bin/token`. Never with force_refresh: it would kill the bot's.
 * https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
 */
import type { Clock } from '../core/clock.ts';
import type { WechatAccount } from './account.ts';
import type { Reply } from './api.ts';
import { codeOf } from './codes.ts';
import { canFetchToken, fetchToken, type TokenDeps, type TokenFault } from './token-source.ts';
import { createTokenStore, type Token, type TokenStore } from './token-store.ts';

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
export function createAccessTokens(account: WechatAccount, deps: TokenDeps): AccessTokens {
  const store = createTokenStore(account.appId, deps);
  let flight: Promise<TokenResult> | null = null;
  return {
    async get() {
      if (!canFetchToken(account)) return { is: 'no-credentials' };
      const held = store.remembered(memoryMs);
      if (held !== null) return { is: 'token', token: held.token };
      flight ??= obtain(store, () => fetchTold(account, deps), deps).finally(() => {
        flight = null;
      });
      return flight;
    },
    drop: (token) => store.drop(token),
  };
}

async function fetchTold(account: WechatAccount, deps: TokenDeps): Promise<Fetched> {
  const fetched = await fetchToken(account, deps);
  const results = { token: 'renewed', 'token-refused': 'refused', 'token-lost': 'lost' } as const;
  const result = fetched.is === 'no-credentials' ? 'refused' : results[fetched.is];
  const code = fetched.is === 'token-refused' ? fetched.code : 0;
  const { channel, name } = account;
  deps.observe?.({ is: 'token', at: deps.clock.now(), channel, account: name, result, code });
  return fetched;
}

type Fetched = ({ is: 'token' } & Token) | TokenFault;

async function obtain(
  store: TokenStore,
  fetch: () => Promise<Fetched>,
  deps: TokenDeps,
): Promise<TokenResult> {
  const shared = await store.read();
  if (shared !== null) return { is: 'token', token: shared.token };
  const lock = await store.lock(lockMs);
  if (lock === 'taken') {
    const others = await waitForOthers(store, deps.clock);
    if (others !== null) return { is: 'token', token: others.token };
  }
  try {
    // Whoever held the lock before may have stored a token between our look and our lock.
    const late = lock === 'taken' ? null : await store.read();
    return late === null ? await fetchAndStore(store, fetch) : { is: 'token', token: late.token };
  } finally {
    await store.unlock(lock);
  }
}

async function fetchAndStore(store: TokenStore, fetch: () => Promise<Fetched>): Promise<TokenResult> {
  const fetched = await fetch();
  if (fetched.is !== 'token') return fetched;
  await store.write(fetched);
  return { is: 'token', token: fetched.token };
}

async function waitForOthers(store: TokenStore, clock: Clock): Promise<Token | null> {
  const until = clock.now() + waitMs;
  while (clock.now() < until) {
    await clock.sleep(pollMs);
    const token = await store.read();
    if (token !== null) return token;
  }
  return null;
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
