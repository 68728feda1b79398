import { randomUUID } from 'node:crypto';
import { addressOf, badGateway, holdsMessage, notTaken } from '../core/bot.ts';
import { conversationOf, type Happening } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { callBot, meaningIn } from '../replies/call-bot.ts';
import { type CallBotDeps, deliveryId, tellDelivery, tellReached, tellTurns } from '../replies/run.ts';
import { pushedOf, type Taken } from '../replies/turns.ts';
import type { Shares } from '../typing/shares.ts';
import type { Gift, Hold } from './holds.ts';
import { hangUpOf, onClose, readOn, write } from './respond.ts';
import type { Task, WebDeps } from './task.ts';

/** The platform closes the connection itself by then; the longest that an answer can be waited for (ms). */
const platformPatience = 6_000;
/** So long before the end of the hold it is looked whether an answer could be sent later (ms). */
const muteLook = 500;
/** Where the process is behind, so many acknowledgements need more time than one (ms). */
const behindLook = 1_500;
/** WeChat delivers a message three times in all. */
const lastDelivery = 3;

/** This process calls the bot; the platform hears 2xx only when Redis has the push, or the bot has answered. */
export async function takeAsJob(all: WebDeps, task: Task): Promise<void> {
  const deps = await inItsShard(all, task);
  const { served, bot, received, push, arrivedAt, response } = task;
  const { platform } = served;
  const { key, happenings } = received;
  const isHurried = deps.pressure.isHurried();
  const crowd = deps.pressure.crowd();
  void deps.intake.tell(platform, isHurried ? shed(deps, task) : happenings, 'working');
  const taken = { platform, bot, key, happenings, push, arrivedAt, isHurried, crowd };
  if (!platform.sendLate) {
    const became = await deps.turns.take(taken, null);
    if (became.is === 'waits') deps.bodies?.keep(response, became.over);
    const isTaken = became.is !== 'waits' || became.isInsured || (await inTime(deps, task, became.over));
    await write(response, isTaken ? platform.acknowledgement : badGateway);
    return;
  }
  const endIsRead = readOn();
  const id = deliveryId({ ...platform, key });
  const hold = deps.holds.open(id);
  // A timer will be as late as all else is here.
  const limitMs = Math.max(0, holdLeft(deps, task) - deps.pressure.lateMs());
  const look = setTimeout(() => deps.refreshMute(), limitMs - Math.min(muteLook, limitMs / 4));
  // Acknowledged inside the platform's time, whatever Redis does.
  const waiting = hold.wait({
    limitMs,
    onClose: (closed) => onClose(response, closed),
    longer: () => longer(deps, task, taking),
    late: () => void deps.turns.bringLate(taken, hold.name),
  });
  const holder = { name: hold.name, until: arrivedAt + platformPatience };
  const taking = deps.turns.take(taken, holder);
  deps.bodies?.keep(
    response,
    taking.then((became) => (became.is === 'waits' ? became.over : null)),
  );
  const isShort = isHurried && !deps.isMute(platform);
  let behind: NodeJS.Timeout | undefined;
  const isBehind = new Promise<boolean>((resolve) => {
    behind = setTimeout(
      () => resolve(deps.pressure.isBusy() && !deps.isMute(platform)),
      Math.max(0, limitMs - behindLook),
    );
  });
  const held = { hold, waiting };
  const gift = await Promise.race([
    waiting,
    taking.then((became) => {
      if (became.is === 'waits' && became.isElsewhere) deps.lookFor?.(hold.name);
      return instead(became, { ...held, isShort });
    }),
    isBehind.then(async (is) => instead(await taking, { ...held, isShort: is })),
  ]);
  clearTimeout(look);
  clearTimeout(behind);
  await endIsRead;
  const isWritten = await write(response, gift?.answer ?? platform.acknowledgement);
  gift?.written(isWritten);
  // Where this process or Redis is slow, the time is over before it is known that there is an answer.
  const isLate = gift ? !isWritten && gift.isOffered : (await taking).is === 'answer';
  if (isLate) await deps.turns.bringLate(taken, hold.name);
}

/** With what this web has of the shard in which the push is: that of whom it is from. */
async function inItsShard(deps: WebDeps, { served: { platform }, received }: Task): Promise<WebDeps> {
  if (!deps.shardOf) return deps;
  const { key, happenings } = received;
  const whose = conversationOf(platform, happenings[0]?.user ?? '');
  const shard = deps.shardOf(whose, deliveryId({ ...platform, key }));
  return { ...deps, ...(shard instanceof Promise ? await shard : shard) };
}

/** The typing of turns that open while the process is too far behind is left out. Resolves with all else. */
function shed(
  { observe, clock }: WebDeps,
  { served: { platform }, received: { happenings } }: Task,
): readonly Happening[] {
  const { channel, account } = platform;
  return happenings.filter((each) => {
    if (each.is !== 'inbound' || !each.opensTurn) return true;
    const { user, key: turn } = each;
    observe?.({ is: 'skipped', at: clock.now(), channel, account, user, turn, reason: 'shed' });
    return false;
  });
}

/** What was decided already is not waited for; nor is anything that could be sent later, where time is short. */
function instead(
  became: Taken,
  held: { hold: Hold; waiting: Promise<Gift | null>; isShort: boolean },
): Promise<Gift | null> {
  if (became.is === 'waits' && !(held.isShort && became.isInsured)) return held.waiting;
  if (!held.hold.close()) return held.waiting;
  const gift = became.is === 'answer' ? { answer: became.answer, isOffered: true, written: () => {} } : null;
  return Promise.resolve(gift);
}

/** Whether the bot has answered by the end of the hold, or has not failed yet: what Redis does not have nobody else can answer. */
function inTime(deps: WebDeps, task: Task, over: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), holdLeft(deps, task));
  });
  return Promise.race([over, limit]).finally(() => clearTimeout(timer));
}

/**
 * When no answer comes in time the connection is acknowledged; where no answer could be sent later, WeChat is left to
 * repeat instead, and each repeat waits for the same answer.
 */
async function longer(deps: WebDeps, { served }: Task, taking: Promise<Taken>): Promise<number> {
  // The acknowledgement waits for nothing, and least of all for Redis.
  if (!deps.isMute(served.platform)) return 0;
  const became = await taking;
  const isLast = became.is === 'waits' && became.deliveries >= lastDelivery;
  if (isLast) deps.log.warn({ account: served.platform.account }, tooLate);
  return isLast ? 0 : platformPatience;
}

/** How much is left of the hold, in ms. */
function holdLeft({ clock, holdMs }: Pick<WebDeps, 'clock' | 'holdMs'>, { arrivedAt }: Task): number {
  return Math.max(0, arrivedAt + holdMs - clock.now());
}

const tooLate =
  'The answer is later than the platform waits, and it has refused what the account sends: what the bot answers is sent all the same, and is among the failed replies if that is refused too.';

export type PassDeps = Pick<WebDeps, 'intake' | 'events' | 'clock' | 'log' | 'observe'> &
  CallBotDeps & {
    /** Of the deliveries that may be under way at once. */
    shares: Shares;
  };

const tooMany: Answer = { status: 503, headers: [['Retry-After', '1']], body: new Uint8Array() };

/**
 * Each delivery, repeats included, goes to the bot at once and its answer back byte for byte; it is dropped when the
 * platform hangs up. Only the typing goes through Redis, and nothing here waits for it.
 */
export async function passOn(deps: PassDeps, task: Task): Promise<void> {
  const { platform } = task.served;
  if (deps.shares.isCrowded(platform, task.bot.concurrency)) {
    deps.log.warn(
      { push: task.received.key },
      'Too many deliveries are under way: the platform has to repeat this one.',
    );
    return void (await write(task.response, tooMany));
  }
  const leave = deps.shares.enter(platform);
  await passThrough(deps, task).finally(leave);
}

async function passThrough(deps: PassDeps, task: Task): Promise<void> {
  const { served, bot, received, push, response } = task;
  const { platform } = served;
  const pushed = pushedOf(platform, received);
  const delivery = randomUUID().slice(0, 8);
  void deps.intake.tell(platform, received.happenings, 'passed');
  const hangUp = hangUpOf(response);
  // Whoever lives on the platform's own repeats is called again by those alone.
  const called = await callBot(deps, bot, {
    place: { channel: platform.channel, account: platform.account },
    user: pushed.user,
    key: received.key,
    push,
    attempt: 1,
    last: true,
    retry: 'never',
    arrivedAt: task.arrivedAt,
    signal: hangUp,
  });
  if (called.is === 'failed' && !called.answer) {
    const { account } = platform;
    deps.log.warn(
      { account, push: received.key, bot: addressOf(bot.url) },
      `The bot did not answer a delivery: ${called.reason}.`,
    );
  }
  const answer = (called.is === 'given-up' ? null : called.answer) ?? badGateway;
  const meaning = called.is === 'answered' ? await meaningIn(platform, called.answer) : 'missed';
  // The end is told before the answer leaves: no show may be decided for a phone that already has its message.
  const told = tellTurns(deps, pushed, { meaning, platform, delivery });
  const written = await write(response, answer);
  await told;
  const lost = written ? null : notTaken(meaning);
  if (lost) await tellTurns(deps, pushed, { meaning: lost, platform });
  if (written && holdsMessage(meaning)) tellDelivery(deps, pushed, { way: 'passed', code: 0 });
  if (written && meaning === 'message-first') await tellReached(deps, pushed, { sent: false });
}
