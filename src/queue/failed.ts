import type { Job, Queue } from 'bullmq';
import type { Deliveries } from './delivery.ts';
import type { ReplyJob } from './jobs.ts';
import { deliveryId } from './reply-run.ts';

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

/** Runs a failed job again, by hand: also one of whose answer nobody knows whether it reached the user. */
export async function retryFailed(
  { replies, deliveries }: { replies: Queue<ReplyJob>; deliveries: Pick<Deliveries, 'reopen'> },
  id: string,
): Promise<string> {
  const job = await replies.getJob(id);
  if (!job || !(await job.isFailed()))
    return `There is no failed reply job ${id}: npm run replies lists them.\n`;
  await deliveries.reopen(deliveryId(job.data));
  await job.updateData({ ...job.data, calls: (job.data.calls ?? 0) + job.attemptsMade });
  await job.retry('failed', { resetAttemptsMade: true });
  return `The reply job ${id} runs again.\n`;
}
