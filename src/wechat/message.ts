/**
 * What a push says. Kinds and fields: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 * (which acts open a quota) and https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/receive.html
 */
import { createHash } from 'node:crypto';
import type { Happening } from '../core/platform.ts';
import type { Fields } from '../core/wire.ts';
import { textOf } from './body.ts';

/** `opensTurn`: an answer is to be expected. `interaction`: WeChat lets the account write to the user after it. */
interface Kind {
  opensTurn: boolean;
  interaction: boolean;
}

const anyMessage: Kind = { opensTurn: true, interaction: true };
// These acts open a short send quota, but most bots answer them with fixed words or not at all.
const act: Kind = { opensTurn: false, interaction: true };
const background: Kind = { opensTurn: false, interaction: false };

/** By lower-case name, since the case of event names varies. What is not here is `background`. */
const kinds: ReadonlyMap<string, Kind> = new Map([
  ...['text', 'image', 'voice', 'video', 'shortvideo', 'location', 'link', 'miniprogrampage'].map(
    (name) => [name, anyMessage] as const,
  ),
  ...['click', 'scancode_push', 'scancode_waitmsg', 'subscribe', 'scan', 'user_enter_tempsession'].map(
    (name) => [`event.${name}`, act] as const,
  ),
]);

/** While a human's session lasts, WeChat's own customer service shows who is typing. */
const handoffs: ReadonlyMap<string, boolean> = new Map([
  ['event.kf_create_session', true],
  ['event.kf_switch_session', true],
  ['event.kf_close_session', false],
]);

/** The account's `starts`, ready to be looked up: names compare without case. */
export function readStarts(starts: Readonly<Record<string, boolean>>): ReadonlyMap<string, boolean> {
  return new Map(Object.entries(starts).map(([name, opens]) => [name.toLowerCase(), opens]));
}

/** The name goes into keys and calls; whatever is no openid is no user of ours. */
export const openid = /^[\w@.-]{1,128}$/;

/** An openid that no user has, real ones have 28 characters: the doctor writes by it. */
export const nobody = 'keeptyping-doctor';

interface Reading {
  key: string;
  happenings: Happening[];
}

/**
 * Reads a push's fields.
 * @param context.text the (decrypted) body, for the key of a push that names nothing else
 * @param context.now seconds since 1970, for a push without CreateTime
 */
export function readMessage(
  fields: Fields,
  context: { text: string; now: number; starts: ReadonlyMap<string, boolean> },
): Reading {
  const user = textOf(fields, 'FromUserName') ?? '';
  const type = typeOf(fields);
  if (type === null || !openid.test(user)) return { key: digest(context.text), happenings: [] };
  const key = messageKey(user, fields, context.text);
  const name = type.toLowerCase();
  const on = handoffs.get(name);
  if (on !== undefined) return { key, happenings: [{ is: 'handoff', user, on }] };
  if (name === 'event.unsubscribe') return { key, happenings: [{ is: 'left', user }] };
  const kind = kinds.get(name) ?? background;
  const opensTurn = context.starts.get(name) ?? kind.opensTurn;
  const sentAt = secondsOf(fields) ?? context.now;
  const messageId = messageIdOf(fields);
  // Whoever lets a kind open turns says that it counts: if not, WeChat answers 45080 and nothing is lost.
  const interaction = kind.interaction || opensTurn;
  return {
    key,
    happenings: [{ is: 'inbound', user, key, messageId, type, sentAt, opensTurn, interaction }],
  };
}

/**
 * The same for every repeat of a push: by MsgId; else by its sender and all its bytes, decrypted. WeChat says "sender and
 * time", but two events of one second may differ in any field, and a second one that passes for a repeat is lost:
 * https://github.com/binarywang/WxJava/issues/2705
 * https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html
 * At most 200 characters, none of them ":".
 */
function messageKey(user: string, fields: Fields, text: string): string {
  const messageId = textOf(fields, 'MsgId');
  return messageId ? turnOf(user, messageId) : plainOrDigest([user, digest(text)]);
}

/** WeChat's are numbers of 64 bits. A longer one would only fill Redis: its message goes by its {@link messageKey}. */
function messageIdOf(fields: Fields): string | null {
  const id = textOf(fields, 'MsgId');
  return id !== null && id.length <= 64 ? id : null;
}

/** The turn that a user's message opens, by its MsgId. */
export function turnOf(user: string, messageId: string): string {
  return plainOrDigest([user, messageId]);
}

function plainOrDigest(parts: readonly string[]): string {
  const plain = parts.join('-');
  return /^[\w@.-]{1,200}$/.test(plain) ? plain : digest(JSON.stringify(parts));
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function typeOf(fields: Fields): string | null {
  const kind = textOf(fields, 'MsgType') ?? '';
  const type = kind.toLowerCase() === 'event' ? `event.${textOf(fields, 'Event') ?? ''}` : kind;
  return /^[\w.-]{1,100}$/.test(type) ? type : null;
}

function secondsOf(fields: Fields): number | null {
  const time = textOf(fields, 'CreateTime');
  return time !== null && /^\d{1,12}$/.test(time) ? Number(time) : null;
}
