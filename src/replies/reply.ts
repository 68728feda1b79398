import { type Job, UnrecoverableError } from 'bullmq';
import { badGateway, type Meaning, meaningOf } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Answer } from '../core/wire.ts';
import { readReplyJob, type ReplyJob, restorePush } from '../typing/jobs.ts';
import type { Meet } from '../typing/perform.ts';
import { Postponed, putBack } from '../typing/shares.ts';
import { callBot } from './call-bot.ts';
import { deliver, handToHolder } from './deliver.ts';
import {
  deliveryId,
  outcomeUnknown,
  type ReplyDeps,
  ReplyFailed,
  type ReplyRun,
  tellDelivery,
  tellTurns,
} from './run.ts';

/** A send takes no longer than this: a token, a retry and the request (ms). */
const sendLimit = 20_000;

/** What the reply queue's worker does with each job; `stopping`: the process has to end, and jobs go back. */
export function createReplyProcessor(
  deps: ReplyDeps,
  { meet, stopping }: { meet: Meet; stopping: AbortSignal },
): (job: Job<ReplyJob>, token?: string) => Promise<void> {
  return async (job, token) => {
    const last = job.attemptsMade + 1 >= (job.opts.attempts ?? 1);
    try {
      const data = readReplyJob(job.data);
      await meet(data);
      await reply(deps, {
        job: job.id ?? '',
        data,
        attempt: attemptOf(job),
        last,
        signal: stopping,
      });
    } catch (error) {
      if (stopping.aborted && error === stopping.reason) {
        // The bot may have begun: its next call is no first one.
        await job.updateData({ ...job.data, calls: (job.data.calls ?? 0) + 1 });
        return putBack(job, { token, waitMs: 0 });
      }
      if (error instanceof Postponed) return putBack(job, { token, waitMs: error.waitMs });
      // BullMQ tries again after any other error.
      if (error instanceof ReplyFailed) {
        await noteFailure(job, error);
        throw new UnrecoverableError(error.message);
      }
      throw error;
    }
  };
}

/** Beside the reason, which is for people: what is not noted counts as not known. */
async function noteFailure(job: Job<ReplyJob>, { unknown }: ReplyFailed): Promise<void> {
  await job.updateData({ ...job.data, failure: { unknown } }).catch(() => {});
}

/** Which call of the bot this is; BullMQ counts each start, also of a job that only had to wait. */
function attemptOf({ data, attemptsMade, stalledCounter }: Job<ReplyJob>): number {
  return 1 + attemptsMade + stalledCounter + (data.calls ?? 0);
}

/** Carries one push through: calls the bot, says how the turn ended, delivers what the bot answered. */
export async function reply(deps: ReplyDeps, run: ReplyRun): Promise<void> {
  const { data } = run;
  const platform = deps.platformOf(data);
  const bot = platform && deps.botOf(platform);
  if (!platform || !bot)
    throw new ReplyFailed(
      `The account ${data.channel}/${data.account} has no bot any more: configure it and run the job again.`,
    );
  if (deps.shares.isCrowded(platform, bot.concurrency)) {
    throw new Postponed(deps.shares.turnAway(platform, run.job));
  }
  const leave = deps.shares.enter(platform, run.job);
  await carry(deps, run, { platform, bot }).finally(leave);
}

async function carry(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, bot }: { platform: Platform; bot: Omit<ServedBot, 'mode'> },
): Promise<void> {
  const { data } = run;
  tellLag(deps, run);
  const id = deliveryId(data);
  const standing = await deps.deliveries.standing(id);
  if (standing.state === 'sending') {
    // Another process may still be at it: a job can stall without its process being dead.
    const waitMs = standing.sendingAt + sendLimit - deps.clock.now();
    if (waitMs > 0) throw new Postponed(waitMs);
    // It died between the request and the note of its outcome: only a person may send it again.
    await deps.deliveries.settle(id, 'unknown');
    tellDelivery(deps, run, { way: 'unknown', code: 0 });
    throw new ReplyFailed(`${outcomeUnknown}: a process died while it sent the answer.`, { unknown: true });
  }
  if (standing.state === 'offered' && standing.answer) {
    const { answer } = standing;
    return deliver(deps, run, { platform, answer, meaning: await read(platform, answer) });
  }
  if (standing.state === 'failed' || standing.state === 'unknown')
    throw new ReplyFailed(
      `The delivery is settled as ${standing.state}: npm run replies -- retry runs it again.`,
      { unknown: standing.state === 'unknown' },
    );
  if (standing.state) return;
  const answer = await askBot(deps, run, { platform, bot });
  const meaning = await read(platform, answer);
  await tellTurns(deps, run, { meaning, rules: platform.rules });
  if (platform.sendLate) await deliver(deps, run, { platform, answer, meaning });
}

async function read(platform: Platform, answer: Answer): Promise<Meaning> {
  return meaningOf(await platform.readAnswer(answer), answer.headers);
}

/** Once, when a place is found: a job that is turned away comes several times. */
function tellLag({ clock, observe }: ReplyDeps, { data, attempt }: ReplyRun): void {
  if (attempt !== 1 || data.arrivedAt === undefined) return;
  const at = clock.now();
  observe?.({ is: 'lag', at, queue: 'replies', ms: Math.max(0, at - data.arrivedAt) });
}

/**
 * Calls the bot with the push.
 * @throws ReplyFailed when no further try is due; another error when one is; the signal's reason when aborted.
 */
async function askBot(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, bot }: { platform: Platform; bot: Omit<ServedBot, 'mode'> },
): Promise<Answer> {
  const { data, attempt, last, signal } = run;
  const { channel, account, user, key, arrivedAt } = data;
  const called = await callBot(deps, bot, {
    place: { channel, account },
    user,
    key,
    push: restorePush(data.push),
    attempt,
    last,
    signal,
    ...(arrivedAt === undefined ? {} : { arrivedAt }),
  });
  if (called.is === 'answered') return called.answer;
  if (called.is === 'given-up') throw signal.reason;
  const reason = called.answer
    ? `The bot answered with status ${called.answer.status}.`
    : `The bot did not answer: ${called.reason}`;
  if (called.is === 'again') throw new Error(reason);
  await tellTurns(deps, run, { meaning: 'failed', rules: platform.rules });
  if (platform.sendLate) await showFailure(deps, deliveryId(data), called.answer ?? badGateway);
  throw new ReplyFailed(reason);
}

/** A held connection gets the bot's own failure: the platform repeats and tells its user, as without keeptyping. */
async function showFailure(deps: ReplyDeps, id: string, answer: Answer): Promise<void> {
  const taken = await handToHolder(deps, id, answer);
  if (!taken && (await deps.deliveries.take(id, deps.clock.now())))
    await deps.deliveries.settle(id, 'failed', 'forget');
}
