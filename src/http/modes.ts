import { badGateway, holdsMessage, type Meaning, notTaken } from '../core/bot.ts';
import type { Answer } from '../core/wire.ts';
import { callBot, type CallBotDeps } from '../replies/call-bot.ts';
import type { SharedAnswer } from '../replies/direct.ts';
import { deliveryId } from '../replies/run.ts';
import { hangUpOf, write } from './respond.ts';
import {
  answerMeaning,
  type Task,
  tellDelivery,
  tellEnd,
  tellReached,
  userOf,
  warnOfRedis,
  type WebDeps,
} from './task.ts';

/** The platform closes the connection itself by then; the longest that an answer can be waited for (ms). */
const platformPatience = 6_000;
/** WeChat delivers a message three times in all. */
const lastDelivery = 3;
const resumeLimit = 500;

/** A push becomes a reply job; the platform hears 2xx only when the job is in Redis. */
export async function takeAsJob(deps: WebDeps, task: Task): Promise<void> {
  const { platform } = task.served;
  const { key, happenings } = task.received;
  deps.intake.tell(platform, happenings, 'working').catch((error: unknown) => warnOfRedis(deps.log, error));
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
  const id = deliveryId({ channel: platform.channel, account: platform.account, key });
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
  if (mayArrive) deps.later.forfeit(id).catch((error: unknown) => warnOfRedis(deps.log, error));
  // Asked for even without a forfeit of its own: an earlier delivery of this push may have left one.
  const failed = async (): Promise<void> => {
    const resumed = deps.later.resume(id).then((may) => (may ? redeliver(deps.later, task) : undefined));
    // Before the platform hears of the failure and repeats; but it need not wait for a Redis that is away.
    await Promise.race([
      resumed.catch((error: unknown) => warnOfRedis(deps.log, error)),
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
    return warnOfRedis(deps.log, error);
  });
  if (answer || hangUp.aborted) return answer;
  const mute = async (): Promise<boolean> => deps.isMute(platform);
  if (last && (await mute().catch(() => false))) deps.log.error({ push: held.id }, tooLate);
  await acknowledge(task);
  return null;
}

/** How much is left of the hold, in ms: a Redis that does not answer takes its time from it. */
function holdLeft({ clock, holdMs }: Pick<WebDeps, 'clock' | 'holdMs'>, { arrivedAt }: Task): number {
  return Math.max(0, arrivedAt + holdMs - clock.now());
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
    warnOfRedis(deps.log, error);
    bringBack(deps, task, { id, holder });
  }
}

/** The answer may have been claimed for this connection, which can write it no more. */
function bringBack(deps: WebDeps, task: Task, { id, holder }: { id: string; holder: string }): void {
  deps.later
    .giveBack(id, holder)
    .then((back) => (back ? redeliver(deps.later, task) : undefined))
    .catch((error: unknown) => warnOfRedis(deps.log, error));
}

function redeliver(
  intake: Pick<WebDeps['later'], 'redeliver'>,
  { served, received, push }: Task,
): Promise<void> {
  const { key, happenings } = received;
  return intake.redeliver(served.platform, { key, happenings, push });
}

/**
 * Redis is away, or the push too big for it.
 * @param failed Called when the bot gave no answer, before the platform hears of it.
 */
async function takeDirectly(
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
  const meaning = await answerMeaning(served.platform, inTime, 'failed');
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
  { asked, failed }: { asked: SharedAnswer; failed: () => Promise<void> },
): Promise<void> {
  const answer = await asked.answer;
  if (!asked.isOurs()) return;
  const meaning = await answerMeaning(task.served.platform, answer, 'failed');
  await tellEnd(deps, task, meaning);
  if (answer) await sendLate(deps, task, { asked, answer, meaning });
  else await failed();
}

async function sendLate(
  deps: WebDeps,
  task: Task,
  { asked, answer, meaning }: { asked: SharedAnswer; answer: Answer; meaning: Meaning },
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

export type PassDeps = Pick<WebDeps, 'intake' | 'clock' | 'log' | 'observe'> & CallBotDeps;

/**
 * Each delivery, repeats included, goes to the bot at once and its answer back byte for byte; it is dropped when the
 * platform hangs up. Only the typing goes through Redis, and nothing here waits for it.
 */
export async function passOn(deps: PassDeps, task: Task): Promise<void> {
  const { served, bot, received, push, response } = task;
  deps.intake
    .tell(served.platform, received.happenings, 'passed')
    .catch((error: unknown) => warnOfRedis(deps.log, error));
  const hangUp = hangUpOf(response);
  // Whoever lives on the platform's own repeats is called again by those alone.
  const called = await callBot(deps, bot, {
    place: { channel: served.platform.channel, account: served.platform.account },
    user: userOf(task),
    key: received.key,
    push,
    attempt: 1,
    last: true,
    retry: 'never',
    arrivedAt: task.arrivedAt,
    signal: hangUp,
  });
  if (called.is === 'failed' && !called.answer) {
    deps.log.warn({ push: received.key, reason: called.reason }, 'The bot did not answer a delivery.');
  }
  const answer = (called.is === 'given-up' ? null : called.answer) ?? badGateway;
  const meaning = await answerMeaning(
    served.platform,
    called.is === 'answered' ? called.answer : null,
    'missed',
  );
  // The end is told before the answer leaves: no show may be decided for a phone that already has its message.
  const told = tellEnd(deps, task, meaning);
  const written = await write(response, answer);
  await told;
  const lost = written ? null : notTaken(meaning);
  if (lost) await tellEnd(deps, task, lost);
  if (written && holdsMessage(meaning)) tellDelivery(deps, task, 'passed');
  if (written && meaning === 'message-first') await tellReached(deps, task, { sent: false });
}
