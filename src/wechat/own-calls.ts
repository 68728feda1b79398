/**
 * The bot's own calls: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 * and https://developers.weixin.qq.com/doc/service/api/customer/message/api_typing
 */
import { z } from 'zod';
import { type OwnCall, type OwnCalls, tidyPath, type Verdict } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { codeOf } from './api.ts';
import { jsonIn } from './body.ts';
import { openid } from './message.ts';

/** Some pages and SDKs write `/business/` in the path of a sub-merchant's messages too. */
const sendPaths = ['/cgi-bin/message/custom/send', '/cgi-bin/message/custom/business/send'];
const typingPaths = ['/cgi-bin/message/custom/typing', '/cgi-bin/message/custom/business/typing'];

/** What is no openid is no user of ours; WeChat refuses it too. */
const messageBody = z.object({ touser: z.string().regex(openid) });
const textBody = messageBody.extend({
  text: z.object({ content: z.string() }).optional().catch(undefined),
});
const typing = messageBody.extend({ command: z.enum(['Typing', 'CancelTyping']) });
const word = z.object({ errcode: z.number().int() });

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
  const read = textBody.safeParse(jsonIn(body));
  if (!read.success) return null;
  const { touser: user, text } = read.data;
  return { is: 'send', user, ...(isInterim(text?.content ?? null) ? { isInterim: true } : {}) };
}

function readTyping(body: Uint8Array): OwnCall | null {
  const read = typing.safeParse(jsonIn(body));
  return read.success ? { is: 'typing', user: read.data.touser, on: read.data.command === 'Typing' } : null;
}

/** 45081 says that the indicator is on: what was asked for holds. */
function verdict({ body }: Answer): Verdict {
  const said = word.safeParse(jsonIn(body));
  if (!said.success) return { is: 'unknown' };
  const { name, meaning } = codeOf(said.data.errcode);
  if (meaning === 'ok' || meaning === 'already') return { is: 'accepted', messageId: null };
  return { is: 'refused', code: said.data.errcode, name };
}
