/** What a bot's answer to a push means for the turns that the push opened. */
import type { Event } from './event.ts';
import type { BotAnswer } from './platform.ts';
import type { Rules } from './rules.ts';
import { headerOf, type HeaderLines } from './wire.ts';

export type Meaning =
  /** It holds a message, which goes out now. */
  | 'message'
  /** It holds a message, and the bot says that it is not yet the answer. */
  | 'message-first'
  | 'acknowledgement'
  /** Acknowledged, and the bot asks for typing until its answer. */
  | 'keep'
  /** The bot says that no answer will come. */
  | 'none'
  /** The bot says that the answer is out already. */
  | 'done'
  /** It passes the user on to a human. */
  | 'handoff'
  /** This delivery brought no answer; the platform's next one may. */
  | 'missed'
  /** None will come. */
  | 'failed'
  /** The message that ended the turn did not go out. */
  | 'undelivered'
  /** The user was not passed on after all. */
  | 'kept';

/** What it means that the platform did not take an answer of this meaning. */
export function notTaken(meaning: Meaning): Meaning | null {
  if (meaning === 'handoff') return 'kept';
  return holdsMessage(meaning) ? 'undelivered' : null;
}

/** The header by which a bot may say more than its answer does. */
export const typingHeader = 'X-Typing';

/** A word that is none of ours says nothing. A message goes out whatever the header says. */
export function meaningOf(read: BotAnswer, headers: HeaderLines): Meaning {
  const word = headerOf(headers, typingHeader)?.trim().toLowerCase();
  if (read.is === 'handoff') return 'handoff';
  if (read.is === 'message') return word === 'keep' ? 'message-first' : 'message';
  return word === 'none' || word === 'done' || word === 'keep' ? word : 'acknowledgement';
}

/** Whether the answer has something for the user. */
export function holdsMessage(meaning: Meaning): boolean {
  return meaning === 'message' || meaning === 'message-first' || meaning === 'handoff';
}

/** What the typing of the turn hears. */
export function eventOf(meaning: Meaning, turn: string, { rules, at }: { rules: Rules; at: number }): Event {
  switch (meaning) {
    case 'message':
      return { is: 'ended', turn, by: 'passive-reply', message: true, at };
    case 'acknowledgement':
      return { is: 'acknowledged', turn, at };
    case 'message-first':
    case 'keep':
      return { is: 'acknowledged', turn, renew: true, at };
    case 'none':
      return { is: 'ended', turn, by: 'bot', message: false, at };
    case 'done':
      return { is: 'ended', turn, by: 'bot', message: 'out', at };
    case 'handoff':
      return { is: 'paused', until: at + rules.handoff, by: 'transfer', at };
    case 'missed':
      return { is: 'missed', turn, at };
    case 'failed':
      return { is: 'ended', turn, by: 'reply-failed', message: false, at };
    case 'undelivered':
      return { is: 'undelivered', at };
    case 'kept':
      return { is: 'resumed', by: 'transfer', at };
  }
}
