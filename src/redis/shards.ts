/**
 * Conversations and their pushes are spread over shards, each with its queues and keys under a hash tag of its own: on the
 * nodes of a Cluster, on several Redis, or all on one. How many there are stands in Redis, so that all processes change
 * from one number to another at the same moment; what is open then goes on where it is.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { type Conversation, conversationId } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { type Keys, keys, keysOf } from './keys.ts';
import { createScript, type ScriptCommands } from './script.ts';
import { readStored } from './stored.ts';

/** A Redis, and the keys of one shard in it. */
export interface Spot<R> {
  redis: R;
  keys: Keys;
}

/** Where conversations live. */
export interface Spread<R> {
  /** A promise only while another number of shards is being left. */
  of(conversation: Conversation): Spot<R> | Promise<Spot<R>>;
  /** All that may hold something. */
  all(): readonly Spot<R>[];
}

/** All in one place, as most have it. */
export function oneShard<R>(redis: R): Spread<R> {
  const spot = { redis, keys };
  return { of: () => spot, all: () => [spot] };
}

/** Evenly, and the same in every process and release. */
export function shardOf(id: string, shards: number): number {
  return shards === 1 ? 0 : createHash('sha1').update(id).digest().readUInt32BE(0) % shards;
}

/** How many shards there are, and were. */
export interface Layout {
  /** The numbers of those that may hold something, from 0. */
  inUse(): number[];
  /** Where a conversation is, or begins; `push`: or the record of that push. */
  of(conversation: Conversation, push?: string): number | Promise<number>;
  /** Where it may be, as far as is known without asking: one, but for those whose shard is being left. */
  maybe(conversation: Conversation): number[];
  /** Reads what stands in Redis, which any process may have changed; the first time it says what this one wants. */
  follow(): Promise<void>;
  /**
   * A number before is looked under for a day more while something stands that only it finds: somebody who paused a
   * conversation for a month is not forgotten. To be called every hour.
   */
  keep(): Promise<void>;
}

const stored = z.object({
  v: z.literal(1),
  shards: z.number().int().positive(),
  /** From then on (ms). */
  since: z.number(),
  /** Those before, the latest last; each is looked into until then (ms). */
  before: z.array(z.object({ shards: z.number().int().positive(), until: z.number() })),
});
type Stored = z.output<typeof stored>;

/** What stands in Redis, as its shards are at that time (ms); null: nobody has ever said anything, and there is one. */
export async function layoutAt(
  redis: Pick<LayoutOptions['redis'], 'get'>,
  now: number,
): Promise<{
  shards: number;
  next: { shards: number; since: number } | null;
  before: Stored['before'];
} | null> {
  const stands = readStored(stored, await redis.get(keys.shards));
  if (!stands) return null;
  const { shards, since } = stands;
  const before = stands.before.filter(({ until }) => now < until);
  const last = before.at(-1);
  if (now >= since || !last) return { shards, next: null, before };
  return { shards: last.shards, next: { shards, since }, before: before.slice(0, -1) };
}

/** As it is where nobody has ever said anything. */
const usual: Stored = { v: 1, shards: 1, since: 0, before: [] };

/** Every process has read it by then (ms): each does so every 12.5 s. */
const notice = 30_000;
/** No two processes' clocks are further apart (ms): what begins at the moment of the change is found by all. */
const apart = 2_000;
/** Turns end within minutes; failed jobs, and names that lead to a user, are kept for a day (ms). */
const drained = 25 * 60 * 60_000;
/** By this before its end a number is looked after (ms)… */
const nearEnd = 3 * 60 * 60_000;
/** …and kept for so long more (ms). */
const longer = 24 * 60 * 60_000;
/** An acknowledgement waits no longer for a shard that says nothing (ms). */
const patience = 500;

interface LayoutOptions {
  redis: ScriptCommands & {
    get(key: string): Promise<string | null>;
    exists(...keys: string[]): Promise<number>;
  };
  /** How many are wanted, as this process is configured; null: it only follows. */
  shards: number | null;
  clock: Pick<Clock, 'now'>;
  log: Log;
  /** Whether a shard has one of these keys. */
  has: (shard: number, keys: readonly string[]) => Promise<boolean>;
  /** The conversations of which a shard has a state, by id; some twice. */
  states: (shard: number) => AsyncIterable<readonly string[]>;
}

const saveIfUnchanged = createScript(`
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`);

export function createLayout(options: LayoutOptions): Layout {
  const { redis, shards: wanted, clock, log, has } = options;
  let known: Stored = { ...usual, shards: wanted ?? usual.shards };
  let isSaid = false;
  /** The number that holds now, then the others under which something may be: the latest first. */
  const numbers = (): number[] => {
    const now = clock.now();
    const { shards, since, before } = known;
    const left = before.filter(({ until }) => now < until).map((each) => each.shards);
    const soon = now >= since - apart ? [shards] : [];
    return now >= since ? [shards, ...left.toReversed()] : [...left.toReversed(), ...soon];
  };
  const holder = async (shards: readonly number[], id: string, push?: string): Promise<number | null> => {
    for (const shard of shards) {
      const { state, delivery } = keysOf(shard);
      const asked = has(shard, push === undefined ? [state(id)] : [state(id), delivery(push)]);
      if (await limited(asked.catch(() => false))) return shard;
    }
    return null;
  };
  const maybe = (id: string): number[] => {
    const [first = 1, ...left] = numbers();
    return [...new Set([first, ...left].map((shards) => shardOf(id, shards)))];
  };
  /** An installation that is new changes nothing that is open. */
  const isNew = async (): Promise<boolean> =>
    (await redis.exists(keys.heartbeat, keys.accounts, keys.seen, keys.journal, keys.open)) === 0;
  const say = async (raw: string | null): Promise<Stored | null> => {
    const now = clock.now();
    const stands = readStored(stored, raw) ?? usual;
    if (wanted === null || stands.shards === wanted) return stands;
    const since = raw === null && (await isNew()) ? 0 : now + notice;
    const until = since + drained;
    const held = now >= stands.since ? [{ shards: stands.shards, until }] : [];
    const left = [...stands.before.filter((each) => now < each.until), ...held];
    const holds = left.pop();
    // Who has not read this when the number holds that is taken back begins something under it.
    const begun =
      now < stands.since && now > stands.since - notice / 2 ? [{ shards: stands.shards, until }] : [];
    const before = [...left, ...begun, ...(holds ? [{ ...holds, until }] : [])];
    const next: Stored = { v: 1, shards: wanted, since, before: since === 0 ? [] : before };
    const isSaved = await saveIfUnchanged(redis, keys.shards, raw ?? '', JSON.stringify(next));
    return isSaved === 1 ? next : null;
  };
  /** Whether a conversation stands where it stood with so many, and would not be looked for now. */
  const isLeft = async (shards: number): Promise<boolean> => {
    for (let shard = 0; shard < shards; shard += 1)
      for await (const ids of options.states(shard))
        if (ids.some((id) => shardOf(id, shards) === shard && shardOf(id, known.shards) !== shard))
          return true;
    return false;
  };
  return {
    keep: async () => {
      const raw = await redis.get(keys.shards);
      const stands = readStored(stored, raw);
      if (raw === null || stands === null) return;
      const before = await Promise.all(
        stands.before.map(async (each) => {
          const left = each.until - clock.now();
          return left > 0 && left < nearEnd && (await isLeft(each.shards))
            ? { ...each, until: each.until + longer }
            : each;
        }),
      );
      await saveIfUnchanged(redis, keys.shards, raw, JSON.stringify({ ...stands, before }));
    },
    inUse: () => {
      const most = Math.max(known.shards, ...numbers());
      return Array.from({ length: most }, (_, shard) => shard);
    },
    of: (conversation, push) => {
      const id = conversationId(conversation);
      const [here = 0, ...elsewhere] = maybe(id);
      if (elsewhere.length === 0) return here;
      return holder(elsewhere, id, push).then((found) => found ?? here);
    },
    maybe: (conversation) => maybe(conversationId(conversation)),
    follow: async () => {
      const raw = await redis.get(keys.shards);
      if (raw === null && isSaid && known.shards > 1) {
        log.error(
          { shards: known.shards },
          'Redis has lost the number of shards: it is written again from memory.',
        );
        await saveIfUnchanged(redis, keys.shards, '', JSON.stringify(known));
        return;
      }
      let next: Stored | null = isSaid ? (readStored(stored, raw) ?? usual) : await say(raw);
      // Another process was quicker.
      next ??= await say(await redis.get(keys.shards));
      if (next === null) return;
      isSaid = true;
      if (wanted !== null && next.shards !== known.shards && next.shards !== wanted)
        log.warn(
          { shards: next.shards },
          `SHARDS is ${wanted} here, and ${next.shards} by now: this process follows.`,
        );
      known = next;
    },
  };
}

/** What is not answered in time is not waited for. */
async function limited(asked: Promise<boolean>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), patience)));
  return Promise.race([asked, limit]).finally(() => clearTimeout(timer));
}
