import { createHash } from 'node:crypto';
import type { JobsOptions, Queue } from 'bullmq';
import { type Conversation, conversationId } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { Event } from '../core/state.ts';
import { leaveNoTrace, type TypingJob } from './jobs.ts';

interface TellOptions {
  /** Repeats of a message within this are told once (ms). */
  repeatsMs?: number;
  /** The block of this sender ends with the event. */
  release?: string;
}

/** The way events and wake-ups reach the worker that judges them. */
export interface EventQueue {
  /** Resolves when the event is safe in Redis. */
  tell(conversation: Conversation, event: Event, how?: TellOptions): Promise<void>;
  arm(conversation: Conversation, timer: { n: number; at: number }): Promise<void>;
  disarm(conversation: Conversation, n: number): Promise<void>;
}

interface EventQueueOptions {
  queue: Queue<TypingJob>;
  alarm: Alarm;
  clock: Clock;
}

export function createEventQueue({ queue, alarm, clock }: EventQueueOptions): EventQueue {
  return {
    tell: async (conversation, event, { repeatsMs, release } = {}) => {
      const data = { conversation, event, ...(release === undefined ? {} : { release }) };
      await queue.add(event.is, data, optionsOf(conversation, event, repeatsMs));
    },
    arm: async (conversation, { n, at }) => {
      const event: Event = { is: 'wake', timer: n, at };
      const delay = Math.max(0, at - clock.now());
      const jobId = timerId(conversation, n);
      // Renewals come after first shows, which come after ends: a job without a priority is taken before one with.
      // A failed one that was kept would stand in the way of the next with its number.
      const options = { ...persistent, removeOnFail: true, jobId, delay, priority: 1 };
      await queue.add('wake', { conversation, event }, options);
      alarm.at(at);
    },
    disarm: async (conversation, n) => {
      await queue.remove(timerId(conversation, n));
    },
  };
}

/** An event is never given up for a fault of Redis's: judging it again does no harm. */
const persistent = { ...leaveNoTrace, attempts: 10, backoff: { type: 'fixed', delay: 500 } } as const;

/** Ends go to the head of the line. A first delivery of a message is told once; in pass mode each delivery counts. */
function optionsOf(conversation: Conversation, event: Event, repeatsMs = 0): JobsOptions {
  const lifo = ['ended', 'over', 'message', 'typed', 'undelivered', 'paused', 'left', 'forgotten'].includes(
    event.is,
  );
  if (event.is !== 'inbound' || event.phase === 'passed') return { ...persistent, lifo };
  const { channel, account } = conversation;
  return { ...persistent, deduplication: { id: `${channel}/${account}/${event.turn}`, ttl: repeatsMs } };
}

/** A hash: BullMQ takes no ":" in an id, and keeps ids in its event stream, where no user's name has to stand. */
function timerId(conversation: Conversation, n: number): string {
  const hash = createHash('sha256').update(conversationId(conversation)).digest('hex');
  return `${hash.slice(0, 32)}-${n}`;
}

/** Makes Redis look at its delayed jobs in time. */
interface Alarm {
  /** A job is due at `at` (ms). */
  at(time: number): void;
  close(): void;
}

interface AlarmOptions {
  clock: Clock;
  ping: () => Promise<unknown>;
}

/**
 * A worker waits for the next delayed job in a blocking command, and Redis looks at blocked clients' timeouts only at
 * its tick, up to 100 ms late with the default `hz 10`. Any command makes it look: a PING just after the job is due
 * brings the lateness down to some ms, and a second one catches the case that the first came before the timeout.
 * Jobs due within the same 10 ms share their PINGs.
 */
export function createAlarm({ clock, ping }: AlarmOptions): Alarm {
  const planned = new Map<number, NodeJS.Timeout>();
  const nudge = (): void => {
    // A PING that fails costs precision only.
    ping().catch(() => {});
  };
  const plan = (slot: number): void => {
    if (planned.has(slot)) return;
    const wait = Math.max(0, slot - clock.now());
    const timer = setTimeout(() => {
      planned.delete(slot);
      nudge();
    }, wait);
    planned.set(slot, timer.unref());
  };
  return {
    at: (time) => {
      const slot = Math.ceil((time + 1) / grid) * grid;
      plan(slot);
      plan(slot + secondLook);
    },
    close: () => {
      for (const timer of planned.values()) clearTimeout(timer);
      planned.clear();
    },
  };
}

const grid = 10;
const secondLook = 4;
