import type { Answer } from '../core/wire.ts';
import { takeDirectly } from './direct-mode.ts';
import { hangUpOf, write } from './respond.ts';
import { userOf, warn, type Task, type WebDeps } from './task.ts';

/** The platform closes the connection itself by then; the longest that an answer can be waited for (ms). */
const platformPatience = 6_000;
/** WeChat delivers a message three times in all. */
const lastDelivery = 3;

/** A push becomes a reply job; the platform hears 2xx only when the job is in Redis. */
export async function takeAsJob(deps: WebDeps, task: Task): Promise<void> {
  const { platform } = task.served;
  const { key, happenings } = task.received;
  deps.intake.tell(platform, happenings, 'working').catch((error: unknown) => warn(deps.log, error));
  if (task.push.body.length > deps.storedPushLimit) return takeDirectly(deps, task);
  const enqueued = deps.intake.enqueue(platform, { key, happenings, push: task.push });
  if (!platform.sendLate) {
    const stored = await enqueued.then(
      () => true,
      () => false,
    );
    if (!stored) return takeDirectly(deps, task);
    await write(task.response, platform.acknowledgement);
    return;
  }
  const id = `${platform.channel}/${platform.account}/${key}`;
  const holder = deps.holds.name();
  const limitMs = deps.isMute(platform) ? platformPatience : deps.holdMs;
  const held = deps.deliveries.hold(id, holder, deps.clock.now() + limitMs);
  const [stored, hold] = await Promise.allSettled([enqueued, held]);
  if (stored.status === 'rejected') return takeDirectly(deps, task);
  if (hold.status === 'rejected') return acknowledge(task);
  if (hold.value.is === 'decided') return acknowledge(task);
  const answer =
    hold.value.is === 'answer'
      ? hold.value.answer
      : await waitFor(deps, task, { id, holder, deliveries: hold.value.deliveries });
  if (answer) await relay(deps, task, { id, answer });
}

async function acknowledge({ served, response }: Task): Promise<void> {
  await write(response, served.platform.acknowledgement);
}

/** Holds the connection; when no answer comes in time, it is acknowledged, or left to WeChat to repeat. */
async function waitFor(
  deps: WebDeps,
  task: Task,
  held: { id: string; holder: string; deliveries: number },
): Promise<Answer | null> {
  const { platform } = task.served;
  const last = held.deliveries >= lastDelivery;
  const mute = deps.isMute(platform);
  const limitMs = mute && !last ? platformPatience : deps.holdMs;
  const hangUp = hangUpOf(task.response);
  const answer = await deps.holds
    .wait(held.id, held.holder, { limitMs, hangUp })
    .catch((error: unknown) => warn(deps.log, error));
  if (answer) return answer;
  if (mute && last)
    deps.log.error(
      { push: held.id },
      'The answer is later than the platform waits, and the account may not send messages: it is lost to the user.',
    );
  if (!hangUp.aborted) await acknowledge(task);
  return null;
}

async function relay(
  deps: WebDeps,
  task: Task,
  { id, answer }: { id: string; answer: Answer },
): Promise<void> {
  if (await write(task.response, answer)) return;
  const { key, happenings } = task.received;
  const again = (): Promise<void> =>
    deps.intake.redeliver(task.served.platform, { key, happenings, push: task.push });
  await deps.deliveries
    .giveBack(id)
    .then((back) => (back ? again() : undefined))
    .catch((error: unknown) => {
      warn(deps.log, error);
      return deps.direct.sendLate(task.served, userOf(task), answer);
    });
}
