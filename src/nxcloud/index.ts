/** WhatsApp through NXCloud (牛信云), as a {@link Platform}. */
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { Platform, Received } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import type { Answer, RawPush, Send } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';
import { parseFields, phoneOf } from './fields.ts';
import { businessPhoneOf, happeningsOf, pushKeyOf, type Reading } from './message.ts';
import { verify } from './signature.ts';
import { show } from './typing-api.ts';

/**
 * WhatsApp's numbers. Documented ones are from
 * Meta, https://developers.facebook.com/docs/whatsapp/cloud-api/typing-indicators, and
 * NXCloud, https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator.
 */
export const nxcloudRules: Rules = {
  mode: 'continuous',
  // An NXCloud webhook answer never holds a message, so every bot only acknowledges: stopping there would be never typing.
  afterAck: 'renew',
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
  // Ours; NXCloud has no "already typing" answer.
  againAfter: 2000,
  againTries: 3,
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
  // "dismissed once you respond" (Meta, NXCloud).
  messageClears: true,
  // Ours: 3 a minute keep it lit, the rest is for new messages; typing must not use up the number's rate.
  showsPerMinute: 10,
  // NXCloud's sibling webhooks repeat for an hour after an HTTP error.
  repeats: 2 * 60 * 60_000,
  hides: false,
};

/** Types that a bot answers. Not `reaction`, `system`, `unsupported`: "only … if you are going to respond" (Meta). */
const openers = [
  'text',
  'image',
  'video',
  'voice',
  'audio',
  'document',
  'location',
  'sticker',
  'contacts',
  'button',
  'interactive',
  'order',
  'referral',
];

/** NXCloud takes HTTP 200 for taken; its users answer `{}` as well as `success`. */
const acknowledgement: Answer = {
  status: 200,
  headers: [['Content-Type', 'application/json']],
  body: new TextEncoder().encode('{}'),
};

export interface NxcloudDependencies {
  /** Makes the typing calls, on connections that no message needs. */
  typing: Send;
  clock: Clock;
  log: Log;
}

/**
 * One NXCloud app. It has no `hide` (WhatsApp has no such call), no `sendLate` (webhook answers hold no message) and no
 * `handshake`.
 * @throws Error when the account has no access secret.
 */
export function createNxcloud(account: NxcloudAccount, dependencies: NxcloudDependencies): Platform {
  if (!account.accessSecrets[0]) {
    throw new Error(
      `nxcloud account "${account.name}": accessSecret is missing, copy it from the NXCloud console.`,
    );
  }
  const reading: Reading = {
    carryPhone: account.businessPhone === null,
    opensTurn: createStarts(account.starts),
  };
  const api = { account, ...dependencies };
  return {
    channel: 'nxcloud',
    account: account.name,
    rules: rulesOf(account),
    acknowledgement,
    receive: (push) => Promise.resolve(receive(push, account, reading)),
    show: (target) => show(api, target),
    readAnswer: () => Promise.resolve({ is: 'acknowledgement' }),
  };
}

function rulesOf({ afterAck, rules }: NxcloudAccount): Rules {
  return { ...nxcloudRules, ...(afterAck === 'auto' ? {} : { afterAck }), ...rules };
}

/** Names compare without case. A Map: a type named "constructor" must find nothing. */
function createStarts(overrides: NxcloudAccount['starts']): (type: string) => boolean {
  const starts = new Map(openers.map((type) => [type, true]));
  for (const [type, start] of Object.entries(overrides)) starts.set(type.toLowerCase(), start);
  return (type) => starts.get(type.toLowerCase()) ?? false;
}

function receive(push: RawPush, account: NxcloudAccount, reading: Reading): Received {
  const forged = verify(push, account);
  if (forged !== null) return { is: 'refusal', status: 401, error: forged };
  const body = parseFields(push.body);
  if (body === null) {
    return { is: 'refusal', status: 400, error: 'The body is not a JSON object: send it as NXCloud does.' };
  }
  const who = businessPhoneOf(body);
  if (who !== null && account.businessPhone !== null && who !== phoneOf(account.businessPhone)) {
    return { is: 'stranger', who };
  }
  return { is: 'push', key: pushKeyOf(body, push.body), happenings: happeningsOf(body, reading) };
}
