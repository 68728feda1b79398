import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type Telemetry, Worker, type WorkerOptions } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Log } from '../core/ports.ts';
import { type Connections, FAIL_FAST_QUEUE } from '../redis/connect.ts';
import { isPassing } from '../redis/errors.ts';
import { keys, queueNames } from '../redis/keys.ts';
import { whoseOf } from '../replies/failed.ts';
import { createReplyProcessor, type ReplyDeps } from '../replies/reply.ts';
import { addTimers } from '../typing/events.ts';
import { lockOptions, type ReplyJob, type TypingJob } from '../typing/jobs.ts';
import { createTyping, type Meet, type PerformDeps } from '../typing/perform.ts';
import type { Wakes } from '../typing/wakes.ts';
import type { Releases } from './releases.ts';

interface WorkersOptions {
  connection: NonNullable<WorkerOptions['connection']>;
  perform: PerformDeps;
  reply: ReplyDeps;
  wakes: Pick<Wakes, 'start' | 'leave' | 'stop'>;
  /** Where others find what this process was to look at. @default nowhere: they find it overdue */
  queue?: Queue<TypingJob>;
  /** An idle queue is asked for its next job so often (s); whoever adds one wakes it. @default 5 */
  askEvery?: number;
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
  /** Whether both queues move: not while Redis refuses what their loops ask it. */
  move(): boolean;
  /** Puts back the jobs of dead processes; to be called again and again while jobs are under way. */
  rescueStalled(): Promise<void>;
}

/** After a fault of Redis's, or a refusal, the next look is soon (ms). */
const runRetryDelay = 1_000;

export function createWorkers(options: WorkersOptions): Workers {
  const { connection, telemetry = null, log, meet = async () => {} } = options;
  const { owned } = options.reply;
  const { process, look } = createTyping(options.perform, meet);
  // The version is asked for by INFO, which many hosts' users may not: the worker would wait for its answer for ever.
  const idle = { drainDelay: options.askEvery ?? 5, skipStalledCheck: true, skipVersionCheck: true };
  const shared = {
    connection,
    prefix: keys.prefix,
    runRetryDelay,
    ...idle,
    ...(telemetry ? { telemetry } : {}),
  };
  const typing = new Worker<TypingJob>(queueNames.typing, process, {
    ...shared,
    ...lockOptions.typing,
    concurrency: options.typingConcurrency,
  });
  const replies = new Worker<ReplyJob>(queueNames.replies, createReplyProcessor(options.reply, meet), {
    ...shared,
    ...lockOptions.replies,
    concurrency: options.replyConcurrency,
  });
  options.wakes.start(look);
  for (const worker of [typing, replies]) slowDown(worker);
  const loops = [typing, replies].map((worker) => watch(worker, log));
  const { wakes, queue } = options;
  const { clock } = options.perform;
  const closeTyping = async (force: boolean): Promise<void> => {
    if (queue && !force) wakes.leave((left) => addTimers(queue, left, clock.now()));
    await typing.close(force);
    const looks = wakes.stop();
    if (!force) await looks;
  };
  const close = async (force: boolean): Promise<void> => {
    await Promise.all([replies.close(force), closeTyping(force)]);
  };
  return {
    drain: () => close(false),
    move: () => loops.every(({ moves }) => moves()),
    rescueStalled: async () => {
      await Promise.all([typing, replies].map((worker) => worker.getBackend().moveStalledJobsToWait()));
    },
    close: async (graceMs) => {
      await Promise.all([close(graceMs === 0), graceMs === 0 ? null : owned.stop(graceMs)]);
    },
  };
}

/** BullMQ's loop asks for the next job again at once when Redis refuses that, and would do nothing else. */
function slowDown(worker: Worker): void {
  const backend = worker.getBackend();
  const next = backend.moveToActive.bind(backend);
  backend.moveToActive = (...asked) =>
    next(...asked).catch(async (error: unknown) => {
      if (error instanceof Error && error.name === 'ReplyError') await delay(runRetryDelay);
      throw error;
    });
}

/** One that goes on being refused says so again and again (ms). */
const refusedFor = 2_000;
/** How often is told what goes on (ms). */
const tellEvery = 60_000;

/** A loop of BullMQ's. What it is refused is told at once, and then every minute how often. */
function watch(worker: Worker, log: Log): { moves: () => boolean } {
  let refusedAt = -Infinity;
  let toldAt = -Infinity;
  let count = 0;
  worker.on('error', (error) => {
    // What passes is told by the connections. Without a listener it would end the process.
    if (error.name !== 'ReplyError' || isPassing(error)) return;
    const now = performance.now();
    refusedAt = now;
    count += 1;
    if (now - toldAt < tellEvery) return;
    log.error({ queue: worker.name, count }, `Redis refuses what a queue needs: ${error.message}`);
    toldAt = now;
    count = 0;
  });
  worker.on('failed', (job, error) => {
    const again = job !== undefined && job.finishedOn === undefined;
    const { channel, account } = whoseOf(job?.data);
    const whose = account === '' ? {} : { channel, account };
    log.warn({ queue: worker.name, job: job?.id, again, ...whose }, `A job failed: ${error.message}`);
  });
  return { moves: () => worker.isRunning() && performance.now() - refusedAt > refusedFor };
}

export interface OpenedQueues {
  typing: Queue<TypingJob>;
  replies: Queue<ReplyJob>;
}

/** How many jobs stand where. */
interface JobCounts {
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

interface QueuesDeps {
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
    prefix: keys.prefix,
    streams: { events: { maxLen: redis.eventsMaxLen } },
    skipVersionCheck: true,
    ...(telemetry ? { telemetry } : {}),
    ...(connection === connections.fast ? FAIL_FAST_QUEUE : {}),
  };
  return {
    typing: openQueue(new Queue<TypingJob>(queueNames.typing, options), deps.releases),
    replies: openQueue(new Queue<ReplyJob>(queueNames.replies, options), deps.releases),
  };
}

function openQueue<T extends Queue>(queue: T, releases: Releases): T {
  // Without a listener an outage of Redis would end the process; the connections report it themselves.
  queue.on('error', () => {});
  // Closing waits for Redis, and there is nothing to wait for when it is away: the connections are dropped next.
  releases.add(`queue ${queue.name}`, () =>
    Promise.race([queue.close(), delay(500, undefined, { ref: false })]),
  );
  return queue;
}
