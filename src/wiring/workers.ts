import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type Telemetry, Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Log } from '../core/ports.ts';
import { FAIL_FAST_QUEUE } from '../redis/connect.ts';
import { isPassing } from '../redis/errors.ts';
import { type Keys, queueNames } from '../redis/keys.ts';
import { whoseOf } from '../replies/failed.ts';
import { createReplyProcessor, type ReplyDeps } from '../replies/reply.ts';
import { lockOptions, type ReplyJob, type TypingJob } from '../typing/jobs.ts';
import { addTimers, type QueueOf } from '../typing/events.ts';
import { createTyping, type Meet, type PerformDeps } from '../typing/perform.ts';
import type { Wakes } from '../typing/wakes.ts';
import { limited, type Releases } from './releases.ts';

interface WorkersOptions {
  perform: PerformDeps;
  wakes: Pick<Wakes, 'start'>;
  /** Where others find what this process was to look at. @default nowhere: they find it overdue */
  queueOf?: QueueOf;
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

interface WorkedShard {
  connection: Redis;
  keys: Pick<Keys, 'prefix'>;
  reply: ReplyDeps;
}

/** The workers of one process: both queues of each shard. */
export interface Workers {
  /** Works at the queues of this shard too. */
  add(shard: WorkedShard): void;
  /** Takes no more jobs and lets the running ones end, however long they take. */
  drain(): Promise<void>;
  /**
   * Lets running jobs end; reply jobs that are not done by `graceMs` go back to the queue. With 0, and where
   * Redis is away, nothing is waited for: no job can end there, and each goes on elsewhere when its lock has run out.
   */
  close(graceMs: number): Promise<void>;
  /** Whether all queues move: not while Redis refuses what their loops ask it. */
  move(): boolean;
  /** Puts back the jobs of dead processes; to be called again and again while jobs are under way. */
  rescueStalled(): Promise<void>;
}

/** After a fault of Redis's, or a refusal, the next look is soon (ms). */
const runRetryDelay = 1_000;
/** ms */
const rescuePatience = 1_000;

export function createWorkers(options: WorkersOptions): Workers {
  const { perform, wakes, queueOf, telemetry = null, log, meet = async () => {} } = options;
  const { process, look } = createTyping(perform, meet);
  // The version is asked for by INFO, which many hosts' users may not: the worker would wait for its answer for ever.
  const idle = { drainDelay: options.askEvery ?? 5, skipStalledCheck: true, skipVersionCheck: true };
  const shared = { runRetryDelay, ...idle, ...(telemetry ? { telemetry } : {}) };
  const open = ({ connection, keys: { prefix }, reply }: WorkedShard) => {
    const typing = new Worker<TypingJob>(queueNames.typing, process, {
      ...shared,
      ...lockOptions.typing,
      connection,
      prefix,
      concurrency: options.typingConcurrency,
    });
    const replies = new Worker<ReplyJob>(queueNames.replies, createReplyProcessor(reply, meet), {
      ...shared,
      ...lockOptions.replies,
      connection,
      prefix,
      concurrency: options.replyConcurrency,
    });
    for (const worker of [typing, replies]) {
      slowDown(worker);
      waitExactly(worker);
    }
    const loops = [typing, replies].map((worker) => watch(worker, log));
    const { owned } = reply;
    return { typing, replies, owned, loops, isAway: () => connection.status !== 'ready' };
  };
  const all: ReturnType<typeof open>[] = [];
  const rescuing = new Set<Worker>();
  const rescue = async (worker: Worker): Promise<void> => {
    rescuing.add(worker);
    await worker
      .getBackend()
      .moveStalledJobsToWait()
      .finally(() => rescuing.delete(worker));
  };
  const waking = wakes.start(look);
  const closeTyping = async (shards: readonly Closing[]): Promise<void> => {
    const isLeft = shards.every(({ force }) => force);
    if (queueOf && !isLeft) waking.leave((left) => addTimers(queueOf, left, perform.clock.now()));
    await Promise.all(shards.map(({ typing, force }) => typing.close(force)));
    const looks = waking.stop();
    if (!isLeft) await looks;
  };
  const closeAll = async (shards: readonly Closing[]): Promise<void> => {
    await Promise.all([closeTyping(shards), ...shards.map(({ replies, force }) => replies.close(force))]);
  };
  return {
    add: (shard) => void all.push(open(shard)),
    // No job can end where Redis is away.
    drain: () => closeAll(all.map((shard) => ({ ...shard, force: shard.isAway() }))),
    move: () => all.every(({ loops }) => loops.every(({ moves }) => moves())),
    rescueStalled: async () => {
      const workers = all.flatMap(({ typing, replies }) => [typing, replies]);
      const rescues = workers.filter((worker) => !rescuing.has(worker)).map(rescue);
      // The command waits for a Redis that is away, and the other shards do not.
      await limited(Promise.all(rescues), rescuePatience);
    },
    close: async (graceMs) => {
      const shards = all.map((shard) => ({ ...shard, force: graceMs === 0 || shard.isAway() }));
      const given = shards.filter(({ force }) => !force).map(({ owned }) => owned.stop(graceMs));
      await Promise.all([closeAll(shards), ...given]);
    },
  };
}

/** `force`: nothing is waited for. */
interface Closing {
  typing: Worker<TypingJob>;
  replies: Worker<ReplyJob>;
  force: boolean;
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

/**
 * A job that has to come again in 100 ms would come after a second: where the version of Redis is not asked for, BullMQ
 * takes it for one that waits for whole seconds alone. Each from 6.0 on knows parts of them.
 */
function waitExactly(worker: Worker): void {
  const backend = worker.getBackend();
  const wait = backend.waitForJob.bind(backend);
  backend.waitForJob = (seconds) => {
    const { blockingConnection } = backend;
    // Before 7.0.8 a wait of 1 ms has no end.
    if (blockingConnection)
      blockingConnection.capabilities = { canDoubleTimeout: true, canBlockFor1Ms: false };
    return wait(seconds);
  };
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

/** In all shards' queues of that kind together. Rejects when Redis is out of reach. */
export async function countJobs(queues: readonly Queue[]): Promise<JobCounts> {
  const sums: JobCounts = { waiting: 0, active: 0, delayed: 0, failed: 0 };
  const asked = ['waiting', 'prioritized', 'active', 'delayed', 'failed'] as const;
  for (const counts of await Promise.all(queues.map((queue) => queue.getJobCounts(...asked)))) {
    const { waiting = 0, prioritized = 0, active = 0, delayed = 0, failed = 0 } = counts;
    sums.waiting += waiting + prioritized;
    sums.active += active;
    sums.delayed += delayed;
    sums.failed += failed;
  }
  return sums;
}

interface QueuesDeps {
  /** The web's connection fails fast, the workers' waits for Redis. */
  failsFast: boolean;
  /** The shard's. */
  keys: Pick<Keys, 'prefix'>;
  eventsMaxLen: number;
  releases: Releases;
  /** @default null: no traces */
  telemetry?: Telemetry | null;
}

/** Both queues of a shard on one connection. */
export function openQueues(connection: Redis, deps: QueuesDeps): OpenedQueues {
  const { failsFast, keys, eventsMaxLen, telemetry = null } = deps;
  const options = {
    connection,
    prefix: keys.prefix,
    streams: { events: { maxLen: eventsMaxLen } },
    skipVersionCheck: true,
    ...(telemetry ? { telemetry } : {}),
    ...(failsFast ? FAIL_FAST_QUEUE : {}),
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
