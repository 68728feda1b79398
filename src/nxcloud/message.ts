/**
 * NXCloud's webhook bodies: a flat envelope, not Meta's `object/entry/changes`. Messages and statuses may stand in one
 * body, several of each; accounts and templates report as `{field, value}`, calls as `calls[]`.
 * https://github.com/nxtele/http-api-document/wiki/WhatsApp-API-webhook
 */
import { createHash } from 'node:crypto';
import type { Happening } from '../core/platform.ts';
import { exactFieldsOf, type Fields, isFields } from '../core/wire.ts';

export interface Reading {
  /** The account names no business phone: each message id carries that of its push. */
  carryPhone: boolean;
  opensTurn: (type: string) => boolean;
  /** The `sent` of a marketing or utility template is an answer. */
  templateEnds: boolean;
}

/** What a push says, in its order. What is not understood is left out: the bot gets the push all the same. */
export function happeningsOf(body: Fields, reading: Reading): Happening[] {
  const contacts = listOf(body.contacts);
  const phone = reading.carryPhone ? businessPhoneOf(body) : null;
  return [
    ...listOf(body.messages).map((message) => inboundOf(message, contacts, { ...reading, phone })),
    ...listOf(body.statuses).map((status) => sentOf(status, contacts, reading.templateEnds)),
    ...echoesOf(body).map(echoOf),
  ].filter((happening) => happening !== null);
}

function inboundOf(
  message: Fields,
  contacts: Fields[],
  { opensTurn, phone }: Reading & { phone: string | null },
): Happening | null {
  const id = idOf(message.id);
  const user = personOf([message.from, message.from_user_id, message.user_id], contacts);
  // Meta documents no typing in groups: https://developers.facebook.com/docs/whatsapp/cloud-api/groups
  if (id === null || user === null || !isAbsent(message.group_id)) return null;
  const type = typeOf(message.type);
  return {
    is: 'inbound',
    user,
    key: keyOf(id),
    messageId: joinMessageId(id, phone),
    type,
    sentAt: secondsOf(message.timestamp),
    opensTurn: opensTurn(type),
    // A `system` message (a changed number) is WhatsApp's; all others are the user's, and open the 24 h window.
    interaction: type !== 'system',
  };
}

/** Only `sent`: `delivered` and `read` may arrive late, for an older message, after a new inbound one. */
function sentOf(status: Fields, contacts: Fields[], templateEnds: boolean): Happening | null {
  if (status.status !== 'sent' || status.recipient_type === 'group') return null;
  if (isCampaign(status) && !templateEnds) return null;
  const user = personOf([status.recipient_id, status.recipient_user_id, status.user_id], contacts);
  return user === null
    ? null
    : {
        is: 'evidence',
        user,
        evidence: 'status',
        sentAt: secondsOf(status.timestamp),
        messageId: idOf(status.id),
      };
}

/** Templates of these kinds are sent by campaigns and shops, whoever waits for an answer meanwhile. */
const campaigns: readonly unknown[] = ['marketing', 'utility'];

/** https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages/status: an older and a newer place. */
function isCampaign({ pricing, conversation }: Fields): boolean {
  const said = [fieldsOf(pricing).category, fieldsOf(fieldsOf(conversation).origin).type];
  return said.some((word) => typeof word === 'string' && campaigns.includes(word.toLowerCase()));
}

/** A human answered from the phone. Meta: webhooks/reference/smb_message_echoes. NXCloud's place for them is not known. */
function echoesOf(body: Fields): Fields[] {
  if (Array.isArray(body.message_echoes)) return listOf(body.message_echoes);
  return body.field === 'smb_message_echoes' ? listOf(fieldsOf(body.value).message_echoes) : [];
}

/** These speak of an older message: they answer nothing. */
const noAnswers: readonly unknown[] = ['edit', 'revoke', 'reaction'];

function echoOf(echo: Fields): Happening | null {
  if (noAnswers.includes(echo.type) || !isAbsent(echo.group_id) || echo.recipient_type === 'group')
    return null;
  const user = personOf([echo.to, echo.to_user_id, echo.user_id], []);
  return user === null
    ? null
    : { is: 'evidence', user, evidence: 'echo', sentAt: secondsOf(echo.timestamp), messageId: idOf(echo.id) };
}

/**
 * Who it is about: the phone number, else the BSUID beside it; else, for anonymous users whose id stands only in
 * `contacts`, the one contact. With several contacts nothing says whose message it is.
 * https://github.com/nxtele/nxcloud-doc-en/wiki/SAAS-WhatsApp-API-webhook
 */
function personOf([phone, ...others]: readonly unknown[], contacts: Fields[]): string | null {
  // A phone that is there but is none: the sender's mistake, and no ground for guessing.
  if (!isAbsent(phone) && userOf(phone) === null) return null;
  const named = [phone, ...others].map(userOf).find((user) => user !== null);
  if (named !== undefined) return named;
  const [contact, ...more] = contacts;
  return contact && more.length === 0 ? (userOf(contact.wa_id) ?? userOf(contact.user_id)) : null;
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** The platform's word, as far as it can be one: types become labels. */
function typeOf(type: unknown): string {
  return typeof type === 'string' && /^\w{1,40}$/.test(type) ? type : 'unknown';
}

/** The business phone's digits that a push names: old shapes have `merchant_phone` only, `{field, value}` has it inside. */
export function businessPhoneOf(body: Fields): string | null {
  const value = fieldsOf(body.value);
  return [
    body.business_phone,
    body.merchant_phone,
    fieldsOf(body.metadata).display_phone_number,
    value.business_phone,
    value.merchant_phone,
    fieldsOf(value.metadata).display_phone_number,
  ].reduce<string | null>((found, candidate) => found ?? phoneOf(candidate), null);
}

/** The app's number, which some envelopes write as a number and some as a text. */
export function appIdOf(body: Fields): string | null {
  return [body.app_id, fieldsOf(body.value).app_id].reduce<string | null>((found, each) => {
    const id = typeof each === 'number' ? String(each) : each;
    return found ?? (typeof id === 'string' && /^\d{1,20}$/.test(id) ? id : null);
  }, null);
}

/** The push's key: made of its messages' and statuses' ids, which every repeat has; without messages, of its bytes. */
export function pushKeyOf(body: Fields, raw: Uint8Array): string {
  const messages = namesOf(body.messages, (message) => message.id);
  const statuses = namesOf(
    body.statuses,
    (status) => status.id,
    (status) => status.status,
  );
  // One entry without an id makes the ids useless: another push could have the same others.
  if (messages === null || statuses === null || messages.length === 0) return sha256(raw);
  return sha256(JSON.stringify([messages.sort(), statuses.sort()]));
}

function namesOf(list: unknown, ...parts: ((entry: Fields) => unknown)[]): string[] | null {
  if (!Array.isArray(list)) return [];
  const names = list.map((entry) => parts.map((part) => idOf(part(fieldsOf(entry)))));
  return names.flat().includes(null) ? null : names.map((name) => name.join(' '));
}

/** Reading JSON whose shape nobody guarantees: what is not as expected is absent. Nothing here throws. */

/** Longer than any id or phone number that WhatsApp gives; longer ones would only fill Redis. */
const longestId = 1024;

/** null when the bytes are not JSON, or JSON of another kind than an object. */
export function parseFields(bytes: Uint8Array): Fields | null {
  return exactFieldsOf(new TextDecoder().decode(bytes));
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The objects of an array. */
export function listOf(value: unknown): Fields[] {
  return Array.isArray(value) ? value.filter(isFields) : [];
}

/** What can be an id: a string, or a whole number, which some write. */
export function idOf(value: unknown): string | null {
  const id = Number.isSafeInteger(value) ? String(value) : value;
  return typeof id === 'string' && id !== '' && id.length <= longestId ? id : null;
}

/** A user's id: a phone number without "+", as in `messages[].from`, or a BSUID. */
export function userOf(value: unknown): string | null {
  return idOf(idOf(value)?.replace(/^\+/, ''));
}

/** A phone number's digits. */
export function phoneOf(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : idOf(value);
  return idOf(text?.replace(/\D/g, ''));
}

/** Whole seconds since 1970, which NXCloud writes as a string; 0 when it says none. */
function secondsOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && /^\d{1,12}$/.test(text) ? Number(text) : 0;
}

/** An error or result code: `100.0` is 100, and so is `"100"`. */
export function readCode(value: unknown): number | null {
  const code = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof code === 'number' && Number.isSafeInteger(code) ? code : null;
}

/** Message ids: as keys, and with the business phone that they came to. */

/** A message id as a key: as it is, unless it is long or holds what keys may not (":"). */
function keyOf(id: string): string {
  return /^[\w.=+/-]{1,200}$/.test(id) ? id : sha256(id);
}

/** What a message id that somebody else names stands for: the turn, and the id with the phone that a push brought. */
export function refer(messageId: string, known: string | null): { turn: string; messageId: string } {
  const { id } = splitMessageId(messageId);
  const phone = known === null ? null : splitMessageId(known).phone;
  return { turn: keyOf(id), messageId: joinMessageId(id, phone) };
}

/**
 * `<message id>@<business phone>`, or the bare id without a phone. The typing call names the business phone, but is made
 * later by another process that knows only the message id; so an account that is configured without its phone takes
 * it along. No WhatsApp message id holds an "@" (they are base64). Taken apart by {@link splitMessageId}.
 */
export function joinMessageId(id: string, phone: string | null): string {
  return phone === null ? id : `${id}@${phone}`;
}

/** Takes apart what {@link joinMessageId} put together. */
export function splitMessageId(messageId: string): { id: string; phone: string | null } {
  const [, id, phone] = /^(.+)@(\d+)$/s.exec(messageId) ?? [];
  return id && phone ? { id, phone } : { id: messageId, phone: null };
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
