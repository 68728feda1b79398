import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import {
  DelayedError,
  type Job,
  Queue,
  type Telemetry,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import type { Redis } from 'ioredis';
import type { Log } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import { type Connections, FAIL_FAST_QUEUE } from '../redis/connect.ts';
import { prefix, queueNames } from '../redis/keys.ts';
import { reply } from '../replies/reply.ts';
import { type ReplyDeps, ReplyFailed } from '../replies/run.ts';
import { lockOptions, readReplyJob, readTypingJob, type ReplyJob, type TypingJob } from '../typing/jobs.ts';
import { createPerform, type PerformDeps, type TypingRun } from '../typing/perform.ts';
import { Postponed } from '../typing/shares.ts';
import type { Releases } from './releases.ts';

export interface WorkersOptions {
  connection: NonNullable<WorkerOptions['connection']>;
  perform: PerformDeps;
  reply: ReplyDeps;
  typingConcurrency: number;
  replyConcurrency: number;
  /** @default null: no traces */
  telemetry?: Telemetry | null;
  log: Log;
  /** @default every account is known from the start */
  meet?: Meet;
}

/** Both queues' workers of one process. */
export interface Workers {
  /** Takes no more jobs and lets the running ones end, however long they take. */
  drain(): Promise<void>;
  /**
   * Lets running jobs end; reply jobs that are not done by `graceMs` go back to the queue. With 0 nothing is waited for:
   * without Redis no job can end, and each goes on elsewhere when its lock has run out.
   */
  close(graceMs: number): Promise<void>;
}

/** After a fault of Redis's the next look is soon (ms). */
const runRetryDelay = 1_000;

export function createWorkers(options: WorkersOptions): Workers {
  const { connection, telemetry = null, log, meet = async () => {} } = options;
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const shared = { connection, prefix, runRetryDelay, ...(telemetry ? { telemetry } : {}) };
  const perform = createPerform(options.perform);
  const typing = new Worker<TypingJob>(
    queueNames.typing,
    (job, token) => runTyping(perform, job, { token, meet }),
    { ...shared, ...lockOptions.typing, concurrency: options.typingConcurrency },
  );
  const replies = new Worker<ReplyJob>(
    queueNames.replies,
    (job, token) => runReply(options.reply, job, { token, signal: stopping.signal, meet }),
    { ...shared, ...lockOptions.replies, concurrency: options.replyConcurrency },
  );
  watch(typing, log);
  watch(replies, log);
  const close = async (force: boolean): Promise<void> => {
    await Promise.all([replies.close(force), typing.close(force)]);
  };
  return {
    drain: () => close(false),
    close: async (graceMs) => {
      const timer = setTimeout(() => stopping.abort(new Error('the process stops')), graceMs);
      await close(graceMs === 0);
      clearTimeout(timer);
    },
  };
}

interface Meeting {
  token: string | undefined;
  meet: Meet;
}

async function runTyping(
  perform: (run: TypingRun) => Promise<void>,
  job: Job<TypingJob>,
  { token, meet }: Meeting,
): Promise<void> {
  try {
    const data = readTypingJob(job.data);
    await meet(data.conversation);
    await perform({ id: idOf(job), data, redelivered: diedBefore(job) });
  } catch (error) {
    if (error instanceof Postponed) return later(job, { token, waitMs: error.waitMs });
    throw error;
  }
}

/** Puts a job back for a while; to BullMQ, which counts by the local clock, that is neither an end nor a failure. */
async function later(
  job: Job,
  { token, waitMs }: { token: string | undefined; waitMs: number },
): Promise<never> {
  await job.moveToDelayed(Date.now() + waitMs, token);
  throw new DelayedError();
}

async function runReply(
  deps: ReplyDeps,
  job: Job<ReplyJob>,
  { token, signal, meet }: Meeting & { signal: AbortSignal },
): Promise<void> {
  const last = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  try {
    const data = readReplyJob(job.data);
    await meet(data);
    await reply(deps, { job: idOf(job), data, attempt: attemptOf(job), last, signal });
  } catch (error) {
    if (signal.aborted && error === signal.reason) {
      // The bot may have begun: its next call is no first one.
      await job.updateData({ ...job.data, calls: (job.data.calls ?? 0) + 1 });
      return later(job, { token, waitMs: 0 });
    }
    if (error instanceof Postponed) return later(job, { token, waitMs: error.waitMs });
    // BullMQ tries again after any other error.
    if (error instanceof ReplyFailed) {
      await noteFailure(job, error);
      throw new UnrecoverableError(error.message);
    }
    throw error;
  }
}

/** Beside the reason, which is for people: what is not noted counts as not known. */
async function noteFailure(job: Job<ReplyJob>, { unknown }: ReplyFailed): Promise<void> {
  await job.updateData({ ...job.data, failure: { unknown } }).catch(() => {});
}

/** Which call of the bot this is; BullMQ counts each start, also of a job that only had to wait. */
function attemptOf({ data, attemptsMade, stalledCounter }: Job<ReplyJob>): number {
  return 1 + attemptsMade + stalledCounter + (data.calls ?? 0);
}

/** A try of this job ended without its end being noted, or by a fault; one that was postponed did not. */
function diedBefore(job: Job): boolean {
  return job.stalledCounter > 0 || job.attemptsMade > 0;
}

function idOf(job: Job): string {
  return job.id ?? '';
}

function watch(worker: Worker, log: Log): void {
  // Without a listener an outage of Redis would end the process; the connections report it themselves.
  worker.on('error', () => {});
  worker.on('failed', (job, error) => {
    const again = job !== undefined && job.finishedOn === undefined;
    log.warn({ queue: worker.name, job: job?.id, again }, `A job failed: ${error.message}`);
  });
}

/** Resolves when the account of a job is known here, if there is one. */
type Meet = (place: Place) => Promise<void>;

/** Until Redis says more (ms). */
const pause = 1_000;

/** A web process may know an account a moment before this one does: its jobs are not to fail for that. */
export function createMeet({
  isKnown,
  lookAgain,
}: {
  isKnown: (place: Place) => boolean;
  lookAgain: () => Promise<void>;
}): Meet {
  return async (place) => {
    if (isKnown(place)) return;
    await lookAgain().catch(() => {
      throw new Postponed(pause);
    });
  };
}

export interface OpenedQueues {
  typing: Queue<TypingJob>;
  replies: Queue<ReplyJob>;
}

/** How many jobs stand where. */
export interface JobCounts {
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

/** Rejects when Redis is out of reach. */
export async function countJobs(queue: Queue): Promise<JobCounts> {
  const counts = await queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed', 'failed');
  const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
  return { waiting: waiting + prioritized, active, delayed, failed };
}

export interface QueuesDeps {
  connections: Pick<Connections, 'fast'>;
  redis: { eventsMaxLen: number };
  releases: Releases;
  /** @default null: no traces */
  telemetry?: Telemetry | null;
}

/** Both queues on one connection: the web's fails fast, the workers' waits for Redis. */
export function openQueues(connection: Redis, deps: QueuesDeps): OpenedQueues {
  const { connections, redis, telemetry = null } = deps;
  const options = {
    connection,
    prefix,
    streams: { events: { maxLen: redis.eventsMaxLen } },
    ...(telemetry ? { telemetry } : {}),
    ...(connection === connections.fast ? FAIL_FAST_QUEUE : {}),
  };
  return {
    typing: open(new Queue<TypingJob>(queueNames.typing, options), deps.releases),
    replies: open(new Queue<ReplyJob>(queueNames.replies, options), deps.releases),
  };
}

function open<T extends Queue>(queue: T, releases: Releases): T {
  // Without a listener an outage of Redis would end the process; the connections report it themselves.
  queue.on('error', () => {});
  // Closing waits for Redis, and there is nothing to wait for when it is away: the connections are dropped next.
  releases.add(`queue ${queue.name}`, () =>
    Promise.race([queue.close(), delay(500, undefined, { ref: false })]),
  );
  return queue;
}
