import type { Rules } from '../core/rules.ts';

/** WeChat's numbers: https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/typing.html */
export const wechatRules: Rules = {
  mode: 'continuous',
  // A bot's unseen message takes the indicator away; renewing after it would show a ghost.
  afterAck: 'keep',
  sendEnds: 'all',
  interim: null,
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
  patience: 5000,
  // Ours: an agent that uses a tool says so, and works on.
  sendSilence: 8000,
  // WeChat says of no message that it has failed later.
  afterFailed: 0,
  /** "Sending a message to the user cancels the typing state." */
  messageClears: true,
  showsPerMinute: 20,
  // Since 2021 (20 before): https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
  sendsPerMessage: 5,
  // "After 30 min" a session that nobody closed is over:
  // https://developers.weixin.qq.com/doc/subscription/guide/product/kf/forwarding.html
  handoff: 30 * 60_000,
  // WeChat tells of no message that a human sends.
  echoPause: 0,
  // Ours: repeats come within 15 s (as above), and what a bot tells later ends no turn that is over.
  remembered: 2 * 60_000,
  // A message is repeated within seconds (https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html).
  repeats: 10 * 60_000,
  // A user of one account has one openid.
  namesKept: 0,
  hides: true,
};
