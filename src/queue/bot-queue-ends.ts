import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../core/log.ts';
import type { BotQueueMemory, Progress } from './bot-queue-memory.ts';
import { timeOf, type BotEvent } from './bot-queue-stream.ts';
import { merge, parseNamed, targetsOf, type BotJobTarget } from './bot-queue-target.ts';

/**
 * Told that a job has ended at this time (ms since 1970, on the bot's Redis).
 * @returns `unknown`: nobody waits for that message, or not yet.
 */
export type Ended = (
  target: BotJobTarget,
  how: 'completed' | 'failed',
  at: number,
) => Promise<'known' | 'unknown'>;

export interface EndsOptions {
  /** What the job's data names now; nothing when the job is gone. */
  namedByJob: (jobId: string) => Promise<BotJobTarget>;
  memory: BotQueueMemory;
  progress: Progress;
  ended: Ended;
  log: Log;
  /** Stops the tries that wait. */
  signal: AbortSignal;
}

/** A bot can be faster than the push that is to open the turn. Waits between tries, in ms: 2 s in all. */
const waits = [100, 200, 400, 600, 700];

/**
 * Tells whose turn a job has ended. Where nobody knows it, it is told again for a while, which holds up no other job.
 * @throws When a Redis is out of reach, before anything is told.
 */
export async function handleEnd(options: EndsOptions, event: BotEvent): Promise<void> {
  const tell = await teller(options, event);
  const hold = options.progress.hold(event.id);
  if ((await tell()) === 'known') {
    hold.release();
    void forget(options, event);
  } else {
    // A process that stops meanwhile lets go of nothing: whoever follows the queue next begins with this event.
    void tellAgain(options, event, tell).then(
      () => hold.release(),
      () => {},
    );
  }
}

/** `fault`: nobody could be asked. Never rejects. */
type Tell = () => Promise<'known' | 'unknown' | 'fault'>;

async function teller({ ended, memory, namedByJob, log }: EndsOptions, event: BotEvent): Promise<Tell> {
  const [learned, current] = await Promise.all([memory.recall(event.jobId), namedByJob(event.jobId)]);
  const named = merge(merge(learned, current), parseNamed(event.returnValue));
  const how = event.is === 'completed' ? 'completed' : 'failed';
  // A job may be removed to make room for the user's next one: it says nothing of the user's other turns.
  const targets = targetsOf(named, event.jobId).filter(
    ({ messageId }) => event.is !== 'removed' || messageId !== undefined,
  );
  return async () => {
    try {
      for (const target of targets) {
        if ((await ended(target, how, timeOf(event))) === 'known') return 'known';
      }
    } catch (error) {
      log.warn({ err: error }, 'The end of a job of the bot could not be told; it is told again.');
      return 'fault';
    }
    return 'unknown';
  };
}

/** Rejects when it is stopped. */
async function tellAgain(options: EndsOptions, event: BotEvent, tell: Tell): Promise<void> {
  for (let tries = 0; tries < waits.length;) {
    await sleep(waits[tries], undefined, { signal: options.signal });
    const told = await tell();
    if (told === 'known') return forget(options, event);
    if (told === 'unknown') tries += 1;
  }
  options.log.debug({ event: event.id }, 'A job of the bot has ended that belongs to no turn.');
  await forget(options, event);
}

/** What stays for a fault is gone by itself in a day. */
async function forget({ memory }: EndsOptions, { jobId }: BotEvent): Promise<void> {
  await memory.forget(jobId).catch(() => {});
}
