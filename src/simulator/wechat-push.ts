/** WeChat's pushes to a webhook: signed, encrypted where the account is so, repeated when nobody takes them. */
import { deliver, type Delivery, isAccepted, withQuery } from './deliver.ts';
import { type Random, randomText } from './faults.ts';
import type { Phones } from './phones.ts';
import type { WechatAccountOptions } from './wechat-account.ts';
import { readPassive } from './wechat-answer.ts';
import type { Contacts, WechatRules } from './wechat-rules.ts';
import { encrypt, type Field, type Fields, renderBody, sha1Signature } from './wechat-sealed.ts';

export interface WechatMessage {
  user: string;
  /** MsgType. @default text */
  type?: string;
  /** Content of a text. */
  text?: string;
  /** Further fields, such as `{ Event: 'CLICK', EventKey: 'menu' }`. */
  fields?: Fields;
  /** Given again, the push is a repeat: the user has not written a second time. @default a new one; events have none */
  msgId?: string;
}

export interface WechatPushed {
  msgId: string | null;
  deliveries: Delivery[];
  /** The body that ended the repeats, or null. */
  answered: Buffer | null;
}

interface WechatPushOptions extends WechatAccountOptions {
  kind: 'official' | 'mini';
  rules: WechatRules;
  phones: Phones;
  contacts: Contacts;
  /** MsgIds that have been pushed, and by whom. */
  pushed: Map<string, string>;
  webhook: { url: string | null };
  now: () => number;
  random: Random;
  closing: AbortSignal;
}

/** One delivery, ready for the wire. */
interface RenderedPush {
  query: string;
  headers: Record<string, string>;
  body: string;
}

/** Resolves when the push is accepted or given up. @throws Error when no webhook URL is known. */
export async function push(options: WechatPushOptions, message: WechatMessage): Promise<WechatPushed> {
  const url = options.webhook.url;
  if (url === null) throw new Error('No webhook URL is set: call connect(url) first.');
  const fields = messageFields(options, message);
  const msgId = asWord(fields['MsgId']);
  hear(options, message, msgId);
  const deliveries: Delivery[] = [];
  while (deliveries.length < options.rules.deliveries && !options.closing.aborted) {
    const { query, headers, body } = renderPush(options, message.user, fields);
    const { pushTimeout: timeoutMs } = options.rules;
    const post = {
      method: 'POST',
      url: withQuery(url, query),
      headers,
      body,
      timeoutMs,
      signal: options.closing,
    } as const;
    const delivery = await deliver(post, options.now);
    deliveries.push(delivery);
    if (isAccepted(delivery)) break;
  }
  const answered = deliveries.filter(isAccepted).at(-1)?.body ?? null;
  if (!options.closing.aborted) show(options, message.user, answered);
  return { msgId, deliveries, answered };
}

function messageFields(options: WechatPushOptions, message: WechatMessage): Fields {
  const { user, type = 'text', text, msgId } = message;
  const id = msgId ?? (type === 'event' ? null : `24${randomText(options.random, 15, '0123456789')}`);
  return {
    ToUserName: options.originalId,
    FromUserName: user,
    CreateTime: Math.floor(options.now() / 1000),
    MsgType: type,
    ...(text === undefined ? {} : { Content: text }),
    ...message.fields,
    ...(id === null ? {} : { MsgId: /^\d+$/.test(id) ? BigInt(id) : id }),
  };
}

function asWord(field: Field | undefined): string | null {
  return field === undefined || typeof field === 'object' ? null : String(field);
}

function hear(options: WechatPushOptions, message: WechatMessage, msgId: string | null): void {
  if (msgId !== null && options.pushed.has(msgId)) return;
  if (msgId !== null) options.pushed.set(msgId, message.user);
  const event = message.type === 'event' ? (asWord(message.fields?.['Event']) ?? 'event') : null;
  options.contacts.heard(message.user, event);
  options.phones.of(message.user).mark('sent', message.text ?? `[${event ?? message.type ?? 'text'}]`);
}

/** Each delivery is signed and encrypted anew: no page says that repeats are equal byte by byte. */
function renderPush(
  options: WechatAccountOptions & Pick<WechatPushOptions, 'now' | 'random'>,
  user: string,
  fields: Fields,
): RenderedPush {
  const { token, mode, format, random } = options;
  const timestamp = String(Math.floor(options.now() / 1000));
  const nonce = `1${randomText(random, 9, '0123456789')}`;
  const signed = { signature: sha1Signature(token, timestamp, nonce), timestamp, nonce, openid: user };
  const headers = {
    'content-type': format === 'xml' ? 'text/xml' : 'application/json',
    'user-agent': 'Mozilla/4.0',
  };
  const plain = renderBody(fields, format);
  if (mode === 'plain') return { query: String(new URLSearchParams(signed)), headers, body: plain };
  const Encrypt = encrypt(options, plain, randomText(random, 16));
  const encrypted = { encrypt_type: 'aes', msg_signature: sha1Signature(token, timestamp, nonce, Encrypt) };
  const query = String(new URLSearchParams({ ...signed, ...encrypted }));
  const outer = mode === 'secure' ? { ToUserName: options.originalId, Encrypt } : { ...fields, Encrypt };
  return { query, headers, body: renderBody(outer, format) };
}

function show(options: WechatPushOptions, user: string, answered: Buffer | null): void {
  const phone = options.phones.of(user);
  if (answered === null) return phone.mark('notice', 'no answer');
  const passive = readPassive(options, user, answered);
  if (passive.is === 'garbage') phone.mark('notice', passive.why);
  if (passive.is === 'handover') phone.mark('handed-over', '');
  // Messages to the users of Mini Programs go through the API only.
  if (passive.is !== 'message' || options.kind === 'mini') return;
  phone.receive(passive.detail, 'passive');
  options.contacts.told(user, false);
}
