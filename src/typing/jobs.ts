/** The jobs of both queues: what stands in Redis, as JSON. */
import type { Conversation } from '../core/platform.ts';
import type { Event } from '../core/state.ts';
import type { HeaderLines, RawPush } from '../core/wire.ts';

/** Every event is a job of its own: an event that is added while another is at work is never lost. */
export interface TypingJob {
  conversation: Conversation;
  event: Event;
  /** The sender whose block ends with this event. */
  release?: string;
}

/** A push for the bot: called once, its answer delivered once. */
export interface ReplyJob {
  channel: Conversation['channel'];
  account: string;
  /** The push's key within the account. */
  key: string;
  /** Whom a late answer goes to; null: the push names nobody. */
  user: string | null;
  turns: { user: string; turn: string }[];
  /** So often the bot was called by earlier lives of the job: before its process had to stop, or before it failed. */
  calls?: number;
  /** When the push arrived (ms). */
  arrivedAt?: number;
  push: { method: string; rawQuery: string; headers: HeaderLines; body: string };
}

/** A bigger push is forwarded without being stored: Redis may be as small as 25 MB. In bytes. */
export const storedPushLimit = 64 * 1024;

export function storePush(push: RawPush): ReplyJob['push'] {
  const { method, rawQuery, headers, body } = push;
  return { method, rawQuery, headers, body: Buffer.from(body).toString('base64') };
}

export function restorePush(push: ReplyJob['push']): RawPush {
  return { ...push, body: Buffer.from(push.body, 'base64') };
}

const day = 24 * 60 * 60;

/** Jobs leave no trace but failed ones: a day, at most a thousand. Ages in seconds, as BullMQ counts them. */
export const leaveNoTrace = { removeOnComplete: true, removeOnFail: { age: day, count: 1000 } } as const;

/** A stall never fails a job: it is what a crash looks like from outside. */
const maxStalledCount = 1_000_000;

/** Locked so shortly that the jobs of a dead process go on elsewhere within seconds. All in ms. */
export const lockOptions = {
  replies: { lockDuration: 5_000, stalledInterval: 2_500, maxStalledCount },
  // A call in flight when its process died keeps its conversation waiting for just as long.
  typing: { lockDuration: 2_500, stalledInterval: 1_000, maxStalledCount },
} as const;
