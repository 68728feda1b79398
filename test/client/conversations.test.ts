import { expect, test } from 'vitest';
import { createConversations } from '../../src/client/client.ts';
import type { Held } from '../../src/client/turns.ts';

test('a conversation is remembered while a function of it runs, and forgotten when nothing is left', async () => {
  const conversations = createConversations();
  const seen: Held[] = [];
  const holder = { messageId: 'm', turn: 'turn-of-m' };
  const step = async (change: (held: Held) => void): Promise<void> => {
    conversations.queue('/a', async (held) => {
      seen.push(held);
      change(held);
    });
    await conversations.idle();
  };
  await step((held) => held.holders.add(holder));
  await step((held) => held.holders.delete(holder));
  await step(() => {});
  expect(seen[1]).toBe(seen[0]);
  expect(seen[2]).not.toBe(seen[0]);
  expect(conversations.waiting('/a')).toBe(0);
});
