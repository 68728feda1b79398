import { createGates, type Gates } from './gates.ts';
import type { Clock } from '../core/clock.ts';
import type { Event } from '../core/event.ts';
import type { Log } from '../core/log.ts';
import { conversationId, type Conversation, type Outcome, type Platform } from '../core/platform.ts';
import type { Call } from '../core/state.ts';
import { step, type Step } from '../core/typing.ts';
import type { Accounts } from './accounts.ts';
import type { EventQueue } from './events.ts';
import type { TypingJob } from './jobs.ts';
import { isForgotten, keptFor } from './kept.ts';
import { Postponed } from './postponed.ts';
import type { Store } from './store.ts';

export interface PerformDeps {
  store: Store;
  events: EventQueue;
  accounts: Accounts;
  clock: Clock;
  log: Log;
  /** Typing calls in flight for one account. */
  callsPerAccount: number;
  platformOf: (conversation: Conversation) => Platform | null;
}

export interface TypingRun {
  id: string;
  data: TypingJob;
  /** An earlier try of this job died on its way. */
  redelivered: boolean;
}

/** Carries one event through: judges it, makes the call that it asks for, judges the outcome, and so on. */
export function createPerform(deps: PerformDeps): (run: TypingRun) => Promise<void> {
  const gates = createGates(deps);
  return async ({ id, data: { conversation, event, release }, redelivered }) => {
    const platform = deps.platformOf(conversation);
    if (!platform) return;
    if (mayWait(event) && gates.crowded(platform)) throw new Postponed(crowdedPause);
    const told = { platform, conversation, by: id, release: null };
    const now = deps.clock.now();
    if (redelivered) await carry(deps, gates, { ...told, event: { is: 'recovered', by: id, at: now } });
    if (event.is === 'wake') deps.log.debug({ lateMs: now - event.at }, 'wake-up');
    const judged = event.is === 'wake' ? { ...event, at: now } : event;
    await carry(deps, gates, { ...told, event: judged, release: release ?? null });
  };
}

const crowdedPause = 100;

/** Mostly what asks for shows; an end is noted at once, however busy the account is. */
function mayWait(event: Event): boolean {
  return event.is === 'inbound' || event.is === 'wake';
}

interface Task {
  platform: Platform;
  conversation: Conversation;
  by: string;
  event: Event;
  /** The sender whose block ends with the event. */
  release: string | null;
}

async function carry(deps: PerformDeps, gates: Gates, task: Task): Promise<void> {
  let { call } = await judge(deps, task);
  while (call) {
    const outcome = await make(deps, gates, { ...task, call });
    const event: Event = { is: 'outcome', call: call.n, outcome, at: deps.clock.now() };
    ({ call } = await judge(deps, { ...task, event, release: null }));
  }
}

/** One step, saved only if nobody else changed the conversation meanwhile; else judged anew. */
async function judge(deps: PerformDeps, task: Task): Promise<Step> {
  const { store, accounts, clock } = deps;
  const { platform, conversation, event, by, release } = task;
  for (;;) {
    const { state, raw, blockedUntil } = await store.load(conversation, release);
    const rules = accounts.rules(platform);
    const now = clock.now();
    const taken = step(rules, state, { event, by, now, blockedUntil });
    if (taken.state === state && release === null) return taken;
    const keepMs = keptFor(rules, taken.state, now);
    const unblocked = taken.call !== null && taken.call.kind !== 'hide';
    const change = { from: raw, to: taken.state, keepMs, sending: { now, unblocked, release } };
    if (!(await store.save(conversation, change))) continue;
    await carryOut(deps, task, taken);
    if (isForgotten(taken.state)) await store.forget(conversation);
    return taken;
  }
}

async function carryOut(deps: PerformDeps, { platform, conversation }: Task, taken: Step): Promise<void> {
  const { arm, disarm, ended } = taken;
  if (arm) await deps.events.arm(conversation, arm);
  if (disarm !== null) await deps.events.disarm(conversation, disarm);
  for (const { id, by, openedAt, at } of ended) {
    deps.log.info(
      { conversation: conversationId(conversation), turn: id, by, ms: at - openedAt },
      'turn ended',
    );
  }
  if (ended.length > 0) await learned(deps, deps.accounts.noteEnds(platform, ended));
}

/** What is learned of an account is worth nothing against the event that is being judged. */
async function learned({ log }: PerformDeps, work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => log.warn({ error }, 'What was learned of an account was not shared.'));
}

/** One typing call. A hide always goes out: nothing else can take a ghost away. */
async function make(deps: PerformDeps, gates: Gates, task: Task & { call: Call }): Promise<Outcome> {
  const { platform, conversation, call } = task;
  if (call.kind === 'interim') return sayInterim(deps, task);
  const wait = call.kind === 'show' ? gates.waitOf(platform) : 0;
  if (wait > 0) return { is: 'account-back-off', code: 0, forMs: wait };
  const outcome = await gates.through(platform, () => ask(platform, { ...conversation, ...call }));
  note(deps, { ...task, outcome });
  if (outcome.is === 'account-off') await learned(deps, deps.accounts.switchOff(platform, outcome));
  if (outcome.is === 'done') await learned(deps, deps.accounts.switchOn(platform));
  return outcome;
}

async function sayInterim({ log }: PerformDeps, { platform, conversation }: Task): Promise<Outcome> {
  const outcome = (await platform.sendInterim?.(conversation.user)) ?? ({ is: 'failed', code: 0 } as const);
  const level = outcome.is === 'done' ? 'info' : 'warn';
  log[level]({ conversation: conversationId(conversation), ...outcome }, 'interim text');
  return outcome;
}

async function ask(platform: Platform, call: Call & { user: string }): Promise<Outcome> {
  const target = { user: call.user, messageId: call.messageId };
  if (call.kind === 'show') return platform.show(target);
  return platform.hide ? platform.hide(target) : { is: 'done' };
}

function note({ log }: PerformDeps, task: Task & { call: Call; outcome: Outcome }): void {
  const { outcome, call, conversation } = task;
  const fields = { conversation: conversationId(conversation), call: call.kind, ...outcome };
  if (outcome.is === 'failed' && outcome.bug)
    log.error(fields, 'the platform says that our request was malformed');
  else log.info(fields, 'typing call');
}
