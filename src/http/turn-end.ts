import { eventOf, type Meaning, meaningOf as meaningOfAnswer } from '../core/bot.ts';
import type { Platform } from '../core/platform.ts';
import type { Event } from '../core/state.ts';
import type { Answer } from '../core/wire.ts';
import { type Task, warn, type WebDeps } from './task.ts';

/** `otherwise`: what it means that the bot gave no answer. */
export async function meaningOf(
  platform: Platform,
  answer: Answer | null,
  otherwise: Meaning,
): Promise<Meaning> {
  return answer ? meaningOfAnswer(await platform.readAnswer(answer), answer.headers) : otherwise;
}

/** How a push's turns hear of something. */
type Telling = Pick<WebDeps, 'intake' | 'clock' | 'log'>;
type Pushed = Pick<Task, 'served' | 'received'>;

/** Tells the typing of each turn that the push opened. Never throws: Redis may be away. */
export function tellEnd(deps: Telling, task: Pushed, meaning: Meaning): Promise<void> {
  const { rules } = task.served.platform;
  const at = deps.clock.now();
  return tellTurns(deps, task, (turn) => eventOf(meaning, turn, { rules, at }));
}

/**
 * A message is out, and its turn may go on: it has taken the indicator away. One that was `sent` counts among those that
 * the platform allows. Never throws.
 */
export function tellReached(deps: Telling, task: Pushed, { sent }: { sent: boolean }): Promise<void> {
  const at = deps.clock.now();
  return tellTurns(deps, task, () => ({ is: 'interaction', sent, at }));
}

async function tellTurns(
  { intake, log }: Telling,
  { served: { platform }, received }: Pushed,
  eventFor: (turn: string) => Event,
): Promise<void> {
  const turns = received.happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [each] : [],
  );
  const told = turns.map(({ user, key }) => intake.tellEvent(platform, user, eventFor(key)));
  await Promise.all(told).catch((error: unknown) => warn(log, error));
}
