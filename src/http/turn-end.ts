import { eventOf, meaningOf as meaningOfAnswer, type Meaning } from '../core/bot-answer.ts';
import type { Platform } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { warn, type Task, type WebDeps } from './task.ts';

/** `otherwise`: what it means that the bot gave no answer. */
export async function meaningOf(
  platform: Platform,
  answer: Answer | null,
  otherwise: Meaning,
): Promise<Meaning> {
  return answer ? meaningOfAnswer(await platform.readAnswer(answer), answer.headers) : otherwise;
}

/** Tells the typing of each turn that the push opened. Never throws: Redis may be away. */
export async function tellEnd(
  deps: Pick<WebDeps, 'intake' | 'clock' | 'log'>,
  { served: { platform }, received }: Pick<Task, 'served' | 'received'>,
  meaning: Meaning,
): Promise<void> {
  const at = deps.clock.now();
  const turns = received.happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [each] : [],
  );
  const told = turns.map(({ user, key }) =>
    deps.intake.tellEvent(platform, user, eventOf(meaning, key, { rules: platform.rules, at })),
  );
  await Promise.all(told).catch((error: unknown) => warn(deps.log, error));
}
