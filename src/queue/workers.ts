import { DelayedError, UnrecoverableError, Worker, type Job, type WorkerOptions } from 'bullmq';
import type { Log } from '../core/log.ts';
import { prefix } from './keys.ts';
import { lockOptions, queueNames, type ReplyJob, type TypingJob } from './jobs.ts';
import { createPerform, type PerformDeps } from './perform.ts';
import { reply } from './reply.ts';
import { ReplyFailed, type ReplyDeps } from './reply-run.ts';

export interface WorkersOptions {
  connection: NonNullable<WorkerOptions['connection']>;
  perform: PerformDeps;
  reply: ReplyDeps;
  typingConcurrency: number;
  replyConcurrency: number;
  log: Log;
}

/** Both queues' workers of one process. */
export interface Workers {
  /**
   * Lets running jobs end; reply jobs that are not done by `graceMs` go back to the queue. With 0 nothing is waited for:
   * without Redis no job can end, and each goes on elsewhere when its lock has run out.
   */
  close(graceMs: number): Promise<void>;
}

export function createWorkers(options: WorkersOptions): Workers {
  const { connection, log } = options;
  const stopping = new AbortController();
  const shared = { connection, prefix };
  const perform = createPerform(options.perform);
  const typing = new Worker<TypingJob>(
    queueNames.typing,
    async (job) => perform({ id: idOf(job), data: job.data, redelivered: job.attemptsStarted > 1 }),
    { ...shared, ...lockOptions.typing, concurrency: options.typingConcurrency },
  );
  const replies = new Worker<ReplyJob>(
    queueNames.replies,
    (job, token) => runReply(options.reply, job, { token, signal: stopping.signal }),
    { ...shared, ...lockOptions.replies, concurrency: options.replyConcurrency },
  );
  watch(typing, log);
  watch(replies, log);
  return {
    close: async (graceMs) => {
      const timer = setTimeout(() => stopping.abort(new Error('the process stops')), graceMs);
      await Promise.all([replies.close(graceMs === 0), typing.close(graceMs === 0)]);
      clearTimeout(timer);
    },
  };
}

async function runReply(
  deps: ReplyDeps,
  job: Job<ReplyJob>,
  { token, signal }: { token: string | undefined; signal: AbortSignal },
): Promise<void> {
  const last = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
  try {
    await reply(deps, { data: job.data, attempt: job.attemptsStarted, last, signal });
  } catch (error) {
    if (error === signal.reason) {
      await job.moveToDelayed(deps.clock.now(), token);
      throw new DelayedError();
    }
    // BullMQ tries again after any other error.
    if (error instanceof ReplyFailed) throw new UnrecoverableError(error.message);
    throw error;
  }
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
