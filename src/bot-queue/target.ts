import { z } from 'zod';
import { type Channel, channels } from '../core/platform.ts';
import { keys } from '../redis/keys.ts';
import { readStored } from '../redis/stored.ts';

/** The commands on keeptyping's own Redis. */
export interface MemoryCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
}

/** What outlives the process that follows the bot's queue. */
export interface BotQueueMemory {
  /** The last event that was handled; null: none ever was, or what stands there is no id. */
  cursor(): Promise<string | null>;
  saveCursor(id: string): Promise<void>;
  /** Keeps what a running job's data names: the job may be gone when it ends. */
  learn(jobId: string, named: BotJobTarget): Promise<void>;
  recall(jobId: string): Promise<BotJobTarget>;
  forget(jobId: string): Promise<void>;
}

/** No answer is expected for longer; most jobs are forgotten when they end (ms). */
const learnedKept = 24 * 60 * 60_000;

/** @param queue The queue as its keys begin: `bull:answers`. */
export function createBotQueueMemory(redis: MemoryCommands, queue: string): BotQueueMemory {
  const cursorKey = keys.botQueue.cursor(queue);
  const jobKey = (jobId: string): string => keys.botQueue.job(queue, jobId);
  return {
    cursor: async () => {
      const id = await redis.get(cursorKey);
      // Redis refuses to read on from anything else, again and again.
      return id !== null && /^\d+-\d+$/.test(id) ? id : null;
    },
    saveCursor: async (id) => {
      await redis.set(cursorKey, id);
    },
    learn: async (jobId, named) => {
      await redis.set(jobKey(jobId), JSON.stringify(named), 'PX', learnedKept);
    },
    recall: async (jobId) => parseNamed(await redis.get(jobKey(jobId))),
    forget: async (jobId) => {
      await redis.del(jobKey(jobId));
    },
  };
}

/** How far the events have been handled. */
export interface Progress {
  at(): string;
  handled(id: string): void;
  /** This event is not handled yet, whatever is handled after it: another process would begin with it. */
  hold(id: string): { release(): void };
  /** Saves what is not saved. */
  flush(): Promise<void>;
}

/** At most one write in so many ms. */
const savePause = 100;

/**
 * Saves the cursor now and then, after what it stands for; a fault is made good by the next save.
 * @param from The event before the first to be handled.
 */
export function createProgress(from: string, save: (id: string) => Promise<void>): Progress {
  let at = from;
  let saved: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  // Each stands for the event before the one that is held. A set keeps their order, which is the stream's.
  const held = new Set<{ before: string }>();
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const [oldest] = held;
    const id = oldest?.before ?? at;
    if (id === saved) return;
    await save(id);
    saved = id;
  };
  const moved = (): void => {
    timer ??= setTimeout(() => void flush().catch(() => {}), savePause);
  };
  return {
    at: () => at,
    flush,
    handled: (id) => {
      at = id;
      moved();
    },
    hold: (id) => {
      const hold = { before: at };
      held.add(hold);
      at = id;
      return {
        release: () => {
          held.delete(hold);
          moved();
        },
      };
    },
  };
}

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
  channel: z.enum(channels).optional().catch(undefined),
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
  return readStored(named, json.replace(numericId, '$1"$2"')) ?? {};
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
