/**
 * The bot's own calls: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 * and https://developers.weixin.qq.com/doc/service/api/customer/message/api_typing
 */
import { type OwnCall, type OwnCalls, tidyPath, type Verdict } from '../core/platform.ts';
import { type Answer, type Fields, isFields } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { codeOf } from './api.ts';
import { fieldsOf, jsonIn } from './body.ts';
import { openid } from './message.ts';

/** Some pages and SDKs write `/business/` in the path of a sub-merchant's messages too. */
const sendPaths = ['/cgi-bin/message/custom/send', '/cgi-bin/message/custom/business/send'];
const typingPaths = ['/cgi-bin/message/custom/typing', '/cgi-bin/message/custom/business/typing'];

export function createOwnCalls(
  { typingPath }: Pick<WechatAccount, 'typingPath'>,
  isInterim: (text: string | null) => boolean = () => false,
): OwnCalls {
  const typings = typingPath === null ? typingPaths : [...typingPaths, tidyPath(typingPath)];
  const kinds = new Map<string, OwnCall['is']>([
    ...sendPaths.map((path) => [path, 'send'] as const),
    ...typings.map((path) => [path, 'typing'] as const),
  ]);
  return {
    reads: (method, path) => method === 'POST' && kinds.has(tidyPath(path)),
    read: (path, body) =>
      kinds.get(tidyPath(path)) === 'send' ? readSend(body, isInterim) : readTyping(body),
    verdict,
  };
}

function readSend(body: Uint8Array, isInterim: (text: string | null) => boolean): OwnCall | null {
  const fields = fieldsIn(body);
  const user = userIn(fields);
  if (user === null) return null;
  const content = fieldsOf(fields, 'text')?.content;
  const interim = isInterim(typeof content === 'string' ? content : null);
  return { is: 'send', user, ...(interim ? { isInterim: true } : {}) };
}

function readTyping(body: Uint8Array): OwnCall | null {
  const fields = fieldsIn(body);
  const user = userIn(fields);
  const { command } = fields;
  if (user === null || (command !== 'Typing' && command !== 'CancelTyping')) return null;
  return { is: 'typing', user, on: command === 'Typing' };
}

/** What is no openid is no user of ours; WeChat refuses it too. */
function userIn({ touser }: Fields): string | null {
  return typeof touser === 'string' && openid.test(touser) ? touser : null;
}

function fieldsIn(body: Uint8Array): Fields {
  const json = jsonIn(body);
  return isFields(json) ? json : {};
}

/** 45081 says that the indicator is on: what was asked for holds. */
function verdict({ body }: Answer): Verdict {
  const { errcode: code } = fieldsIn(body);
  if (typeof code !== 'number' || !Number.isInteger(code)) return { is: 'unknown' };
  const { name, meaning } = codeOf(code);
  if (meaning === 'ok' || meaning === 'already') return { is: 'accepted', messageId: null };
  return { is: 'refused', code, name };
}
