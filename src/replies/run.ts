import { eventOf, type Meaning } from '../core/bot.ts';
import type { Notice, Observe } from '../core/notice.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Rules } from '../core/rules.ts';
import type { Send } from '../core/wire.ts';
import type { EventQueue } from '../typing/events.ts';
import type { ReplyJob } from '../typing/jobs.ts';
import type { LearnedAccounts } from '../typing/learned.ts';
import type { Shares } from '../typing/shares.ts';
import type { Store } from '../typing/store.ts';
import type { Deliveries } from './delivery.ts';

export interface ReplyDeps {
  deliveries: Deliveries;
  events: EventQueue;
  store: Store;
  learned: LearnedAccounts;
  clock: Clock;
  log: Log;
  /** Calls the bot. */
  send: Send;
  /** Tells one web process that an answer waits for it; resolves with how many heard it. */
  notify: (holder: string, id: string) => Promise<number>;
  /**
   * Waits for what could land after a message to the push's user, 500 ms at most, and lets nothing of the kind begin.
   * Resolves with what ends that; null: nothing was blocked.
   */
  makeWay: (push: Pick<ReplyJob, 'channel' | 'account' | 'user'>) => Promise<string | null>;
  /** Of the reply jobs that may run at once. */
  shares: Shares;
  /** @default nobody */
  observe?: Observe | undefined;
  platformOf: (name: { channel: Conversation['channel']; account: string }) => Platform | null;
  botOf: (platform: Platform) => Omit<ServedBot, 'mode'> | null;
}

export interface ReplyRun {
  /** The job's id. */
  job: string;
  data: ReplyJob;
  /** 1 for the first start, whatever ended it. */
  attempt: number;
  /** No further try follows this one. */
  last: boolean;
  /** Aborted when the process has to stop: the job goes back to the queue. */
  signal: AbortSignal;
}

/** The job is over for good; its reason is for the operator. */
export class ReplyFailed extends Error {
  override readonly name = 'ReplyFailed';
  /** Whether the answer has reached the user, nobody knows. */
  readonly unknown: boolean;

  constructor(reason: string, { unknown = false }: { unknown?: boolean } = {}) {
    super(reason);
    this.unknown = unknown;
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

/** How people are told of it in a reason; the release before this one reads it there. */
export const outcomeUnknown = 'outcome unknown';

type DeliveryOutcome = Pick<Extract<Notice, { is: 'delivery' }>, 'way' | 'code'>;

/** What became of the answer, for whoever observes. What did not go out can be run again by its job. */
export function tellDelivery(
  { observe, clock }: ReplyDeps,
  { data, job }: ReplyRun,
  outcome: DeliveryOutcome,
): void {
  const { channel, account, user, key: turn } = data;
  const isOut = outcome.way === 'inline' || outcome.way === 'sent';
  const at = clock.now();
  observe?.({ is: 'delivery', at, channel, account, user, turn, ...outcome, job: isOut ? null : job });
}

/** Tells the typing queue what the bot's answer, or the lack of one, means for the push's turns. */
export async function tellTurns(
  deps: ReplyDeps,
  { data }: ReplyRun,
  { meaning, rules }: { meaning: Meaning; rules: Rules },
): Promise<void> {
  const at = deps.clock.now();
  const { channel, account } = data;
  const told = data.turns.map(({ user, turn }) =>
    deps.events.tell({ channel, account, user }, eventOf(meaning, turn, { rules, at })),
  );
  await Promise.all(told);
}
