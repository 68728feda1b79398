/**
 * While a message to the user is being sent, no show may begin: it could land after the message. Whoever sends puts a
 * block beside the conversation's state; it ends with the event that tells what became of the message, or by itself.
 */
import { conversationId, type Conversation } from '../core/platform.ts';
import { keys } from './keys.ts';
import { createScript, type ScriptCommands } from './script.ts';

export interface Blocks {
  /** Resolves with whether a call that could land after a message was in flight then: a show, or a text of ours. */
  begin(conversation: Conversation, block: { holder: string; now: number }): Promise<boolean>;
  /** Whether one is in flight now. */
  showInFlight(conversation: Conversation): Promise<boolean>;
}

export interface BlockCommands extends ScriptCommands {
  get(key: string): Promise<string | null>;
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

const beginBlock = createScript(`${othersBlocks}
local standing = others(redis.call('HGET', KEYS[2], '${blocksField}'), ARGV[2], ARGV[1])
table.insert(standing, ARGV[1] .. '@' .. ARGV[3])
redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' '))
-- Most that a bot writes to may never have written: only what is recorded of a user is kept for long.
if redis.call('PTTL', KEYS[2]) < ${blockLimit} then redis.call('PEXPIRE', KEYS[2], ${blockLimit}) end
return redis.call('GET', KEYS[1])`);

export function createBlocks(redis: BlockCommands): Blocks {
  return {
    begin: async (conversation, { holder, now }) => {
      const id = conversationId(conversation);
      const at = Math.ceil(now);
      const raw = await beginBlock(redis, [keys.state(id), keys.last(id)], holder, at, at + blockLimit);
      return shows(raw);
    },
    showInFlight: async (conversation) => shows(await redis.get(keys.state(conversationId(conversation)))),
  };
}

/** When the last of them ends (ms), but for that of one holder; 0: none stands. */
export function blockedUntil(blocks: string | null, except: string | null): number {
  const ends = (blocks ?? '').split(' ').flatMap((block) => {
    const [holder, until] = block.split('@');
    return until === undefined || holder === except ? [] : [Number(until)];
  });
  return Math.max(0, ...ends);
}

function shows(raw: unknown): boolean {
  if (typeof raw !== 'string') return false;
  const { call } = JSON.parse(raw) as { call?: { kind?: unknown } | null };
  return call?.kind === 'show' || call?.kind === 'interim';
}
