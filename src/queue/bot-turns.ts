import type { Clock } from '../core/clock.ts';
import type { Event } from '../core/event.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Ended } from './bot-queue-ends.ts';
import type { BotJobTarget } from './bot-queue-target.ts';
import type { EventQueue } from './events.ts';
import type { MessageIndex } from './message-index.ts';

export interface BotTurnsOptions {
  events: Pick<EventQueue, 'tell'>;
  index: Pick<MessageIndex, 'find'>;
  clock: Pick<Clock, 'now'>;
  platformOf: (name: Pick<Conversation, 'channel' | 'account'>) => Platform | null;
}

interface Place {
  conversation: Conversation;
  turn: string | null;
  /** false: no push has brought a message of that id, or not yet. The turn that it would have ends all the same. */
  isKnown: boolean;
}

/** Tells the typing that a job of the bot's own queue has ended. */
export function createBotTurns(options: BotTurnsOptions): Ended {
  return async (target, how, at) => {
    const place = await placeOf(options, target);
    if (!place) return 'unknown';
    // The bot's Redis may be ahead of ours: nothing has happened later than now.
    const happened = Math.min(at, options.clock.now());
    await options.events.tell(place.conversation, eventOf(place, how, happened));
    return place.isKnown ? 'known' : 'unknown';
  };
}

/** A job that has done its work has sent the answer, mostly; one that failed has not. */
function eventOf({ turn }: Place, how: 'completed' | 'failed', at: number): Event {
  if (turn === null) return { is: 'over', by: 'queue', turns: 'acknowledged', at };
  return { is: 'ended', turn, by: 'queue', message: how === 'completed' ? 'out' : false, at };
}

async function placeOf({ index, platformOf }: BotTurnsOptions, target: BotJobTarget): Promise<Place | null> {
  const { channel, account, messageId } = target;
  // A phone number's "+" stands in no push.
  const user = target.user?.replace(/^\+/, '');
  if (channel === undefined || user === undefined) {
    const found = messageId === undefined ? null : await index.find(messageId);
    return found && isMeant(found.conversation, target) ? { ...found, isKnown: true } : null;
  }
  const platform = platformOf({ channel, account: account ?? 'default' });
  if (!platform) return null;
  const conversation = { channel, account: platform.account, user };
  if (messageId === undefined) return { conversation, turn: null, isKnown: true };
  const found = await index.find(messageId);
  const isKnown = found !== null && isMeant(found.conversation, conversation);
  return { conversation, turn: platform.refer(user, messageId, null).turn, isKnown };
}

function isMeant(found: Conversation, { channel, account, user }: BotJobTarget): boolean {
  return (
    (channel === undefined || channel === found.channel) &&
    (account === undefined || account === found.account) &&
    (user === undefined || user.replace(/^\+/, '') === found.user)
  );
}
