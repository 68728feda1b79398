/** WeChat: Official and Service Accounts, Mini Programs and Mini Games. */
import { createInterimTexts } from '../core/bot.ts';
import type { Assurance, Platform } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import { type Answer, oncePer, type Send } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { botAnswerOf, readPassive, shapeOf } from './answer.ts';
import { explain } from './api.ts';
import { readStarts, turnOf } from './message.ts';
import { createOwnCalls } from './own-calls.ts';
import { admitPush, followPush, receivePush, shakeHands } from './receive.ts';
import { wechatRules } from './rules.ts';
import { createCustomSend, createSendInterim, createSendLate } from './send-api.ts';
import { type AccessTokens, createAccessTokens, type TokenDeps } from './token.ts';
import { createTyping } from './typing-api.ts';

export interface WechatDeps extends TokenDeps {
  /** For typing calls alone, with a pool of its own. */
  typing: Send;
  /** For messages to users. @default as `send`, which carries tokens */
  messages?: Send;
  /** Where its tokens come from. @default the account's own secret or token service */
  tokens?: AccessTokens;
  /** What its pushes have shown. @default nothing is known, or noted */
  assurance?: Assurance;
}

export function createWechat(configured: WechatAccount, deps: WechatDeps): Platform {
  const account = { ...configured, apiBase: configured.apiBase.replace(/\/+$/, '') };
  const rules = rulesOf(account);
  const starts = readStarts(account.starts);
  const tokens = deps.tokens ?? createAccessTokens(account, deps);
  // Nine tenths: the caller gives a call up at callLimit, and none may begin after that.
  const typing = createTyping(account, { ...deps, tokens }, rules.callLimit * 0.9);
  const customSend = createCustomSend(account, { send: deps.messages ?? deps.send, tokens });
  const sendLate = createSendLate(account, customSend);
  const sendInterim = createSendInterim(account, { send: customSend, log: deps.log });
  // Read once, whoever asks of it: what it means, and then what of it can be sent.
  const passive = oncePer((answer: Answer) => readPassive(answer.body, account.encodingAesKeys));
  const isInterim = createInterimTexts(account.noAnswers);
  const isAsked = () => deps.assurance?.isAsked() ?? false;
  let isSaid = false;
  const sayOfMini = () => {
    if (!isSaid) deps.log.info({ account: account.name }, ofMini);
    isSaid = true;
  };
  const now = () => Math.floor(deps.clock.now() / 1000);
  return {
    channel: 'wechat',
    account: account.name,
    rules,
    learnsAfterAck: account.afterAck === 'auto',
    needsMessageId: false,
    acknowledgement,
    ownCalls: createOwnCalls(account, isInterim),
    handshake: (rawQuery) => shakeHands(rawQuery, account),
    admit: ({ rawQuery }) => admitPush(rawQuery, account, now()),
    follow: () => followPush(account, { isAsked }),
    receive: async (push, isAdmitted = false) => {
      const received = receivePush(push, account, { now: now(), isAsked, starts, isAdmitted });
      if (received.is === 'push' && received.assured) deps.assurance?.note();
      return received;
    },
    show: ({ user }) => typing('Typing', user),
    hide: ({ user }) => typing('CancelTyping', user),
    explain,
    refer: (user, messageId) => ({ turn: turnOf(user, messageId), messageId }),
    readAnswer: async (answer) => botAnswerOf(passive(answer), isInterim),
    sendLate: async (user, answer, part) => sendLate(user, passive(answer), part),
    shapeOf: (answer) => {
      const shape = shapeOf(passive(answer), account);
      if (shape.isLateOnly && account.kind === 'mini') sayOfMini();
      return shape;
    },
    ...(sendInterim ? { sendInterim } : {}),
  };
}

const ofMini =
  'WeChat shows no webhook answer of a Mini Program: the messages in them go out through its API instead.';

/** `auto` begins with the table's `afterAck`; what the account's history says about it is not decided here. */
function rulesOf({ afterAck, interim, rules }: WechatAccount): Rules {
  const own = afterAck === 'auto' ? {} : { afterAck };
  return { ...wechatRules, ...own, ...rules, interim: interim && { after: interim.after } };
}

/** WeChat shows nothing and repeats nothing after it. */
export const acknowledgement: Answer = {
  status: 200,
  headers: [['content-type', 'text/plain; charset=utf-8']],
  body: new TextEncoder().encode('success'),
};
