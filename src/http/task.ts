import type { Response } from 'express';
import { eventOf, type Meaning, meaningOf as meaningOfAnswer } from '../core/bot.ts';
import type { DeliveryWay, Observe } from '../core/notice.ts';
import type { Platform, Received } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Served, ServedBot } from '../core/roster.ts';
import type { Event } from '../core/state.ts';
import type { Answer, RawPush } from '../core/wire.ts';
import type { Deliveries } from '../replies/delivery.ts';
import type { Direct } from '../replies/direct.ts';
import type { Intake } from '../replies/intake.ts';
import type { Holds } from './holds.ts';

/** For what must happen when Redis did not answer in time: these wait until it does. */
export type Later = Pick<Deliveries, 'giveBack' | 'forfeit' | 'resume'> & Pick<Intake, 'redeliver'>;

export interface WebDeps {
  intake: Intake;
  holds: Holds;
  deliveries: Pick<Deliveries, 'hold' | 'giveBack'>;
  later: Later;
  /** What is sent to Redis now may be carried out, whether it is answered in time or not. */
  reachesRedis: () => boolean;
  direct: Direct;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
  holdMs: number;
  /** Bigger pushes are forwarded without being stored (bytes). */
  storedPushLimit: number;
  /** The account can send nothing through the platform's API: an answer has to come while the platform waits. */
  isMute: (platform: Platform) => boolean | Promise<boolean>;
}

export interface Task {
  served: Served;
  bot: ServedBot;
  received: Extract<Received, { is: 'push' }>;
  push: RawPush;
  response: Response;
  /** The platform's patience began then (ms). */
  arrivedAt: number;
}

/** Whom an answer to this push goes to. */
export function userOf({ received }: Task): string | null {
  return received.happenings[0]?.user ?? null;
}

export function warnOfRedis(log: Log, error: unknown): null {
  log.warn(
    { cause: error instanceof Error ? error.message : String(error) },
    'Redis did not take an event in time.',
  );
  return null;
}

/** What the web does for a push itself, told to whoever observes. */

type Observing = Pick<WebDeps, 'clock' | 'observe'>;

export function tellDelivery({ clock, observe }: Observing, task: Task, way: DeliveryWay): void {
  observe?.({ is: 'delivery', at: clock.now(), ...turnPlace(task), way, code: 0, job: null });
}

function turnPlace(task: Task) {
  const { channel, account } = task.served.platform;
  return { channel, account, user: userOf(task), turn: task.received.key };
}

/** `otherwise`: what it means that the bot gave no answer. */
export async function answerMeaning(
  platform: Platform,
  answer: Answer | null,
  otherwise: Meaning,
): Promise<Meaning> {
  return answer ? meaningOfAnswer(await platform.readAnswer(answer), answer.headers) : otherwise;
}

/** How a push's turns hear of something. */
type TurnTelling = Pick<WebDeps, 'intake' | 'clock' | 'log'>;
type Pushed = Pick<Task, 'served' | 'received'>;

/** Tells the typing of each turn that the push opened. Never throws: Redis may be away. */
export function tellEnd(deps: TurnTelling, task: Pushed, meaning: Meaning): Promise<void> {
  const { rules } = task.served.platform;
  const at = deps.clock.now();
  return tellTurns(deps, task, (turn) => eventOf(meaning, turn, { rules, at }));
}

/**
 * A message is out, and its turn may go on: it has taken the indicator away. One that was `sent` counts among those that
 * the platform allows. Never throws.
 */
export function tellReached(deps: TurnTelling, task: Pushed, { sent }: { sent: boolean }): Promise<void> {
  const at = deps.clock.now();
  return tellTurns(deps, task, () => ({ is: 'interaction', sent, at }));
}

async function tellTurns(
  { intake, log }: TurnTelling,
  { served: { platform }, received }: Pushed,
  eventFor: (turn: string) => Event,
): Promise<void> {
  const turns = received.happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [each] : [],
  );
  const told = turns.map(({ user, key }) => intake.tellEvent(platform, user, eventFor(key)));
  await Promise.all(told).catch((error: unknown) => warnOfRedis(log, error));
}
