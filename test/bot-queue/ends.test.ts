import { describe, expect, test } from 'vitest';
import { createBotTurns } from '../../src/bot-queue/ends.ts';
import type { Conversation, Platform } from '../../src/core/platform.ts';
import type { Event } from '../../src/core/state.ts';
import type { MessagePlace } from '../../src/replies/intake.ts';
import { scriptedPlatform } from '../support/platforms.ts';

const conversation = { channel: 'wechat', account: 'shop', user: 'oUser' } as const;
const place: MessagePlace = { conversation, turn: 'oUser-17' };

function stage({ found = place, spell }: { found?: MessagePlace | null; spell?: Platform['spell'] } = {}) {
  const told: { conversation: Conversation; event: Event }[] = [];
  const platform = { ...scriptedPlatform(), ...(spell ? { spell } : {}) };
  const ended = createBotTurns({
    events: {
      tell: async (whose, event) => {
        told.push({ conversation: whose, event });
        return null;
      },
    },
    index: { find: async (messageId) => (messageId === '17' ? found : null) },
    clock: { now: () => 1_000 },
    platformOf: ({ channel, account }) => (`${channel}/${account}` === 'wechat/shop' ? platform : null),
  });
  return { told, ended };
}

describe('a job of the bot that has ended', () => {
  test('ends the turn of the message that it names; a completed one may have sent the answer', async () => {
    const { told, ended } = stage();
    expect(await ended({ messageId: '17' }, 'completed', 900)).toBe('known');
    expect(await ended({ messageId: '17' }, 'failed', 900)).toBe('known');
    const event = { is: 'ended', turn: 'oUser-17', by: 'queue', at: 900 };
    expect(told).toEqual([
      { conversation, event: { ...event, message: 'out' } },
      { conversation, event: { ...event, message: false } },
    ]);
  });

  test('that names the user too ends the turn of a message that no push has brought, or not yet', async () => {
    const { told, ended } = stage({ found: null });
    // It may be an id of the bot's own: the job's other names are tried too.
    expect(await ended({ ...conversation, messageId: '18' }, 'completed', 900)).toBe('unknown');
    expect(told).toMatchObject([{ conversation, event: { turn: 'oUser-18' } }]);
  });

  test('of a message that a push has brought is known by user and message too', async () => {
    const { told, ended } = stage();
    expect(await ended({ ...conversation, messageId: '17' }, 'completed', 900)).toBe('known');
    expect(told).toMatchObject([{ conversation, event: { turn: 'oUser-17' } }]);
  });

  test('that names only the user ends what was acknowledged', async () => {
    const { told, ended } = stage();
    await ended(conversation, 'completed', 900);
    expect(told).toEqual([
      { conversation, event: { is: 'over', by: 'queue', turns: 'acknowledged', at: 900 } },
    ]);
  });

  test('that spells its user in another way than pushes do means the same one', async () => {
    const { told, ended } = stage({ spell: (user) => user.replace(/^\+/, '') });
    await ended({ ...conversation, user: `+${conversation.user}` }, 'completed', 900);
    expect(told).toMatchObject([{ conversation }]);
  });

  test.each([
    ['a message that nobody knows', { messageId: '99' }],
    ['a message of another account than it names', { messageId: '17', account: 'other' }],
    ['a message of another channel than it names', { messageId: '17', channel: 'nxcloud' as const }],
    ['an account that is not configured', { ...conversation, account: 'other' }],
  ])('%s: nobody hears of it', async (_, target) => {
    const { told, ended } = stage();
    expect(await ended(target, 'completed', 900)).toBe('unknown');
    expect(told).toEqual([]);
  });

  test('by a clock that is ahead of ours: it has ended by now', async () => {
    const { told, ended } = stage();
    await ended(conversation, 'completed', 5_000);
    expect(told).toMatchObject([{ event: { at: 1_000 } }]);
  });
});
