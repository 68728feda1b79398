import { hangUpOf, write } from './respond.ts';
import { userOf, type Task, type WebDeps } from './task.ts';

/** Redis is away, or the push too big for it. */
export async function takeDirectly(deps: WebDeps, task: Task): Promise<void> {
  const { served, bot, received, push, response } = task;
  const hangUp = hangUpOf(response);
  const asked = deps.direct.ask(served, bot, { key: received.key, push });
  const inTime = await Promise.race([asked, late(deps, hangUp)]);
  const relayed =
    inTime !== 'late' && inTime !== null && served.platform.sendLate
      ? inTime
      : served.platform.acknowledgement;
  if ((await write(response, relayed)) && inTime !== 'late') return;
  const answer = await asked;
  if (answer) await deps.direct.sendLate(served, userOf(task), answer);
}

async function late({ clock, holdMs }: WebDeps, hangUp: AbortSignal): Promise<'late'> {
  await clock.sleep(holdMs, hangUp).catch(() => {});
  return 'late';
}
