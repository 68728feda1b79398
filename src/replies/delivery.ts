/**
 * Who delivers the answer to a push. Its record in Redis names one owner at a time, for as long as a lease lasts; only
 * that one may deliver. Each move below is one script, so there are never two. Beside the name lies the push itself: the
 * insurance, which falls due when the lease runs out.
 *
 *   (none) --take--> owned --write--> inline                                       on a connection that the owner holds
 *                          --send---> sending --settle--> sent | failed | unknown    through the platform's API
 *                          --offer--> offered --claim--> inline                      on one that another process holds
 *                                             --send---> sending
 *   inline --send--> sending                           the owner's connection was gone before the answer was written
 *   inline --offer--> offered                          that, where the platform's repeat is waited for, or has asked for it
 *   offered --take--> inline                           by a repeat of the push
 *   inline --giveBack--> owned                         the claimed answer was not written: its time was over, or nobody heard
 *   owned --leave--> (a job's)                         its process stops, or the lease has run out
 *   sending --leave--> (a job's)                       its process stops, and nothing has gone out since
 *   failed --take--> owned                             a repeat of a push that the bot has not taken
 *   failed | unknown --reopen--> (none)                by hand only
 *
 * A job's worker becomes the owner with `takeOver`, and the bot is called again. A repeat of the push becomes the holder of
 * the newest connection, to which the owner gives the answer. While a web owns it the state is called `direct`: for the
 * release before this one, a push that a web answers by itself.
 */
import type { Log } from '../core/ports.ts';
import { type Answer, jsonOf } from '../core/wire.ts';
import { type Keys, keys as first } from '../redis/keys.ts';
import { type DueCommands, takeDue } from '../redis/due.ts';
import { createOnce } from '../redis/stored.ts';
import { readAnswer, readReplyJob, type ReplyJob, storeAnswer } from '../typing/jobs.ts';
import { deliveryScripts } from './delivery-scripts.ts';

/** `direct`: a web has it. */
export type DeliveryState = 'offered' | 'inline' | 'sending' | 'sent' | 'failed' | 'unknown' | 'direct';

/** What a web process learns when a push, or a repeat of one, comes to it. */
export type Take =
  /** It owns the delivery now. `attempt`: 1 for the first owner. `isAgain`: the bot had failed with it. */
  | { is: 'owned'; attempt: number; deliveries: number; isAgain?: boolean }
  /** Another one owns it, or a job is to, and gives the answer to the newest connection. */
  | { is: 'held'; deliveries: number }
  /** Write this now. */
  | { is: 'answer'; answer: Answer }
  /** It went out on a connection of that owner, who still knows it if it lives. */
  | { is: 'inline'; owner: string }
  /** Decided already: nothing to wait for. */
  | { is: 'decided'; state: DeliveryState | null };

/** What a worker learns when the insurance falls due. */
type TakeOver =
  | { is: 'owned'; attempt: number; answer: Answer | null; isKnown: boolean }
  /** Another one is at it until then (ms). */
  | { is: 'held'; until: number }
  /** `answer`: where it goes in parts, with how much of it is out. */
  | { is: 'sending'; since: number; answer: Answer | null; sentUpTo: number }
  /** `why`: what it failed by. */
  | { is: 'decided'; state: DeliveryState; why: string | null };

export interface Owner {
  id: string;
  /** A name that no other process has. */
  owner: string;
}

export interface Deliveries {
  /**
   * @param who.leaseUntil 0: it is taken to be left to a worker, who may have it at once; and if it never is, one has it soon.
   * @param who.insurance What a worker needs to take it over; null: it is not insured.
   * @param holder Its connection that can still take the answer, and until when (ms); null: it holds none, and is given none.
   */
  take(
    who: Owner & { leaseUntil: number; now: number; insurance: ReplyJob | null },
    holder: { name: string; until: number } | null,
    /** That owner is dead: if it has said no more than that it would write the answer, the platform did not get it. */
    dead?: string,
  ): Promise<Take>;
  /** What was taken may have been lost: where nothing is known of the push, it is taken again, after so many calls of the bot. */
  insure(who: Owner & { leaseUntil: number; insurance: ReplyJob | null; attempt: number }): Promise<void>;
  /** @param same Earlier owners whose names begin so are known to be dead. */
  takeOver(who: Owner & { leaseUntil: number; now: number; same: string }): Promise<TakeOver>;
  /** Resolves with false when another one has taken it over, or it is decided. */
  renew(who: Owner, leaseUntil: number): Promise<boolean>;
  /** The pushes whose owners are silent, each for one worker at a time. Unreadable ones are told and left. */
  overdue(now: number): Promise<ReplyJob[]>;
  /** The pushes that webs carry, a thousand of them, and by whom each. */
  carried(): Promise<{ job: ReplyJob; owner: string }[]>;
  /** A job has it now, with what its owner was to send. @param owner Only if it is that one's; without: if its lease has run out. */
  leave(id: string, whose: { owner?: string; now: number }): Promise<void>;
  /** The answer is about to be written on the owner's own connection. Resolves with false when it is not its to deliver. */
  write(who: Owner, repeats: number): Promise<boolean>;
  /**
   * Takes the answer for sending. `held`: a connection of another process waits for it, and nothing was done. `written`:
   * one has it already.
   * @param now Connections of others that wait no longer do not count; null: none does.
   */
  send(
    who: Owner,
    at: number,
    now: number | null,
  ): Promise<{ is: 'may' | 'written' | 'lost' } | { is: 'held'; holder: string }>;
  /**
   * Says before each part of an answer that goes in parts how much of it is out: whoever finds its sender dead knows
   * where to go on. Resolves with false when it is no longer its to deliver.
   */
  part(who: Owner, at: number, sent: { answer: Answer; upTo: number }): Promise<boolean>;
  /** Puts the answer up for a connection of another process, or for a repeat that is still to come. */
  offer(who: Owner, answer: Answer, holder?: string): Promise<boolean>;
  /** Claims an offered answer for the connection; null: somebody else has it. */
  claim(id: string, holder: string): Promise<Answer | null>;
  /**
   * The answer that was claimed for a connection, or may have been, was not written there. Resolves with it where that one
   * owns the delivery from now on: not while a repeat of the push has the same bytes, for the user may see them there.
   */
  giveBack(who: Owner, holder: string, leaseUntil: number): Promise<Answer | null>;
  /** Resolves with false when it was to be only its owner's, and is another one's. */
  settle(id: string, end: DeliveryEnd): Promise<boolean>;
  standing(id: string): Promise<{ state: DeliveryState | null; owner: string | null }>;
  /** By hand: what failed, or of which nobody knows, may be delivered again. Resolves with how often the bot was called. */
  reopen(id: string): Promise<number>;
}

export interface DeliveryEnd {
  state: 'inline' | 'sent' | 'failed' | 'unknown';
  /** For whoever lists failed jobs. */
  why?: string;
  /** The bot was called so often, and did not take it: a repeat of the push calls it again. @default 0: it did */
  untakenCalls?: number;
  /** For how long repeats may come (ms). */
  repeats: number;
  /** Only if nobody else owns it by now. @default whoever owns it */
  owner?: string;
}

interface DeliveryCommands extends DueCommands {
  zrange(key: string, first: number, last: string): Promise<string[]>;
}

/** What is looked at in one go. */
const mostCarried = 1_000;

/**
 * An answer that cannot be read here is none: a worker that finds it asks the bot again, for nothing of it has gone out.
 * A new way to write one gets a new field: another release then finds none.
 * @param log @default nobody is told of such an answer
 */
export function createDeliveries(
  redis: DeliveryCommands,
  { log, keys = first }: { log?: Log; keys?: Keys } = {},
): Deliveries {
  const run = async (
    name: keyof typeof deliveryScripts,
    id: string,
    ...args: (string | number)[]
  ): Promise<Reply> =>
    repliesOf(await deliveryScripts[name](redis, [keys.delivery(id), keys.insured], ...args));
  const isNew = createOnce();
  const read = (id: string, json: string | null): Answer | null => {
    const answer = json === null ? null : readAnswer(jsonOf(json));
    if (json !== null && answer === null && isNew(id))
      log?.error({ delivery: id }, 'The answer that waits for its delivery cannot be read.');
    return answer;
  };
  return {
    take: async ({ id, owner, leaseUntil, now, insurance }, holder, dead = '') => {
      const held = holder ? [holder.name, Math.ceil(holder.until)] : ['', 0];
      const push = insurance ? JSON.stringify(insurance) : '';
      const [is, first, second, third] = await run(
        'take',
        id,
        owner,
        leaseUntil,
        now,
        ...held,
        dead,
        push,
        id,
      );
      switch (is) {
        case 'owned':
          return {
            is,
            attempt: Number(first),
            deliveries: Number(second),
            ...(third === '1' ? { isAgain: true } : {}),
          };
        case 'held':
          return { is, deliveries: Number(first) };
        case 'inline':
          return { is, owner: first ?? '' };
        case 'answer': {
          const answer = read(id, first);
          return answer ? { is, answer } : { is: 'decided', state: 'inline' };
        }
        default:
          return { is: 'decided', state: readState(first) };
      }
    },
    insure: async ({ id, owner, leaseUntil, insurance, attempt }) => {
      await run('insure', id, owner, leaseUntil, insurance ? JSON.stringify(insurance) : '', id, attempt);
    },
    takeOver: async ({ id, owner, leaseUntil, now, same }) => {
      const [is, first, second, third] = await run('takeOver', id, owner, leaseUntil, now, same);
      switch (is) {
        case 'owned':
          return { is, attempt: Number(first), answer: read(id, second), isKnown: third === '1' };
        case 'held':
          return { is, until: Number(first) };
        case 'sending':
          return { is, since: Number(first), answer: read(id, second), sentUpTo: Number(third ?? 0) };
        default:
          return { is: 'decided', state: readState(first) ?? 'unknown', why: second };
      }
    },
    renew: async ({ id, owner }, leaseUntil) => (await run('renew', id, owner, leaseUntil, id))[0] === '1',
    overdue: async (now) => {
      const ids = await takeDue(redis, keys.insured, { by: now, until: now + takenUp });
      const pushes = await Promise.all(ids.map(async (id) => (await run('overdue', id, now, id))[0]));
      return pushes.flatMap((push, index) => {
        if (push === null) return [];
        const job = replyJobOf(push);
        if (job === null && isNew(ids[index] ?? ''))
          log?.error(
            { delivery: ids[index] },
            'A push that waits for a worker cannot be read by this release.',
          );
        return job ?? [];
      });
    },
    carried: async () => {
      const ids = await redis.zrange(keys.insured, 0, String(mostCarried - 1));
      const all = await Promise.all(ids.map((id) => run('carried', id)));
      return all.flatMap(([push, owner]) => {
        const job = push === null ? null : replyJobOf(push);
        return job && owner !== null ? [{ job, owner }] : [];
      });
    },
    leave: async (id, { owner = '', now }) => {
      await run('leave', id, owner, now, id);
    },
    write: async ({ id, owner }, repeats) => (await run('write', id, owner, repeats, id))[0] === '1',
    send: async ({ id, owner }, at, now) => {
      const [is, holder] = await run('send', id, owner, at, now ?? '', processOf(owner));
      if (is === 'held') return { is, holder: holder ?? '' };
      return { is: is === 'may' || is === 'written' ? is : 'lost' };
    },
    part: async ({ id, owner }, at, { answer, upTo }) => {
      const [is] = await run('part', id, owner, at, JSON.stringify(storeAnswer(answer)), upTo);
      return is === '1';
    },
    offer: async ({ id, owner }, answer, holder = '') => {
      const [is] = await run('offer', id, owner, JSON.stringify(storeAnswer(answer)), holder);
      return is === '1';
    },
    claim: async (id, holder) => read(id, (await run('claim', id, holder, id))[0]),
    giveBack: async ({ id, owner }, holder, until) =>
      read(id, (await run('giveBack', id, holder, owner, until))[0]),
    settle: async (id, { state, why = '', repeats, untakenCalls = 0, owner = '' }) =>
      (await run('settle', id, state, repeats, why, id, untakenCalls, owner))[0] === '1',
    standing: async (id) => {
      const [state, owner] = await run('look', id);
      return { state: readState(state), owner };
    },
    reopen: async (id) => Number((await run('reopen', id))[0]),
  };
}

/** The process's part of the name of a delivery's owner, or of a held connection: `job:12:4f….7` and `4f….7` are of `4f…`. */
export function processOf(name: string): string {
  return name.slice(name.lastIndexOf(':') + 1, name.lastIndexOf('.'));
}

const states: readonly DeliveryState[] = [
  'offered',
  'inline',
  'sending',
  'sent',
  'failed',
  'unknown',
  'direct',
];

function replyJobOf(text: string): ReplyJob | null {
  try {
    return readReplyJob(jsonOf(text));
  } catch {
    return null;
  }
}

function readState(value: string | null): DeliveryState | null {
  return states.find((state) => state === value) ?? null;
}

type Reply = [string | null, string | null, string | null, string | null];

/** What the scripts return: a list of texts, an empty one for none. */
function repliesOf(reply: unknown): Reply {
  const [first, second, third, fourth] = (Array.isArray(reply) ? reply : [reply]).map(textOrNull);
  return [first ?? null, second ?? null, third ?? null, fourth ?? null];
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'number' ? String(value) : typeof value === 'string' && value !== '' ? value : null;
}

/** Insurances that are due are taken up by one worker at a time; the others leave them alone for so long (ms). */
const takenUp = 5_000;
