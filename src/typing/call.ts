/** One typing call, or the interim text: made through the account's gate, told to whoever observes. */
import {
  type Breaker,
  closedBreaker,
  failed,
  going,
  pausedUntil,
  standingOf,
  succeeded,
  waitOf,
} from '../core/breaker.ts';
import type { Observe } from '../core/notice.ts';
import { type Conversation, conversationId, type Outcome, type Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { fractionOf, idOf } from '../core/roster.ts';
import type { Call } from '../core/state.ts';
import type { LearnedAccounts } from './learned.ts';
import type { Shares } from './shares.ts';

export interface CallDeps {
  learned: LearnedAccounts;
  gates: Gates;
  /** Of the jobs that may make calls at once. */
  shares: Shares;
  clock: Clock;
  log: Log;
  /** @default nobody */
  observe?: Observe | undefined;
}

interface Calling {
  platform: Platform;
  conversation: Conversation;
  call: Call;
  /** The job has a place among those of its account. */
  hasPlace: boolean;
}

/** Whatever the breaker says, a hide goes out: nothing else can take a ghost away. */
export async function make(deps: CallDeps, calling: Calling): Promise<Outcome> {
  const { learned, gates, shares } = deps;
  const { platform, call } = calling;
  if (call.kind === 'interim') return sayInterim(deps, calling);
  const wait = call.kind === 'show' ? gates.waitOf(platform) : 0;
  if (wait > 0) return { is: 'account-back-off', code: 0, forMs: apart(wait, calling) };
  if (!calling.hasPlace && shares.isCrowded(platform)) return crowded(call);
  const outcome = await inPlace(deps, calling, () =>
    gates.through(platform, () => timed(deps, calling, () => ask(calling))),
  );
  note(deps, calling, outcome);
  if (outcome.is === 'account-off') await shareOrWarn(deps, learned.switchOff(platform, outcome));
  if (outcome.is === 'done' || outcome.is === 'already') await shareOrWarn(deps, learned.switchOn(platform));
  return outcome;
}

/** All of an account's conversations wait for the same moment: at once they would take the time of other accounts'. */
function apart(wait: number, { conversation }: Calling): number {
  return wait + Math.min(wait, longestApart) * fractionOf(conversation.user);
}

const longestApart = 1_000;

/** Where the account's calls hang, one more would only take another's place; its own alarm brings it back. */
function crowded({ kind }: Call): Outcome {
  return kind === 'show'
    ? { is: 'account-back-off', code: 0, forMs: crowdedPause }
    : { is: 'lost', begun: false, cause: 'too many calls of the account are under way' };
}

const crowdedPause = 500;

/** A call of a job that was taken whatever the account's calls do counts among them all the same. */
async function inPlace<T>(
  { shares }: CallDeps,
  { platform, hasPlace }: Calling,
  work: () => Promise<T>,
): Promise<T> {
  if (hasPlace) return work();
  return work().finally(shares.enter(platform));
}

/** What is learned of an account is worth nothing against the event that is being judged. */
export async function shareOrWarn({ log }: Pick<CallDeps, 'log'>, work: Promise<void>): Promise<void> {
  await work.catch((error: unknown) => log.warn({ error }, 'What was learned of an account was not shared.'));
}

async function sayInterim(deps: CallDeps, calling: Calling): Promise<Outcome> {
  const { platform, conversation } = calling;
  const say = async (): Promise<Outcome> =>
    (await platform.sendInterim?.(conversation.user)) ?? { is: 'failed', code: 0 };
  const outcome = await timed(deps, calling, say);
  if (outcome.is === 'done') await shareOrWarn(deps, deps.learned.switchOn(platform, 'send'));
  const level = outcome.is === 'done' ? 'info' : 'warn';
  deps.log[level]({ conversation: conversationId(conversation), ...outcome }, 'interim text');
  return outcome;
}

async function ask({ platform, conversation: { user }, call }: Calling): Promise<Outcome> {
  const target = { user, messageId: call.messageId };
  if (call.kind === 'show') return platform.show(target);
  return platform.hide ? platform.hide(target) : { is: 'done' };
}

async function timed(deps: CallDeps, calling: Calling, work: () => Promise<Outcome>): Promise<Outcome> {
  const { platform, conversation, call } = calling;
  const from = deps.clock.now();
  const outcome = await work();
  const at = deps.clock.now();
  const code = 'code' in outcome ? outcome.code : 0;
  const remedy = 'remedy' in outcome ? outcome.remedy : code === 0 ? null : platform.explain(code);
  deps.observe?.({
    is: 'call',
    at,
    ...conversation,
    kind: call.kind,
    outcome: outcome.is,
    code,
    remedy,
    ms: at - from,
  });
  return outcome;
}

function note({ log }: CallDeps, { call, conversation }: Calling, outcome: Outcome): void {
  const fields = { conversation: conversationId(conversation), call: call.kind, ...outcome };
  if (outcome.is === 'failed' && outcome.bug)
    log.error(fields, 'the platform says that our request was malformed');
  else log[outcome.is === 'done' ? 'debug' : 'info'](fields, 'typing call');
}

/** What stands between this process's typing calls and each account: its breaker, and the way to the platform. */
interface Gates {
  /** How long a show has to wait, in ms; 0: it may go. */
  waitOf(platform: Platform): number;
  through(platform: Platform, call: () => Promise<Outcome>): Promise<Outcome>;
  /** The shortest that a call of the account has taken of late, there and back (ms); 0: none is known. */
  shortestOf(platform: Platform): number;
}

interface GatesOptions {
  clock: Clock;
  /** Is told when a breaker opens, probes and closes. @default nobody */
  observe?: Observe | undefined;
}

interface Gate {
  breaker: Breaker;
  /** How long its last calls took (ms). */
  took: number[];
  standing: ReturnType<typeof standingOf>;
}

export function createGates({ clock, observe }: GatesOptions): Gates {
  const gates = new Map<string, Gate>();
  const of = (platform: Platform): Gate => {
    const name = idOf(platform);
    const gate = gates.get(name) ?? { breaker: closedBreaker, took: [], standing: 'closed' };
    gates.set(name, gate);
    return gate;
  };
  const turn = (platform: Platform, breaker: Breaker): void => {
    const gate = of(platform);
    const { channel, account } = platform;
    const at = clock.now();
    const state = standingOf(breaker, at);
    const before = gate.standing;
    Object.assign(gate, { breaker, standing: state });
    if (state !== before) observe?.({ is: 'breaker', at, channel, account, state });
  };
  return {
    waitOf: (platform) => waitOf(of(platform).breaker, clock.now()),
    through: async (platform, call) => {
      const gate = of(platform);
      const from = clock.now();
      turn(platform, going(gate.breaker, from));
      const outcome = await call();
      const at = clock.now();
      turn(platform, after(gate.breaker, outcome, at));
      if (outcome.is === 'done' || outcome.is === 'already')
        gate.took = [...gate.took, at - from].slice(-tookKept);
      return outcome;
    },
    shortestOf: (platform) => {
      const { took } = of(platform);
      // One alone may have been an accident of the clock.
      return took.length < tookLeast ? 0 : Math.max(0, Math.min(...took));
    },
  };
}

/** Of late: more of them are no truer, as ways change. */
const tookKept = 32;
const tookLeast = 3;

function after(breaker: Breaker, outcome: Outcome, at: number): Breaker {
  if (outcome.is === 'lost' || outcome.is === 'failed') return failed(breaker, at);
  if (outcome.is === 'account-back-off') return pausedUntil(succeeded(), at + outcome.forMs);
  // A call that was in flight when the platform asked for a pause does not end it.
  return pausedUntil(succeeded(), breaker.pausedUntil);
}
