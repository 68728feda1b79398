/**
 * While a message to the user is being sent, no show may begin: it could land after the message. Whoever sends puts a
 * block beside the conversation's state; it ends with the event that tells what became of the message, or by itself.
 */
import { randomUUID } from 'node:crypto';
import { type Conversation, conversationId } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import type { State } from '../core/state.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import type { Spread } from '../redis/shards.ts';
import { follow, readState, sameAs, sameMark } from './state-schema.ts';

/** What a conversation is to a message of the bot's. */
interface Watched {
  /** Somebody waits for an answer, or a human has the conversation: what becomes of the message matters. */
  matters: boolean;
  /** A call that could land after the message is in flight: a show, or a text of ours. */
  shows: boolean;
}

export interface Blocks {
  begin(conversation: Conversation, block: { holder: string; now: number }): Promise<Watched>;
  /** Ends a block of which no event tells: most of what a bot may send goes to people who have not just written. */
  end(conversation: Conversation, block: { holder: string; now: number }): Promise<void>;
  look(conversation: Conversation): Promise<Watched>;
}

/** A send that takes longer is not waited for (ms). */
export const blockLimit = 5_000;

/** The field of the conversation's `last` hash: `holder@until` of each, apart by spaces. */
export const blocksField = 'blocks';

/**
 * The field that says when a message last went to somebody who waits for nothing, as far as Redis knows: another web may
 * have taken what it answers, and not have been able to say so yet.
 */
export const sentField = 'sentAt';
/** Such a web says so within this (ms); most of what a bot sends goes to people who have not written at all. */
const sentKept = 20_000;

/** Lua: the blocks that still stand at `now`, without that of one holder. */
export const othersBlocks = `
local function others(blocks, now, holder)
  local standing = {}
  for each, till in string.gmatch(blocks or '', '(%S+)@(%d+)') do
    if tonumber(till) > tonumber(now) and each ~= holder then table.insert(standing, each .. '@' .. till) end
  end
  return standing
end`;

/**
 * What scripts have to know of a state stands beside its JSON, in fields of the `last` hash: no script reads our JSON.
 * `of` says which state they are of, by a hash of its bytes. A state without them was written by the release before
 * this one, whose scripts read the JSON: then a message counts as one that matters, and what is in flight is read here.
 */
interface ScriptFields {
  /** Up to when interactions are judged (ms); 0: none was. */
  judgedAt: number;
  /** Somebody waits, a human has the conversation, or something is in flight. */
  matters: boolean;
  /** As in `Standing`. */
  shows: boolean;
}

export function scriptFields({ lastInteractionAt, turns, pausedBy, call }: State): ScriptFields {
  const shows = call !== null && call.kind !== 'hide';
  return {
    judgedAt: lastInteractionAt ?? 0,
    matters: turns.length > 0 || pausedBy !== null || shows,
    shows,
  };
}

/** Lua: notes them in a hash, in the same script that saves the state. */
export const noteFields = `
local function note(hash, state, judgedAt, matters, shows)
  redis.call('HSET', hash, 'of', redis.sha1hex(state), 'judgedAt', judgedAt, 'matters', matters, 'shows', shows)
end`;

/** Lua: what the message is to the state, and to what the web recorded last, which may not be judged yet. */
const standingOf = `
local state = redis.call('GET', KEYS[1])
-- The user has another name: of that one it is asked.
if state and string.sub(state, 1, 1) == '${sameMark}' then return state end
local fields = redis.call('HMGET', KEYS[2], 'at', '${blocksField}', 'of', 'judgedAt', 'matters', 'shows')
local at, blocks, of, judgedAt = tonumber(fields[1] or '0'), fields[2], fields[3], fields[4]
local matters, shows, unread = at > 0, false, ''
if state and of == redis.sha1hex(state) then
  matters, shows = at > tonumber(judgedAt) or fields[5] == '1', fields[6] == '1'
elseif state then
  matters, unread = true, state
end`;

const answer = `return {matters and 1 or 0, shows and 1 or 0, unread}`;

const beginBlock = createScript(`${othersBlocks}${standingOf}
local standing = others(blocks or '', ARGV[2], ARGV[1])
table.insert(standing, ARGV[1] .. '@' .. ARGV[3])
redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' '))
if not matters then redis.call('HSET', KEYS[2], '${sentField}', ARGV[2]) end
-- Only what is recorded of a user is kept for long.
local kept = matters and ${blockLimit} or ${sentKept}
if redis.call('PTTL', KEYS[2]) < kept then redis.call('PEXPIRE', KEYS[2], kept) end
${answer}`);

const endBlock = createScript(`${othersBlocks}
local state = redis.call('GET', KEYS[1])
if state and string.sub(state, 1, 1) == '${sameMark}' then return state end
local standing = others(redis.call('HGET', KEYS[2], '${blocksField}') or '', ARGV[2], ARGV[1])
if #standing == 0 then return redis.call('HDEL', KEYS[2], '${blocksField}') end
return redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' '))`);

const lookAt = createScript(`${standingOf}
${answer}`);

export function createBlocks(shards: Spread<ScriptCommands>): Blocks {
  /** Resolves with what the script says of the conversation that the name leads to. */
  const ask = async (
    conversation: Conversation,
    script: ReturnType<typeof createScript>,
    ...args: (string | number)[]
  ): Promise<unknown> => {
    let said: unknown;
    await follow(conversation, async (each) => {
      const { redis, keys } = await shards.of(each);
      const id = conversationId(each);
      return sameAs((said = await script(redis, [keys.state(id), keys.last(id)], ...args)));
    });
    return said;
  };
  return {
    begin: async (conversation, { holder, now }) => {
      const at = Math.ceil(now);
      return read(await ask(conversation, beginBlock, holder, at, at + blockLimit));
    },
    end: async (conversation, { holder, now }) => {
      await ask(conversation, endBlock, holder, Math.ceil(now));
    },
    look: async (conversation) => read(await ask(conversation, lookAt)),
  };
}

function read(reply: unknown): Watched {
  const [matters, shows, unread] = Array.isArray(reply) ? reply : [];
  return { matters: matters === 1, shows: shows === 1 || showsIn(unread) };
}

function showsIn(unread: unknown): boolean {
  const state = typeof unread === 'string' && unread !== '' ? readState(unread) : null;
  return state !== null && !('fault' in state) && scriptFields(state).shows;
}

/** When the last of them ends (ms), but for that of one holder; 0: none stands. */
export function blockedUntil(blocks: string | null, except: string | null): number {
  const ends = (blocks ?? '').split(' ').flatMap((block) => {
    const [holder, until] = block.split('@');
    return until === undefined || holder === except ? [] : [Number(until)];
  });
  return Math.max(0, ...ends);
}

/** A message waits no longer for anything of ours (ms)… */
export const patience = 500;
/** …and asks so often whether the call in flight has ended. */
const look = 15;
export interface Way {
  /** From when the message counts: no show is decided after it, and whatever was is older. */
  at: number;
  waitedForShow: boolean;
  /** `unknown`: Redis does not say; `silent`: not in time. `idle`: nobody waits, as far as is known. */
  is: 'blocked' | 'idle' | 'unknown' | 'silent';
}

/** Blocks what could land after a message, and waits for what is in flight, for 500 ms at most. Never rejects. */
export async function makeWay(
  { blocks, clock }: { blocks: Blocks; clock: Clock },
  conversation: Conversation,
  { holder, at, patienceMs = patience }: { holder: string; at: number; patienceMs?: number },
): Promise<Way> {
  let way: Way = { at, waitedForShow: false, is: 'silent' };
  const patient = { over: false };
  const wait = async (): Promise<void> => {
    const { matters, shows } = await blocks.begin(conversation, { holder, now: at });
    way = { at: clock.now(), waitedForShow: shows, is: matters ? 'blocked' : 'idle' };
    for (let inFlight = shows; inFlight && !patient.over;) {
      await clock.sleep(look);
      inFlight = (await blocks.look(conversation)).shows;
    }
  };
  // Every message of the bot passes here: an aborted sleep, which makes an error with a stack, is dear.
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, patienceMs)));
  await Promise.race([wait(), limit]).catch(() => {
    if (way.is === 'silent') way = { ...way, is: 'unknown' };
  });
  clearTimeout(timer);
  patient.over = true;
  return way;
}

/** The same before a message of our own; resolves with the holder of its block. */
export function createWay(parts: { blocks: Blocks; clock: Clock }) {
  return async ({ channel, account, user }: Omit<Conversation, 'user'> & { user: string | null }) => {
    if (user === null) return null;
    const holder = randomUUID();
    const { is } = await makeWay(parts, { channel, account, user }, { holder, at: parts.clock.now() });
    return is === 'unknown' || is === 'silent' ? null : holder;
  };
}
