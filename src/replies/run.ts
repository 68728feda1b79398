import { createHash } from 'node:crypto';
import { eventOf, type Meaning } from '../core/bot.ts';
import { unanswered } from '../core/state.ts';
import { endOf } from '../core/turns.ts';
import type { Notice, Observe } from '../core/notice.ts';
import type { Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Answer, RawPush, Send } from '../core/wire.ts';
import type { Health } from '../redis/watchdog.ts';
import type { Outbox } from '../redis/outbox.ts';
import type { EventQueue } from '../typing/events.ts';
import type { ReplyJob } from '../typing/jobs.ts';
import type { LearnedAccounts } from '../typing/learned.ts';
import type { Store } from '../typing/store.ts';
import type { Deliveries, DeliveryEnd } from './delivery.ts';

/** The connections of this process that still wait for an answer. */
export interface LocalHolds {
  /** Whether one waits for it. */
  waits(id: string): boolean;
  /** Gives the newest of them the answer. Resolves with whether it was written. */
  give(id: string, answer: Answer): Promise<boolean>;
}

export interface CallBotDeps {
  /** Makes the call, unless the bot has a way of its own. */
  send: Send;
  clock: Clock;
  /** @default nobody */
  observe?: Observe | undefined;
}

export interface CarryDeps extends CallBotDeps {
  deliveries: Deliveries;
  /** Kept where Redis does not take them. */
  events: EventQueue;
  outbox: Pick<Outbox, 'tell' | 'told'>;
  health: Pick<Health, 'isAway'>;
  learned: Pick<LearnedAccounts, 'isMute' | 'mute' | 'switchOn'>;
  clock: Clock;
  log: Log;
  holds: LocalHolds;
  /** Whether a message was seen that answers one of the push's turns. @default nobody knows of any */
  isAnswered?: (pushed: Pushed) => Promise<boolean>;
  /** Whether the bot, whose caller has died, has answered all of the push since. @default nobody knows of that */
  answeredSince?: (pushed: Pushed) => Promise<boolean>;
  /** Tells another process that an answer waits for its connection; resolves with how many heard it. */
  notify: (holder: string) => Promise<number>;
  /**
   * Waits for what could land after a message to the push's user, 500 ms at most, and lets nothing of the kind begin.
   * Resolves with what ends that; null: nothing was blocked.
   */
  makeWay: (push: Pick<ReplyJob, 'channel' | 'account' | 'user'>) => Promise<string | null>;
  /** @default nobody */
  observe?: Observe | undefined;
}

/** What a push says of its turns. */
export type Pushed = Pick<ReplyJob, 'channel' | 'account' | 'key' | 'user' | 'turns'>;

/** A push whose delivery this process owns. */
export interface Carried {
  id: string;
  /** The owner's name in the record. */
  owner: string;
  /** The reply job's id. */
  job: string;
  platform: Platform;
  bot: Omit<ServedBot, 'mode'>;
  data: Pushed & Pick<ReplyJob, 'arrivedAt'>;
  push: RawPush;
  /** 1 for the first call of the bot with this push. */
  attempt: number;
  /** What the bot has answered already; null: it is to be asked. */
  answer: Answer | null;
  /** So much of that is out, as the platform counts. @default 0 */
  sentUpTo?: number;
  /** Aborted when the process has to stop: another goes on. */
  signal: AbortSignal;
}

/** How the carrying of a push ended. */
export type End =
  /** `answer`: the bytes, for repeats. `isNoted`: the record says so. */
  | { is: 'inline'; answer: Answer; isNoted: boolean; isElsewhere?: true }
  | { is: 'sent'; answer: Answer }
  /** Another process has the delivery, or had it. */
  | { is: 'lost' }
  /** `unknown`: whether the user has the answer, nobody knows. `answer`: what was to be sent; `sentUpTo`: so much of it is out. */
  | { is: 'failed'; why: string; unknown: boolean; answer: Answer; wasAnswered: true; sentUpTo: number }
  /** `answer`: the bot's own failure. `calls`: so often it was called. */
  | { is: 'failed'; why: string; unknown: false; answer: Answer; wasAnswered: false; calls: number };

/** To one message there are three statuses and more, and a repeat of one does no harm (ms). */
const repeatsOfNoTurn = 10 * 60_000;

/** For how long a push whose delivery is decided is known (ms). */
export function repeatsOf(
  { rules: { repeats } }: Pick<Platform, 'rules'>,
  { turns }: Pick<Pushed, 'turns'>,
): number {
  return turns.length > 0 ? repeats : Math.min(repeats, repeatsOfNoTurn);
}

/** Says in the record how it ended, as soon as Redis takes that; `then`: what follows. */
export async function noteEnd(
  { deliveries, outbox }: Pick<CarryDeps, 'deliveries' | 'outbox'>,
  { id, owner, platform, data }: Pick<Carried, 'id' | 'owner' | 'platform' | 'data'>,
  end: End,
  then: () => Promise<unknown> = async () => {},
): Promise<void> {
  if (end.is === 'lost') return;
  const repeats = repeatsOf(platform, data);
  const noted = end.is === 'failed' ? { ...failureOf(end), repeats } : { state: end.is, repeats };
  const work = async (_: boolean, isAgain: boolean): Promise<void> => {
    // A repeat of the push may have begun anew since; and who has called the bot in vain says nothing of another's call.
    const isVain = end.is === 'failed' && !end.wasAnswered;
    const whose = isAgain || isVain ? { owner } : {};
    // Who has written it may be about to give it back, which what is settled leaves no room for.
    const isElsewhere = isAgain && end.is === 'inline' && end.isElsewhere;
    if (isElsewhere && (await deliveries.standing(id)).state === 'inline') return;
    if (await deliveries.settle(id, { ...noted, ...whose })) await then();
  };
  if (end.is === 'inline' && end.isNoted) outbox.told(id, work);
  else await outbox.tell(id, work);
}

function failureOf(end: Extract<End, { is: 'failed' }>): Omit<DeliveryEnd, 'repeats'> {
  const { why } = end;
  return end.wasAnswered
    ? { state: end.unknown ? 'unknown' : 'failed', why }
    : { state: 'failed', why, untakenCalls: end.calls };
}

/** The job is over for good; its reason is for the operator. */
export class ReplyFailed extends Error {
  override readonly name = 'ReplyFailed';
  /** Whether the answer has reached the user, nobody knows. */
  readonly unknown: boolean;
  /** What is to be sent when somebody runs it again. */
  readonly answer: Answer | null;
  /** So much of it is out. */
  readonly sentUpTo: number;

  constructor(
    reason: string,
    {
      unknown = false,
      answer = null,
      sentUpTo = 0,
    }: { unknown?: boolean; answer?: Answer | null; sentUpTo?: number } = {},
  ) {
    super(reason);
    this.unknown = unknown;
    this.answer = answer;
    this.sentUpTo = sentUpTo;
  }
}

/** The process stops, and the answer, or the rest of it, certainly did not go out: another one sends it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  readonly answer: Answer;
  /** So much of it is out. */
  readonly sentUpTo: number;

  constructor(answer: Answer, sentUpTo: number) {
    super('The process stops before an answer could be sent.');
    this.answer = answer;
    this.sentUpTo = sentUpTo;
  }
}

/** A push's delivery, and its place in the queue's deduplication. */
export function deliveryId({
  channel,
  account,
  key,
}: Pick<ReplyJob, 'account' | 'key'> & { channel: string }): string {
  return `${channel}/${account}/${key}`;
}

/** Its reply job's id. A hash: BullMQ keeps ids in its event stream, where no user's name has to stand. */
export function jobIdOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 32);
}

/** How people are told of it in a reason; the release before this one reads it there. */
export const outcomeUnknown = 'outcome unknown';

type Telling = Pick<CarryDeps, 'events' | 'clock' | 'observe'>;

type DeliveryOutcome = Pick<Extract<Notice, { is: 'delivery' }>, 'way' | 'code'> & { job?: string };

/** What became of the answer, for whoever observes. `job`: by which what did not go out can be run again. */
export function tellDelivery(
  { observe, clock }: Pick<Telling, 'observe' | 'clock'>,
  { channel, account, user, key: turn }: Pushed,
  { way, code, job = '' }: DeliveryOutcome,
): void {
  const at = clock.now();
  observe?.({ is: 'delivery', at, channel, account, user, turn, way, code, job: job === '' ? null : job });
}

/**
 * Tells the typing of each of the push's turns what the bot's answer, or the lack of one, means. Resolves with whether
 * somebody still waits for something; where that is not known, with true.
 */
export async function tellTurns(
  deps: Pick<Telling, 'events' | 'clock'>,
  pushed: Pushed,
  how: { meaning: Meaning; platform: Pick<Platform, 'rules'>; delivery?: string },
): Promise<boolean> {
  const { meaning, platform, delivery } = how;
  const { rules } = platform;
  const at = deps.clock.now();
  const { channel, account, turns } = pushed;
  const told = turns.map(({ user, turn }) =>
    deps.events.tell({ channel, account, user }, eventOf(meaning, turn, { rules, at, delivery })),
  );
  return (
    (await Promise.all(told)).some((state) => state === null || state.turns.length > 0) || turns.length === 0
  );
}

/** The bot may answer its call before it is told what became of its message: so often it is asked meanwhile (ms). */
const lookPause = 20;

/**
 * Says whether a message was seen that answers one of a push's turns, once none is under way any more; where that is not
 * known, it was not.
 */
export function createIsAnswered({
  store,
  clock,
}: {
  store: Pick<Store, 'load'>;
  clock: Pick<Clock, 'now' | 'sleep'>;
}): (pushed: Pushed) => Promise<boolean> {
  return async ({ channel, account, turns }) => {
    const answered = turns.map(async ({ user, turn }) => {
      for (;;) {
        const { state, blockedUntil } = await store.load({ channel, account, user });
        const open = state.turns.find(({ id }) => id === turn);
        const by = open?.replied ?? endOf(state, turn)?.by ?? null;
        if (by !== null && !unanswered.includes(by)) return true;
        if (blockedUntil <= clock.now()) return false;
        await clock.sleep(lookPause);
      }
    });
    const all: boolean[] = await Promise.all(answered).catch(() => []);
    return all.includes(true);
  };
}

/** Says whether a message of the bot's, which has outlived its caller, was the answer to each of a push's turns. */
export function createAnsweredSince({
  store,
}: {
  store: Pick<Store, 'load'>;
}): (pushed: Pushed) => Promise<boolean> {
  return async ({ channel, account, turns }) => {
    const answered = turns.map(async ({ user, turn }) => {
      const { state } = await store.load({ channel, account, user });
      return endOf(state, turn)?.answered ?? false;
    });
    const all = await Promise.all(answered).catch(() => [false]);
    return all.length > 0 && all.every(Boolean);
  };
}

/**
 * A message that is out takes the indicator away: where another turn is open, it may be shown again now. One that was
 * `sent` counts among those that the platform allows, and ends the block that was made for it.
 */
export async function tellReached(
  deps: Pick<CarryDeps, 'events' | 'clock'>,
  { channel, account, user, turns }: Pushed,
  { sent, release = null }: { sent: boolean; release?: string | null },
): Promise<void> {
  const at = deps.clock.now();
  // Bots answer some pushes that open no turn, too.
  const users = new Set([...turns.map((each) => each.user), ...(user === null ? [] : [user])]);
  const told = [...users].map(async (each) => {
    const conversation = { channel, account, user: each };
    const how = release !== null && each === user ? { release } : {};
    await deps.events.tell(conversation, { is: 'interaction', sent, at }, how);
  });
  await Promise.all(told);
}
