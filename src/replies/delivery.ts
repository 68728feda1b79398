/**
 * Who delivers the answer to a push: the web process that still holds the platform's connection, or a worker through
 * the platform's API. Never both: each move below is one script.
 *
 *   (none) --offer--> offered --claim--> inline       the answer goes back on the held connection
 *                             --take---> sending --settle--> sent | failed | unknown
 *   inline --giveBack--> offered                       the platform hung up before it was written, each time
 *   (none) --forfeit--> direct --resume--> (none)      the web answers without Redis, or could not after all
 *   failed | unknown --reopen--> offered or (none)     by hand only
 *
 * A hold has an end; after it, or when its process is gone, the worker takes the answer. A repeat of the push while
 * nothing is decided becomes the new holder; after `inline` it gets the same bytes for a minute.
 */
import { z } from 'zod';
import type { Log } from '../core/ports.ts';
import type { Answer } from '../core/wire.ts';
import { keys } from '../redis/keys.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import { createOnce, readStored } from '../redis/stored.ts';

export type DeliveryState = 'offered' | 'inline' | 'sending' | 'sent' | 'failed' | 'unknown' | 'direct';

interface DeliveryRecord {
  state: DeliveryState | null;
  answer: Answer | null;
  /** When a worker began to send it (ms); 0: none has. */
  sendingAt: number;
}

/** What a web process learns when it wants to hold a connection open for the answer. */
type Hold =
  /** Wait. `deliveries`: how often the platform has delivered this push by now. */
  | { is: 'held'; deliveries: number }
  /** Write this now. */
  | { is: 'answer'; answer: Answer }
  /** Decided already: nothing to wait for. */
  | { is: 'decided' };

export interface Deliveries {
  hold(id: string, holder: string, untilMs: number): Promise<Hold>;
  /** Claims an offered answer for the connection; null: somebody else has it. */
  claim(id: string, holder: string): Promise<Answer | null>;
  /** The hold is over. An answer that came at the last moment is claimed. */
  leave(id: string, holder: string): Promise<Answer | null>;
  /**
   * The claimed answer could not be written. Resolves with whether it is to be sent another way: not while a repeat of
   * the push has the same bytes, for the user may see them there. Nothing happens when this holder has claimed nothing.
   */
  giveBack(id: string, holder: string): Promise<boolean>;
  /** The web answers this push without Redis: no worker delivers anything for it, unless one has begun. */
  forfeit(id: string): Promise<void>;
  /** The web could not answer it after all. Resolves with whether a worker may. */
  resume(id: string): Promise<boolean>;
  /** Puts the answer up; resolves with the holder that can still write it, or null. */
  offer(id: string, answer: Answer, now: number): Promise<string | null>;
  /** Takes an offered answer for sending. */
  take(id: string, now: number): Promise<boolean>;
  /** @param answer `forget`: what was offered is not worth another try. A sent one is always forgotten. */
  settle(id: string, state: 'offered' | 'sent' | 'failed' | 'unknown', answer?: 'forget'): Promise<void>;
  /** Offered, but nothing that can be read: as if nothing were decided. */
  standing(id: string): Promise<DeliveryRecord>;
  /** By hand: what failed, or of which nobody knows, may be delivered again; without an answer, the bot is asked again. */
  reopen(id: string): Promise<void>;
}

interface DeliveryCommands extends ScriptCommands {
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
}

/**
 * An answer that cannot be read here is none: who has claimed it gives it back, and a worker that finds it asks the bot
 * again, for nothing of it has gone out. A new way to write one gets a new field: another release then finds none.
 * @param log @default nobody is told of such an answer
 */
export function createDeliveries(redis: DeliveryCommands, { log }: { log?: Log } = {}): Deliveries {
  const run = (
    name: keyof typeof deliveryScripts,
    id: string,
    ...args: (string | number)[]
  ): Promise<unknown> => deliveryScripts[name](redis, keys.delivery(id), ...args);
  const isNew = createOnce();
  const read = (id: string, json: string | null): Answer | null => {
    const answer = readAnswer(json);
    if (json !== null && answer === null && isNew(id))
      log?.error({ delivery: id }, 'The answer that waits for its delivery cannot be read.');
    return answer;
  };
  /** What a holder has claimed, and cannot write. */
  const claimed = async (id: string, holder: string, json: string | null): Promise<Answer | null> => {
    const answer = read(id, json);
    if (json !== null && answer === null) await run('giveBack', id, holder);
    return answer;
  };
  return {
    hold: async (id, holder, untilMs) => {
      const [is, detail = null] = textsOf(await run('hold', id, holder, untilMs));
      if (is === 'held') return { is, deliveries: Number(detail) };
      const answer = is === 'answer' ? await claimed(id, holder, detail) : null;
      return answer ? { is: 'answer', answer } : { is: 'decided' };
    },
    claim: async (id, holder) => claimed(id, holder, textOrNull(await run('claim', id, holder, 'claim'))),
    leave: async (id, holder) => claimed(id, holder, textOrNull(await run('claim', id, holder, 'leave'))),
    giveBack: async (id, holder) => (await run('giveBack', id, holder)) === 1,
    forfeit: async (id) => {
      await run('forfeit', id);
    },
    resume: async (id) => (await run('resume', id)) === 1,
    offer: async (id, answer, now) => textOrNull(await run('offer', id, writeAnswer(answer), now)),
    take: async (id, now) => (await run('take', id, now)) === 1,
    settle: async (id, state, answer) => {
      const forget = state === 'sent' || answer === 'forget';
      await run('settle', id, state, state === 'sent' ? settledKept : failedKept, forget ? 1 : 0);
    },
    standing: async (id) => {
      const [is, json, at] = await redis.hmget(keys.delivery(id), 'state', 'answer', 'sendingAt');
      const [state, answer] = [readState(is), read(id, textOrNull(json))];
      return {
        state: state === 'offered' && answer === null ? null : state,
        answer,
        sendingAt: Number(at ?? 0),
      };
    },
    reopen: async (id) => {
      await run('reopen', id);
    },
  };
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

function readState(value: unknown): DeliveryState | null {
  return states.find((state) => state === value) ?? null;
}

function textsOf(reply: unknown): (string | null)[] {
  return Array.isArray(reply) ? reply.map(textOrNull) : [];
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function writeAnswer({ status, headers, body }: Answer): string {
  return JSON.stringify({ status, headers, body: Buffer.from(body).toString('base64') });
}

const stored = z.object({
  status: z.number(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  body: z.string(),
}) satisfies z.ZodType<Omit<Answer, 'body'> & { body: string }>;

function readAnswer(json: string | null): Answer | null {
  const read = readStored(stored, json);
  return read && { ...read, body: Buffer.from(read.body, 'base64') };
}

const minute = 60_000;
/** As long as a turn may last, and its repeats. */
const undecidedKept = 20 * minute;
const inlineKept = minute;
const settledKept = 10 * minute;
const failedKept = 24 * 60 * minute;

/** The moves of a delivery, each one atomic: see delivery.ts. */
const deliveryScripts = {
  hold: createScript(`
    local state = redis.call('HGET', KEYS[1], 'state')
    if state == 'inline' then
      redis.call('HSET', KEYS[1], 'w:' .. ARGV[1], '1')
      return {'answer', redis.call('HGET', KEYS[1], 'answer')}
    end
    if state == 'offered' then
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[1], '1')
      redis.call('PEXPIRE', KEYS[1], ${inlineKept})
      return {'answer', redis.call('HGET', KEYS[1], 'answer')}
    end
    if state then return {'decided', ''} end
    redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'until', ARGV[2])
    local deliveries = redis.call('HINCRBY', KEYS[1], 'deliveries', 1)
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return {'held', tostring(deliveries)}`),
  claim: createScript(`
    if redis.call('HGET', KEYS[1], 'holder') ~= ARGV[1] then return false end
    if redis.call('HGET', KEYS[1], 'state') == 'offered' then
      redis.call('HSET', KEYS[1], 'state', 'inline', 'w:' .. ARGV[1], '1')
      redis.call('PEXPIRE', KEYS[1], ${inlineKept})
      return redis.call('HGET', KEYS[1], 'answer')
    end
    if ARGV[2] == 'leave' then redis.call('HDEL', KEYS[1], 'holder', 'until') end
    return false`),
  giveBack: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'inline' then return 0 end
    if redis.call('HDEL', KEYS[1], 'w:' .. ARGV[1]) == 0 then return 0 end
    for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
      if string.sub(field, 1, 2) == 'w:' then return 0 end
    end
    redis.call('HSET', KEYS[1], 'state', 'offered')
    redis.call('HDEL', KEYS[1], 'holder', 'until')
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    return 1`),
  forfeit: createScript(`
    if redis.call('HGET', KEYS[1], 'state') then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'direct')
    redis.call('PEXPIRE', KEYS[1], ${settledKept})
    return 1`),
  resume: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'direct' then return 0 end
    redis.call('DEL', KEYS[1])
    return 1`),
  offer: createScript(`
    if redis.call('HGET', KEYS[1], 'state') then return '' end
    redis.call('HSET', KEYS[1], 'state', 'offered', 'answer', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ${undecidedKept})
    if tonumber(redis.call('HGET', KEYS[1], 'until') or '0') <= tonumber(ARGV[2]) then return '' end
    return redis.call('HGET', KEYS[1], 'holder')`),
  take: createScript(`
    if redis.call('HGET', KEYS[1], 'state') ~= 'offered' then return 0 end
    redis.call('HSET', KEYS[1], 'state', 'sending', 'sendingAt', ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ${failedKept})
    return 1`),
  settle: createScript(`
    redis.call('HSET', KEYS[1], 'state', ARGV[1])
    if ARGV[3] == '1' then redis.call('HDEL', KEYS[1], 'answer') end
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    return 1`),
  reopen: createScript(`
    local state = redis.call('HGET', KEYS[1], 'state')
    local kept = redis.call('HEXISTS', KEYS[1], 'answer') == 1
    if (state == 'failed' or state == 'unknown') and kept then redis.call('HSET', KEYS[1], 'state', 'offered')
    elseif state == 'failed' or state == 'inline' then redis.call('DEL', KEYS[1]) end
    return 1`),
};
