/** The jobs of both queues: what stands in Redis, as JSON. How releases read each other's: redis/stored.ts. */
import { z } from 'zod';
import { channels, type Conversation } from '../core/platform.ts';
import type { Event, Evidence, Pause } from '../core/state.ts';
import type { Answer, HeaderLines, RawPush } from '../core/wire.ts';
import { openObject, schemaOf, word } from '../redis/stored.ts';

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
  /**
   * Of a job that failed for good. `unknown`: whether the user has the answer, nobody knows. Absent where the job failed
   * on its way, or under a release that said so in its reason only: then nobody knows either.
   */
  failure?: { unknown: boolean };
  push: { method: string; rawQuery: string; headers: HeaderLines; body: string };
  /** What the bot has answered, where that is still to be sent: of a job that failed after it. */
  answer?: StoredAnswer;
  /** So much of it is out, as the platform counts. */
  sentUpTo?: number;
}

interface StoredAnswer {
  status: number;
  headers: HeaderLines;
  /** base64 */
  body: string;
}

const at = z.number();
const turn = z.string();

/** What is told by a job; the outcomes of calls are judged by whoever made them, and who joins conversations has both. */
type Told = Flat<Exclude<Event, { is: 'outcome' | 'recovered' | 'joined' }>>;
/** Each as one plain object type. */
type Flat<Type> = Type extends unknown ? { [Name in keyof Type]: Type[Name] } : never;

const event = schemaOf<Told>()(
  z.discriminatedUnion('is', [
    openObject({
      is: z.literal('inbound'),
      at,
      turn,
      sentAt: z.number(),
      messageId: z.string().nullable(),
      opensTurn: z.boolean(),
      interaction: z.boolean(),
      phase: z.enum(['working', 'acknowledged', 'passed']),
      to: z.string().exactOptional(),
    }),
    openObject({ is: z.literal('started'), at, turn, messageId: z.string().nullable() }),
    openObject({
      is: z.literal('acknowledged'),
      at,
      turn,
      renew: z.boolean().exactOptional(),
      orphan: z.literal(true).exactOptional(),
    }),
    openObject({ is: z.literal('missed'), at, turn, delivery: z.string().exactOptional() }),
    openObject({ is: z.literal('again'), at, turn }),
    openObject({
      is: z.literal('ended'),
      at,
      turn,
      by: word<Evidence>(),
      message: z.union([z.boolean(), z.literal('out')]),
    }),
    openObject({ is: z.literal('over'), at, by: word<Evidence>(), turns: z.enum(['all', 'acknowledged']) }),
    openObject({ is: z.literal('undelivered'), at }),
    openObject({
      is: z.literal('message'),
      at,
      by: word<Evidence>(),
      sentAt: z.number(),
      id: z.string().nullable(),
      slack: z.number().exactOptional(),
      from: z.string().exactOptional(),
    }),
    openObject({
      is: z.literal('failed'),
      at,
      sentAt: z.number(),
      id: z.string().nullable(),
      from: z.string().exactOptional(),
    }),
    openObject({ is: z.literal('aside'), at, id: z.string() }),
    openObject({ is: z.literal('interaction'), at, sent: z.boolean() }),
    openObject({ is: z.literal('typed'), at, on: z.boolean() }),
    openObject({ is: z.literal('unblocked'), at, doubt: z.boolean() }),
    openObject({ is: z.literal('paused'), at, until: z.number(), by: word<Pause>() }),
    openObject({ is: z.literal('resumed'), at, by: word<Pause>() }),
    openObject({ is: z.literal('left'), at }),
    openObject({ is: z.literal('forgotten'), at }),
    openObject({ is: z.literal('wake'), at, timer: z.number() }),
  ]),
);

const channel = z.enum(channels);

const typingJob = schemaOf<Flat<Omit<TypingJob, 'event'> & { event: Told }>>()(
  openObject({
    conversation: openObject({ channel, account: z.string(), user: z.string() }),
    event,
    release: z.string().exactOptional(),
  }),
);

const headerLines = z.array(z.tuple([z.string(), z.string()]).readonly()).readonly();

const storedAnswer = schemaOf<StoredAnswer>()(
  openObject({ status: z.number(), headers: headerLines, body: z.string() }),
);

const replyJob = schemaOf<ReplyJob>()(
  openObject({
    channel,
    account: z.string(),
    key: z.string(),
    user: z.string().nullable(),
    turns: z.array(openObject({ user: z.string(), turn })),
    calls: z.number().exactOptional(),
    arrivedAt: z.number().exactOptional(),
    failure: openObject({ unknown: z.boolean() }).exactOptional(),
    push: openObject({
      method: z.string(),
      rawQuery: z.string(),
      headers: headerLines,
      body: z.string(),
    }),
    answer: storedAnswer.exactOptional(),
    sentUpTo: z.number().exactOptional(),
  }),
);

/**
 * A job's data that another release wrote, or a hand. The job fails and is tried again, which a process of the other
 * release may take up; after its last try it is kept with the failed ones, and stops nobody.
 */
class UnreadableJob extends Error {
  override readonly name = 'UnreadableJob';

  constructor(at: string) {
    super(`This release cannot read the job's data (${at}).`);
  }
}

/** @throws UnreadableJob */
export function readTypingJob(data: unknown): TypingJob {
  return readJob(typingJob, data);
}

/** @throws UnreadableJob */
export function readReplyJob(data: unknown): ReplyJob {
  return readJob(replyJob, data);
}

function readJob<Schema extends z.ZodType>(schema: Schema, data: unknown): z.output<Schema> {
  const read = schema.safeParse(data);
  if (read.success) return read.data;
  throw new UnreadableJob(read.error.issues[0]?.path.join('.') ?? '');
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

export function storeAnswer({ status, headers, body }: Answer): StoredAnswer {
  return { status, headers, body: Buffer.from(body).toString('base64') };
}

/** What was to be sent of a job that fails, for whoever runs it again. */
export function storeUnsent(answer: Answer, sentUpTo: number): Pick<ReplyJob, 'answer' | 'sentUpTo'> {
  return { answer: storeAnswer(answer), ...(sentUpTo > 0 ? { sentUpTo } : {}) };
}

/** null: it is none that this release can read. */
export function readAnswer(data: unknown): Answer | null {
  const read = storedAnswer.safeParse(data);
  return read.success ? { ...read.data, body: Buffer.from(read.data.body, 'base64') } : null;
}

const day = 24 * 60 * 60;

/**
 * Lets the runs of a job follow each other. A Redis that is late takes whoever has a job for dead and hands it out again,
 * perhaps to the very process that is still at it. `earlier`: what the run before, if there was one, has failed by.
 */
export function createRuns(): (job: string, run: (earlier: unknown) => Promise<void>) => Promise<void> {
  const last = new Map<string, Promise<void>>();
  return async (job, run) => {
    const before = last.get(job);
    const mine = before ? before.then(() => run(null), run) : run(null);
    last.set(job, mine);
    await mine.finally(() => void (last.get(job) === mine && last.delete(job)));
  };
}

/** Jobs leave no trace but failed ones: a day, at most a thousand. Ages in seconds, as BullMQ counts them. */
export const leaveNoTrace = { removeOnComplete: true, removeOnFail: { age: day, count: 1000 } } as const;

/** A stall never fails a job: it is what a crash looks like from outside. */
const maxStalledCount = 1_000_000;

/** Locked so shortly that what a dead process had is handed out within seconds. All in ms. */
export const lockOptions = {
  replies: { lockDuration: 5_000, stalledInterval: 2_500, maxStalledCount },
  // A call in flight when its process died keeps its conversation waiting for just as long.
  typing: { lockDuration: 2_500, stalledInterval: 1_000, maxStalledCount },
} as const;
