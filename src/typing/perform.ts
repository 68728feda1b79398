import type { Job } from 'bullmq';
import { noticesOf } from '../core/measure.ts';
import type { Observe } from '../core/notice.ts';
import { type Conversation, conversationId, type Outcome, type Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import { type Event, initialState, type State } from '../core/state.ts';
import { step, type Step, wakeAt } from '../core/step.ts';
import { remember } from '../core/turns.ts';
import { patience } from './blocks.ts';
import { type CallDeps, createGates, make, shareOrWarn } from './call.ts';
import type { Apply } from './events.ts';
import { createRuns, readTypingJob, type TypingJob } from './jobs.ts';
import { type LearnedAccounts, switchedOffNow } from './learned.ts';
import type { Pressure } from './pressure.ts';
import { Postponed, putBack, type Shares } from './shares.ts';
import { isForgotten, keptFor, type Loaded, type Store } from './store.ts';
import type { Look, Wakes } from './wakes.ts';

interface JudgeDeps {
  store: Store;
  wakes: Pick<Wakes, 'set'>;
  learned: LearnedAccounts;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
  platformOf: (conversation: Conversation) => Platform | null;
  /** For how long the conversation's Redis has been there again (ms); Infinity: it has not been away. */
  backFor: (conversation: Conversation) => number;
}

export interface PerformDeps extends JudgeDeps {
  /** This process's name, which no other has. */
  name: string;
  pressure: Pick<Pressure, 'isBusy'>;
  /** Of the jobs that may make typing calls at once. */
  shares: Shares;
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
  platformOf,
  lookAgain,
}: {
  platformOf: (place: Place) => Platform | null;
  lookAgain: () => Promise<void>;
}): Meet {
  return async (place) => {
    if (platformOf(place)) return;
    await lookAgain().catch(() => {
      throw new Postponed(meetPause);
    });
  };
}

/** A process that is behind renews later; what it has put off for so long is looked at all the same (ms). */
const busyPause = 500;
const longestBusy = 3_000;

interface Typing {
  /** What the typing queue's worker does with each job. */
  process: (job: Job<TypingJob>, token?: string) => Promise<void>;
  /** What is done when a conversation has to be looked at again. */
  look: Look;
}

export function createTyping(deps: PerformDeps, meet: Meet): Typing {
  const perform = createPerform(deps);
  let looks = 0;
  const inTurn = createRuns();
  const process = async (job: Job<TypingJob>, token?: string): Promise<void> => {
    try {
      const data = readTypingJob(job.data);
      await meet(data.conversation);
      // A try ended without its end being noted, or by a fault; one that was put back did not.
      const redelivered = job.stalledCounter > 0 || job.attemptsMade > 0;
      const { id = '' } = job;
      await inTurn(id, () => perform({ id, data, redelivered }));
    } catch (error) {
      if (error instanceof Postponed) return putBack(job, { token, waitMs: error.waitMs });
      throw error;
    }
  };
  const look: Look = async (conversation, { at, isFound }) => {
    if (deps.pressure.isBusy() && deps.clock.now() - at < longestBusy) throw new Postponed(busyPause);
    await meet(conversation);
    const event = { is: 'wake', timer: isFound ? foundTimer : anyTimer, at } as const;
    if (isFound && !deps.platformOf(conversation)) return dropGone(deps, conversation);
    // Two processes that look at once must not ask for the very same call.
    const id = `${deps.name}.${(looks += 1)}`;
    await perform({ id, data: { conversation, event }, redelivered: false });
  };
  return { process, look };
}

/** Of an account that this process does not serve; another one may. */
async function dropGone({ store }: JudgeDeps, conversation: Conversation): Promise<void> {
  const { raw } = await store.load(conversation);
  if (raw === null) await store.wake(conversation, null);
}

/** Carries one event through: judges it, makes the call that it asks for, judges the outcome, and so on. */
function createPerform(deps: PerformDeps): (run: TypingRun) => Promise<void> {
  const calls = { ...deps, gates: createGates(deps) };
  return async (run) => {
    const platform = deps.platformOf(run.data.conversation);
    if (!platform) return;
    const { shares } = deps;
    if (!mayWait(run.data.event)) return carryThrough(calls, { ...run, platform, hasPlace: false });
    const { conversation, event } = run.data;
    // A look comes under another name each time, and must not count as one more that waits.
    const waits = event.is === 'wake' ? conversationId(conversation) : run.id;
    if (shares.isCrowded(platform)) throw new Postponed(shares.turnAway(platform, waits));
    const leave = shares.enter(platform, waits);
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

/** Mostly what asks for shows; what somebody has told is judged at once, however busy the account is. */
function mayWait(event: Event): boolean {
  return event.is === 'inbound' || (event.is === 'wake' && event.timer <= anyTimer);
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
  let judged = await judge(deps, task);
  while (judged.call) {
    const { call, stands } = judged;
    const isLate = call.kind !== 'hide' && deps.clock.now() - call.at > patience - onTheWay;
    const { conversation } = stands;
    const outcome = isLate ? tooLate : await make(deps, { ...task, conversation, call });
    const event: Event = { is: 'outcome', call: call.n, outcome, at: deps.clock.now() };
    const soonerBy = deps.gates.shortestOf(task.platform);
    judged = await judge(deps, { ...task, conversation, event, release: null }, { stands, soonerBy });
  }
}

/** A message to the user waits for a show that it finds under way, but no longer: one that begins later lands after it. */
const onTheWay = 200;
const tooLate: Outcome = { is: 'lost', begun: false, cause: 'Redis took too long to answer' };

interface HowToJudge {
  /** What was saved last by whoever judges: it need not be read again, unless somebody else has saved since. */
  stands?: Loaded;
  /** @default true */
  mayCall?: boolean;
  /** A renewal leaves so much earlier (ms): it takes no less to arrive. @default 0 */
  soonerBy?: number;
}

type Saved = Pick<Step, 'call'> & {
  /** Whose state it is, if the user has another name. */
  stands: Loaded;
  /** Somebody has to look sooner than was planned: the timer's number; null: nobody. */
  sooner: number | null;
};

/** One step, saved only if nobody else changed the conversation meanwhile; else judged anew. */
async function judge(deps: JudgeDeps, task: ToJudge, how: HowToJudge = {}): Promise<Saved> {
  const { store, learned, clock } = deps;
  const { platform, event, by, release } = task;
  // Mostly a user who writes has not done so for a while: what the save finds instead is as good as what is read.
  const isGuess = how.stands === undefined && event.is === 'inbound';
  const unknown = { ...nothing, conversation: task.conversation };
  let loaded = how.stands ?? (isGuess ? unknown : await store.load(task.conversation, release));
  for (let tries = 0; ; tries += 1) {
    const { raw, conversation } = loaded;
    const state = withSent(loaded, event);
    const { mayCall = true, soonerBy = 0 } = how;
    const known = learned.rules(platform);
    const rules = soonerBy === 0 ? known : { ...known, renewMargin: known.renewMargin - soonerBy };
    const now = clock.now();
    const blockedUntil = Math.max(loaded.blockedUntil, settledAt(deps.backFor(conversation), event, now));
    const meant = event.is === 'wake' ? meantBy(event, state, now) : event;
    const taken = meant && step(rules, state, { event: meant, by, now, blockedUntil, mayCall });
    if (!taken || (taken.state === loaded.state && release === null)) {
      if (event.is === 'wake' && event.timer === foundTimer)
        await store.wake(conversation, wakeAt(rules, state));
      return { call: null, stands: loaded, sooner: soonerThan(state, state, now) };
    }
    const unblocked = taken.call !== null && taken.call.kind !== 'hide';
    const at = wakeAt(rules, taken.state);
    const guess = { from: raw, isGuess: isGuess && tries === 0 };
    const change = { ...guess, to: taken.state, ...keptFor(rules, taken.state, now), wakeAt: at };
    const saved = await store.save(conversation, { ...change, sending: { now, unblocked, release } });
    if (typeof saved !== 'string') {
      loaded = saved;
      continue;
    }
    const { call, timer } = taken.state;
    deps.wakes.set(conversation, at === null || taken.call ? null : { at, n: call ? 0 : (timer?.n ?? 0) });
    const judged = { ...task, conversation };
    await carryOut(deps, judged, taken);
    // Whoever makes no calls hears of what the platform refuses from others.
    if (!mayCall && taken.ended.some(({ untyped }) => untyped !== null))
      await learned.refresh().catch(() => {});
    tellNotices(deps, judged, { taken, at: now });
    if (isForgotten(taken.state)) await store.forget(conversation);
    const left = { conversation, state: taken.state, raw: saved, blockedUntil: 0, sentAt: 0 };
    return { call: taken.call, stands: left, sooner: soonerThan(state, taken.state, now) };
  }
}

/** What is known of somebody of whom nothing is. */
const nothing: Omit<Loaded, 'conversation'> = { state: initialState, raw: null, blockedUntil: 0, sentAt: 0 };

/** What this message waits for may be out already: its web could not say in time that it had come. */
function withSent({ state, sentAt }: Pick<Loaded, 'state' | 'sentAt'>, event: Event): State {
  if (event.is !== 'inbound' || sentAt < event.at) return state;
  return { ...state, early: remember(state, { is: 'message', by: 'gateway', at: sentAt, sentAt: 0 }) };
}

/** What is due already is asked for again: of whoever told it first no worker may have heard. */
function soonerThan({ timer: before }: State, { timer }: State, now: number): number | null {
  return timer !== null && timer.at < Math.max(before?.at ?? Infinity, now + 1) ? timer.n : null;
}

/** A look without a number means whatever is due; null: nothing is. */
function meantBy(event: WakeEvent, { timer, call }: State, now: number): WakeEvent | null {
  if (event.timer !== anyTimer && event.timer !== foundTimer) return event;
  if (timer && timer.at <= now) return { ...event, timer: timer.n };
  // A call that nobody waits for any more is due by itself.
  return call ? { ...event, timer: anyTimer } : null;
}

type WakeEvent = Extract<Event, { is: 'wake' }>;

/** Not the number of a timer: whichever is due; found overdue, which has moved its time in Redis. */
const anyTimer = 0;
const foundTimer = -1;

/** What others have learned while Redis was away they tell within this (ms): no show for what lies there from before. */
const settling = 2_000;

function settledAt(back: number, event: Event, now: number): number {
  const isNew = event.is !== 'wake' && event.is !== 'recovered' && now - event.at < back;
  return back >= settling || isNew ? 0 : now + settling - back;
}

/** Takes an event into the state; calls are for a worker. */
export function createApply(deps: JudgeDeps): Apply {
  return async (conversation, event, release) => {
    const platform = deps.platformOf(conversation);
    if (!platform) return null;
    const task = { platform, conversation, hasPlace: false, by: '', event, release };
    const { stands, sooner } = await judge(deps, task, { mayCall: false });
    return { state: stands.state, sooner };
  };
}

async function carryOut(
  deps: JudgeDeps,
  { platform, conversation }: ToJudge,
  { ended }: Step,
): Promise<void> {
  for (const { id, by, openedAt, at } of ended.filter(({ seen }) => seen)) {
    deps.log.info(
      { conversation: conversationId(conversation), turn: id, by, ms: at - openedAt },
      'turn ended',
    );
  }
  if (ended.length > 0) await shareOrWarn(deps, deps.learned.noteEnds(platform, ended));
}

function tellNotices(deps: JudgeDeps, task: ToJudge, { taken, at }: { taken: Step; at: number }): void {
  const { learned, observe } = deps;
  if (!observe) return;
  const { platform, conversation, event } = task;
  const isOff = switchedOffNow(platform, learned.of(platform), at) !== null;
  for (const notice of noticesOf({ conversation, event, measures: taken, isOff, at })) observe(notice);
}
