import { type Conversation, conversationId } from '../core/platform.ts';
import { initialState, type State } from '../core/state.ts';
import { keys, type ScriptCommands } from '../redis/script.ts';
import { blockedUntil, blocksField } from './blocks.ts';
import { lastKept, recordLast, saveIfUnchanged } from './store-scripts.ts';

export interface StoreCommands extends ScriptCommands {
  get(key: string): Promise<string | null>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  del(...keys: string[]): Promise<unknown>;
  zrem(key: string, member: string): Promise<unknown>;
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
      const sent = [Math.ceil(now), unblocked ? 1 : 0, release ?? ''];
      const args = [from ?? '', JSON.stringify(to), keepMs, ...sent, id, openSince(to)];
      return (await saveIfUnchanged(redis, [keys.state(id), keys.last(id), keys.open], ...args)) === 1;
    },
    forget: async (conversation) => {
      const id = conversationId(conversation);
      await Promise.all([redis.del(keys.state(id), keys.last(id)), redis.zrem(keys.open, id)]);
    },
    record: async (conversation, { key, messageId, at }) => {
      const args = [key, messageId ?? '', at, lastKept] as const;
      await recordLast(redis, keys.last(conversationId(conversation)), ...args);
    },
  };
}

/** When the oldest of the open turns was opened; empty: nobody waits. */
function openSince({ turns }: State): number | '' {
  return turns.length === 0 ? '' : Math.min(...turns.map(({ openedAt }) => openedAt));
}

/** A state of a version that this release does not know is forgotten: the conversation begins anew. */
export function parseState(raw: string | null): State {
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
