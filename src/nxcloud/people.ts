/**
 * Who is who. WhatsApp names one person by phone number, by a business-scoped user id (BSUID) and by that id's parent, in
 * changing company; a push may name any of them. NXCloud flattens Meta's envelopes; where it puts these names is not
 * known in full, so all of Meta's places are read.
 * https://developers.facebook.com/docs/whatsapp/business-scoped-user-ids, https://www.dualhook.com/docs/contacts-bsuid-webhooks,
 * https://github.com/nxtele/nxcloud-doc-en/wiki/SAAS-WhatsApp-API-webhook
 */
import { type Fields, isFields } from '../core/wire.ts';

export interface Person {
  /** The phone number where it is known, else the BSUID. */
  user: string;
  /** What else the push calls that user; absent: nothing. */
  names?: readonly string[];
}

/** Who wrote a message. */
export function senderOf(message: Fields, contacts: readonly Fields[]): Person | null {
  const { from, from_user_id, user_id, from_parent_user_id, parent_user_id } = message;
  const names = [from_user_id, user_id, from_parent_user_id, parent_user_id];
  return personOf([...newNames(message.system), from], names, contacts);
}

/** To whom the message of a status went. */
export function recipientOf(status: Fields, contacts: readonly Fields[]): Person | null {
  const { recipient_id, recipient_user_id, user_id } = status;
  const parents = [status.recipient_parent_user_id, status.parent_recipient_user_id, status.parent_user_id];
  return personOf([recipient_id], [recipient_user_id, user_id, ...parents], contacts);
}

/** To whom a human has written from the phone app. */
export function addresseeOf(echo: Fields): Person | null {
  const { to, to_user_id, user_id, recipient, recipient_user_id } = echo;
  const parents = [echo.to_parent_user_id, echo.recipient_parent_user_id, echo.parent_user_id];
  return personOf([to], [to_user_id, recipient_user_id, recipient, user_id, ...parents], []);
}

/** Whose id has become another one: `user_id_update` names the `previous` and the `current`, and mostly the phone. */
export function changedOf({ wa_id, user_id, parent_user_id }: Fields): Person | null {
  const ids = [user_id, parent_user_id].flatMap((id) => (isFields(id) ? [id.current, id.previous] : [id]));
  return personOf([wa_id], ids, []);
}

/**
 * The new names first: `wa_id` and `user_id` of a `system` message take the place of what it calls previous.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system/
 */
function newNames(system: unknown): unknown[] {
  if (!isFields(system)) return [];
  const { wa_id, new_wa_id, user_id, parent_user_id, customer, body } = system;
  return [
    wa_id,
    new_wa_id,
    user_id,
    parent_user_id,
    customer,
    system.previous_user_id,
    system.previous_parent_user_id,
    ...namesSaid(body),
  ];
}

/** Of a changed id Meta says the old one in words only, and then there may be no `from`: "User A changed from … to …". */
function namesSaid(body: unknown): string[] {
  const [, old = '', current = ''] =
    /\bchanged from (\S+) to (\S+?)\.?$/.exec(typeof body === 'string' ? body : '') ?? [];
  return [current, old].filter((name) => /^(?:\+?\d{5,15}|[A-Z]{2}\.[\w.]+)$/.test(name));
}

/**
 * `first`: the names that must be one, where they are there at all: one that is none is the sender's mistake, and no
 * ground for guessing.
 */
function personOf(
  first: readonly unknown[],
  others: readonly unknown[],
  contacts: readonly Fields[],
): Person | null {
  if (first.some((name) => !isAbsent(name) && userOf(name) === null)) return null;
  const named = namesIn([...first, ...others]);
  const contact = contactOf(named, contacts);
  const all = [...new Set([...named, ...(contact ? namesOf(contact) : [])])];
  const user = all.find(isPhone) ?? all[0];
  if (user === undefined) return null;
  const names = all.filter((name) => name !== user);
  return names.length > 0 ? { user, names } : { user };
}

/** The contact that bears one of these names; who has none is the only one there is, and so is whom nothing contradicts. */
function contactOf(named: readonly string[], contacts: readonly Fields[]): Fields | null {
  const known = contacts.find((contact) => namesOf(contact).some((name) => named.includes(name)));
  if (known) return known;
  const [only, ...more] = contacts;
  if (!only || more.length > 0) return null;
  const isOther = (is: (name: string) => boolean): boolean => named.some(is) && namesOf(only).some(is);
  return isOther(isPhone) || isOther(isId) ? null : only;
}

export function namesOf({ wa_id, user_id, parent_user_id }: Fields): string[] {
  return namesIn([wa_id, user_id, parent_user_id]);
}

function namesIn(values: readonly unknown[]): string[] {
  return values.map(userOf).filter((name) => name !== null);
}

function isPhone(name: string): boolean {
  return /^\d+$/.test(name);
}

function isId(name: string): boolean {
  return !isPhone(name);
}

export function isAbsent(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** Longer than any id or phone number that WhatsApp gives; longer ones would only fill Redis. */
const longestId = 1024;

/** What can be an id: a string, or a whole number, which some write. */
export function idOf(value: unknown): string | null {
  const id = Number.isSafeInteger(value) ? String(value) : value;
  return typeof id === 'string' && id !== '' && id.length <= longestId ? id : null;
}

/** A user's name: a phone number without "+", as in `messages[].from`, in its one spelling; or a BSUID. */
export function userOf(value: unknown): string | null {
  const id = idOf(idOf(value)?.replace(/^\+/, ''));
  return id === null ? null : spelled(id);
}

/**
 * Some countries' mobile numbers are written in two ways, and WhatsApp's own id of a user can be either: Mexico with and
 * without a 1, Argentina with and without a 9, Brazil with and without the ninth digit, which was put before numbers
 * that begin with 6 to 9. Here they have the shorter spelling.
 * https://support.gupshup.io/hc/en-us/articles/4413210201625, https://github.com/chatwoot/chatwoot/issues/13932
 *
 * @example spelled('5215550100002') // '525550100002'
 */
export function spelled(user: string): string {
  const [, country, rest] = twoWays.map((way) => way.exec(user)).find((match) => match !== null) ?? [];
  return country === undefined || rest === undefined ? user : country + rest;
}

const twoWays = [/^(52)1(\d{10})$/, /^(54)9(\d{10})$/, /^(55\d\d)9([6-9]\d{7})$/];

/** A phone number's digits. */
export function phoneOf(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : idOf(value);
  return idOf(text?.replace(/\D/g, ''));
}
