/** What the gateway sees of the bot's own calls, told to the typing. Nothing here throws, or waits for a Redis that is away. */
import { randomUUID } from 'node:crypto';
import type { AccountNotice } from '../core/notice.ts';
import {
  type Conversation,
  conversationOf,
  type GatewayPlatform,
  type OwnCall,
  type Verdict,
} from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Event } from '../core/state.ts';
import { type Blocks, makeWay, type Way } from '../typing/blocks.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Identities } from '../typing/identities.ts';

export interface WatchOptions {
  blocks: Blocks;
  /** Kept where Redis does not take them: what a fault lost would show typing beside the answer. */
  events: EventQueue;
  identities: Identities;
  clock: Clock;
  log: Log;
  reachesRedis: () => boolean;
  /** Is told of each call of the bot that the platform has accepted. @default nobody */
  accepted?: (place: AccountNotice) => void;
}

/** One message has waited in vain: those of the next second do not (ms). */
const hungPause = 1_000;

export function createWatch(options: WatchOptions): GatewayWatch {
  let hungUntil = 0;
  const wayFor = async (conversation: Conversation, holder: string): Promise<Way> => {
    const at = options.clock.now();
    if (!options.reachesRedis()) return { at, waitedForShow: false, is: 'unknown' };
    // Its answer is not waited for, but it may well be carried out.
    if (at < hungUntil) return makeWay(options, conversation, { holder, at, patienceMs: 0 });
    const way = await makeWay(options, conversation, { holder, at });
    // A Redis that hangs begins no show either; one that says no takes no time.
    if (way.is === 'silent') hungUntil = options.clock.now() + hungPause;
    return way;
  };
  return {
    sending: async (platform, user, how = {}) => {
      const conversation = conversationOf(platform, user);
      const { channel, account } = conversation;
      const holder = randomUUID();
      const { at, waitedForShow, is } = await wayFor(conversation, holder);
      if (waitedForShow)
        options.log.debug({ channel, account }, 'A message of the bot waited for a typing call.');
      const over = (verdict: Verdict): void => {
        // The bot has its answer first.
        setImmediate(() => void sent(options, conversation, { ...how, verdict, at, holder, is }));
      };
      return { waitedForShow, over };
    },
    aside: (platform, user, verdict) => {
      if (verdict.is !== 'accepted' || verdict.messageId === null) return;
      const event = { is: 'aside', id: verdict.messageId, at: options.clock.now() } as const;
      tellTyping(options, conversationOf(platform, user), { event });
    },
    typed: (platform, user, { on, verdict }) => {
      if (verdict.is !== 'accepted') return;
      options.accepted?.(platform);
      const event = { is: 'typed', on, at: options.clock.now() } as const;
      tellTyping(options, conversationOf(platform, user), { event });
    },
  };
}

type Send = Extract<OwnCall, { is: 'send' }>;

interface BlockedSend extends Pick<Way, 'at' | 'is'>, Pick<Send, 'from' | 'isInterim'> {
  verdict: Verdict;
  holder: string;
}

async function sent(
  options: WatchOptions,
  conversation: Conversation,
  { verdict, at, holder, is, from, isInterim }: BlockedSend,
): Promise<void> {
  const { channel, account, user } = conversation;
  if (verdict.is === 'accepted') options.accepted?.(conversation);
  if (verdict.is === 'accepted' && verdict.names)
    void options.identities.learn(conversation, user, verdict.names);
  if (verdict.is === 'refused')
    options.log.warn(
      { channel, account, code: verdict.code },
      `The platform refused a message of the bot: ${verdict.name}.`,
    );
  // Who did not wait when it left may have written since.
  const standing = is === 'idle' ? await options.blocks.look(conversation).catch(() => null) : null;
  if (standing?.matters === false) {
    await options.blocks.end(conversation, { holder, now: options.clock.now() }).catch(() => {});
    return;
  }
  if (verdict.is === 'accepted' && isInterim) {
    // Its status is no answer either.
    if (verdict.messageId !== null)
      tellTyping(options, conversation, { event: { is: 'aside', id: verdict.messageId, at } });
    const event = { is: 'interaction', sent: true, at: options.clock.now() } as const;
    return tellTyping(options, conversation, { event, release: holder });
  }
  // It counts from when it left: a message of the user that crossed it is not answered by it.
  const event: Event =
    verdict.is === 'accepted'
      ? {
          is: 'message',
          by: 'gateway',
          sentAt: 0,
          id: verdict.messageId,
          at,
          ...(from === undefined ? {} : { from }),
        }
      : { is: 'unblocked', doubt: verdict.is === 'unknown', at: options.clock.now() };
  tellTyping(options, conversation, { event, release: holder });
}

function tellTyping(
  { events }: WatchOptions,
  conversation: Conversation,
  { event, release }: { event: Event; release?: string },
): void {
  void events.tell(conversation, event, release === undefined ? {} : { release });
}

/** A message of the bot that is on its way to the user. */
export interface Sending {
  /** A show of ours was in flight and awaited: the time that this took is not the gateway's. */
  waitedForShow: boolean;
  /** Called exactly once, however the call ends, before the bot has the whole of the platform's answer. */
  over(verdict: Verdict): void;
}

/** Who learns what the bot's own calls say about its users. Nothing here throws. */
export interface GatewayWatch {
  /**
   * Before a message leaves: no show begins until it is over. Never rejects, and resolves within 500 ms; at once when
   * Redis is away.
   */
  sending(platform: GatewayPlatform, user: string, how?: Pick<Send, 'from' | 'isInterim'>): Promise<Sending>;
  /** After what the platform reports like a message, and is no answer. */
  aside(platform: GatewayPlatform, user: string, verdict: Verdict): void;
  /** After the bot's own typing call (`on`) or its end. */
  typed(platform: GatewayPlatform, user: string, typed: { on: boolean; verdict: Verdict }): void;
}
