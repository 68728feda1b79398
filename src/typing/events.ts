import type { Queue } from 'bullmq';
import { type Conversation, conversationId } from '../core/platform.ts';
import type { Event, State } from '../core/state.ts';
import type { Outbox } from '../redis/outbox.ts';
import { leaveNoTrace, type TypingJob } from './jobs.ts';
import type { Left } from './wakes.ts';

export interface TellOptions {
  /** The block of this sender ends with the event. */
  release?: string;
  /** It has waited for Redis, and so may have what ends it: nobody is asked for a show before that can have been told. */
  isLate?: boolean;
}

/** How a conversation hears of what happens. */
export interface EventQueue {
  /**
   * Resolves when the event is safe in Redis: with the conversation's state where it was taken into that, with null where
   * it is a job.
   */
  tell(conversation: Conversation, event: Event, how?: TellOptions): Promise<State | null>;
}

export type QueueOf = (conversation: Conversation) => Queue<TypingJob> | Promise<Queue<TypingJob>>;

interface EventQueueOptions {
  /** The typing queue of its shard. */
  queueOf: QueueOf;
  apply: Apply;
}

/**
 * Takes an event into the conversation's state at once. `sooner`: the number of a timer that is due earlier than any
 * before it, and that no worker knows. Resolves with null, and nothing done, where the account is not known here.
 */
export type Apply = (
  conversation: Conversation,
  event: Event,
  release: string | null,
) => Promise<{ state: State; sooner: number | null } | null>;

/** A job is for work, not for news: whoever learns something takes it into the state, and a worker makes the calls. */
export function createEventQueue({ queueOf, apply }: EventQueueOptions): EventQueue {
  return {
    tell: async (conversation, event, { release, isLate = false } = {}) => {
      const asksForShow = asks.includes(event.is);
      const applied = asksForShow && !isLate ? null : await apply(conversation, event, release ?? null);
      if (applied?.sooner === null) return applied.state;
      const { at } = event;
      const asked: Event = applied ? { is: 'wake', timer: applied.sooner, at } : event;
      const data = { conversation, event: asked, ...(release === undefined ? {} : { release }) };
      // What ends a show waits for nothing, however late it is told.
      const order = asksForShow && isLate ? { delay: afterLate } : { lifo: !asksForShow };
      const queue = await queueOf(conversation);
      await queue.add(asked.is, data, { ...persistent, ...order });
      return applied?.state ?? null;
    },
  };
}

/** These ask for a show nearly always. What ends one goes to the head of the line. */
const asks: readonly Event['is'][] = ['inbound', 'started', 'wake'];

/** What waits behind such an event in its process has been told by then (ms). */
const afterLate = 500;

/** An event is never given up for a fault of Redis's: judging it again does no harm. */
const persistent = { ...leaveNoTrace, attempts: 10, backoff: { type: 'fixed', delay: 500 } } as const;

/** Redis takes so many jobs in one go. */
const bulk = 500;
/** A renewal is due by then (ms); what comes later is found overdue in time. */
const soon = 60_000;

/** What a worker that leaves was to look at becomes jobs: any other takes them, of the release before too. */
export async function addTimers(queueOf: QueueOf, left: readonly Left[], now: number): Promise<void> {
  const byQueue = new Map<Queue<TypingJob>, Left[]>();
  for (const each of left.filter(({ timer }) => timer.at < now + soon)) {
    const queue = await queueOf(each.conversation);
    const these = byQueue.get(queue);
    if (these) these.push(each);
    else byQueue.set(queue, [each]);
  }
  for (const [queue, all] of byQueue) {
    const jobs = all.map(({ conversation, timer: { at, n } }) => ({
      name: 'wake',
      data: { conversation, event: { is: 'wake' as const, timer: n, at } },
      opts: { ...persistent, delay: Math.max(0, Math.ceil(at - now)) },
    }));
    for (let first = 0; first < jobs.length; first += bulk)
      await queue.addBulk(jobs.slice(first, first + bulk));
  }
}

/** What is learned of a conversation waits here while its Redis takes nothing. */
export type OutboxOf = (conversation: Conversation) => MaybePromise<Pick<Outbox, 'tell'>>;
type MaybePromise<T> = T | Promise<T>;

/** The same for whoever cannot wait for Redis: what it does not take waits in the outbox. */
export function createKeptEvents(events: EventQueue, outboxOf: OutboxOf): EventQueue {
  return {
    tell: async (conversation, event, how) => {
      let state: State | null = null;
      const outbox = await outboxOf(conversation);
      await outbox.tell(conversationId(conversation), async (isLate) => {
        state = await events.tell(conversation, event, isLate ? { ...how, isLate } : how);
      });
      return state;
    },
  };
}
