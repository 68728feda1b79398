/**
 * One access token for all processes, from `stable_token` in normal mode: repeated calls return the same token and
 * never invalidate one that the bot got from `/cgi-bin/token`. Never with force_refresh: it would kill the bot's.
 * https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken
 */
import { z } from 'zod';
import type { Observe } from '../core/notice.ts';
import type { Clock, Log, SharedCache } from '../core/ports.ts';
import { said, type Said } from '../core/said.ts';
import type { OutboundRequest, Send } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { codeOf, callApi, explain, type Reply } from './api.ts';
import { createTokenStore, type Lock, type Token, type TokenStore } from './token-store.ts';

type TokenResult = { is: 'token'; token: string } | TokenFault;

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

interface TokenSource {
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
  taken: { is: 'token-lost', cause: said('another process is fetching the access token') },
  down: { is: 'token-lost', cause: said('Redis is out of reach: a token cannot be fetched by one alone') },
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

/** Where an access token comes from: WeChat's `stable_token`, or the operator's own token service. */

export type TokenFault =
  /** There is nothing to ask with. `remedy`: what mends it, where that is not the account's own settings. */
  | { is: 'no-credentials'; remedy?: Said }
  /** The token endpoint's own code. */
  | { is: 'token-refused'; code: number; remedy?: Said }
  | { is: 'token-lost'; cause: Said };

export interface TokenDeps {
  send: Send;
  clock: Clock;
  cache: SharedCache;
  log: Log;
  /** Is told of each token that is fetched, or not. @default nobody */
  observe?: Observe | undefined;
}

const timeoutMs = 3000;
/** WeChat's stable_token renews by itself in a token's last five minutes, and both are valid then. */
const earlySeconds = 300;
/** The operator's service may replace its token at any time: https://developers.weixin.qq.com/doc/oplatform/developers/dev/AccessToken.html */
const foreignSeconds = 60;

const granted = z
  .object({
    access_token: z.string().min(1).optional(),
    // What the service of a third-party platform's vendor may call it.
    authorizer_access_token: z.string().min(1).optional(),
    expires_in: z.coerce.number().positive().catch(foreignSeconds),
  })
  .transform(({ access_token, authorizer_access_token, expires_in: seconds }, context) => {
    const token = access_token ?? authorizer_access_token;
    if (token !== undefined) return { token, seconds };
    context.addIssue('there is no token');
    return z.NEVER;
  });

type Credentials = Pick<
  WechatAccount,
  'appId' | 'appSecret' | 'accessTokenUrl' | 'accessTokenAuthorization' | 'apiBase'
>;

export function canFetchToken({ appSecret, accessTokenUrl }: Credentials): boolean {
  return appSecret !== null || accessTokenUrl !== null;
}

export type Fetched = ({ is: 'token' } & Token) | TokenFault;

/** Fetches a token. Never throws, never logs it. */
export async function fetchToken(
  account: Credentials,
  { send, clock, log }: Omit<TokenDeps, 'cache'>,
): Promise<Fetched> {
  const reply = await callApi(send, requestFor(account), (json) => granted.safeParse(json).success);
  const answer = granted.safeParse(reply.is === 'code' ? reply.json : null);
  if (!answer.success) return tokenFault(reply);
  const { token, seconds } = answer.data;
  const useful = account.accessTokenUrl === null ? usefulSeconds(seconds) : Math.min(foreignSeconds, seconds);
  log.debug({ appId: account.appId, seconds, useful }, 'access token fetched');
  return { is: 'token', ...tokenOf(token, { seconds, useful }, clock.now()) };
}

/** A token as it is kept. `seconds`: so long it lives. @param life.useful so long it is used; by default as WeChat's own */
export function tokenOf(
  token: string,
  { seconds, useful = usefulSeconds(seconds) }: { seconds: number; useful?: number },
  now: number,
): Token {
  return { token, renewAt: now + useful * 1000, expiresAt: now + seconds * 1000 };
}

function requestFor(account: Credentials): OutboundRequest {
  const { appId, appSecret, accessTokenUrl, accessTokenAuthorization, apiBase } = account;
  const authorization =
    accessTokenAuthorization === undefined ? [] : [['Authorization', accessTokenAuthorization] as const];
  if (accessTokenUrl !== null)
    return { method: 'GET', url: accessTokenUrl, headers: authorization, body: null, timeoutMs };
  return {
    method: 'POST',
    url: `${apiBase}/cgi-bin/stable_token`,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body: JSON.stringify({
      grant_type: 'client_credential',
      appid: appId,
      secret: appSecret,
      force_refresh: false,
    }),
    timeoutMs,
  };
}

/** Five minutes less than it lives; a token near its end is still used for a moment, or each call would fetch. */
function usefulSeconds(seconds: number): number {
  return Math.max(seconds - earlySeconds, Math.min(60, seconds / 2));
}

/** Why there is no token in such a reply. */
export function tokenFault(reply: Reply): TokenFault {
  switch (reply.is) {
    case 'code':
      return reply.code === 0
        ? { is: 'token-lost', cause: said('the token endpoint answered without a token') }
        : { is: 'token-refused', code: reply.code, ...(reply.remedy ? { remedy: reply.remedy } : {}) };
    case 'status':
      return {
        is: 'token-lost',
        cause: said('the token endpoint answered HTTP {status}', { status: reply.status }),
      };
    case 'unreadable':
      return { is: 'token-lost', cause: said('the token endpoint did not answer with a token in JSON') };
    case 'lost':
      return { is: 'token-lost', cause: said('no access token: {cause}', { cause: reply.cause }) };
  }
}

/** How to mend an account that gets no token. */
export function remedyOfFault(fault: Exclude<TokenFault, { is: 'token-lost' }>): Said {
  const code = fault.is === 'no-credentials' ? 0 : fault.code;
  return fault.remedy ?? (tokenRemedy(code) || explain(code));
}

/** The same by the endpoint's code; 0: it has nothing to ask with. */
export function tokenRemedy(code: number): Said | '' {
  if (code === 0) return said('Set WECHAT_APP_SECRET or WECHAT_ACCESS_TOKEN_URL.');
  // 40001 from the token endpoint itself is about the secret, not about a token.
  const { meaning, remedy } = codeOf(code);
  return meaning === 'token' ? codeOf(40125).remedy : remedy;
}
