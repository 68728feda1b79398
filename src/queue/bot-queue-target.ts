import { z } from 'zod';
import type { Channel } from '../core/platform.ts';

/** Whose turn a job of the bot's belongs to: at least `{channel, account, user}` or `{messageId}`. */
export interface BotJobTarget {
  channel?: Channel | undefined;
  account?: string | undefined;
  user?: string | undefined;
  /** The platform's id of the message: MsgId, wamid. */
  messageId?: string | undefined;
}

/** No platform's ids are longer. Something else is no fault of the bot's: it uses the field for something of its own. */
const id = z.string().min(1).max(512).optional().catch(undefined);

const named = z.object({
  channel: z.enum(['wechat', 'nxcloud']).optional().catch(undefined),
  account: id,
  user: id,
  messageId: id,
});

/** Bots in other languages write MsgId as a number, which has more digits than JavaScript's numbers keep. */
const numericId = /("(?:messageId|user|account)"\s*:\s*)(\d+)(?=\s*[,}])/g;

/**
 * What a job's data or return value names, at its top level; nothing when it is no JSON object.
 * @param json As BullMQ stores it: https://docs.bullmq.io/guide/jobs
 */
export function parseNamed(json: string | null): BotJobTarget {
  if (json === null) return {};
  const parsed = named.safeParse(parseJson(json.replace(numericId, '$1"$2"')));
  return parsed.success ? parsed.data : {};
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** The newer word counts, field by field. */
export function merge(older: BotJobTarget, newer: BotJobTarget): BotJobTarget {
  return {
    channel: newer.channel ?? older.channel,
    account: newer.account ?? older.account,
    user: newer.user ?? older.user,
    messageId: newer.messageId ?? older.messageId,
  };
}

export function namesSomething({ channel, user, messageId }: BotJobTarget): boolean {
  return messageId !== undefined || (channel !== undefined && user !== undefined);
}

/** BullMQ takes no number for an id, so bots put something before or behind a MsgId, which is a 64-bit one. */
const msgId = /(?<!\d)\d{15,20}(?!\d)/;

/**
 * The targets that a job may have, the one to be tried first first: the message that is named; the one whose id is the
 * job's id or stands in it; the user that is named.
 */
export function targetsOf(
  { channel, account, user, messageId }: BotJobTarget,
  jobId: string,
): BotJobTarget[] {
  const someone =
    channel !== undefined && user !== undefined ? { channel, account: account ?? 'default', user } : null;
  const place = { ...(channel && { channel }), ...(account !== undefined && { account }) };
  const ids = new Set([jobId, ...(msgId.exec(jobId) ?? [])]);
  const byJob = [...ids].map((id) => ({ ...place, messageId: id }));
  const message = messageId === undefined ? [] : [{ ...(someone ?? place), messageId }];
  // An id of the bot's own may stand where the platform's is looked for.
  return [...message, ...byJob, ...(someone ? [someone] : [])];
}
