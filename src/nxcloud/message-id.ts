/** Message ids: as keys, and with the business phone that they came to. */
import { createHash } from 'node:crypto';

/** A message id as a key: as it is, unless it is long or holds what keys may not (":"). */
export function keyOf(id: string): string {
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

export function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}
