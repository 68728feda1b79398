/** Which turn a platform's message id belongs to, for who knows nothing else of it: the bot's own queue. */
import { z } from 'zod';
import type { Conversation, Happening, Platform } from '../core/platform.ts';
import { keys } from '../redis/script.ts';

export interface MessagePlace {
  conversation: Conversation;
  turn: string;
}

export interface MessageIndex {
  note(platform: Platform, happening: Extract<Happening, { is: 'inbound' }>): Promise<void>;
  find(messageId: string): Promise<MessagePlace | null>;
}

export interface MessageIndexCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
}

const place = z.object({
  conversation: z.object({ channel: z.enum(['wechat', 'nxcloud']), account: z.string(), user: z.string() }),
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
      const value = await redis.get(keys.message(messageId));
      return value === null ? null : place.parse(JSON.parse(value));
    },
  };
}
