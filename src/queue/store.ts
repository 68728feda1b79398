import { conversationId, type Conversation } from '../core/platform.ts';
import { initialState, type State } from '../core/state.ts';
import { blockedUntil, blocksField, othersBlocks } from './blocks.ts';
import { keys } from './keys.ts';
import { createScript, type ScriptCommands } from './script.ts';

export interface StoreCommands extends ScriptCommands {
  get(key: string): Promise<string | null>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  del(...keys: string[]): Promise<unknown>;
}

export interface Last {
  /** ms; null: none is known. */
  at: number | null;
  messageId: string | null;
}

export interface Loaded {
  state: State;
  /** What `save` compares with: the state as it was read. */
  raw: string | null;
  /** Messages are being sent until then (ms); 0: none is. */
  blockedUntil: number;
}

export interface Change {
  from: string | null;
  to: State;
  keepMs: number;
  /** @default no matter who sends what */
  sending?: {
    now: number;
    /** Saved only while nobody else sends a message. */
    unblocked: boolean;
    /** The sender whose block ends with this. */
    release: string | null;
  };
}

/** The states of all conversations, and what the web recorded of their last interaction. */
export interface Store {
  load(conversation: Conversation, release?: string | null): Promise<Loaded>;
  /** Saves unless somebody else did meanwhile. Resolves with whether it did. */
  save(conversation: Conversation, change: Change): Promise<boolean>;
  forget(conversation: Conversation): Promise<void>;
  /** Notes an interaction. A repeat of a message (by its key) and one older than the last move nothing. */
  record(
    conversation: Conversation,
    message: { key: string; messageId: string | null; at: number },
  ): Promise<void>;
  last(conversation: Conversation): Promise<Last>;
}

/** A WhatsApp message opens a day; nothing that keeptyping does looks further back. */
const lastKept = 24 * 60 * 60_000;

const saveIfUnchanged = createScript(`${othersBlocks}
local now = redis.call('GET', KEYS[1])
-- Sent again after its answer was lost: numbers in a state make it unique.
local saved = now == ARGV[2]
if not saved and (now or '') ~= ARGV[1] then return 0 end
if ARGV[5] == '1' or ARGV[6] ~= '' then
  local blocks = redis.call('HGET', KEYS[2], '${blocksField}')
  local standing = others(blocks, ARGV[4], ARGV[6])
  if ARGV[5] == '1' and not saved and #standing > 0 then return 0 end
  if ARGV[6] ~= '' and blocks then
    if #standing == 0 then redis.call('HDEL', KEYS[2], '${blocksField}')
    else redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' ')) end
  end
end
if not saved then redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3]) end
return 1
`);

/** The last eight keys are enough to know a repeat by: the platform gives up within seconds or the user writes slower. */
const recordLast = createScript(`
local seen = redis.call('HGET', KEYS[1], 'seen') or ''
if string.find(' ' .. seen .. ' ', ' ' .. ARGV[1] .. ' ', 1, true) then return 0 end
local kept = ARGV[1]
local n = 1
for each in string.gmatch(seen, '%S+') do
  if n < 8 then kept = kept .. ' ' .. each end
  n = n + 1
end
redis.call('HSET', KEYS[1], 'seen', kept)
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or '0')
if tonumber(ARGV[3]) >= at then
  redis.call('HSET', KEYS[1], 'at', ARGV[3])
  if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'messageId', ARGV[2]) end
end
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`);

export function createStore(redis: StoreCommands): Store {
  const recorded = async (conversation: Conversation): Promise<Last & { blocks: string | null }> => {
    const key = keys.last(conversationId(conversation));
    const [at, messageId, blocks] = await redis.hmget(key, 'at', 'messageId', blocksField);
    return { at: at ? Number(at) : null, messageId: messageId ?? null, blocks: blocks ?? null };
  };
  return {
    last: async (conversation) => {
      const { at, messageId } = await recorded(conversation);
      return { at, messageId };
    },
    load: async (conversation, release = null) => {
      const [raw, { blocks, ...last }] = await Promise.all([
        redis.get(keys.state(conversationId(conversation))),
        recorded(conversation),
      ]);
      return { raw, state: withLast(parseState(raw), last), blockedUntil: blockedUntil(blocks, release) };
    },
    save: async (conversation, change) => {
      const id = conversationId(conversation);
      const { from, to, keepMs, sending } = change;
      const { now = 0, unblocked = false, release = null } = sending ?? {};
      const args = [from ?? '', JSON.stringify(to), keepMs, Math.ceil(now), unblocked ? 1 : 0, release ?? ''];
      return (await saveIfUnchanged(redis, [keys.state(id), keys.last(id)], ...args)) === 1;
    },
    forget: async (conversation) => {
      const id = conversationId(conversation);
      await redis.del(keys.state(id), keys.last(id));
    },
    record: async (conversation, { key, messageId, at }) => {
      const args = [key, messageId ?? '', at, lastKept] as const;
      await recordLast(redis, keys.last(conversationId(conversation)), ...args);
    },
  };
}

/** A state of a version that this release does not know is forgotten: the conversation begins anew. */
function parseState(raw: string | null): State {
  if (raw === null) return initialState;
  const parsed: { v?: unknown } = JSON.parse(raw);
  return parsed.v === initialState.v ? { ...initialState, ...(parsed as Partial<State>) } : initialState;
}

/** The web's record is ahead of the events that wait in the queue. */
function withLast(state: State, { at, messageId }: Last): State {
  if (at === null || at <= (state.lastInteractionAt ?? 0)) return state;
  const newer = messageId === null ? {} : { messageId, messageAt: at };
  return { ...state, ...newer, lastInteractionAt: at };
}
