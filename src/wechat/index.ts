/** WeChat: Official and Service Accounts, Mini Programs and Mini Games. */
import type { Platform } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import type { Answer, Send } from '../core/wire.ts';
import { createAccessTokens } from './access-token.ts';
import type { WechatAccount } from './account.ts';
import { meaningOf, readPassive } from './answer.ts';
import { readStarts } from './message.ts';
import { receivePush, shakeHands } from './receive.ts';
import { createSendLate } from './send-api.ts';
import type { TokenDeps } from './token-source.ts';
import { createTyping } from './typing-api.ts';

/** WeChat's numbers: https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/typing.html */
export const wechatRules: Rules = {
  mode: 'continuous',
  // A bot's unseen message takes the indicator away; renewing after it would show a ghost.
  afterAck: 'keep',
  /** "Typing lasts 15 s", and cannot be sent again meanwhile. */
  lifetime: 15_000,
  renewMargin: 60,
  /** "A message interaction with the user in the last 30 s." */
  window: 30_000,
  windowMargin: 1000,
  againAfter: 2000,
  againTries: 3,
  hideRetry: 1000,
  showRetry: 2000,
  callLimit: 8000,
  startDelay: 0,
  cap: 180_000,
  deadline: 600_000,
  darkAfterMessage: 2000,
  // Repeats come 5 s apart, three deliveries in all:
  // https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html
  lapse: 6000,
  deliveries: 3,
  /** "Sending a message to the user cancels the typing state." */
  messageClears: true,
  showsPerMinute: 20,
  // A message is repeated within seconds (https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html).
  repeats: 10 * 60_000,
  hides: true,
};

const acknowledgement: Answer = {
  status: 200,
  headers: [['content-type', 'text/plain; charset=utf-8']],
  body: new TextEncoder().encode('success'),
};

export interface WechatDeps extends TokenDeps {
  /** For typing calls alone, with a pool of its own; `send` carries messages and tokens. */
  typing: Send;
}

export function createWechat(configured: WechatAccount, deps: WechatDeps): Platform {
  const account = { ...configured, apiBase: configured.apiBase.replace(/\/+$/, '') };
  const rules = rulesOf(account);
  const starts = readStarts(account.starts);
  const tokens = createAccessTokens(account, deps);
  // Nine tenths: the caller gives a call up at callLimit, and none may begin after that.
  const typing = createTyping(account, { ...deps, tokens }, rules.callLimit * 0.9);
  const sendLate = createSendLate(account, { send: deps.send, tokens });
  const passive = (answer: Answer) => readPassive(answer.body, account.encodingAesKeys);
  const now = () => Math.floor(deps.clock.now() / 1000);
  return {
    channel: 'wechat',
    account: account.name,
    rules,
    acknowledgement,
    handshake: (rawQuery) => shakeHands(rawQuery, account),
    receive: async (push) => receivePush(push, account, { now: now(), starts }),
    show: ({ user }) => typing('Typing', user),
    hide: ({ user }) => typing('CancelTyping', user),
    readAnswer: async (answer) => meaningOf(passive(answer)),
    sendLate: async (user, answer) => sendLate(user, passive(answer)),
  };
}

/** `auto` begins with the table's `afterAck`; what the account's history says about it is not decided here. */
function rulesOf({ afterAck, rules }: WechatAccount): Rules {
  return { ...wechatRules, ...(afterAck === 'auto' ? {} : { afterAck }), ...rules };
}
