import type { Queue } from 'bullmq';
import { z } from 'zod';
import { botAttempts, botPause } from '../core/bot.ts';
import {
  channels,
  type Conversation,
  conversationOf,
  type Happening,
  type Platform,
} from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { Event } from '../core/state.ts';
import type { RawPush } from '../core/wire.ts';
import { keys } from '../redis/keys.ts';
import { readStored } from '../redis/stored.ts';
import type { EventQueue } from '../typing/events.ts';
import { leaveNoTrace, type ReplyJob, storePush } from '../typing/jobs.ts';
import type { Store } from '../typing/store.ts';
import { deliveryId } from './run.ts';

type Phase = Extract<Event, { is: 'inbound' }>['phase'];

/** How the web hands over what a push says. */
export interface Intake {
  /** Everything that happened, for the typing queue. Resolves when it is in Redis. */
  tell(platform: Platform, happenings: readonly Happening[], phase: Phase): Promise<void>;
  /** One event of a conversation. */
  tellEvent(platform: Platform, user: string, event: Event): Promise<void>;
  /** The push as a reply job. A repeat adds nothing. Resolves when it is in Redis: only then may the platform hear 2xx. */
  enqueue(
    platform: Platform,
    received: { key: string; happenings: readonly Happening[]; push: RawPush },
  ): Promise<void>;
  /** Sends an answer that could not be written on the held connection after all. */
  redeliver(
    platform: Platform,
    received: { key: string; happenings: readonly Happening[]; push: RawPush },
  ): Promise<void>;
}

interface IntakeOptions {
  replies: Queue<ReplyJob>;
  events: EventQueue;
  store: Store;
  clock: Clock;
  /** Where message ids are noted, if somebody asks for them. */
  index?: Pick<MessageIndex, 'note'> | undefined;
}

type InboundHappening = Extract<Happening, { is: 'inbound' }>;

const statusRepeats = 10 * 60_000;

const backoff = { type: 'fixed', delay: botPause } as const;

export function createIntake({ replies, events, store, clock, index }: IntakeOptions): Intake {
  const add = async (
    platform: Platform,
    received: Parameters<Intake['enqueue']>[1],
    again: boolean,
  ): Promise<void> => {
    const data = { ...jobOf(platform, received), arrivedAt: clock.now() };
    // Statuses are many, and a repeat of one does no harm: they are not remembered for as long as a message.
    const said = received.happenings.some(({ is }) => is === 'inbound');
    const ttl = said ? platform.rules.repeats : Math.min(platform.rules.repeats, statusRepeats);
    const deduplication = { id: deliveryId(data), ttl };
    await replies.add('reply', data, {
      ...leaveNoTrace,
      attempts: botAttempts,
      backoff,
      ...(again ? {} : { deduplication }),
    });
  };
  return {
    tell: async (platform, happenings, phase) => {
      const at = clock.now();
      const told = happenings.flatMap((happening) => {
        const conversation = conversationOf(platform, happening.user);
        const event = eventOfHappening(happening, { phase, at, handoff: platform.rules.handoff });
        const noted =
          happening.is === 'inbound' ? note({ store, index }, platform, { ...happening, at }) : [];
        return event
          ? [...noted, events.tell(conversation, event, { repeatsMs: platform.rules.repeats })]
          : noted;
      });
      await Promise.all(told);
    },
    tellEvent: (platform, user, event) => events.tell(conversationOf(platform, user), event),
    enqueue: (platform, received) => add(platform, received, false),
    redeliver: (platform, received) => add(platform, received, true),
  };
}

/** What others look up: the last interaction, and whose a message is. */
function note(
  { store, index }: Pick<IntakeOptions, 'store' | 'index'>,
  platform: Platform,
  happening: InboundHappening & { at: number },
): Promise<void>[] {
  const recorded = happening.interaction
    ? [store.record(conversationOf(platform, happening.user), happening)]
    : [];
  return happening.opensTurn && index ? [...recorded, index.note(platform, happening)] : recorded;
}

function jobOf(
  { channel, account }: Platform,
  { key, happenings, push }: Parameters<Intake['enqueue']>[1],
): ReplyJob {
  const turns = happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [{ user: each.user, turn: each.key }] : [],
  );
  const user = happenings[0]?.user ?? null;
  return { channel, account, key, user, turns, push: storePush(push) };
}

function eventOfHappening(
  happening: Happening,
  { phase, at, handoff }: { phase: Phase; at: number; handoff: number },
): Event | null {
  switch (happening.is) {
    case 'inbound': {
      const { key: turn, sentAt, messageId, opensTurn, interaction } = happening;
      const matters = opensTurn || interaction;
      return matters ? { is: 'inbound', turn, sentAt, messageId, opensTurn, interaction, phase, at } : null;
    }
    case 'evidence':
      return {
        is: 'message',
        by: happening.evidence,
        sentAt: happening.sentAt,
        id: happening.messageId,
        at,
      };
    case 'handoff':
      return happening.on
        ? { is: 'paused', until: at + handoff, by: 'session', at }
        : { is: 'resumed', by: 'session', at };
    case 'left':
      return { is: 'left', at };
  }
}

/** Which turn a platform's message id belongs to, for who knows nothing else of it: the bot's own queue. */

export interface MessagePlace {
  conversation: Conversation;
  turn: string;
}

export interface MessageIndex {
  note(platform: Platform, happening: Extract<Happening, { is: 'inbound' }>): Promise<void>;
  find(messageId: string): Promise<MessagePlace | null>;
}

interface MessageIndexCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
}

const place = z.object({
  conversation: z.object({ channel: z.enum(channels), account: z.string(), user: z.string() }),
  turn: z.string(),
});

/** A job can end a while after its turn has: its end is then known to be late, not unknown. */
const lateness = 60_000;

export function createMessageIndex(redis: MessageIndexCommands): MessageIndex {
  return {
    note: async ({ channel, account, rules }, { user, key: turn, messageId }) => {
      const value = JSON.stringify({ conversation: { channel, account, user }, turn });
      // NXCloud's key is the message id as the platform writes it, WeChat's holds the user too.
      const names = new Set(messageId === null ? [turn] : [turn, messageId]);
      const kept = rules.deadline + lateness;
      await Promise.all([...names].map((name) => redis.set(keys.message(name), value, 'PX', kept)));
    },
    find: async (messageId) => {
      // One that cannot be read is nobody's: its turn ends some other way, or at its deadline.
      return readStored(place, await redis.get(keys.message(messageId)));
    },
  };
}
