import { type Conversation, conversationId } from '../core/platform.ts';
import type { Log } from '../core/ports.ts';
import type { Rules } from '../core/rules.ts';
import { initialState, type State } from '../core/state.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import type { Spread } from '../redis/shards.ts';
import { createOnce } from '../redis/stored.ts';
import { blockedUntil, blocksField, noteFields, othersBlocks, scriptFields, sentField } from './blocks.ts';
import { follow, mostHops, readState, sameAs, sameMark, writeState } from './state-schema.ts';

interface StoreCommands extends ScriptCommands {
  get(key: string): Promise<string | null>;
  hkeys(key: string): Promise<string[]>;
  hmget(key: string, ...fields: string[]): Promise<(string | null)[]>;
  del(...keys: string[]): Promise<unknown>;
  zadd(key: string, score: number, member: string): Promise<unknown>;
  zrem(key: string, member: string): Promise<unknown>;
}

interface Last {
  /** ms; null: none is known. */
  at: number | null;
  messageId: string | null;
}

export interface Loaded {
  /** Whose state it is: who was asked for may be known by another name. */
  conversation: Conversation;
  state: State;
  /** What `save` compares with: the state as it was read. */
  raw: string | null;
  /** Messages are being sent until then (ms); 0: none is. */
  blockedUntil: number;
  /** When a message last went to somebody who waited for nothing, as far as was known then (ms); 0: none lately. */
  sentAt: number;
}

interface Change {
  from: string | null;
  /** It was not even read: whoever has written before, and whatever was sent, is in the way. @default false */
  isGuess?: boolean;
  to: State;
  keepMs: number;
  /** What is recorded of the user beside it goes with it: no window outlives it. @default false */
  isAll?: boolean;
  /** When the conversation has to be looked at again (ms); null: not by itself. */
  wakeAt: number | null;
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
  /**
   * Saves unless somebody else did meanwhile. Resolves with what stands there then: as it was written, or, if somebody
   * else was quicker, as they left it.
   */
  save(conversation: Conversation, change: Change): Promise<string | Loaded>;
  /** Says when the conversation has to be looked at again (ms), where somebody has moved that; null: not by itself. */
  wake(conversation: Conversation, at: number | null): Promise<void>;
  forget(conversation: Conversation): Promise<void>;
  /** What else that user is called. */
  names(conversation: Conversation): Promise<string[]>;
  /**
   * From now on that name leads to this conversation, for so long (ms). Resolves with what stands under it, unless that is
   * nothing, the same, or `from`: then nothing is changed.
   */
  same(
    conversation: Conversation,
    name: string,
    how: { from?: string | null; kept: number },
  ): Promise<string | null>;
  /** Notes an interaction, and keeps that for so long (ms; @default a day, the most). A repeat of a message (by its key) and one older than the last move nothing. */
  record(
    conversation: Conversation,
    message: { key: string; messageId: string | null; at: number; kept?: number },
  ): Promise<void>;
  last(conversation: Conversation): Promise<Last>;
}

/** @param log @default nobody is told of a state that cannot be read */
export function createStore(shards: Spread<StoreCommands>, { log }: { log?: Log } = {}): Store {
  const isNew = createOnce();
  const tell = (conversation: string, fault: string): void => {
    if (isNew(conversation))
      log?.warn({ conversation, fault }, 'The state of a conversation cannot be read: it begins anew.');
  };
  const loadedOf = (
    conversation: Conversation,
    { raw, recorded, release }: { raw: string | null; recorded: Recorded; release: string | null },
  ): Loaded => {
    const state = parseState(raw, (fault) => tell(conversationId(conversation), fault));
    const [, , blocks, sentAt] = recorded;
    return {
      conversation,
      raw,
      state: withLast(state, lastOf(recorded)),
      blockedUntil: blockedUntil(blocks ?? null, release),
      sentAt: Number(sentAt ?? 0),
    };
  };
  const read = async (conversation: Conversation, release: string | null): Promise<Loaded> => {
    const id = conversationId(conversation);
    const { redis, keys } = await shards.of(conversation);
    const [raw, recorded] = await Promise.all([
      redis.get(keys.state(id)),
      redis.hmget(keys.last(id), ...recordedFields),
    ]);
    return loadedOf(conversation, { raw, recorded, release });
  };
  const load = async (conversation: Conversation, release: string | null = null): Promise<Loaded> => {
    let loaded = await read(conversation, release);
    for (let hops = 0; hops < mostHops; hops += 1) {
      const user = sameAs(loaded.raw);
      if (user === null) return loaded;
      loaded = await read({ ...conversation, user }, release);
    }
    return loaded;
  };
  /** Also those that were noted where the user was before the number of shards was changed. */
  const names = async (conversation: Conversation): Promise<string[]> => {
    const id = conversationId(conversation);
    const fields = await Promise.all(shards.all().map(({ redis, keys }) => redis.hkeys(keys.last(id))));
    const found = fields.flat().filter((field) => field.startsWith(nameField));
    return [...new Set(found)].map((field) => field.slice(nameField.length));
  };
  return {
    last: async (conversation) => {
      const { redis, keys } = await shards.of(conversation);
      return lastOf(await redis.hmget(keys.last(conversationId(conversation)), ...recordedFields));
    },
    load,
    save: async (conversation, change) => {
      const id = conversationId(conversation);
      const { from, isGuess = false, to, keepMs, isAll = false, wakeAt, sending } = change;
      const { now = 0, unblocked = false, release = null } = sending ?? {};
      const sent = [Math.ceil(now), unblocked ? 1 : 0, release ?? ''];
      const { judgedAt, matters, shows } = scriptFields(to);
      const fields = [judgedAt, matters ? 1 : 0, shows ? 1 : 0];
      const text = writeState(to);
      const args = [
        from ?? '',
        text,
        keepMs,
        ...sent,
        id,
        openSince(to),
        ...fields,
        wakeAt ?? '',
        isAll ? 1 : 0,
        isGuess ? 1 : 0,
      ];
      const { redis, keys } = await shards.of(conversation);
      const named = [keys.state(id), keys.last(id), keys.open, keys.wakes];
      const instead = await saveIfUnchanged(redis, named, ...args);
      if (!Array.isArray(instead)) return text;
      const [raw = null, ...recorded] = instead as (string | null)[];
      const user = sameAs(raw);
      return user === null
        ? loadedOf(conversation, { raw, recorded, release })
        : load({ ...conversation, user }, release);
    },
    wake: async (conversation, at) => {
      const id = conversationId(conversation);
      const { redis, keys } = await shards.of(conversation);
      if (at === null) await redis.zrem(keys.wakes, id);
      else await redis.zadd(keys.wakes, at, id);
    },
    names,
    forget: async (conversation) => {
      const id = conversationId(conversation);
      const others = await names(conversation);
      const leading = others.map((user) => conversationId({ ...conversation, user }));
      const gone = shards
        .all()
        .flatMap(({ redis, keys }) => [
          redis.del(keys.state(id), keys.last(id)),
          ...leading.map((name) => redis.del(keys.state(name))),
          ...[keys.open, keys.wakes].map((index) => redis.zrem(index, id)),
        ]);
      await Promise.all(gone);
    },
    record: async (conversation, { key, messageId, at, kept = lastKept }) => {
      const args = [key, messageId ?? '', at, Math.ceil(Math.min(lastKept, kept))] as const;
      await follow(conversation, async (each) => {
        const id = conversationId(each);
        const { redis, keys } = await shards.of(each);
        return sameAs(await recordLast(redis, [keys.last(id), keys.state(id)], ...args));
      });
    },
    same: async (conversation, name, { from = null, kept }) => {
      const other = { ...conversation, user: name };
      const [own, its] = await Promise.all([shards.of(conversation), shards.of(other)]);
      const id = conversationId(other);
      const { state, open, wakes } = its.keys;
      const ms = Math.ceil(kept);
      const mark = [`${sameMark}${conversation.user}`, ms, from ?? '', id];
      // Whoever forgets the user finds the name, even where what leads here was not written.
      const [stands] = await Promise.all([
        markSame(its.redis, [state(id), open, wakes], ...mark),
        noteName(own.redis, own.keys.last(conversationId(conversation)), `${nameField}${name}`, ms),
      ]);
      return typeof stands === 'string' ? stands : null;
    },
  };
}

/** A field of the `last` hash for each other name of the user, so that none is left when the user is forgotten. */
const nameField = 'name:';

/** Unless something else stands there than is named: then it answers with that. */
const markSame = createScript(`
local stands = redis.call('GET', KEYS[1])
if stands and stands ~= ARGV[1] and stands ~= ARGV[3] then return stands end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[4])
return 1
`);

const noteName = createScript(`
redis.call('HSET', KEYS[1], ARGV[1], 1)
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`);

/** Of the `last` hash, in this order. */
const recordedFields = ['at', 'messageId', blocksField, sentField] as const;
type Recorded = (string | null)[];

function lastOf([at, messageId]: Recorded): Last {
  return { at: at ? Number(at) : null, messageId: messageId ?? null };
}

/** When the oldest of the open turns was opened; empty: nobody waits. */
function openSince({ turns }: State): number | '' {
  return turns.length === 0 ? '' : Math.min(...turns.map(({ openedAt }) => openedAt));
}

/**
 * A state that this release cannot read (another version, or spoilt) is as none: the conversation begins anew, and the
 * next save replaces it. Its messages pass all the same; only the typing of what was open ends.
 */
function parseState(raw: string | null, tell: (fault: string) => void): State {
  if (raw === null) return initialState;
  const read = readState(raw);
  if (!('fault' in read)) return read;
  tell(read.fault);
  return initialState;
}

/** The web's record is ahead of the events that wait in the queue. */
function withLast(state: State, { at, messageId }: Last): State {
  if (at === null || at <= (state.lastInteractionAt ?? 0)) return state;
  const newer = messageId === null ? {} : { messageId, messageAt: at };
  return { ...state, ...newer, lastInteractionAt: at };
}

/**
 * Of somebody who has written nothing lately there is only what was sent, which may be one message to each of many
 * thousands. It is kept for as long as a push, or the platform's word of the message, may come after it.
 */
const strangerKept = 2 * 60_000;

/** How long a state is kept (ms). `isAll`: and what is recorded of the user beside it. */
export function keptFor(
  { remembered, deadline, window }: Rules,
  state: State,
  now: number,
): Required<Pick<Change, 'keepMs' | 'isAll'>> {
  const { turns, call, pausedUntil } = state;
  const busy = turns.length > 0 || call !== null;
  const kept = !busy && isStranger(state) ? Math.min(remembered, strangerKept) : remembered;
  const keepMs = Math.ceil(kept + Math.max(busy ? deadline : 0, pausedUntil - now, 0));
  return { keepMs, isAll: !busy && window <= keepMs };
}

function isStranger({ ended, messageId, timer, indicator, skipped }: State): boolean {
  const wrote = ended.length > 0 || messageId !== null || skipped !== null;
  return !wrote && timer === null && indicator.is === 'dark';
}

/** A hide that is still to come needs the state. */
export function isForgotten({ forgotten, call, timer }: State): boolean {
  return forgotten && call === null && timer === null;
}

/** Nothing that keeptyping does looks further back: a WhatsApp message opens a day, WeChat's half a minute. */
const lastKept = 24 * 60 * 60_000;

/** Saves a state, and with it whether somebody waits in that conversation; answers with what stands there instead. */
const saveIfUnchanged = createScript(`${othersBlocks}${noteFields}
local now = redis.call('GET', KEYS[1])
-- Sent again after its answer was lost: numbers in a state make it unique.
local saved = now == ARGV[2]
local refused = not saved and (now or '') ~= ARGV[1]
if refused or ARGV[5] == '1' or ARGV[6] ~= '' or ARGV[14] == '1' then
  local recorded = redis.call('HMGET', KEYS[2], ${recordedFields.map((field) => `'${field}'`).join(', ')})
  local at, blocks = recorded[1], recorded[3]
  local standing = others(blocks, ARGV[4], ARGV[6])
  if ARGV[5] == '1' and not saved and #standing > 0 then refused = true end
  if ARGV[14] == '1' and not saved and (recorded[4] or tonumber(at or '0') > tonumber(ARGV[9])) then refused = true end
  if refused then return {now, unpack(recorded)} end
  if ARGV[6] ~= '' and blocks then
    if #standing == 0 then redis.call('HDEL', KEYS[2], '${blocksField}')
    else redis.call('HSET', KEYS[2], '${blocksField}', table.concat(standing, ' ')) end
  end
end
if not saved then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  note(KEYS[2], ARGV[2], ARGV[9], ARGV[10], ARGV[11])
  -- As long as the state, but no longer than what is recorded of a user: a pause that outlives it is read without.
  local keep = math.min(tonumber(ARGV[3]), ${lastKept})
  if ARGV[13] == '1' or redis.call('PTTL', KEYS[2]) < keep then redis.call('PEXPIRE', KEYS[2], keep) end
end
if ARGV[8] ~= '' then redis.call('ZADD', KEYS[3], ARGV[8], ARGV[7])
else redis.call('ZREM', KEYS[3], ARGV[7]) end
if ARGV[12] ~= '' then redis.call('ZADD', KEYS[4], ARGV[12], ARGV[7])
else redis.call('ZREM', KEYS[4], ARGV[7]) end
return 1
`);

/** The last eight keys are enough to know a repeat by: the platform gives up within seconds or the user writes slower. */
const recordLast = createScript(`
local state = redis.call('GET', KEYS[2])
if state and string.sub(state, 1, 1) == '${sameMark}' then return state end
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
