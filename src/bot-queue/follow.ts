/**
 * Follows the bot's own BullMQ queue: the end of a job is the end of the turn that it belongs to.
 *
 * A job is running from the moment it is added: waiting, delayed, active, stalled or tried again. While it runs, what its
 * data names is learned, because a job can be removed in the moment that it ends. It ends completed, failed for good, or
 * removed before either. What `drain`, `clean` and `obliterate` throw away leaves no event, so those turns run on
 * to their deadline.
 *
 * The bot's Redis is only read: XREAD on a connection of its own, which also reads the jobs.
 */
import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis, RedisOptions } from 'ioredis';
import type { Log } from '../core/ports.ts';
import { errorWord, moving } from '../redis/errors.ts';
import { type EndBotJob, type EndsOptions, handleEnd } from './ends.ts';
import { beginOf, type BotEvent, readEvents, readWait, type StreamCommands } from './stream.ts';
import {
  createBotQueueMemory,
  createProgress,
  type MemoryCommands,
  namesSomething,
  parseNamed,
  type Progress,
} from './target.ts';

export interface BotQueueOptions {
  /** The bot's queue. */
  queue: string;
  /** BullMQ's own default is `bull`. */
  prefix: string;
  /** Of the bot's Redis: it is duplicated, and need not be connected itself. */
  connection: Pick<Redis, 'duplicate'>;
  /** On keeptyping's Redis. */
  memory: MemoryCommands;
  log: Log;
  ended: EndBotJob;
}

interface BotQueueWatch {
  /** Ends at once, and resolves within a second. Never rejects. */
  stop(): Promise<void>;
}

interface Following extends Pick<EndsOptions, 'ended' | 'log' | 'memory' | 'signal'> {
  redis: StreamCommands;
  outage: Outage;
  /** The queue as its keys begin. */
  base: string;
}

/** After a fault the next look is so much later (ms). */
const retryPause = 1_000;
const stopLimit = 1_000;
/** A connection that has not answered for so long is dead (ms). */
const silence = readWait * 1.5;

/** Its commands fail when Redis is away, as an outage has to be noticed; they wait for the first connection. */
const reading: Omit<RedisOptions, 'replyMapping'> = {
  lazyConnect: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (times) => Math.min(times * 50, retryPause),
  // The node of a Cluster that has the queue is looked up at each connect.
  reconnectOnError: (error) => moving.includes(errorWord(error)),
  // A read waits for longer than commands may take elsewhere.
  commandTimeout: silence,
  socketTimeout: silence,
};

/**
 * Begins after the last event that was handled, by whatever process; at the very first start with the next event.
 * Resolves at once: an unreachable Redis is waited for, with one line in the log.
 */
export async function createBotQueueWatch(options: BotQueueOptions): Promise<BotQueueWatch> {
  const { queue, prefix, log, ended } = options;
  const base = `${prefix}:${queue}`;
  const stopping = new AbortController();
  // Each end that waits to be told again listens; Node would take many for a leak.
  setMaxListeners(0, stopping.signal);
  const redis = options.connection.duplicate(reading);
  const outage = createOutage(redis, { queue, log });
  const memory = createBotQueueMemory(options.memory, base);
  const following = follow({ redis, outage, base, memory, log, ended, signal: stopping.signal });
  return {
    stop: async () => {
      stopping.abort();
      redis.disconnect();
      await Promise.race([following, sleep(stopLimit, undefined, { ref: false })]);
    },
  };
}

async function follow(watch: Following): Promise<void> {
  const { outage, signal } = watch;
  let progress: Progress | null = null;
  while (!signal.aborted) {
    try {
      progress ??= await begin(watch);
      await followOn(watch, progress);
      outage.over();
    } catch (error) {
      if (signal.aborted) break;
      outage.seen(error);
      await sleep(retryPause, undefined, { signal }).catch(() => {});
    }
  }
  await progress?.flush().catch(() => {});
}

async function begin({ redis, base, memory, log }: Following): Promise<Progress> {
  const cursor = await memory.cursor();
  const { from, gap } = await beginOf(redis, `${base}:events`, cursor);
  if (gap) log.warn({}, `The queue ${base} has dropped events that were not read: some turns may end late.`);
  if (from !== cursor) await memory.saveCursor(from);
  return createProgress(from, (id) => memory.saveCursor(id));
}

async function followOn(watch: Following, progress: Progress): Promise<void> {
  const { redis, base, outage, signal } = watch;
  // After an outage the first answer has to come at once: it tells that it is over.
  const waitMs = outage.now() ? 1 : readWait;
  const events = await readEvents(redis, `${base}:events`, { after: progress.at(), waitMs });
  const namedByJob = async (jobId: string) => parseNamed(await redis.hget(`${base}:${jobId}`, 'data'));
  await learn({ memory: watch.memory, namedByJob }, events);
  for (const event of events) {
    if (signal.aborted) return;
    if (event.is === null || event.is === 'alive') progress.handled(event.id);
    else await handleEnd({ ...watch, namedByJob, progress }, event);
  }
}

async function learn(
  { memory, namedByJob }: Pick<EndsOptions, 'memory' | 'namedByJob'>,
  events: BotEvent[],
): Promise<void> {
  const running = new Set(events.filter(({ is }) => is === 'alive').map(({ jobId }) => jobId));
  const each = async (jobId: string): Promise<void> => {
    const named = await namedByJob(jobId);
    if (namesSomething(named)) await memory.learn(jobId, named);
  };
  await Promise.all([...running].map(each));
}

/** The time in which the queue cannot be followed. */
interface Outage {
  /** It is going on. */
  now(): boolean;
  seen(error: unknown): void;
  over(): void;
}

interface ConnectionEvents {
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
}

/** One line when it begins, one when it is over; ioredis reports every single retry. */
export function createOutage(redis: ConnectionEvents, { queue, log }: { queue: string; log: Log }): Outage {
  let now = false;
  // Why a command fails is told by the connection: the command itself says only that it was given up.
  let cause: string | null = null;
  redis.on('error', (error: Error) => (cause = causeOf(error)));
  redis.on('ready', () => (cause = null));
  return {
    now: () => now,
    seen: (error) => {
      if (now) return;
      now = true;
      log.warn({ cause: cause ?? causeOf(error) }, `The bot's queue ${queue} is out of reach; trying again.`);
    },
    over: () => {
      if (now) log.info({}, `The bot's queue ${queue} is followed again.`);
      now = false;
    },
  };
}

function causeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
