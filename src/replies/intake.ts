import { z } from 'zod';
import {
  channels,
  type Conversation,
  conversationOf,
  type Happening,
  type Platform,
} from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { Event } from '../core/state.ts';
import { keys } from '../redis/keys.ts';
import { readStored } from '../redis/stored.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Identities } from '../typing/identities.ts';
import type { Store } from '../typing/store.ts';

type Phase = Extract<Event, { is: 'inbound' }>['phase'];

/** How the typing hears of what a push says. */
export interface Intake {
  /** Never rejects: what Redis does not take waits in this process. */
  tell(platform: Platform, happenings: readonly Happening[], phase: Phase): Promise<void>;
}

interface IntakeOptions {
  /** Kept where Redis does not take them. */
  events: EventQueue;
  store: Pick<Store, 'record'>;
  identities: Identities;
  clock: Pick<Clock, 'now'>;
  /** Where message ids are noted, if somebody asks for them. */
  index?: Pick<MessageIndex, 'note'> | undefined;
}

type InboundHappening = Extract<Happening, { is: 'inbound' }>;

export function createIntake({ events, store, identities, clock, index }: IntakeOptions): Intake {
  return {
    tell: async (platform, happenings, phase) => {
      const at = clock.now();
      // First: what is told next is judged in the one conversation.
      for (const { user, names } of happenings) if (names) await identities.learn(platform, user, names);
      const told = happenings.flatMap((happening) => {
        const conversation = conversationOf(platform, happening.user);
        const event = eventOfHappening(happening, { phase, at, handoff: platform.rules.handoff });
        const noted =
          happening.is === 'inbound' ? note({ store, index }, platform, { ...happening, at }) : [];
        return event ? [...noted, events.tell(conversation, event)] : noted;
      });
      await Promise.all(told);
    },
  };
}

/** What others look up: the last interaction, and whose a message is. The event itself says as much, a little later. */
function note(
  { store, index }: Pick<IntakeOptions, 'store' | 'index'>,
  platform: Platform,
  happening: InboundHappening & { at: number },
): Promise<unknown>[] {
  const recorded = happening.interaction
    ? [
        store.record(conversationOf(platform, happening.user), {
          ...happening,
          kept: Math.max(platform.rules.window, platform.rules.remembered),
        }),
      ]
    : [];
  const notes = happening.opensTurn && index ? [...recorded, index.note(platform, happening)] : recorded;
  return notes.map((noting) => noting.catch(() => {}));
}

function eventOfHappening(
  happening: Happening,
  { phase, at, handoff }: { phase: Phase; at: number; handoff: number },
): Event | null {
  switch (happening.is) {
    case 'inbound': {
      const { key: turn, sentAt, messageId, opensTurn, interaction, to } = happening;
      if (!opensTurn && !interaction) return null;
      const written = to === undefined ? {} : { to };
      return { is: 'inbound', turn, sentAt, messageId, opensTurn, interaction, phase, at, ...written };
    }
    case 'evidence': {
      const { evidence: by, messageId: id, sentAt, slack = 0, from } = happening;
      return {
        is: 'message',
        by,
        sentAt,
        id,
        at,
        ...(slack === 0 ? {} : { slack }),
        ...(from === undefined ? {} : { from }),
      };
    }
    case 'failed': {
      const { messageId: id, sentAt, from } = happening;
      return { is: 'failed', sentAt, id, at, ...(from === undefined ? {} : { from }) };
    }
    case 'aside':
      return { is: 'aside', id: happening.messageId, at };
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
