import type { Answer } from '../core/wire.ts';
import { takeDirectly } from './direct-mode.ts';
import { hangUpOf, write } from './respond.ts';
import { holdLeft, warn, type Task, type WebDeps } from './task.ts';

/** The platform closes the connection itself by then; the longest that an answer can be waited for (ms). */
const platformPatience = 6_000;
/** WeChat delivers a message three times in all. */
const lastDelivery = 3;
const resumeLimit = 500;

/** A push becomes a reply job; the platform hears 2xx only when the job is in Redis. */
export async function takeAsJob(deps: WebDeps, task: Task): Promise<void> {
  const { platform } = task.served;
  const { key, happenings } = task.received;
  deps.intake.tell(platform, happenings, 'working').catch((error: unknown) => warn(deps.log, error));
  if (task.push.body.length > deps.storedPushLimit) return takeDirectly(deps, task);
  const mayArrive = deps.reachesRedis();
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
  const held = deps.deliveries.hold(id, holder, deps.clock.now() + platformPatience);
  const [stored, hold] = await Promise.allSettled([enqueued, held]);
  // Whatever became of this adding: the push has had its answer.
  const handled = hold.status === 'fulfilled' && hold.value.is !== 'held';
  if (stored.status === 'rejected' && !handled) return takeOver(deps, task, { id, mayArrive });
  if (hold.status === 'rejected') {
    bringBack(deps, task, { id, holder });
    return acknowledge(task);
  }
  if (hold.value.is === 'decided') return acknowledge(task);
  const answer =
    hold.value.is === 'answer'
      ? hold.value.answer
      : await waitFor(deps, task, { id, holder, deliveries: hold.value.deliveries });
  if (answer) await relay(deps, task, { id, holder, answer });
}

/** Redis may carry out what it did not answer: the job that it then has must not deliver a second answer. */
function takeOver(
  deps: WebDeps,
  task: Task,
  { id, mayArrive }: { id: string; mayArrive: boolean },
): Promise<void> {
  if (mayArrive) deps.later.forfeit(id).catch((error: unknown) => warn(deps.log, error));
  // Asked for even without a forfeit of its own: an earlier delivery of this push may have left one.
  const failed = async (): Promise<void> => {
    const resumed = deps.later.resume(id).then((may) => (may ? redeliver(deps.later, task) : undefined));
    // Before the platform hears of the failure and repeats; but it need not wait for a Redis that is away.
    await Promise.race([
      resumed.catch((error: unknown) => warn(deps.log, error)),
      deps.clock.sleep(resumeLimit),
    ]);
  };
  return takeDirectly(deps, task, failed);
}

async function acknowledge({ served, response }: Task): Promise<void> {
  await write(response, served.platform.acknowledgement);
}

/**
 * Holds the connection. When no answer comes in time it is acknowledged; where no answer could be sent later, WeChat is
 * left to repeat instead, and each repeat waits for the same job.
 */
async function waitFor(
  deps: WebDeps,
  task: Task,
  held: { id: string; holder: string; deliveries: number },
): Promise<Answer | null> {
  const { platform } = task.served;
  const last = held.deliveries >= lastDelivery;
  const hangUp = hangUpOf(task.response);
  const longer = async (): Promise<number> => (!last && (await deps.isMute(platform)) ? platformPatience : 0);
  const waiting = { limitMs: holdLeft(deps, task), hangUp, longer };
  const answer = await deps.holds.wait(held.id, held.holder, waiting).catch((error: unknown) => {
    bringBack(deps, task, held);
    return warn(deps.log, error);
  });
  if (answer || hangUp.aborted) return answer;
  const mute = async (): Promise<boolean> => deps.isMute(platform);
  if (last && (await mute().catch(() => false))) deps.log.error({ push: held.id }, tooLate);
  await acknowledge(task);
  return null;
}

const tooLate =
  'The answer is later than the platform waits, and the account may not send messages: it is lost to the user.';

async function relay(
  deps: WebDeps,
  task: Task,
  { id, holder, answer }: { id: string; holder: string; answer: Answer },
): Promise<void> {
  if (await write(task.response, answer)) return;
  try {
    if (await deps.deliveries.giveBack(id, holder)) await redeliver(deps.intake, task);
  } catch (error) {
    warn(deps.log, error);
    bringBack(deps, task, { id, holder });
  }
}

/** The answer may have been claimed for this connection, which can write it no more. */
function bringBack(deps: WebDeps, task: Task, { id, holder }: { id: string; holder: string }): void {
  deps.later
    .giveBack(id, holder)
    .then((back) => (back ? redeliver(deps.later, task) : undefined))
    .catch((error: unknown) => warn(deps.log, error));
}

function redeliver(
  intake: Pick<WebDeps['later'], 'redeliver'>,
  { served, received, push }: Task,
): Promise<void> {
  const { key, happenings } = received;
  return intake.redeliver(served.platform, { key, happenings, push });
}
