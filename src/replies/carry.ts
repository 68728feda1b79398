/**
 * Carries one push through, in the process that owns its delivery: calls the bot, says how the turns ended, delivers what
 * the bot answered. It is the same with Redis and without, in the web that took the push and in a worker that took it
 * over.
 */
import { botAttempts, botPause, holdsMessage, type Meaning, notTaken } from '../core/bot.ts';
import type { AnswerShape, LatePart, LateSend } from '../core/platform.ts';
import type { Answer } from '../core/wire.ts';
import { isRefusal, takesNoWrites } from '../redis/errors.ts';
import { askBot, type Asked, meaningIn, plainOf } from './call-bot.ts';
import { untilHeard } from './owned.ts';
import {
  type Carried,
  type CarryDeps,
  type End,
  Interrupted,
  outcomeUnknown,
  tellDelivery,
  tellReached,
  tellTurns,
} from './run.ts';

/** Another process that holds the connection gets 500 ms to claim the answer; most claim it within the first look. */
const looks = [10, 20, 50, 120, 300];
/** Where nothing can be sent, the platform's next repeat may still fetch the answer; it comes within 6 s. */
const looksForRepeat = Array.from({ length: 24 }, () => 250);

/** @throws the signal's reason when it was given up: this process delivered nothing; Interrupted where only that was still to be done. */
export async function carry(deps: CarryDeps, carried: Carried): Promise<End> {
  const { platform, data } = carried;
  const asked: Asked = carried.answer ? { answer: carried.answer } : await askBot(deps, carried);
  if (asked.why !== undefined) {
    const after = tellTurns(deps, data, { meaning: 'failed', platform });
    // A held connection gets the bot's own failure: the platform repeats and tells its user, as without keeptyping.
    const { answer, why, calls } = asked;
    const given = platform.sendLate && (await give(deps, carried, { answer, isAwaited: false, after }));
    await after;
    if (given === 'lost') return { is: 'lost' };
    return { is: 'failed', why, answer, unknown: false, wasAnswered: false, calls };
  }
  const { answer } = asked;
  const meaning = await meaningIn(platform, answer);
  const shape = holdsMessage(meaning) ? shapeOf(carried, answer) : plainShape;
  // What goes in parts ends the wait with the last of them.
  const first = meaning === 'message' && isInParts(shape) ? 'message-first' : meaning;
  // Told before the answer leaves: no show may be decided for a phone that already has its message.
  const waits = carried.answer ? Promise.resolve(true) : tellTurns(deps, data, { meaning: first, platform });
  if (platform.sendLate) return deliver(deps, carried, { answer, meaning, shape, waits });
  // The webhook's answer is no message there, and nobody waits for it.
  await waits;
  return { is: 'sent', answer };
}

interface ToDeliver {
  answer: Answer;
  meaning: Meaning;
  shape: AnswerShape;
  /** The typing has been told. Resolves with whether the user still waits for something. */
  waits: Promise<boolean>;
}

/** On the platform's own connection if one still waits, else through the platform's API. */
async function deliver(deps: CarryDeps, carried: Carried, answered: ToDeliver): Promise<End> {
  const { data, platform } = carried;
  const { answer, meaning, shape, waits } = answered;
  const message = holdsMessage(meaning);
  const inline = async (how: { isNoted: boolean; isElsewhere?: true }): Promise<End> => {
    // A bare acknowledgement is no message: it takes no indicator away and opens no window.
    if (message) tellDelivery(deps, data, { way: 'inline', code: 0 });
    if (message && (await waits)) await tellReached(deps, data, { sent: false });
    return { is: 'inline', answer, ...how };
  };
  const isAwaited = message && deps.learned.isMute(platform);
  const given = shape.isLateOnly
    ? await acknowledge(deps, carried, waits)
    : await give(deps, carried, { answer, isAwaited, after: waits }).catch((error: unknown) => {
        throw carried.signal.aborted ? new Interrupted(answer, carried.sentUpTo ?? 0) : error;
      });
  if (given === 'noted' || given === 'assumed') return inline({ isNoted: given === 'noted' });
  if (given === 'elsewhere') return inline({ isNoted: true, isElsewhere: true });
  const sends = given === 'nobody' ? await maySend(deps, carried) : given;
  if (sends === 'written') return inline({ isNoted: true, isElsewhere: true });
  if (sends === 'lost') return { is: 'lost' };
  return message ? sendLate(deps, carried, answered) : { is: 'sent', answer };
}

const plainShape: AnswerShape = { isLateOnly: false, isLong: false };

function isInParts({ isLateOnly, isLong }: AnswerShape): boolean {
  return isLateOnly && isLong;
}

/** What has gone out in part goes on as it began. */
function shapeOf({ platform, sentUpTo = 0 }: Carried, answer: Answer): AnswerShape {
  const plain = plainOf(answer);
  const shape = (plain && platform.shapeOf?.(plain)) ?? plainShape;
  return sentUpTo > 0 ? { ...shape, isLateOnly: true } : shape;
}

/** What the platform would not show is not given to a connection, which need not wait for anything else. */
async function acknowledge(
  { holds }: CarryDeps,
  { id, platform }: Carried,
  after: Promise<unknown>,
): Promise<'nobody'> {
  await after;
  void holds.give(id, platform.acknowledgement);
  return 'nobody';
}

type Given =
  /** It was written, as the record says, or as it could not be told. */
  | 'noted'
  | 'assumed'
  /** It was written by another process, as the record says. */
  | 'elsewhere'
  /** Nobody waits for it; `taken`: and it has been taken for sending. */
  | 'nobody'
  | 'taken'
  /** Another process has the delivery. */
  | 'lost';

interface Gift {
  answer: Answer;
  /** Another connection may come for it: where nothing can be sent, the platform is left to repeat. */
  isAwaited: boolean;
  /** Nothing is written before. */
  after: Promise<unknown>;
}

/** Gives the answer to a connection that waits for it, here or in another process. */
async function give(deps: CarryDeps, carried: Carried, { answer, isAwaited, after }: Gift): Promise<Given> {
  const here = await giveHere(deps, carried, { answer, after });
  if (here !== 'nobody') return here;
  await after;
  const repeated = isAwaited ? await giveToRepeat(deps, carried, answer) : 'nobody';
  if (repeated !== 'nobody') return repeated;
  const { id, owner } = carried;
  const now = deps.clock.now();
  const said = await deps.deliveries.send({ id, owner }, now, now).catch(() => null);
  switch (said?.is) {
    case 'held':
      return giveElsewhere(deps, carried, { answer, holder: said.holder });
    case 'written':
      return 'elsewhere';
    case 'may':
      return 'taken';
    case 'lost':
      return lost(deps, id);
    default:
      // Asked again before it is sent.
      return isAwaited ? takeOffered(deps, carried) : 'nobody';
  }
}

async function giveHere(
  deps: CarryDeps,
  { id, owner, platform }: Carried,
  { answer, after }: Omit<Gift, 'isAwaited'>,
): Promise<Given> {
  const { deliveries, holds } = deps;
  if (!holds.waits(id)) return 'nobody';
  const whose = await ask(deps, { id, owner }, () => deliveries.write({ id, owner }, platform.rules.repeats));
  if (whose === 'lost') return whose;
  await after;
  return (await holds.give(id, answer)) ? whose : 'nobody';
}

async function giveElsewhere(
  deps: CarryDeps,
  carried: Carried,
  { answer, holder }: { answer: Answer; holder: string },
): Promise<Given> {
  const { deliveries, notify, clock } = deps;
  const { id, owner } = carried;
  try {
    const isOffered = await deliveries.offer({ id, owner }, answer);
    for (const pause of isOffered && (await notify(holder)) > 0 ? looks : []) {
      await clock.sleep(pause);
      if ((await deliveries.standing(id)).state === 'inline') return 'elsewhere';
    }
  } catch {
    // It may be offered all the same, and claimed.
  }
  return takeOffered(deps, carried);
}

/** For sending, unless another process has it, which the record alone knows, however long it is away. */
async function takeOffered(deps: CarryDeps, carried: Carried): Promise<Given> {
  const { deliveries, clock } = deps;
  const { id, owner, signal } = carried;
  const is = await untilHeard({ clock, signal }, async () => {
    const said = deliveries.send({ id, owner }, clock.now(), null);
    return said.then(
      (it) => it.is,
      (error: unknown) => {
        if (takesNoWrites(error)) return readWhose(deps, carried);
        throw error;
      },
    );
  });
  if (is === 'written') return 'elsewhere';
  return is === 'may' ? 'taken' : lost(deps, id);
}

/** Nobody can claim it either where no writes are taken; where no scripts are, nobody ever could. */
async function readWhose(
  { deliveries }: CarryDeps,
  { id, owner }: Carried,
): Promise<'may' | 'written' | 'lost'> {
  const standing = await deliveries.standing(id).catch((error: unknown) => {
    if (isRefusal(error)) return null;
    throw error;
  });
  if (standing?.state === 'inline') return 'written';
  return (standing?.owner ?? owner) === owner ? 'may' : 'lost';
}

async function giveToRepeat(deps: CarryDeps, carried: Carried, answer: Answer): Promise<Given> {
  const { deliveries, clock, holds } = deps;
  const { id, owner, signal } = carried;
  // Where Redis is away, a repeat that comes here may have it all the same.
  await deliveries.offer({ id, owner }, answer).catch(() => false);
  for (const pause of looksForRepeat) {
    await clock.sleep(pause, signal).catch(() => {});
    if (signal.aborted) break;
    if (holds.waits(id)) return giveHere(deps, carried, { answer, after: Promise.resolve() });
    const standing = await deliveries.standing(id).catch(() => null);
    if (standing?.state === 'inline') return 'elsewhere';
  }
  return 'nobody';
}

/** Whether the answer may be sent by this process, at that time (ms); the record says so whenever Redis answers at all. */
async function maySend(
  deps: CarryDeps,
  { id, owner }: Carried,
  at = deps.clock.now(),
): Promise<'may' | 'written' | 'lost'> {
  let isWritten = false;
  const said = await ask(deps, { id, owner }, async () => {
    const { is } = await deps.deliveries.send({ id, owner }, at, null);
    // At the last moment, by the process to which it was offered.
    isWritten = is === 'written';
    return is !== 'lost';
  });
  if (isWritten) return 'written';
  return said === 'lost' ? said : 'may';
}

/**
 * Asks the record. Who cannot reach it, and has offered the answer to nobody, remains the owner. One that is full can still
 * be read.
 */
async function ask(
  deps: CarryDeps,
  { id, owner }: Pick<Carried, 'id' | 'owner'>,
  question: () => Promise<boolean>,
): Promise<'noted' | 'assumed' | 'lost'> {
  try {
    return (await question()) ? 'noted' : lost(deps, id);
  } catch {
    if (deps.health.isAway()) return 'assumed';
    const standing = await deps.deliveries.standing(id).catch(() => null);
    return (standing?.owner ?? owner) === owner ? 'assumed' : lost(deps, id);
  }
}

function lost({ log }: CarryDeps, id: string): 'lost' {
  log.info({ push: id }, 'Another process has this delivery: the answer here is not used.');
  return 'lost';
}

/** Sends the answer through the platform's API, in as many messages as it takes and the platform allows. */
async function sendLate(deps: CarryDeps, carried: Carried, answered: ToDeliver): Promise<End> {
  const { data, platform } = carried;
  const { answer, meaning, shape } = answered;
  const ends = async (how: Meaning): Promise<void> => {
    if (isInParts(shape)) await tellTurns(deps, data, { meaning: how, platform });
  };
  let part = { from: carried.sentUpTo ?? 0, most: shape.isLong ? await sendsLeft(deps, carried) : 1 };
  for (let left = ''; ;) {
    if (shape.isLong && !(await notePart(deps, carried, { answer, upTo: part.from }))) return { is: 'lost' };
    const { sent, release } = await sendAgain(deps, carried, { answer, part });
    if (sent.is === 'not-sent' && carried.signal.aborted) {
      await unblock(deps, carried, release);
      throw new Interrupted(answer, part.from);
    }
    if (sent.is !== 'sent') {
      await ends('failed');
      await unblock(deps, carried, release);
      return notSent(deps, carried, { ...answered, sent, sentUpTo: part.from, left });
    }
    await deps.learned.switchOn(carried.platform, 'send').catch(() => {});
    const { rest } = sent;
    // While its block still stands: no show begins before this is known.
    if (!rest || part.most <= 1) await ends(meaning);
    if (!rest) tellDelivery(deps, data, { way: 'sent', code: 0 });
    await tellReached(deps, data, { sent: true, release });
    if (!rest) return { is: 'sent', answer };
    left = ` ${rest.says} remain.`;
    if (part.most <= 1) {
      tellDelivery(deps, data, { way: 'failed', code: 0, job: carried.job });
      return { ...failedEnd, why: `${noneLeft}${left}`, answer, sentUpTo: rest.from };
    }
    part = { from: rest.from, most: part.most - 1 };
  }
}

const failedEnd = { is: 'failed', unknown: false, wasAnswered: true } as const;
const noneLeft = 'The platform allows no more messages until the user writes again: run the job again then.';

/** How many messages the answer may take: of those that the platform allows one is kept for the next answer. */
async function sendsLeft({ events, clock }: CarryDeps, { platform, data }: Carried): Promise<number> {
  const { channel, account, user } = data;
  const { sendsPerMessage } = platform.rules;
  if (sendsPerMessage === 0 || user === null) return Infinity;
  // It changes nothing, and brings the state back.
  const event = { is: 'unblocked', doubt: false, at: clock.now() } as const;
  const state = await events.tell({ channel, account, user }, event);
  return Math.max(1, sendsPerMessage - (state?.sends ?? 0) - 1);
}

/** Whether it is still this process's to send. */
async function notePart(
  deps: CarryDeps,
  { id, owner }: Carried,
  sent: { answer: Answer; upTo: number },
): Promise<boolean> {
  const said = await ask(deps, { id, owner }, () =>
    deps.deliveries.part({ id, owner }, deps.clock.now(), sent),
  );
  return said !== 'lost';
}

interface NotSent extends ToDeliver {
  sent: Exclude<LateSend, { is: 'sent' }>;
  sentUpTo: number;
  /** A sentence; empty: nothing has gone out in this run. */
  left: string;
}

async function notSent(
  deps: CarryDeps,
  { platform, data, job }: Carried,
  { sent, answer, meaning, sentUpTo, left }: NotSent,
): Promise<End> {
  const way = sent.is === 'not-sent' ? 'failed' : sent.is;
  tellDelivery(deps, data, { way, code: sent.is === 'refused' ? sent.code : 0, job });
  if (sent.is === 'refused' && sent.mayNotSend) await deps.learned.mute(platform).catch(() => {});
  const lost = left === '' ? notTaken(meaning) : null;
  if (lost) await tellTurns(deps, data, { meaning: lost, platform });
  const why = left === '' ? reasonOf(sent) : `${reasonOf(sent).replace(/\.$/, '')}.${left}`;
  return { ...failedEnd, why, unknown: sent.is === 'unknown', answer, sentUpTo };
}

/** One message; again only what certainly did not go out. `release`: what keeps shows from beginning meanwhile. */
async function sendAgain(
  deps: CarryDeps,
  carried: Carried,
  { answer, part }: { answer: Answer; part: LatePart },
): Promise<{ sent: LateSend; release: string | null }> {
  const { data, platform, signal } = carried;
  const { user } = data;
  const plain = plainOf(answer);
  if (user === null || !platform.sendLate)
    return { sent: { is: 'impossible', reason: 'The push names no user.' }, release: null };
  if (plain === null) return { sent: { is: 'impossible', reason: unreadable }, release: null };
  let release = await deps.makeWay(data).catch(() => null);
  for (let tries = 1; ; tries += 1) {
    const sent = await platform.sendLate(user, plain, part);
    if (sent.is !== 'not-sent' || tries === botAttempts || signal.aborted) return { sent, release };
    if (!sent.perMinute) await deps.clock.sleep(botPause, signal).catch(() => {});
    else {
      await unblock(deps, carried, release);
      release = null;
      await nextMinute(deps, carried);
      if (signal.aborted) return { sent, release };
      release = await deps.makeWay(data).catch(() => null);
    }
  }
}

const minute = 60_000;
/** The platform's clock is not quite ours (ms). */
const minuteMargin = 1_000;

/** Waits for the platform's next minute. Until then nobody takes the sender for dead. */
async function nextMinute(deps: CarryDeps, carried: Carried): Promise<void> {
  const now = deps.clock.now();
  const wait = minute - (now % minute) + minuteMargin;
  await maySend(deps, carried, now + wait);
  await deps.clock.sleep(wait, carried.signal).catch(() => {});
}

const unreadable = 'its Content-Encoding is none that can be read: let the bot send it plain';

async function unblock(deps: CarryDeps, { data }: Carried, release: string | null): Promise<void> {
  const { channel, account, user } = data;
  if (user === null || release === null) return;
  const event = { is: 'unblocked', doubt: false, at: deps.clock.now() } as const;
  await deps.events.tell({ channel, account, user }, event, { release });
}

function reasonOf(sent: Exclude<LateSend, { is: 'sent' }>): string {
  switch (sent.is) {
    case 'refused':
      return `The platform refused the answer with ${sent.code}: ${sent.reason}`;
    case 'impossible':
      return `The answer cannot be sent late: ${sent.reason}`;
    case 'unknown':
      return `${outcomeUnknown}: ${sent.cause}`;
    case 'not-sent':
      return `The answer was not sent: ${sent.cause}`;
  }
}
