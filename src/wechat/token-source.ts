/** Where an access token comes from: WeChat's `stable_token`, or the operator's own token service. */
import { z } from 'zod';
import type { Observe } from '../core/notice.ts';
import type { Clock, Log, SharedCache } from '../core/ports.ts';
import type { OutboundRequest, Send } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { exchange, type Reply } from './api.ts';
import { codeOf } from './codes.ts';
import type { Token } from './token-store.ts';

export type TokenFault =
  /** There is nothing to ask with. `remedy`: what mends it, where that is not the account's own settings. */
  | { is: 'no-credentials'; remedy?: string }
  /** The token endpoint's own code. */
  | { is: 'token-refused'; code: number; remedy?: string }
  | { is: 'token-lost'; cause: string };

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

type Source = Pick<
  WechatAccount,
  'appId' | 'appSecret' | 'accessTokenUrl' | 'accessTokenAuthorization' | 'apiBase'
>;

export function canFetchToken({ appSecret, accessTokenUrl }: Source): boolean {
  return appSecret !== null || accessTokenUrl !== null;
}

export type Fetched = ({ is: 'token' } & Token) | TokenFault;

/** Fetches a token. Never throws, never logs it. */
export async function fetchToken(
  account: Source,
  { send, clock, log }: Omit<TokenDeps, 'cache'>,
): Promise<Fetched> {
  const reply = await exchange(send, requestFor(account), (json) => granted.safeParse(json).success);
  const answer = granted.safeParse(reply.is === 'code' ? reply.json : null);
  if (!answer.success) return faultOf(reply);
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

function requestFor(account: Source): OutboundRequest {
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
export function faultOf(reply: Reply): TokenFault {
  switch (reply.is) {
    case 'code':
      return reply.code === 0
        ? { is: 'token-lost', cause: 'the token endpoint answered without a token' }
        : { is: 'token-refused', code: reply.code };
    case 'status':
      return { is: 'token-lost', cause: `the token endpoint answered HTTP ${reply.status}` };
    case 'unreadable':
      return { is: 'token-lost', cause: 'the token endpoint did not answer with a token in JSON' };
    case 'lost':
      return { is: 'token-lost', cause: `no access token: ${reply.cause}` };
  }
}

/** How to mend an account that gets no token. */
export function remedyOfFault(fault: Exclude<TokenFault, { is: 'token-lost' }>): string {
  return fault.remedy ?? tokenRemedy(fault.is === 'no-credentials' ? 0 : fault.code);
}

/** The same by the endpoint's code; 0: it has nothing to ask with. */
export function tokenRemedy(code: number): string {
  if (code === 0) return 'Set WECHAT_APP_SECRET or WECHAT_ACCESS_TOKEN_URL.';
  // 40001 from the token endpoint itself is about the secret, not about a token.
  const { meaning, remedy } = codeOf(code);
  return meaning === 'token' ? codeOf(40125).remedy : remedy;
}
