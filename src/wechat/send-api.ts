/** Sends a late answer: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage */
import type { LatePart, LateSend, Outcome } from '../core/platform.ts';
import type { Log } from '../core/ports.ts';
import type { Send } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { type Passive, toCustomMessage } from './answer.ts';
import { codeOf, postJson, type Reply } from './api.ts';
import { type AccessTokens, remedyOfFault, type TokenFault, withToken } from './token.ts';

const timeoutMs = 5000;

/**
 * Makes the account's late send. Never throws. Only a call which WeChat has refused for its token is repeated here:
 * everything else might have gone out.
 */
export function createSendLate(
  account: WechatAccount,
  send: CustomSend,
): (user: string, passive: Passive, part?: LatePart) => Promise<LateSend> {
  return async (user, passive, part = { from: 0, most: Infinity }) => {
    if (passive.is === 'acknowledgement')
      return { is: 'impossible', reason: 'the answer only acknowledges: it holds no message' };
    if (passive.is === 'opaque') return { is: 'impossible', reason: passive.reason };
    const message = toCustomMessage(user, passive.fields, { account, part });
    if (message.is === 'impossible') return message;
    const result = resultOf(await send(message.body));
    return result.is === 'sent' && message.rest ? { ...result, rest: message.rest } : result;
  };
}

/** Makes the sending of the account's text for whoever waits long; absent without one. Never throws. */
export function createSendInterim(
  { name: account, interim }: WechatAccount,
  { send, log }: { send: CustomSend; log: Log },
): ((user: string) => Promise<Outcome>) | null {
  if (!interim) return null;
  const { text: content } = interim;
  return async (user) => {
    const sent = resultOf(await send({ touser: user, msgtype: 'text', text: { content } }));
    if (sent.is === 'refused')
      log.warn({ account, code: sent.code }, `WeChat refused the interim text: ${sent.reason}.`);
    return outcomeOf(sent);
  };
}

function outcomeOf(sent: LateSend): Outcome {
  switch (sent.is) {
    case 'sent':
      return { is: 'done' };
    case 'unknown':
      return { is: 'lost', begun: true, cause: sent.cause };
    case 'refused':
      return { is: 'failed', code: sent.code };
    default:
      return { is: 'lost', begun: false, cause: 'it was not sent' };
  }
}

type CustomSend = (message: object) => Promise<Reply | TokenFault>;

/** Makes the account's custom/send. Never throws. */
export function createCustomSend(
  account: WechatAccount,
  deps: { send: Send; tokens: AccessTokens },
): CustomSend {
  const url = `${account.apiBase}/cgi-bin/message/custom/send?access_token=`;
  const { kfAccount, isAiMessage } = account.customSend;
  const options = {
    ...(kfAccount === null ? {} : { customservice: { kf_account: kfAccount } }),
    ...(isAiMessage ? { aimsgcontext: { is_ai_msg: 1 } } : {}),
  };
  return (message) => {
    const body = { ...message, ...options };
    return withToken(deps.tokens, (token) =>
      postJson(deps.send, url + encodeURIComponent(token), { body, timeoutMs }),
    );
  };
}

function resultOf(reply: Reply | TokenFault): LateSend {
  switch (reply.is) {
    case 'code':
      return codeResult(reply.code, reply.remedy);
    case 'status':
      return statusResult(reply.status);
    case 'unreadable':
      return { is: 'unknown', cause: 'WeChat did not answer in its JSON' };
    case 'lost':
      return { is: reply.begun ? 'unknown' : 'not-sent', cause: reply.cause };
    case 'no-credentials':
      return { is: 'refused', code: 0, reason: remedyOfFault(reply), mayNotSend: true };
    case 'token-refused':
      return tokenResult(reply);
    case 'token-lost':
      return { is: 'not-sent', cause: reply.cause };
  }
}

function codeResult(code: number, remedy = codeOf(code).remedy): LateSend {
  const { name, meaning } = codeOf(code);
  if (meaning === 'ok') return { is: 'sent' };
  // WeChat says itself that it did nothing and that another time will do.
  const cause = `${code} ${name}`;
  if (meaning === 'busy' || meaning === 'token') return { is: 'not-sent', cause };
  if (meaning === 'rate') return { is: 'not-sent', cause, perMinute: true };
  const reason = remedy === '' ? name : `${name}. ${remedy}`;
  return { is: 'refused', code, reason, mayNotSend: meaning === 'account' };
}

function statusResult(status: number): LateSend {
  const said = `WeChat answered HTTP ${status}`;
  if (status >= 500) return { is: 'unknown', cause: said };
  if (status === 429) return { is: 'not-sent', cause: said };
  return { is: 'refused', code: status, reason: `${said}: check WECHAT_API_BASE`, mayNotSend: false };
}

function tokenResult(fault: Extract<TokenFault, { is: 'token-refused' }>): LateSend {
  return codeOf(fault.code).meaning === 'token'
    ? { is: 'refused', code: fault.code, reason: remedyOfFault(fault), mayNotSend: true }
    : codeResult(fault.code, fault.remedy);
}
