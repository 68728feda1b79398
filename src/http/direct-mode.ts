import { badGateway, holdsMessage, type Meaning, notTaken } from '../core/bot.ts';
import type { Answer } from '../core/wire.ts';
import type { Asked } from './direct.ts';
import { hangUpOf, write } from './respond.ts';
import { holdLeft, type Task, userOf, type WebDeps } from './task.ts';
import { tellDelivery } from './told.ts';
import { meaningOf, tellEnd, tellReached } from './turn-end.ts';

/**
 * Redis is away, or the push too big for it.
 * @param failed Called when the bot gave no answer, before the platform hears of it.
 */
export async function takeDirectly(
  deps: WebDeps,
  task: Task,
  failed: () => Promise<void> = async () => {},
): Promise<void> {
  const { served, bot, received, push, response } = task;
  const { acknowledgement } = served.platform;
  const hangUp = hangUpOf(response);
  const asked = deps.direct.ask(served, bot, { key: received.key, push });
  const inTime = await Promise.race([asked.answer, late(deps, task, hangUp)]);
  if (inTime === 'late') {
    await write(response, acknowledgement);
    return bringLate(deps, task, { asked, failed });
  }
  if (!asked.isOurs()) {
    await write(response, inTime ? acknowledgement : badGateway);
    return;
  }
  const meaning = await meaningOf(served.platform, inTime, 'failed');
  const told = tellEnd(deps, task, meaning);
  if (!inTime) await failed();
  const written = await write(response, relayed(task, inTime));
  await told;
  if (inTime && !written) await sendLate(deps, task, { asked, answer: inTime, meaning });
  if (written && holdsMessage(meaning)) tellDelivery(deps, task, 'direct');
  if (written && meaning === 'message-first') await tellReached(deps, task, { sent: false });
}

/** The bot's own answer, where the platform reads it. What failed is not acknowledged: the platform may try again. */
function relayed({ served: { platform } }: Task, answer: Answer | null): Answer {
  if (answer === null) return badGateway;
  return platform.sendLate ? answer : platform.acknowledgement;
}

async function bringLate(
  deps: WebDeps,
  task: Task,
  { asked, failed }: { asked: Asked; failed: () => Promise<void> },
): Promise<void> {
  const answer = await asked.answer;
  if (!asked.isOurs()) return;
  const meaning = await meaningOf(task.served.platform, answer, 'failed');
  await tellEnd(deps, task, meaning);
  if (answer) await sendLate(deps, task, { asked, answer, meaning });
  else await failed();
}

async function sendLate(
  deps: WebDeps,
  task: Task,
  { asked, answer, meaning }: { asked: Asked; answer: Answer; meaning: Meaning },
): Promise<void> {
  if (!asked.take()) return;
  const sent = await deps.direct.sendLate(task.served, userOf(task), answer);
  const lost = sent ? null : notTaken(meaning);
  if (lost) await tellEnd(deps, task, lost);
  if (!holdsMessage(meaning)) return;
  tellDelivery(deps, task, sent ? 'direct' : 'failed');
  if (sent) await tellReached(deps, task, { sent: true });
}

async function late(deps: WebDeps, task: Task, hangUp: AbortSignal): Promise<'late'> {
  await deps.clock.sleep(holdLeft(deps, task), hangUp).catch(() => {});
  return 'late';
}
