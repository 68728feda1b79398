/** How a push becomes a reply job: when its web has no place for it, stops, or is silent; and when it failed for good. */
import type { JobsOptions } from 'bullmq';
import { botAttempts, botPause } from '../core/bot.ts';
import type { Clock, Log } from '../core/ports.ts';
import { leaveNoTrace, type ReplyJob } from '../typing/jobs.ts';
import type { Deliveries } from './delivery.ts';
import { deliveryId, jobIdOf } from './run.ts';

/** The queue of reply jobs, for who only adds to it. */
export interface ReplyQueue {
  add(name: string, data: ReplyJob, options: JobsOptions): Promise<unknown>;
  /** A job that is under way stays. */
  remove(jobId: string): Promise<unknown>;
}

/** Adds it once, however often it is asked to. Resolves with the job's id. */
export async function addReplyJob(replies: ReplyQueue, data: ReplyJob): Promise<string> {
  const jobId = jobIdOf(deliveryId(data));
  await replies.add('reply', data, {
    ...leaveNoTrace,
    jobId,
    // After a fault of Redis's: what the bot's faults are worth is decided elsewhere.
    attempts: botAttempts,
    backoff: { type: 'fixed', delay: botPause },
  });
  return jobId;
}

/** Makes jobs of the pushes whose webs are silent; every worker does so every few seconds. Resolves with how many. */
export async function insureOverdue({
  deliveries,
  replies,
  clock,
  log,
}: {
  deliveries: Pick<Deliveries, 'overdue' | 'leave'>;
  replies: ReplyQueue;
  clock: Pick<Clock, 'now'>;
  log: Log;
}): Promise<number> {
  const now = clock.now();
  const jobs = await deliveries.overdue(now);
  for (const data of jobs) {
    const id = deliveryId(data);
    log.warn({ push: id }, 'Nothing is heard of the process that had this push: a worker takes it over.');
    await addReplyJob(replies, data);
    await deliveries.leave(id, { now: clock.now() });
  }
  return jobs.length;
}
