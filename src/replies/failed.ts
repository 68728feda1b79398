/** Reply jobs that failed for good, as people see them. What a job failed with is said in its data, not in its reason. */
import type { Job, Queue } from 'bullmq';
import { z } from 'zod';
import type { ReplyJob } from '../typing/jobs.ts';
import type { Deliveries } from './delivery.ts';
import { deliveryId } from './run.ts';

/** How many are shown: all that are kept. */
const listed = 1_000;

/** One line a job, newest first: its id, when it failed, whose it is, why. No message. */
export async function listFailed(shards: readonly Pick<FailedDeps, 'replies'>[]): Promise<string> {
  const all = await Promise.all(shards.map(({ replies }) => replies.getFailed(0, listed)));
  const jobs = all.flat().toSorted((a, b) => (b.finishedOn ?? 0) - (a.finishedOn ?? 0));
  if (jobs.length === 0) return 'No reply job has failed.\n';
  return jobs.map((job) => `${lineOf(job)}\n`).join('');
}

function lineOf({ id, data, finishedOn, failedReason }: Job<ReplyJob>): string {
  const at = finishedOn === undefined ? 'unknown time' : new Date(finishedOn).toISOString();
  const push = whoseOf(data);
  return `${id}  ${at}  ${deliveryId(push)}  ${push.user ?? ''}  ${failedReason}`;
}

/** Also of a job that failed because its data cannot be read: it is shown all the same. */
const whose = z
  .object({
    channel: z.string().catch(''),
    account: z.string().catch(''),
    key: z.string().catch(''),
    user: z.string().nullable().catch(null),
    calls: z.number().catch(0),
    failure: z.object({ unknown: z.boolean() }).optional().catch(undefined),
  })
  .catch({ channel: '', account: '', key: '', user: null, calls: 0 });

/** Whose a reply job is, as far as that can be read. */
export function whoseOf(data: unknown): z.output<typeof whose> {
  return whose.parse(data);
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

/** The queue of reply jobs of one shard, and the records of its pushes. */
interface FailedDeps {
  replies: Queue<ReplyJob>;
  deliveries: Pick<Deliveries, 'reopen' | 'standing'>;
}

/** All that are kept, newest first. */
export async function readFailed(shards: readonly FailedDeps[]): Promise<FailedJob[]> {
  const all = await Promise.all(shards.map(readShard));
  return all.flat().toSorted((a, b) => (b.at ?? 0) - (a.at ?? 0));
}

async function readShard({ replies, deliveries }: FailedDeps): Promise<FailedJob[]> {
  const jobs = await replies.getFailed(0, listed);
  return Promise.all(
    jobs.map(async ({ id = '', data, finishedOn = null, failedReason }) => {
      const { channel, account, user, key: turn } = whoseOf(data);
      const unknown = await isUnknown(deliveries, data);
      return { job: id, at: finishedOn, channel, account, user, turn, reason: failedReason, unknown };
    }),
  );
}

/** The delivery may be gone, or reopened by somebody who got no further: then what the job says of its failure tells. */
async function isUnknown(deliveries: FailedDeps['deliveries'], data: unknown): Promise<boolean> {
  const { failure, ...push } = whoseOf(data);
  if (failure?.unknown !== false) return true;
  return (await deliveries.standing(deliveryId(push))).state === 'unknown';
}

/**
 * Runs a failed job again, by hand. `unknown`: nobody knows whether its answer reached the user, who may then get it
 * twice; done only where `evenUnknown` says so.
 */
export async function runAgain(
  shards: readonly FailedDeps[],
  id: string,
  how: { evenUnknown: boolean },
): Promise<Ran> {
  for (const shard of shards) {
    const ran = await runIn(shard, id, how);
    if (ran !== 'none') return ran;
  }
  return 'none';
}

type Ran = 'runs' | 'none' | 'unknown';

async function runIn(
  { replies, deliveries }: FailedDeps,
  id: string,
  { evenUnknown }: { evenUnknown: boolean },
): Promise<Ran> {
  const job = await replies.getJob(id);
  if (!job || !(await job.isFailed())) return 'none';
  if (!evenUnknown && (await isUnknown(deliveries, job.data))) return 'unknown';
  const { calls, ...push } = whoseOf(job.data);
  const earlier = await deliveries.reopen(deliveryId(push));
  // What is known of the last failure says nothing of the next.
  const { failure: _, ...data } = { ...job.data };
  await job.updateData({ ...data, calls: Math.max(1, calls + earlier) });
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
export async function retryFailed(shards: readonly FailedDeps[], id: string): Promise<string> {
  const ran = await runAgain(shards, id, { evenUnknown: true });
  return ran === 'none'
    ? `There is no failed reply job ${id}: npm run replies lists them.\n`
    : `The reply job ${id} runs again.\n`;
}
