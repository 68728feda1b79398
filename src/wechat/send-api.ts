/** Sends a late answer: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage */
import type { LateSend } from '../core/platform.ts';
import type { Send } from '../core/wire.ts';
import { withToken, type AccessTokens } from './access-token.ts';
import type { WechatAccount } from './account.ts';
import { toCustomMessage, type Passive } from './answer.ts';
import { postJson, type Reply } from './api.ts';
import { codeOf } from './codes.ts';
import { tokenRemedy, type TokenFault } from './token-source.ts';

const timeoutMs = 5000;

/**
 * Makes the account's late send. Never throws. Only a call which WeChat has refused for its token is repeated here:
 * everything else might have gone out.
 */
export function createSendLate(
  account: WechatAccount,
  deps: { send: Send; tokens: AccessTokens },
): (user: string, passive: Passive) => Promise<LateSend> {
  const url = `${account.apiBase}/cgi-bin/message/custom/send?access_token=`;
  return async (user, passive) => {
    if (passive.is === 'acknowledgement')
      return { is: 'impossible', reason: 'the answer only acknowledges: it holds no message' };
    if (passive.is === 'opaque') return { is: 'impossible', reason: passive.reason };
    const message = toCustomMessage(user, passive.fields);
    if (message.is === 'impossible') return message;
    const { body } = message;
    const reply = await withToken(deps.tokens, (token) =>
      postJson(deps.send, url + encodeURIComponent(token), { body, timeoutMs }),
    );
    return resultOf(reply);
  };
}

function resultOf(reply: Reply | TokenFault): LateSend {
  switch (reply.is) {
    case 'code':
      return codeResult(reply.code);
    case 'status':
      return statusResult(reply.status);
    case 'unreadable':
      return { is: 'unknown', cause: 'WeChat did not answer in its JSON' };
    case 'lost':
      return { is: reply.begun ? 'unknown' : 'not-sent', cause: reply.cause };
    case 'no-credentials':
      return { is: 'refused', code: 0, reason: tokenRemedy(0), mayNotSend: true };
    case 'token-refused':
      return tokenResult(reply.code);
    case 'token-lost':
      return { is: 'not-sent', cause: reply.cause };
  }
}

function codeResult(code: number): LateSend {
  const { name, meaning, remedy } = codeOf(code);
  if (meaning === 'ok') return { is: 'sent' };
  // WeChat says itself that it did nothing and that another time will do.
  if (meaning === 'busy' || meaning === 'rate' || meaning === 'token')
    return { is: 'not-sent', cause: `${code} ${name}` };
  const reason = remedy === '' ? name : `${name}. ${remedy}`;
  return { is: 'refused', code, reason, mayNotSend: meaning === 'account' };
}

function statusResult(status: number): LateSend {
  const said = `WeChat answered HTTP ${status}`;
  if (status >= 500) return { is: 'unknown', cause: said };
  if (status === 429) return { is: 'not-sent', cause: said };
  return { is: 'refused', code: status, reason: `${said}: check WECHAT_API_BASE`, mayNotSend: false };
}

function tokenResult(code: number): LateSend {
  return codeOf(code).meaning === 'token'
    ? { is: 'refused', code, reason: tokenRemedy(code), mayNotSend: true }
    : codeResult(code);
}
