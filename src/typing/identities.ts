/**
 * One person is one conversation, by whatever name. A user of WhatsApp is known by a phone number, a business-scoped user
 * id and others; what names two of them joins what was known under either.
 */
import { conversationId, conversationOf, type Platform } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import type { EventQueue, OutboxOf } from './events.ts';
import { readState, sameAs } from './state-schema.ts';
import type { Store } from './store.ts';

export interface Identities {
  /** The user has these other names too. Never rejects: what Redis does not take waits in this process. */
  learn(place: Place, user: string, names: readonly string[]): Promise<void>;
}

interface IdentitiesOptions {
  store: Pick<Store, 'load' | 'same'>;
  events: Pick<EventQueue, 'tell'>;
  outboxOf: OutboxOf;
  clock: Pick<Clock, 'now'>;
  platformOf: (place: Place) => Platform | null;
}

/** Whoever writes at the same time can come between. */
const tries = 5;

/** A message and its statuses name the same within this (ms): they are learned once… */
const fresh = 60_000;
/** …of so many users at once. */
const mostFresh = 10_000;

export function createIdentities({
  store,
  events,
  outboxOf,
  clock,
  platformOf,
}: IdentitiesOptions): Identities {
  /** What stands under the name is made part of the user's conversation, and then leads to it. */
  const join = async (platform: Platform, user: string, name: string): Promise<void> => {
    const kept = platform.rules.namesKept;
    const { conversation } = await store.load(conversationOf(platform, user));
    let from: string | null = null;
    for (let tried = 0; tried < tries && name !== conversation.user; tried += 1) {
      const stands = await store.same(conversation, name, { from, kept });
      if (stands === null) return;
      const elder = sameAs(stands);
      // It was somebody's name already: that is the same person.
      if (elder !== null && elder !== conversation.user) await join(platform, conversation.user, elder);
      const other = elder === null ? readState(stands) : null;
      if (other && !('fault' in other))
        await events.tell(conversation, { is: 'joined', other, at: clock.now() });
      from = stands;
    }
  };
  const learned = new Map<string, number>();
  return {
    learn: async (place, user, names) => {
      const platform = platformOf(place);
      if (!platform) return;
      const conversation = conversationOf(platform, user);
      const id = conversationId(conversation);
      const what = JSON.stringify([id, ...names]);
      if (clock.now() < (learned.get(what) ?? 0)) return;
      const outbox = await outboxOf(conversation);
      await outbox.tell(id, async () => {
        for (const name of names) await join(platform, user, name);
        if (learned.size >= mostFresh) learned.clear();
        learned.set(what, clock.now() + fresh);
      });
    },
  };
}
