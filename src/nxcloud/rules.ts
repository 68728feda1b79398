import type { Rules } from '../core/rules.ts';

/**
 * WhatsApp's numbers. Documented ones are from
 * Meta, https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators, and
 * NXCloud, https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator.
 */
export const nxcloudRules: Rules = {
  mode: 'continuous',
  // An NXCloud webhook answer never holds a message, so every bot only acknowledges: stopping there would be never typing.
  afterAck: 'renew',
  sendEnds: 'all',
  // Whoever waits can be shown typing for 24 h: there is no window to reopen.
  interim: null,
  // "dismissed once you respond, or after 25 seconds, whichever comes first" (Meta, NXCloud).
  lifetime: 25_000,
  // Just over 25 s: whether an earlier call re-arms is disputed. It refreshes: https://docs.ycloud.com
  // (mark-message-as-read-and-display-a-typing-indicator); it is ignored until the 25 s are over: vercel/chat#320.
  renewMargin: 300,
  // "when the customer's last message is older than 24 h" marking as read fails: https://docs.ycloud.com
  // (whatsapp-inbound-messages); typing too: https://docs.zavu.dev.
  window: 86_400_000,
  // Ours: WhatsApp counts in seconds, on its own clock.
  windowMargin: 60_000,
  // Never used: NXCloud has no "already typing" answer.
  againAfter: 2000,
  againTries: 0,
  // Never used: there is no call that takes the indicator away (Meta names none).
  hideRetry: 1000,
  // Ours, after the quick retry of the adapter.
  showRetry: 2000,
  // Ours: 3 s for the call and its retry together, and slack.
  callLimit: 8000,
  startDelay: 0,
  // Ours: "only display a typing indicator if you are going to respond" (Meta); others cap at 2 to 5 min.
  cap: 180_000,
  deadline: 600_000,
  darkAfterMessage: 2000,
  // For pass mode. NXCloud states no repeats for WhatsApp; its other webhooks repeat every minute, after HTTP errors
  // only: https://github.com/nxtele/http-api-document/wiki/Number-Check-API-callback. So the first delivery counts.
  lapse: 6000,
  deliveries: 1,
  // No answer is waited for.
  patience: 0,
  // Ours: an agent that uses a tool says so, and works on.
  sendSilence: 8000,
  // Ours: a bot tries again, or a person does; nobody is to wait up to the cap for nothing.
  afterFailed: 30_000,
  // "dismissed once you respond" (Meta, NXCloud).
  messageClears: true,
  // Ours: 3 a minute keep it lit, the rest is for new messages; typing must not use up the number's rate.
  showsPerMinute: 10,
  // No page names a limit per message.
  sendsPerMessage: 0,
  // Ours: nothing says when a human has done with a conversation.
  handoff: 30 * 60_000,
  echoPause: 10 * 60_000,
  // Ours: a status may follow its message late.
  remembered: 15 * 60_000,
  // NXCloud's sibling webhooks repeat for an hour after an HTTP error.
  repeats: 2 * 60 * 60_000,
  // Ours: for as long as an answer may be sent without a template. Meta keeps a phone known for 30 days after the last
  // contact (docs.360dialog.com, usernames-and-bsuid), but whoever writes is named anew.
  namesKept: 24 * 60 * 60_000,
  hides: false,
};
