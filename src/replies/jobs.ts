/** How a push becomes a reply job: when its web has no place for it, stops, or is silent; and when it failed for good. */
import type { JobsOptions } from 'bullmq';
import { botAttempts, botPause } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import type { Health } from '../redis/watchdog.ts';
import { leaveNoTrace, type ReplyJob } from '../typing/jobs.ts';
import { type Deliveries, processOf } from './delivery.ts';
import { settling } from './reply.ts';
import { type CarryDeps, deliveryId, jobIdOf, tellTurns } from './run.ts';

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

interface OrphansOptions extends Pick<CarryDeps, 'events' | 'clock'> {
  deliveries: Pick<Deliveries, 'carried'>;
  health: Pick<Health, 'backFor'>;
  platformOf: (place: Place) => Platform | null;
  /** Whether nobody of that name hears what is said to it. */
  isDead: (process: string) => Promise<boolean>;
}

/**
 * Of a process that has died nobody says any more when the bot's call has ended. Where answers come by the API alone the
 * bot goes on without it: from now on its message ends the turn, as after an acknowledgement, and of several that wait one.
 * To be called by a process that starts, perhaps in the place of the dead one.
 */
export async function acknowledgeOrphans(options: OrphansOptions): Promise<void> {
  const { deliveries, platformOf, isDead, health, clock } = options;
  // Where Redis has just come back, those who live may not hear anything yet.
  for (let back = health.backFor(); back < settling; back = health.backFor())
    await clock.sleep(settling - back);
  const dead = new Map<string, Promise<boolean>>();
  const ofPlatform = (await deliveries.carried()).map(async ({ job, owner }) => {
    const platform = platformOf(job);
    if (!platform || platform.sendLate) return;
    const name = processOf(owner);
    const asked = dead.get(name) ?? isDead(name);
    dead.set(name, asked);
    if (await asked) await tellTurns(options, job, { meaning: 'orphaned', platform });
  });
  await Promise.all(ofPlatform);
}
