/**
 * While a message to the user is being sent, no show may begin: it could land after the message. Whoever sends puts a
 * block beside the conversation's state; it ends with the event that tells what became of the message, or by itself.
 */
import { type Conversation, conversationId } from '../core/platform.ts';
import { createScript, keys, type ScriptCommands } from '../redis/script.ts';

/** What a conversation is to a message of the bot's. */
export interface Standing {
  /** Somebody waits for an answer, or a human has the conversation: what becomes of the message matters. */
  matters: boolean;
  /** A call that could land after the message is in flight: a show, or a text of ours. */
  shows: boolean;
}

export interface Blocks {
  /** Blocks, where the message matters: most of what a bot may send goes to people who have not just written. */
  begin(conversation: Conversation, block: { holder: string; now: number }): Promise<Standing>;
  look(conversation: Conversation): Promise<Standing>;
}

/** A send that takes longer is not waited for (ms). */
export const blockLimit = 5_000;

/** The field of the conversation's `last` hash: `holder@until` of each, apart by spaces. */
export const blocksField = 'blocks';

/** Lua: the blocks that still stand at `now`, without that of one holder. */
export const othersBlocks = `
local function others(blocks, now, holder)
  local standing = {}
  for each, till in string.gmatch(blocks or '', '(%S+)@(%d+)') do
    if tonumber(till) > tonumber(now) and each ~= holder then table.insert(standing, each .. '@' .. till) end
  end
  return standing
end`;

/** Lua: what the message is to a state, as JSON, and to what the web recorded last, which may not be judged yet. */
const standingOf = `
local function standing(state, last)
  local judged = tonumber(string.match(state or '', '"lastInteractionAt":([%d.]+)')) or 0
  local told = (tonumber(last or '0') or 0) > judged
  if not state then return told, false end
  local call = string.match(state, '"call":{[^}]*"kind":"(%a+)"')
  local inFlight = call == 'show' or call == 'interim'
  local open = not string.find(state, '"turns":[]', 1, true)
  local paused = string.find(state, '"pausedBy":"', 1, true)
  return told or open or paused ~= nil or inFlight, inFlight
end
local recorded = redis.call('HMGET', KEYS[2], 'at', '${blocksField}')
local matters, shows = standing(redis.call('GET', KEYS[1]), recorded[1])`;

const answer = `return {matters and 1 or 0, shows and 1 or 0}`;

const beginBlock = createScript(`${othersBlocks}${standingOf}
if matters then
  local blocks = others(recorded[2] or '', ARGV[2], ARGV[1])
  table.insert(blocks, ARGV[1] .. '@' .. ARGV[3])
  redis.call('HSET', KEYS[2], '${blocksField}', table.concat(blocks, ' '))
  -- Only what is recorded of a user is kept for long.
  if redis.call('PTTL', KEYS[2]) < ${blockLimit} then redis.call('PEXPIRE', KEYS[2], ${blockLimit}) end
end
${answer}`);

const lookAt = createScript(`${standingOf}
${answer}`);

function keysOf(conversation: Conversation): string[] {
  const id = conversationId(conversation);
  return [keys.state(id), keys.last(id)];
}

export function createBlocks(redis: ScriptCommands): Blocks {
  return {
    begin: async (conversation, { holder, now }) => {
      const at = Math.ceil(now);
      return read(await beginBlock(redis, keysOf(conversation), holder, at, at + blockLimit));
    },
    look: async (conversation) => read(await lookAt(redis, keysOf(conversation))),
  };
}

function read(reply: unknown): Standing {
  const [matters, shows] = Array.isArray(reply) ? reply : [];
  return { matters: matters === 1, shows: shows === 1 };
}

/** When the last of them ends (ms), but for that of one holder; 0: none stands. */
export function blockedUntil(blocks: string | null, except: string | null): number {
  const ends = (blocks ?? '').split(' ').flatMap((block) => {
    const [holder, until] = block.split('@');
    return until === undefined || holder === except ? [] : [Number(until)];
  });
  return Math.max(0, ...ends);
}
