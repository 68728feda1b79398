/** The conversations in which somebody waits, longest first. The store keeps the index, with every state that it saves. */
import { type Conversation, conversationNamed } from '../core/platform.ts';
import type { State } from '../core/state.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import type { Spot, Spread } from '../redis/shards.ts';
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

export function createOpenConversations(shards: Spread<OpenCommands>): OpenConversations {
  let known = new Map<string, OpenConversation & { raw: string }>();
  const drop = async ({ redis, keys }: Spot<OpenCommands>, ids: readonly string[]): Promise<number> => {
    if (ids.length === 0) return 0;
    return Number(await dropGone(redis, [keys.open, ...ids.map((id) => keys.state(id))], ...ids));
  };
  const readSpot = async (spot: Spot<OpenCommands>, most: number) => {
    const { redis, keys } = spot;
    const [ids, count] = await Promise.all([
      redis.zrange(keys.open, 0, String(most - 1)),
      redis.zcard(keys.open),
    ]);
    const states = ids.length === 0 ? [] : await redis.mget(...ids.map((id) => keys.state(id)));
    const found = ids.flatMap((id, index) => {
      const raw = states[index];
      if (typeof raw !== 'string') return [];
      const before = known.get(id);
      const one = before?.raw === raw ? before : rowOf(id, raw);
      return one ? [[id, one] as const] : [];
    });
    const gone = await drop(
      spot,
      ids.filter((_, index) => typeof states[index] !== 'string'),
    );
    return { count: count - gone, found };
  };
  return {
    read: async (most) => {
      const all = await Promise.all(shards.all().map((spot) => readSpot(spot, most)));
      const found = all.flatMap((each) => each.found);
      if (all.length > 1) found.sort(([, a], [, b]) => waitsSince(a) - waitsSince(b)).splice(most);
      known = new Map(found);
      return { count: all.reduce((sum, { count }) => sum + count, 0), longest: [...known.values()] };
    },
    sweep: async () => {
      await Promise.all(shards.all().map(sweepSpot));
    },
  };
  async function sweepSpot(spot: Spot<OpenCommands>): Promise<void> {
    for (let first = 0; ;) {
      const ids = await spot.redis.zrange(spot.keys.open, first, String(first + page - 1));
      first += ids.length - (await drop(spot, ids));
      if (ids.length < page) return;
    }
  }
}

function waitsSince({ state: { turns } }: OpenConversation): number {
  return Math.min(...turns.map(({ openedAt }) => openedAt));
}

/** null: this release cannot read it. Whoever judges it next says so. */
function rowOf(id: string, raw: string): (OpenConversation & { raw: string }) | null {
  const state = readState(raw);
  const conversation = conversationNamed(id);
  return 'fault' in state || conversation === null ? null : { raw, state, conversation };
}
