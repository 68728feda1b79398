import { setTimeout as sleep } from 'node:timers/promises';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Event } from '../core/state.ts';
import type { MessageIndex } from '../replies/intake.ts';
import { conversationWith } from '../typing/conversations.ts';
import type { EventQueue } from '../typing/events.ts';
import { type BotEvent, timeOf } from './stream.ts';
import {
  type BotJobTarget,
  type BotQueueMemory,
  merge,
  parseNamed,
  type Progress,
  targetsOf,
} from './target.ts';

/**
 * Told that a job has ended at this time (ms since 1970, on the bot's Redis).
 * @returns `unknown`: nobody waits for that message, or not yet.
 */
export type EndBotJob = (
  target: BotJobTarget,
  how: 'completed' | 'failed',
  at: number,
) => Promise<'known' | 'unknown'>;

export interface EndsOptions {
  /** What the job's data names now; nothing when the job is gone. */
  namedByJob: (jobId: string) => Promise<BotJobTarget>;
  memory: BotQueueMemory;
  progress: Progress;
  ended: EndBotJob;
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

interface BotTurnsOptions {
  events: Pick<EventQueue, 'tell'>;
  index: Pick<MessageIndex, 'find'>;
  clock: Pick<Clock, 'now'>;
  platformOf: (name: Pick<Conversation, 'channel' | 'account'>) => Platform | null;
}

interface JobTurn {
  conversation: Conversation;
  turn: string | null;
  /** false: no push has brought a message of that id, or not yet. The turn that it would have ends all the same. */
  isKnown: boolean;
}

/** Tells the typing that a job of the bot's own queue has ended. */
export function createBotTurns(options: BotTurnsOptions): EndBotJob {
  return async (target, how, at) => {
    const place = await turnOfJob(options, target);
    if (!place) return 'unknown';
    // The bot's Redis may be ahead of ours: nothing has happened later than now.
    const happened = Math.min(at, options.clock.now());
    await options.events.tell(place.conversation, eventOfEnd(place, how, happened));
    return place.isKnown ? 'known' : 'unknown';
  };
}

/** A job that has done its work has sent the answer, mostly; one that failed has not. */
function eventOfEnd({ turn }: JobTurn, how: 'completed' | 'failed', at: number): Event {
  if (turn === null) return { is: 'over', by: 'queue', turns: 'acknowledged', at };
  return { is: 'ended', turn, by: 'queue', message: how === 'completed' ? 'out' : false, at };
}

async function turnOfJob(
  { index, platformOf }: BotTurnsOptions,
  target: BotJobTarget,
): Promise<JobTurn | null> {
  const { channel, account, messageId } = target;
  if (channel === undefined || target.user === undefined) {
    const found = messageId === undefined ? null : await index.find(messageId);
    const platform = found && platformOf(found.conversation);
    // Where users have several names, the message's is enough.
    const named = platform?.spell ? { ...target, user: undefined } : target;
    return found && isMeant(found.conversation, named) ? { ...found, isKnown: true } : null;
  }
  const platform = platformOf({ channel, account: account ?? 'default' });
  if (!platform) return null;
  const conversation = conversationWith(platform, target.user);
  if (messageId === undefined) return { conversation, turn: null, isKnown: true };
  const found = await index.find(messageId);
  const isKnown = found !== null && isMeant(found.conversation, conversation);
  return { conversation, turn: platform.refer(conversation.user, messageId, null).turn, isKnown };
}

function isMeant(found: Conversation, { channel, account, user }: BotJobTarget): boolean {
  return (
    (channel === undefined || channel === found.channel) &&
    (account === undefined || account === found.account) &&
    (user === undefined || user === found.user)
  );
}
