/**
 * NXCloud's webhook bodies: a flat envelope, not Meta's `object/entry/changes`. Messages and statuses may stand in one
 * body, several of each; accounts and templates report as `{field, value}`, calls as `calls[]`.
 * https://github.com/nxtele/http-api-document/wiki/WhatsApp-API-webhook
 */
import { createHash } from 'node:crypto';
import type { Happening } from '../core/platform.ts';
import { exactFieldsOf, type Fields, isFields } from '../core/wire.ts';
import {
  addresseeOf,
  changedOf,
  idOf,
  isAbsent,
  type Person,
  phoneOf,
  recipientOf,
  senderOf,
} from './people.ts';

export interface Reading {
  /** The account names no business phone: each message id carries that of its push. */
  carryPhone: boolean;
  opensTurn: (type: string) => boolean;
  /** The `sent` of a marketing or utility template is an answer. */
  templateEnds: boolean;
  /** A group is a conversation of its own; else what is said in one is nobody's. */
  groups: boolean;
}

type Read = Reading & { contacts: Fields[]; phone: string | null };

/** Numbers of country code 1 never begin with 0: nobody has it, and the doctor writes by it. */
export const nobody = '10000000000';

/** What a push says, in its order. What is not understood is left out: the bot gets the push all the same. */
export function happeningsOf(body: Fields, reading: Reading): Happening[] {
  const phone = reading.carryPhone ? businessPhoneOf(body) : null;
  const read = { ...reading, contacts: listOf(body.contacts), phone };
  return [
    ...changesOf(body).map(changeOf),
    ...listOf(body.messages).map((message) => inboundOf(message, read)),
    ...listOf(body.statuses).map((status) => statusOf(status, read)),
    ...echoesOf(body).map((echo) => echoOf(echo, read)),
  ].filter((happening) => happening !== null);
}

/** How long the longest of its lists is: what there is to read, before anything of it is read. */
export function entriesOf(body: Fields): number {
  const { messages, statuses, contacts, message_echoes: echoes, user_id_update } = body;
  const value = fieldsOf(body.value);
  const lists = [
    messages,
    statuses,
    contacts,
    echoes,
    value.message_echoes,
    user_id_update,
    value.user_id_update,
  ];
  return Math.max(0, ...lists.map((list) => (Array.isArray(list) ? list.length : 0)));
}

function inboundOf(message: Fields, read: Read): Happening | null {
  const { contacts, phone, opensTurn } = read;
  const id = idOf(message.id);
  const person = isAbsent(message.group_id) ? senderOf(message, contacts) : groupOf(message.group_id, read);
  if (id === null || person === null) return null;
  const type = typeOf(message.type);
  return {
    is: 'inbound',
    ...person,
    ...(phone === null ? {} : { to: phone }),
    key: keyOf(id),
    messageId: joinMessageId(id, phone),
    type,
    sentAt: secondsOf(message.timestamp),
    opensTurn: opensTurn(type),
    // A `system` message (a changed number) is WhatsApp's; all others are the user's, and open the 24 h window.
    interaction: type !== 'system',
  };
}

/** Where NXCloud puts them is not known. Meta: business-scoped-user-ids, "user_id_update". */
function changesOf(body: Fields): Fields[] {
  return [body, fieldsOf(body.value)].flatMap(({ user_id_update }) => listOf(user_id_update));
}

/** Nobody has written, but whose names they are is known from now on. */
function changeOf(change: Fields): Happening | null {
  const person = changedOf(change);
  const [type, key] = ['user_id_update', sha256(JSON.stringify(person))];
  const nothing = { messageId: null, type, opensTurn: false, interaction: false };
  return person && { is: 'inbound', ...person, ...nothing, key, sentAt: secondsOf(change.timestamp) };
}

/** Meta documents no typing in groups: https://developers.facebook.com/docs/whatsapp/cloud-api/groups */
function groupOf(id: unknown, { groups }: Read): Person | null {
  const user = groups ? idOf(id) : null;
  return user === null ? null : { user };
}

/**
 * What a status says of its message, and by how many seconds its time may be off. `sent` is of Meta's other clock. That a
 * message was delivered or read tells that it was sent, of which nothing may have been heard; but it may be an older one,
 * from before the user wrote: only what is later counts.
 * https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/messages/status
 */
const slackOf = new Map<unknown, number>([
  ['sent', 2],
  ['delivered', -1],
  ['read', -1],
]);

function statusOf(status: Fields, read: Read): Happening | null {
  const slack = slackOf.get(status.status);
  if (slack === undefined && status.status !== 'failed') return null;
  const isGroups = status.recipient_type === 'group';
  const person = isGroups ? groupOf(status.recipient_id, read) : recipientOf(status, read.contacts);
  if (person === null) return null;
  const id = idOf(status.id);
  if (isCampaign(status) && !read.templateEnds) return asideOf(person, id);
  const message = { sentAt: secondsOf(status.timestamp), messageId: id, ...fromOf(read) };
  return slack === undefined
    ? { is: 'failed', ...person, ...message }
    : { is: 'evidence', ...person, evidence: 'status', ...message, slack };
}

function fromOf({ phone }: Read): { from?: string } {
  return phone === null ? {} : { from: phone };
}

/** Templates of these kinds are sent by campaigns and shops, whoever waits for an answer meanwhile. */
const campaigns: readonly unknown[] = ['marketing', 'marketing_lite', 'utility'];

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

function echoOf(echo: Fields, read: Read): Happening | null {
  const isGroups = !isAbsent(echo.group_id) || echo.recipient_type === 'group';
  const person = isGroups
    ? groupOf(isAbsent(echo.group_id) ? echo.to : echo.group_id, read)
    : addresseeOf(echo);
  if (person === null) return null;
  const id = idOf(echo.id);
  if (noAnswers.includes(echo.type)) return asideOf(person, id);
  const message = { sentAt: secondsOf(echo.timestamp), messageId: id, ...fromOf(read) };
  return { is: 'evidence', ...person, evidence: 'echo', ...message };
}

/** Not each thing that is told of it later says what it was: a `read` has no price. */
function asideOf(person: Person, messageId: string | null): Happening | null {
  return messageId === null ? null : { is: 'aside', ...person, messageId };
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
