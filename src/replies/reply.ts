/** A reply job: a push whose web had no place for it, has stopped, or is silent; or whose delivery failed for good. */
import { type Job, UnrecoverableError } from 'bullmq';
import type { Conversation, Platform } from '../core/platform.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Health } from '../redis/watchdog.ts';
import {
  createRuns,
  readAnswer,
  readReplyJob,
  type ReplyJob,
  restorePush,
  storeUnsent,
} from '../typing/jobs.ts';
import type { Meet } from '../typing/perform.ts';
import { Postponed, putBack, type Shares } from '../typing/shares.ts';
import { carry } from './carry.ts';
import { undecidedKept } from './delivery-scripts.ts';
import { lease, type Owned } from './owned.ts';
import {
  type CarryDeps,
  deliveryId,
  Interrupted,
  noteEnd,
  outcomeUnknown,
  repeatsOf,
  ReplyFailed,
  tellDelivery,
  tellTurns,
} from './run.ts';

export interface ReplyDeps extends CarryDeps {
  owned: Owned;
  /** This process's name, which no other has. */
  name: string;
  health: Pick<Health, 'isAway' | 'backFor'>;
  /** Of the reply jobs that may run at once. */
  shares: Shares;
  platformOf: (name: { channel: Conversation['channel']; account: string }) => Platform | null;
  botOf: (platform: Platform) => Omit<ServedBot, 'mode'> | null;
}

/** A send takes no longer than this: a token, its retries and the requests (ms). */
const sendLimit = 20_000;
/** What others have done while Redis was away they tell within this (ms): nothing is taken over before. */
export const settling = 3_000;

/** What the reply queue's worker does with each job. */
export function createReplyProcessor(
  deps: ReplyDeps,
  meet: Meet,
): (job: Job<ReplyJob>, token?: string) => Promise<void> {
  let count = 0;
  const inTurn = createRuns();
  return async (job, token) => {
    try {
      const { id = '' } = job;
      const data = readReplyJob(job.data);
      await meet(data);
      const owner = `job:${id}:${deps.name}.w${(count += 1)}`;
      await inTurn(id, async (earlier) => {
        // What this run was handed says less than that one has noted since.
        if (earlier instanceof ReplyFailed) throw earlier;
        await reply(deps, { job: id, data, owner });
      });
    } catch (error) {
      if (error instanceof Postponed) return putBack(job, { token, waitMs: error.waitMs });
      if (error instanceof Interrupted) {
        await job.updateData({ ...job.data, ...storeUnsent(error.answer, error.sentUpTo) });
        return putBack(job, { token, waitMs: 0 });
      }
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
async function noteFailure(job: Job<ReplyJob>, { unknown, answer, sentUpTo }: ReplyFailed): Promise<void> {
  const kept = answer ? storeUnsent(answer, sentUpTo) : {};
  await job.updateData({ ...job.data, ...kept, failure: { unknown } }).catch(() => {});
}

interface ReplyRun {
  job: string;
  data: ReplyJob;
  owner: string;
}

async function reply(deps: ReplyDeps, run: ReplyRun): Promise<void> {
  const { data, job } = run;
  const back = deps.health.backFor();
  if (back < settling) throw new Postponed(settling - back);
  const platform = deps.platformOf(data);
  const bot = platform && deps.botOf(platform);
  if (!platform || !bot)
    throw new ReplyFailed(
      `The account ${data.channel}/${data.account} has no bot any more: configure it and run the job again.`,
    );
  if (deps.shares.isCrowded(platform, bot.concurrency))
    throw new Postponed(deps.shares.turnAway(platform, job));
  const leave = deps.shares.enter(platform, job);
  await takeOver(deps, run, { platform, bot }).finally(leave);
}

async function takeOver(
  deps: ReplyDeps,
  run: ReplyRun,
  { platform, bot }: { platform: Platform; bot: Omit<ServedBot, 'mode'> },
): Promise<void> {
  const { data, job, owner } = run;
  const id = deliveryId(data);
  const repeats = repeatsOf(platform, data);
  const now = deps.clock.now();
  tellLag(deps, data, now);
  const leaseUntil = now + lease;
  // An earlier run of this job in this process is over. In another it may go on, though its lock has run out: Redis is late.
  const same = `job:${job}:${deps.name}.`;
  const said = await deps.deliveries.takeOver({ id, owner, leaseUntil, now, same });
  if (said.is === 'held') throw new Postponed(Math.max(100, said.until - now));
  if (said.is === 'sending') {
    const waitMs = said.since + sendLimit - now;
    if (waitMs > 0) throw new Postponed(waitMs);
    // It died between the request and the note of its outcome: only a person may send it again.
    const why = `${outcomeUnknown}: a process died while it sent the answer.`;
    await deps.deliveries.settle(id, { state: 'unknown', why, repeats });
    // Who has had a part of it waits no more.
    await tellTurns(deps, data, { meaning: 'failed', platform });
    tellDelivery(deps, data, { way: 'unknown', code: 0, job });
    const { answer, sentUpTo } = said;
    throw new ReplyFailed(why, { unknown: true, answer, sentUpTo });
  }
  if (said.is === 'decided') {
    if (said.state !== 'failed' && said.state !== 'unknown') return;
    const unknown = said.state === 'unknown';
    const why = said.why ?? `The delivery is settled as ${said.state}.`;
    throw new ReplyFailed(why, { unknown, answer: readAnswer(data.answer) });
  }
  if (!said.isKnown && isOld(data, now)) {
    const why = `${outcomeUnknown}: its record is older than what Redis keeps.`;
    throw new ReplyFailed(why, { unknown: true, answer: readAnswer(data.answer) });
  }
  const attempt = said.attempt + (data.calls ?? 0);
  const kept = readAnswer(data.answer);
  const answer = said.answer ?? kept;
  // Who runs a failed job again by hand wants the bot to be called.
  const isRepeated = attempt > 1 && answer === null && data.failure === undefined && !data.calls;
  if (isRepeated && (await deps.answeredSince?.(data)))
    return noteEnd(deps, { id, owner, platform, data }, { is: 'sent', answer: platform.acknowledgement });
  const sentUpTo = answer === kept ? (data.sentUpTo ?? 0) : 0;
  await carryOn(deps, run, { platform, bot, attempt, answer, sentUpTo, leaseUntil });
}

/** Nothing is known of its delivery any more, which may have been made. Who runs it again by hand knows that. */
function isOld({ arrivedAt, failure, calls }: ReplyJob, now: number): boolean {
  return arrivedAt !== undefined && now - arrivedAt >= undecidedKept / 2 && failure === undefined && !calls;
}

interface TakenOver {
  platform: Platform;
  bot: Omit<ServedBot, 'mode'>;
  attempt: number;
  answer: ReturnType<typeof readAnswer>;
  sentUpTo: number;
  leaseUntil: number;
}

async function carryOn(deps: ReplyDeps, run: ReplyRun, { leaseUntil, ...taken }: TakenOver): Promise<void> {
  const { data, job, owner } = run;
  const id = deliveryId(data);
  const ownership = deps.owned.begin({ id, owner, leaseUntil });
  const { signal } = ownership;
  const push = restorePush(data.push);
  try {
    const end = await carry(deps, { ...taken, id, owner, job, data, push, signal });
    await noteEnd(deps, { id, owner, platform: taken.platform, data }, end);
    if (end.is !== 'failed') return;
    const { why, unknown } = end;
    throw new ReplyFailed(
      why,
      end.wasAnswered ? { unknown, answer: end.answer, sentUpTo: end.sentUpTo } : {},
    );
  } catch (error) {
    const isUnsent = error instanceof Interrupted;
    if (!signal.aborted || (error !== signal.reason && !isUnsent)) throw error;
    // The process stops: another one calls the bot again, or sends what it has answered.
    await deps.deliveries.leave(id, { owner, now: deps.clock.now() }).catch(() => {});
    throw isUnsent ? error : new Postponed(0);
  } finally {
    ownership.end();
  }
}

/** Once, when a place is found: a job that is turned away comes several times. */
function tellLag({ observe }: ReplyDeps, { arrivedAt }: ReplyJob, at: number): void {
  if (arrivedAt !== undefined)
    observe?.({ is: 'lag', at, queue: 'replies', ms: Math.max(0, at - arrivedAt) });
}
