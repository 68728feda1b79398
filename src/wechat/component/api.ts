/**
 * What a third-party platform asks WeChat for: its own token, and its authorizers'.
 * https://developers.weixin.qq.com/doc/oplatform/openApi/ticket-token/api_getauthorizeraccesstoken.html
 */
import { z } from 'zod';
import { callApi, type Reply } from '../api.ts';
import type { OutboundRequest, Send } from '../../core/wire.ts';
import { tokenFault, type TokenFault } from '../token.ts';
import type { WechatComponent } from './component.ts';

const timeoutMs = 3000;

const seconds = z.coerce.number().positive();

const componentGrant = z.object({ component_access_token: z.string().min(1), expires_in: seconds });

const authorizerGrant = z.object({
  authorizer_access_token: z.string().min(1),
  expires_in: seconds,
  // An account without API permissions has none; a renewal may leave it out, and the one that is held stays.
  authorizer_refresh_token: z.string().optional(),
});

const authorization = z.object({
  authorization_info: authorizerGrant.extend({ authorizer_appid: z.string() }),
});

export interface AuthorizerGrant {
  token: string;
  seconds: number;
  /** null: the present one stays. */
  refreshToken: string | null;
}

/** Members never throw. The last two say with `Reply` what WeChat says, for its own token may have to be renewed. */
export interface ComponentApi {
  token(ticket: string): Promise<{ is: 'granted'; token: string; seconds: number } | TokenFault>;
  renew(token: string, appId: string, refreshToken: string): Promise<Reply>;
  exchangeCode(token: string, code: string): Promise<Reply>;
}

export function createComponentApi(component: WechatComponent, send: Send): ComponentApi {
  const { appId: component_appid, appSecret: component_appsecret, apiBase } = component;
  const post = (call: string, body: object, accepts: z.ZodType): Promise<Reply> => {
    const request: OutboundRequest = {
      method: 'POST',
      url: `${apiBase}/cgi-bin/component/${call}`,
      headers: [['content-type', 'application/json; charset=utf-8']],
      body: JSON.stringify({ component_appid, ...body }),
      timeoutMs,
    };
    return callApi(send, request, (json) => accepts.safeParse(json).success);
  };
  return {
    async token(component_verify_ticket) {
      const body = { component_appsecret, component_verify_ticket };
      const reply = await post('api_component_token', body, componentGrant);
      const read = componentGrant.safeParse(reply.is === 'code' ? reply.json : null);
      if (!read.success) return tokenFault(reply);
      return { is: 'granted', token: read.data.component_access_token, seconds: read.data.expires_in };
    },
    renew: (token, authorizer_appid, authorizer_refresh_token) =>
      post(
        `api_authorizer_token?${by(token)}`,
        { authorizer_appid, authorizer_refresh_token },
        authorizerGrant,
      ),
    exchangeCode: (token, authorization_code) =>
      post(`api_query_auth?${by(token)}`, { authorization_code }, authorization),
  };
}

/** Pages differ in the parameter's name; this is the one that SDKs use. */
function by(token: string): string {
  return `component_access_token=${encodeURIComponent(token)}`;
}

/** What a renewal has brought; null: it is no such answer. */
export function readRenewal(reply: Reply): AuthorizerGrant | null {
  const read = authorizerGrant.safeParse(reply.is === 'code' ? reply.json : null);
  return read.success ? grantOf(read.data) : null;
}

/** What a code has brought, for this account; null: it is no such answer, or another account's. */
export function readExchange(reply: Reply, appId: string): AuthorizerGrant | null {
  const read = authorization.safeParse(reply.is === 'code' ? reply.json : null);
  if (!read.success || read.data.authorization_info.authorizer_appid !== appId) return null;
  return grantOf(read.data.authorization_info);
}

function grantOf(grant: z.infer<typeof authorizerGrant>): AuthorizerGrant {
  const { authorizer_access_token: token, expires_in: seconds, authorizer_refresh_token = '' } = grant;
  return { token, seconds, refreshToken: authorizer_refresh_token || null };
}
