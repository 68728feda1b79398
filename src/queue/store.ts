import { conversationId, type Conversation } from '../core/platform.ts';
import { initialState, type State } from '../core/state.ts';
import { keys } from './keys.ts';
import { createScript, type ScriptCommands } from './script.ts';

export interface StoreCommands extends ScriptCommands {
  get(key: string): Promise<string | null>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
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
}

/** The states of all conversations, and what the web recorded of their last interaction. */
export interface Store {
  load(conversation: Conversation): Promise<Loaded>;
  /** Saves unless somebody else did meanwhile. Resolves with whether it did. */
  save(
    conversation: Conversation,
    change: { from: string | null; to: State; keepMs: number },
  ): Promise<boolean>;
  /** Notes an interaction. A repeat of a message (by its key) and one older than the last move nothing. */
  record(
    conversation: Conversation,
    message: { key: string; messageId: string | null; at: number },
  ): Promise<void>;
  last(conversation: Conversation): Promise<Last>;
}

/** A WhatsApp message opens a day; nothing that keeptyping does looks further back. */
const lastKept = 24 * 60 * 60_000;

const saveIfUnchanged = createScript(`
local now = redis.call('GET', KEYS[1])
-- Sent again after its answer was lost: numbers in a state make it unique.
if now == ARGV[2] then return 1 end
if (now or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
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
  const last = async (conversation: Conversation): Promise<Last> => {
    const [at, messageId] = await redis.hmget(keys.last(conversationId(conversation)), 'at', 'messageId');
    return { at: at ? Number(at) : null, messageId: messageId ?? null };
  };
  return {
    last,
    load: async (conversation) => {
      const [raw, recorded] = await Promise.all([
        redis.get(keys.state(conversationId(conversation))),
        last(conversation),
      ]);
      return { raw, state: withLast(parseState(raw), recorded) };
    },
    save: async (conversation, { from, to, keepMs }) => {
      const key = keys.state(conversationId(conversation));
      return (await saveIfUnchanged(redis, key, from ?? '', JSON.stringify(to), keepMs)) === 1;
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
