/**
 * What WeChat makes of a webhook's answer.
 * Source: https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html
 */
import { asObject, asText, type JsonObject } from './server.ts';
import type { WechatAccountOptions } from './wechat-account.ts';
import { TEXT_LIMIT } from './wechat-custom-message.ts';
import { decrypt, parseBody, sha1Signature } from './wechat-sealed.ts';

type Passive =
  /** `success` or nothing: nothing shown. Nor is a text that is too long. */
  | { is: 'nothing' }
  | { is: 'message'; detail: string }
  | { is: 'handover' }
  /** The user is told that the service is unavailable. */
  | { is: 'garbage'; why: string };

/** The fields that each kind cannot do without. */
const KINDS: Readonly<Record<string, (fields: JsonObject) => string | JsonObject | null>> = {
  text: (fields) => asText(fields['Content']),
  image: (fields) => asText(asObject(fields['Image'])?.['MediaId']),
  voice: (fields) => asText(asObject(fields['Voice'])?.['MediaId']),
  video: (fields) => asText(asObject(fields['Video'])?.['MediaId']),
  music: (fields) => asObject(fields['Music']),
  news: (fields) => asObject(fields['Articles']),
};

export function readPassive(account: WechatAccountOptions, user: string, body: Buffer): Passive {
  const text = body.toString();
  if (text === '' || text.trim() === 'success') return { is: 'nothing' };
  const outer = parseBody(text, account.format);
  if (outer === null) return garbage(`the answer is no ${account.format}`);
  const encrypted = field(outer, 'encrypt');
  if (encrypted === null) {
    return account.mode === 'secure' ? garbage('the answer is not encrypted') : readMessage(outer, user);
  }
  if (account.mode === 'plain') return garbage('the answer is encrypted, the account is not');
  return readEncrypted(account, user, { outer, encrypted });
}

function readEncrypted(
  account: WechatAccountOptions,
  user: string,
  { outer, encrypted }: { outer: JsonObject; encrypted: string },
): Passive {
  const { token, format } = account;
  const signed = sha1Signature(
    token,
    field(outer, 'timestamp') ?? '',
    field(outer, 'nonce') ?? '',
    encrypted,
  );
  if (signed !== field(outer, 'msgsignature')) return garbage('the answer has a wrong MsgSignature');
  const plain = decrypt(account, encrypted);
  const inner = plain === null ? null : parseBody(plain, format);
  return inner === null ? garbage('the answer cannot be decrypted') : readMessage(inner, user);
}

function readMessage(fields: JsonObject, user: string): Passive {
  if (fields['ToUserName'] !== user) return garbage('the answer is for another user');
  const kind = asText(fields['MsgType']);
  if (kind === 'transfer_customer_service') return { is: 'handover' };
  const required = kind === null ? null : (KINDS[kind]?.(fields) ?? null);
  if (kind === null || required === null) return garbage('the answer holds no message');
  const text = typeof required === 'string' && kind === 'text' ? required : null;
  if (text !== null && Buffer.byteLength(text) > TEXT_LIMIT) return { is: 'nothing' };
  return { is: 'message', detail: text ?? `[${kind}]` };
}

/** By its name whatever the case, as libraries differ; JSON may hold the timestamp as a number. */
function field(fields: JsonObject, name: string): string | null {
  const value = Object.entries(fields).find(([key]) => key.toLowerCase() === name)?.[1];
  return typeof value === 'number' ? String(value) : asText(value);
}

function garbage(why: string): Passive {
  return { is: 'garbage', why };
}
