import type { Event } from '../core/event.ts';
import type { Platform } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { warn, type Task, type WebDeps } from './task.ts';

/** What the bot's answer to a push, or the lack of one, means for its turns. */
export type Meaning =
  | 'message'
  | 'acknowledgement'
  /** This delivery brought no answer; the platform's next one may. */
  | 'missed'
  /** None will come. */
  | 'failed'
  /** The message that ended the turn did not go out. */
  | 'undelivered';

/** `otherwise`: what it means that the bot gave no answer. */
export async function meaningOf(
  platform: Platform,
  answer: Answer | null,
  otherwise: Meaning,
): Promise<Meaning> {
  return answer ? (await platform.readAnswer(answer)).is : otherwise;
}

/** Tells the typing of each turn that the push opened. Never throws: Redis may be away. */
export async function tellEnd(
  deps: Pick<WebDeps, 'intake' | 'clock' | 'log'>,
  { served, received }: Pick<Task, 'served' | 'received'>,
  meaning: Meaning,
): Promise<void> {
  const at = deps.clock.now();
  const turns = received.happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [each] : [],
  );
  const told = turns.map(({ user, key }) =>
    deps.intake.tellEvent(served.platform, user, endOf(meaning, key, at)),
  );
  await Promise.all(told).catch((error: unknown) => warn(deps.log, error));
}

function endOf(meaning: Meaning, turn: string, at: number): Event {
  switch (meaning) {
    case 'message':
      return { is: 'ended', turn, by: 'passive-reply', message: true, at };
    case 'acknowledgement':
      return { is: 'acknowledged', turn, at };
    case 'missed':
      return { is: 'missed', turn, at };
    case 'failed':
      return { is: 'ended', turn, by: 'reply-failed', message: false, at };
    case 'undelivered':
      return { is: 'undelivered', at };
  }
}
