import type { Job, Queue } from 'bullmq';
import type { ReplyJob } from '../typing/jobs.ts';
import type { Deliveries } from './delivery.ts';
import { deliveryId, outcomeUnknown } from './run.ts';

/** How many are shown: all that are kept. */
const listed = 1_000;

/** One line a job, newest first: its id, when it failed, whose it is, why. No message. */
export async function listFailed(replies: Queue<ReplyJob>): Promise<string> {
  const jobs = await replies.getFailed(0, listed);
  if (jobs.length === 0) return 'No reply job has failed.\n';
  return jobs.map((job) => `${lineOf(job)}\n`).join('');
}

function lineOf({ id, data, finishedOn, failedReason }: Job<ReplyJob>): string {
  const at = finishedOn === undefined ? 'unknown time' : new Date(finishedOn).toISOString();
  return `${id}  ${at}  ${deliveryId(data)}  ${data.user ?? ''}  ${failedReason}`;
}

/** A reply job that failed for good, without its message. */
export interface FailedJob {
  job: string;
  /** ms since 1970. */
  at: number | null;
  channel: string;
  account: string;
  user: string | null;
  turn: string;
  reason: string;
  /** Whether the user has the answer, nobody knows. */
  unknown: boolean;
}

export interface FailedDeps {
  replies: Queue<ReplyJob>;
  deliveries: Pick<Deliveries, 'reopen' | 'standing'>;
}

/** All that are kept, newest first. */
export async function readFailed({ replies, deliveries }: FailedDeps): Promise<FailedJob[]> {
  const jobs = await replies.getFailed(0, listed);
  return Promise.all(
    jobs.map(async ({ id = '', data, finishedOn = null, failedReason }) => {
      const { channel, account, user, key: turn } = data;
      const unknown = await isUnknown(deliveries, { data, failedReason });
      return { job: id, at: finishedOn, channel, account, user, turn, reason: failedReason, unknown };
    }),
  );
}

/** The delivery may be gone, or reopened by somebody who got no further: then what the job failed with tells. */
async function isUnknown(
  deliveries: FailedDeps['deliveries'],
  { data, failedReason }: Pick<Job<ReplyJob>, 'data' | 'failedReason'>,
): Promise<boolean> {
  if (failedReason.startsWith(outcomeUnknown)) return true;
  return (await deliveries.standing(deliveryId(data))).state === 'unknown';
}

/**
 * Runs a failed job again, by hand. `unknown`: nobody knows whether its answer reached the user, who may then get it
 * twice; done only where `evenUnknown` says so.
 */
export async function runAgain(
  { replies, deliveries }: FailedDeps,
  id: string,
  { evenUnknown }: { evenUnknown: boolean },
): Promise<'runs' | 'none' | 'unknown'> {
  const job = await replies.getJob(id);
  if (!job || !(await job.isFailed())) return 'none';
  const delivery = deliveryId(job.data);
  if (!evenUnknown && (await isUnknown(deliveries, job))) return 'unknown';
  await deliveries.reopen(delivery);
  await job.updateData({ ...job.data, calls: (job.data.calls ?? 0) + job.attemptsMade });
  try {
    await job.retry('failed', { resetAttemptsMade: true });
    return 'runs';
  } catch (error) {
    // Somebody else was quicker.
    if (await job.isFailed()) throw error;
    return 'none';
  }
}

/** The same for who types the job's id: also one of whose answer nobody knows whether it reached the user. */
export async function retryFailed(deps: FailedDeps, id: string): Promise<string> {
  const ran = await runAgain(deps, id, { evenUnknown: true });
  return ran === 'none'
    ? `There is no failed reply job ${id}: npm run replies lists them.\n`
    : `The reply job ${id} runs again.\n`;
}
