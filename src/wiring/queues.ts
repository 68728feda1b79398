import { setTimeout as delay } from 'node:timers/promises';
import { Queue, type Telemetry } from 'bullmq';
import type { Redis } from 'ioredis';
import { type Connections, FAIL_FAST_QUEUE } from '../redis/connect.ts';
import { prefix } from '../redis/script.ts';
import { queueNames, type ReplyJob, type TypingJob } from '../typing/jobs.ts';
import type { Releases } from './releases.ts';

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
