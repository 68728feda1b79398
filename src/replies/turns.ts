/**
 * The pushes that a web has taken. It has the bytes, the socket and the time: it calls the bot itself, with Redis or
 * without, always the same way. What it puts into Redis is the insurance: who has the push, until when, and the push
 * itself, of which a worker makes a job when nothing was heard of this process for a while.
 */
import type { Happening, Platform } from '../core/platform.ts';
import type { ServedBot } from '../core/roster.ts';
import type { Answer, RawPush } from '../core/wire.ts';
import { type ReplyJob, storePush, storeUnsent } from '../typing/jobs.ts';
import type { Pressure } from '../typing/pressure.ts';
import type { Shares } from '../typing/shares.ts';
import { carry } from './carry.ts';
import type { Take } from './delivery.ts';
import { addReplyJob, type ReplyQueue } from './jobs.ts';
import { lease, type Owned, untilHeard } from './owned.ts';
import {
  type CarryDeps,
  deliveryId,
  type End,
  Interrupted,
  jobIdOf,
  noteEnd,
  type Pushed,
  tellTurns,
} from './run.ts';

export interface TakenPush {
  platform: Platform;
  bot: Omit<ServedBot, 'mode'>;
  key: string;
  happenings: readonly Happening[];
  push: RawPush;
  /** When it arrived (ms). */
  arrivedAt: number;
  /** The process is far behind: its turns have no typing, and other pushes are taken before the bot is called. */
  isHurried?: boolean;
  /** The bot is not called before: those who came with it are to have their typing first. @default there is nobody */
  crowd?: Promise<void> | null;
}

/** What becomes of a push at this web. */
export type Taken =
  /**
   * Its answer is on its way to the newest connection that waits for it. `isInsured`: it survives this process: the
   * platform may hear 2xx. `over`: resolves with false when the bot has failed. `isElsewhere`: another process has it.
   */
  | { is: 'waits'; deliveries: number; isInsured: boolean; over: Promise<boolean>; isElsewhere?: true }
  /** Write this now. */
  | { is: 'answer'; answer: Answer }
  /** Nothing to wait for. */
  | { is: 'decided' };

export interface Turns {
  /** @param hold The connection that can still take the answer, and until when (ms); null: it waits for none. */
  take(push: TakenPush, hold: { name: string; until: number } | null): Promise<Taken>;
  /**
   * An answer was for that connection of this process, or may have been, and was not written there: it is sent another
   * way, if it still may.
   */
  bringLate(push: TakenPush, holder: string): Promise<void>;
  /** A repeat of the push has come to another process, whose connection has that name. */
  repeat(id: string, holder: string): Promise<void>;
}

export interface TurnsDeps extends CarryDeps {
  replies: ReplyQueue;
  owned: Owned;
  /** This process's name, which no other has. */
  name: string;
  shares: Shares;
  pressure: Pick<Pressure, 'calm'>;
  /** Bigger pushes are not stored (bytes). */
  storedPushLimit: number;
  /** Asks another process for the bytes that it has written; resolves with how many heard it. */
  askOwner: (owner: string, asked: { id: string; holder: string }) => Promise<number>;
  /** Whether somebody runs jobs, so that what is in Redis is more than this process has. @default somebody does */
  jobsRun?: () => boolean;
}

/** A push in this process's memory: while it is carried, and for as long as a repeat of it may come. */
interface Known extends Extract<Taken, { is: 'waits' }> {
  owner: string;
  end: End | null;
}

interface HowToBegin {
  attempt: number;
  deliveries: number;
  isInsured: boolean;
  /** The bot had failed with it: there may be a failed job. @default false */
  isAgain?: boolean;
  /** What the bot has answered already. */
  answer?: Answer;
}

interface Turn {
  id: string;
  owner: string;
  taken: TakenPush;
  insurance: ReplyJob;
}

/** Repeats of a push come within 15 s (ms). */
const remembered = 60_000;
/** The pushes that are remembered beside those that are under way. */
const mostRemembered = 10_000;

export function createTurns(deps: TurnsDeps): Turns {
  const known = new Map<string, Known>();
  let count = 0;
  const newOwner = (): string => `${deps.name}.t${(count += 1)}`;
  const begin = (turn: Turn, how: HowToBegin): Known => {
    const { id, owner } = turn;
    const { attempt, answer = null, deliveries, isInsured, isAgain = false } = how;
    const over = run(deps, turn, { attempt, answer, isAgain, ended });
    const one: Known = { is: 'waits', owner, end: null, deliveries, isInsured, over };
    known.set(id, one);
    function ended(end: End | null): void {
      one.end = end;
      const forget = (): void => void (known.get(id) === one && known.delete(id));
      // Who has written it may give it back: of that the record tells, and not this process.
      const isElsewhere = end?.is === 'inline' && end.isElsewhere === true;
      if (end === null || end.is === 'lost' || isElsewhere || known.size > mostRemembered) forget();
      else setTimeout(forget, remembered).unref();
    }
    return one;
  };
  const bringLate: Turns['bringLate'] = async (taken, holder) => {
    const turn = { ...turnOf(taken), owner: newOwner() };
    const { id, owner } = turn;
    const leaseUntil = (): number => deps.clock.now() + lease;
    // A process that stops waits for it, and asks no more then.
    const ownership = deps.owned.begin({ id, owner, leaseUntil: leaseUntil() });
    try {
      const ask = () => deps.deliveries.giveBack({ id, owner }, holder, leaseUntil());
      const answer = await untilHeard({ clock: deps.clock, signal: ownership.signal }, ask);
      if (answer) await begin(turn, { attempt: 1, deliveries: 1, isInsured: false, answer }).over;
    } catch {
      deps.log.error(
        { push: id },
        'Redis has not said whether an answer is still to be sent: it may be lost.',
      );
    } finally {
      ownership.end();
    }
  };
  /** Where another one has it, Redis may have given its answer to the connection, and not have been able to say so. */
  const bringUnheard = async (one: Known, taken: TakenPush, holder: string): Promise<void> => {
    await one.over;
    if (one.end?.is === 'lost') await bringLate(taken, holder);
  };
  return {
    take: async (taken, hold) => {
      const turn = { ...turnOf(taken), owner: newOwner() };
      const here = known.get(turn.id);
      if (here && callsOf(here) === 0) return again(here);
      await taken.crowd;
      // Redis is to know of that first.
      if (here) await here.over;
      const isFull = deps.shares.isCrowded(taken.platform, taken.bot.concurrency);
      // Without Redis there is nobody else.
      const left =
        isFull && isInsurable(deps, taken) ? await leaveToWorker(deps, turn, hold).catch(() => null) : null;
      if (left) return left;
      const said = await own(deps, turn, hold).catch(() => null);
      if (said?.is === 'answer') return said;
      // A repeat that came meanwhile, while Redis said nothing, was quicker.
      const quicker = known.get(turn.id);
      if (quicker && quicker !== here) {
        if (said === null && hold) void bringUnheard(quicker, taken, hold.name);
        return again(quicker);
      }
      const isInsured = isInsurable(deps, taken);
      if (said === null) {
        const attempt = here ? callsOf(here) + 1 : 1;
        const one = begin(turn, { attempt, deliveries: 1, isInsured: false, isAgain: here !== undefined });
        if (isSmall(deps, taken)) void deps.outbox.tell(turn.id, insuring(deps, turn, { one, attempt }));
        if (hold) void bringUnheard(one, taken, hold.name);
        return one;
      }
      if (said.is === 'owned') {
        const one = begin(turn, { ...said, isInsured });
        deps.outbox.told(turn.id, insuring(deps, turn, { one, attempt: said.attempt }));
        return one;
      }
      return said.is === 'inline' && hold ? askAnother(said.owner) : resultOf(said);
      async function askAnother(owner: string): Promise<Taken> {
        const heard = await deps.askOwner(owner, { id: turn.id, holder: hold?.name ?? '' }).catch(() => 1);
        if (heard > 0) return resultOf({ is: 'held', deliveries: 1 });
        const next = await own(deps, turn, hold, owner).catch(() => null);
        return next?.is === 'owned' ? begin(turn, { ...next, isInsured }) : resultOf(next);
      }
    },
    bringLate,
    repeat: async (id, holder) => {
      const one = known.get(id);
      if (!one?.end || one.end.is === 'lost') return;
      const { owner, end } = one;
      if (await deps.deliveries.offer({ id, owner }, end.answer, holder)) await deps.notify(holder);
    },
  };
}

/** How often the bot was called and did not take it, so that it is called again; 0: it has taken it, or may yet. */
function callsOf({ end }: Known): number {
  return end?.is === 'failed' && !end.wasAnswered ? end.calls : 0;
}

function again(one: Known): Taken {
  one.deliveries += 1;
  const { end } = one;
  if (end === null) return one;
  // What was sent another way, or not at all, is not written here, too.
  return end.is === 'inline' ? { is: 'answer', answer: end.answer } : { is: 'decided' };
}

const elsewhere = { is: 'waits', isInsured: true, isElsewhere: true } as const;

function resultOf(said: Take | null): Taken {
  if (said?.is === 'held') return { ...elsewhere, deliveries: said.deliveries, over: Promise.resolve(true) };
  return said?.is === 'answer' ? said : { is: 'decided' };
}

function isSmall({ storedPushLimit }: TurnsDeps, { push }: TakenPush): boolean {
  return push.body.length <= storedPushLimit;
}

/** What is in Redis survives this process only where somebody runs jobs. */
function isInsurable(deps: TurnsDeps, taken: TakenPush): boolean {
  return isSmall(deps, taken) && (deps.jobsRun?.() ?? true);
}

function own(
  deps: TurnsDeps,
  { id, owner, taken, insurance }: Turn,
  hold: { name: string; until: number } | null,
  dead?: string,
): Promise<Take> {
  const now = deps.clock.now();
  const stored = isSmall(deps, taken) ? insurance : null;
  return deps.deliveries.take({ id, owner, now, leaseUntil: now + lease, insurance: stored }, hold, dead);
}

/** Where Redis has not said that it has it, or may have lost it: unless all is over by then. */
function insuring(deps: TurnsDeps, turn: Turn, { one, attempt }: { one: Known; attempt: number }) {
  return async (_: boolean, isAgain: boolean): Promise<void> => {
    if (one.end) return;
    const { id, owner, taken } = turn;
    const leaseUntil = deps.clock.now() + lease;
    const insurance = isSmall(deps, taken) ? turn.insurance : null;
    if (isAgain) return deps.deliveries.insure({ id, owner, leaseUntil, insurance, attempt });
    await own(deps, turn, null);
    one.isInsured = isInsurable(deps, taken);
  };
}

/** The record has the push before there is a job: what dies between the two is found there. */
async function leaveToWorker(
  deps: TurnsDeps,
  { id, owner, insurance, taken: { platform } }: Turn,
  hold: { name: string; until: number } | null,
): Promise<Taken | null> {
  const now = deps.clock.now();
  const said = await deps.deliveries.take({ id, owner, now, leaseUntil: 0, insurance }, hold);
  // Whoever has written the answer is asked for it first.
  if (said.is === 'inline') return null;
  if (said.is !== 'owned') return resultOf(said);
  if (said.isAgain) {
    await deps.replies.remove(jobIdOf(id)).catch(() => {});
    void tellTurns(deps, insurance, { meaning: 'again', platform });
  }
  await addReplyJob(deps.replies, insurance);
  void deps.deliveries.leave(id, { owner, now }).catch(() => {});
  return resultOf({ is: 'held', deliveries: said.deliveries });
}

/** Carries it through, and says in the record how that ended. Resolves with false when the bot failed. */
async function run(
  deps: TurnsDeps,
  turn: Turn,
  how: Required<Pick<HowToBegin, 'attempt' | 'isAgain'>> & {
    answer: Answer | null;
    ended: (end: End | null) => void;
  },
): Promise<boolean> {
  const { attempt, answer, isAgain, ended } = how;
  const { id, owner, taken, insurance } = turn;
  const ownership = deps.owned.begin({ id, owner, leaseUntil: deps.clock.now() + lease });
  const leave = deps.shares.enter(taken.platform);
  const { signal } = ownership;
  if (isAgain) void tellTurns(deps, insurance, { meaning: 'again', platform: taken.platform });
  // A job of what comes of it now must not find the failed one in its way.
  const forgetFailed = async (): Promise<unknown> =>
    isAgain && deps.replies.remove(jobIdOf(id)).catch(() => {});
  void forgetFailed();
  if (taken.isHurried) await deps.pressure.calm();
  const carried = { ...taken, ...turn, data: insurance, job: jobIdOf(id), attempt, answer, signal };
  try {
    const end = await carry(deps, carried);
    ended(end);
    await forgetFailed();
    await settle(deps, turn, end);
    return end.is !== 'failed' || end.wasAnswered;
  } catch (error) {
    ended(null);
    if (!signal.aborted) deps.log.error({ push: id, error }, 'A push could not be carried through here.');
    await giveBack(deps, turn, error instanceof Interrupted ? error : null);
    return false;
  } finally {
    leave();
    ownership.end();
  }
}

/** A worker makes a failed job of what failed, for whoever looks after those. */
async function settle(deps: TurnsDeps, { id, owner, taken, insurance }: Turn, end: End): Promise<void> {
  const isFailed = end.is === 'failed';
  const isStored = isSmall(deps, taken);
  if (isFailed && !isStored)
    deps.log.error({ push: id, why: end.why }, 'A push that is too big to be kept has no answer.');
  const kept = isFailed && end.wasAnswered ? storeUnsent(end.answer, end.sentUpTo) : {};
  await noteEnd(deps, { id, owner, platform: taken.platform, data: insurance }, end, async () => {
    if (isFailed && isStored) await addReplyJob(deps.replies, { ...insurance, ...kept });
  });
}

/** This process stops: another one calls the bot again, or sends what it has answered. */
async function giveBack(
  deps: TurnsDeps,
  { id, owner, taken, insurance }: Turn,
  unsent: Interrupted | null,
): Promise<void> {
  if (!isSmall(deps, taken))
    return deps.log.error({ push: id }, 'A push that is too big to be kept was given up with its process.');
  const kept = unsent ? storeUnsent(unsent.answer, unsent.sentUpTo) : {};
  await deps.outbox.tell(id, async () => {
    await addReplyJob(deps.replies, { ...insurance, ...kept });
    await deps.deliveries.leave(id, { owner, now: deps.clock.now() });
  });
}

function turnOf(taken: TakenPush): Omit<Turn, 'owner'> {
  const { platform, key, happenings, push, arrivedAt, isHurried } = taken;
  const all = pushedOf(platform, { key, happenings });
  const pushed = isHurried ? { ...all, turns: [] } : all;
  return { id: deliveryId(pushed), taken, insurance: { ...pushed, arrivedAt, push: storePush(push) } };
}

/** What a push says of its turns. */
export function pushedOf(
  { channel, account }: Pick<Platform, 'channel' | 'account'>,
  { key, happenings }: { key: string; happenings: readonly Happening[] },
): Pushed {
  const turns = happenings.flatMap((each) =>
    each.is === 'inbound' && each.opensTurn ? [{ user: each.user, turn: each.key }] : [],
  );
  return { channel, account, key, user: happenings[0]?.user ?? null, turns };
}
