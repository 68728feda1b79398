import type { Job } from 'bullmq';
import type { Measured, Measures } from '../core/measure.ts';
import type { Notice, Observe, Untyped } from '../core/notice.ts';
import { type Conversation, conversationId, type Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import type { Event } from '../core/state.ts';
import { step, type Step } from '../core/step.ts';
import { type CallDeps, createGates, make, shareOrWarn } from './call.ts';
import type { EventQueue } from './events.ts';
import { readTypingJob, type TypingJob } from './jobs.ts';
import { type LearnedAccounts, switchedOffNow } from './learned.ts';
import { Postponed, putBack, type Shares } from './shares.ts';
import { isForgotten, keptFor, type Store } from './store.ts';

export interface PerformDeps {
  store: Store;
  events: EventQueue;
  learned: LearnedAccounts;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
  /** Of the jobs that may make typing calls at once. */
  shares: Shares;
  platformOf: (conversation: Conversation) => Platform | null;
}

interface TypingRun {
  id: string;
  data: TypingJob;
  /** An earlier try of this job died on its way. */
  redelivered: boolean;
}

/** Resolves when the account of a job is known to this process, if there is one. */
export type Meet = (place: Place) => Promise<void>;

/** Until Redis says more (ms). */
const meetPause = 1_000;

/** A web process may know an account a moment before this one does: its jobs are not to fail for that. */
export function createMeet({
  isKnown,
  lookAgain,
}: {
  isKnown: (place: Place) => boolean;
  lookAgain: () => Promise<void>;
}): Meet {
  return async (place) => {
    if (isKnown(place)) return;
    await lookAgain().catch(() => {
      throw new Postponed(meetPause);
    });
  };
}

/** What the typing queue's worker does with each job. */
export function createTypingProcessor(
  deps: PerformDeps,
  meet: Meet,
): (job: Job<TypingJob>, token?: string) => Promise<void> {
  const perform = createPerform(deps);
  return async (job, token) => {
    try {
      const data = readTypingJob(job.data);
      await meet(data.conversation);
      // A try ended without its end being noted, or by a fault; one that was put back did not.
      const redelivered = job.stalledCounter > 0 || job.attemptsMade > 0;
      await perform({ id: job.id ?? '', data, redelivered });
    } catch (error) {
      if (error instanceof Postponed) return putBack(job, { token, waitMs: error.waitMs });
      throw error;
    }
  };
}

/** Carries one event through: judges it, makes the call that it asks for, judges the outcome, and so on. */
export function createPerform(deps: PerformDeps): (run: TypingRun) => Promise<void> {
  const gates = createGates(deps);
  const calls = { ...deps, gates };
  return async (run) => {
    const platform = deps.platformOf(run.data.conversation);
    if (!platform) return;
    const { shares } = deps;
    if (!mayWait(run.data.event)) return carryThrough(calls, { ...run, platform, hasPlace: false });
    if (shares.isCrowded(platform)) throw new Postponed(shares.turnAway(platform, run.id));
    const leave = shares.enter(platform, run.id);
    await carryThrough(calls, { ...run, platform, hasPlace: true }).finally(leave);
  };
}

interface Placed extends TypingRun {
  platform: Platform;
  hasPlace: boolean;
}

async function carryThrough(deps: Deps, run: Placed): Promise<void> {
  const { id, data, redelivered, platform, hasPlace } = run;
  const { conversation, event, release } = data;
  const told = { platform, conversation, hasPlace, by: id, release: null };
  const now = deps.clock.now();
  if (redelivered) await carry(deps, { ...told, event: { is: 'recovered', by: id, at: now } });
  tellLag(deps, event, now);
  const judged = event.is === 'wake' ? { ...event, at: now } : event;
  await carry(deps, { ...told, event: judged, release: release ?? null });
}

function tellLag({ log, observe }: PerformDeps, event: Event, now: number): void {
  const ms = Math.max(0, now - event.at);
  if (event.is === 'wake') log.debug({ lateMs: now - event.at }, 'wake-up');
  observe?.({ is: 'lag', at: now, queue: event.is === 'wake' ? 'wake' : 'typing', ms });
}

/** Mostly what asks for shows; an end is noted at once, however busy the account is. */
function mayWait(event: Event): boolean {
  return event.is === 'inbound' || event.is === 'wake';
}

interface ToJudge {
  platform: Platform;
  conversation: Conversation;
  hasPlace: boolean;
  by: string;
  event: Event;
  /** The sender whose block ends with the event. */
  release: string | null;
}

type Deps = PerformDeps & CallDeps;

async function carry(deps: Deps, task: ToJudge): Promise<void> {
  let { call } = await judge(deps, task);
  while (call) {
    const outcome = await make(deps, { ...task, call });
    const event: Event = { is: 'outcome', call: call.n, outcome, at: deps.clock.now() };
    ({ call } = await judge(deps, { ...task, event, release: null }));
  }
}

/** One step, saved only if nobody else changed the conversation meanwhile; else judged anew. */
async function judge(deps: PerformDeps, task: ToJudge): Promise<Step> {
  const { store, learned, clock } = deps;
  const { platform, conversation, event, by, release } = task;
  for (;;) {
    const { state, raw, blockedUntil } = await store.load(conversation, release);
    const rules = learned.rules(platform);
    const now = clock.now();
    const taken = step(rules, state, { event, by, now, blockedUntil });
    if (taken.state === state && release === null) return taken;
    const keepMs = keptFor(rules, taken.state, now);
    const unblocked = taken.call !== null && taken.call.kind !== 'hide';
    const change = { from: raw, to: taken.state, keepMs, sending: { now, unblocked, release } };
    if (!(await store.save(conversation, change))) continue;
    await carryOut(deps, task, taken);
    tellNotices(deps, task, { taken, at: now });
    if (isForgotten(taken.state)) await store.forget(conversation);
    return taken;
  }
}

async function carryOut(deps: PerformDeps, { platform, conversation }: ToJudge, taken: Step): Promise<void> {
  const { arm, disarm, ended } = taken;
  if (arm) await deps.events.arm(conversation, arm);
  if (disarm !== null) await deps.events.disarm(conversation, disarm);
  for (const { id, by, openedAt, at } of ended) {
    deps.log.info(
      { conversation: conversationId(conversation), turn: id, by, ms: at - openedAt },
      'turn ended',
    );
  }
  if (ended.length > 0) await shareOrWarn(deps, deps.learned.noteEnds(platform, ended));
}

function tellNotices(deps: PerformDeps, task: ToJudge, { taken, at }: { taken: Step; at: number }): void {
  const { learned, observe } = deps;
  if (!observe) return;
  const { platform, conversation, event } = task;
  const isOff = switchedOffNow(platform, learned.of(platform), at) !== null;
  for (const notice of noticesOf({ conversation, event, measures: taken, isOff, at })) observe(notice);
}

/** What the judging of an event says to whoever observes. */

interface Judged {
  conversation: Conversation;
  event: Event;
  measures: Measures;
  /** The platform has refused the account: that is why its typing is off. */
  isOff: boolean;
  at: number;
}

function noticesOf(judged: Judged): Notice[] {
  const { conversation, measures, at } = judged;
  const { ended, skipped, ghostMs } = measures;
  return [
    ...outboundIn(judged),
    ...ended.filter(({ seen }) => seen).map((turn) => endedNotice(judged, turn)),
    ...(skipped ? [{ is: 'skipped', at, ...conversation, ...skipped } as const] : []),
    ...(ghostMs > 0 ? [{ is: 'ghost', at, ...conversation, ms: ghostMs } as const] : []),
  ];
}

function outboundIn({ conversation, event, at }: Judged): Notice[] {
  switch (event.is) {
    case 'message':
      return [{ is: 'outbound', at, ...conversation, by: event.by, messageId: event.id }];
    case 'paused':
    case 'resumed':
      return [{ is: 'handoff', at, ...conversation, on: event.is === 'paused', by: event.by }];
    default:
      return [];
  }
}

function endedNotice({ conversation, isOff }: Judged, turn: Measured): Notice {
  const { id, by, at, openedAt, litMs, firstMs, untyped } = turn;
  const waitMs = Math.max(0, at - openedAt);
  const reason: Untyped | null = isOff && untyped === 'mode_off' ? 'no_permission' : untyped;
  return { is: 'ended', at, ...conversation, turn: id, by, waitMs, litMs, firstMs, untyped: reason };
}
