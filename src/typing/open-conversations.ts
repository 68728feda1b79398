/** The conversations in which somebody waits, longest first. The store keeps the index, with every state that it saves. */
import { type Conversation, conversationNamed } from '../core/platform.ts';
import type { State } from '../core/state.ts';
import { keys } from '../redis/keys.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import { readState } from './state-schema.ts';

interface OpenCommands extends ScriptCommands {
  zrange(key: string, first: number, last: string): Promise<string[]>;
  zcard(key: string): Promise<number>;
  mget(...keys: string[]): Promise<(string | null)[]>;
}

interface OpenConversation {
  conversation: Conversation;
  /** The same object for as long as the state is the same. */
  state: State;
}

export interface OpenConversations {
  /** The longest waits, at most `most` of them. `count`: how many there are. Rejects when Redis is out of reach. */
  read(most: number): Promise<{ count: number; longest: OpenConversation[] }>;
  /** Takes out all whose state is gone. */
  sweep(): Promise<void>;
}

/** Unless the conversation has just begun anew. */
const dropGone = createScript(`
local gone = 0
for index = 2, #KEYS do
  if redis.call('EXISTS', KEYS[index]) == 0 then gone = gone + redis.call('ZREM', KEYS[1], ARGV[index - 1]) end
end
return gone
`);

const page = 1_000;

export function createOpenConversations(redis: OpenCommands): OpenConversations {
  let known = new Map<string, OpenConversation & { raw: string }>();
  const drop = async (ids: readonly string[]): Promise<number> => {
    if (ids.length === 0) return 0;
    return Number(await dropGone(redis, [keys.open, ...ids.map((id) => keys.state(id))], ...ids));
  };
  return {
    read: async (most) => {
      const [ids, count] = await Promise.all([
        redis.zrange(keys.open, 0, String(most - 1)),
        redis.zcard(keys.open),
      ]);
      const states = ids.length === 0 ? [] : await redis.mget(...ids.map((id) => keys.state(id)));
      const next: typeof known = new Map();
      for (const [index, id] of ids.entries()) {
        const raw = states[index];
        if (typeof raw !== 'string') continue;
        const before = known.get(id);
        const one = before?.raw === raw ? before : rowOf(id, raw);
        if (one) next.set(id, one);
      }
      known = next;
      const gone = await drop(ids.filter((_, index) => typeof states[index] !== 'string'));
      return { count: count - gone, longest: [...known.values()] };
    },
    sweep: async () => {
      for (let first = 0; ;) {
        const ids = await redis.zrange(keys.open, first, String(first + page - 1));
        first += ids.length - (await drop(ids));
        if (ids.length < page) return;
      }
    },
  };
}

/** null: this release cannot read it. Whoever judges it next says so. */
function rowOf(id: string, raw: string): (OpenConversation & { raw: string }) | null {
  const state = readState(raw);
  const conversation = conversationNamed(id);
  return 'fault' in state || conversation === null ? null : { raw, state, conversation };
}
