/** Reads the journal, in pages: it may hold as much as its cap says. */
import type { Notice } from '../core/notice.ts';
import type { Conversation } from '../core/platform.ts';
import { keys } from '../redis/keys.ts';
import { type Entry, inJson, type JournalRecord, recordOf, entryText } from './record.ts';

interface JournalForgetCommands {
  xrange(key: string, start: string, end: string, count: 'COUNT', most: number): Promise<Entry[]>;
  xdel(key: string, ...ids: string[]): Promise<unknown>;
}

/** Records of one command. */
const page = 1_000;

/** Deletes every record that names the user. The whole journal is read for it. */
async function forgetIn(redis: JournalForgetCommands, conversation: Conversation): Promise<void> {
  let start = '-';
  for (;;) {
    const read = await redis.xrange(keys.journal, start, '+', 'COUNT', page);
    const ids = read.filter((entry) => isOf(entry, conversation)).map(([id]) => id);
    if (ids.length > 0) await redis.xdel(keys.journal, ...ids);
    if (read.length < page) return;
    start = `(${read.at(-1)?.[0]}`;
  }
}

function isOf(entry: Entry, { channel, account, user }: Conversation): boolean {
  const written = inJson(user);
  const text = entryText(entry);
  if (!text.includes(written)) return false;
  const notice = recordOf(entry)[0]?.notice;
  // What cannot be read has the user in a place that is not known here.
  if (!notice) return text.includes(`"${written}"`);
  if (!('account' in notice) || notice.channel !== channel || notice.account !== account) return false;
  const whose = 'user' in notice ? notice.user : null;
  return whose === user || ('turn' in notice && notice.turn.startsWith(`${user}-`));
}

interface JournalReaderCommands {
  xrange(key: string, start: string, end: string, count: 'COUNT', most: number): Promise<Entry[]>;
  xrevrange(key: string, end: string, start: string, count: 'COUNT', most: number): Promise<Entry[]>;
  xdel(key: string, ...ids: string[]): Promise<unknown>;
}

interface JournalSearch {
  /** Names of a user, a message or a turn, any of which will do; null: all. */
  q: readonly string[] | null;
  /** ms since 1970, both included; null: no limit. */
  from: number | null;
  to: number | null;
  /** Of an earlier answer: goes on where that ended. */
  before: string | null;
  limit: number;
}

/** Every member rejects when Redis is out of reach. */
export interface JournalReader {
  /** Newest first. One request reads `workLimit` records at most; `before` is null when there are no more. */
  search(asked: JournalSearch): Promise<{ entries: JournalRecord[]; before: string | null }>;
  /** What was written after that id, oldest first, a page at most. `last`: where to go on. */
  since(id: string): Promise<{ entries: JournalRecord[]; last: string; more: boolean }>;
  /** Oldest first. */
  newest(count: number): Promise<JournalRecord[]>;
  /** The time of the oldest record (ms); null: there is none. */
  startsAt(): Promise<number | null>;
  /** Deletes what names the user. */
  forget(conversation: Conversation): Promise<void>;
}

/** About a third of a full journal. */
export const workLimit = 10 * page;
/** A record is written so long after what it tells of, at most, unless Redis was away (ms). */
const slack = 5_000;

export function createJournalReader(redis: JournalReaderCommands): JournalReader {
  const { journal } = keys;
  return {
    search: (asked) => search(redis, asked),
    since: async (id) => {
      const read = await redis.xrange(journal, `(${id}`, '+', 'COUNT', page);
      return { entries: read.flatMap(recordOf), last: read.at(-1)?.[0] ?? id, more: read.length === page };
    },
    newest: async (count) =>
      (await redis.xrevrange(journal, '+', '-', 'COUNT', count)).flatMap(recordOf).toReversed(),
    startsAt: async () => {
      const [first] = await redis.xrange(journal, '-', '+', 'COUNT', 1);
      return first ? timeOf(first[0]) : null;
    },
    forget: (conversation) => forgetIn(redis, conversation),
  };
}

async function search(
  redis: JournalReaderCommands,
  { q, from, to, before, limit }: JournalSearch,
): Promise<{ entries: JournalRecord[]; before: string | null }> {
  const start = from === null ? '-' : String(Math.floor(from));
  const upTo = to === null ? '+' : String(Math.floor(to + slack));
  let end = before === null ? upTo : `(${before}`;
  const entries: JournalRecord[] = [];
  for (let read = 0; read < workLimit; read += page) {
    const found = await redis.xrevrange(keys.journal, end, start, 'COUNT', page);
    for (const entry of found) {
      end = `(${entry[0]}`;
      entries.push(...matching(entry, { q, from, to }));
      if (entries.length === limit) return { entries, before: entry[0] };
    }
    if (found.length < page) return { entries, before: null };
  }
  return { entries, before: end.slice(1) };
}

function matching(entry: Entry, { q, from, to }: Pick<JournalSearch, 'q' | 'from' | 'to'>): JournalRecord[] {
  const text = entryText(entry);
  if (q !== null && !q.some((name) => text.includes(inJson(name)))) return [];
  return recordOf(entry).filter(
    ({ notice }) =>
      notice.at >= (from ?? 0) &&
      notice.at <= (to ?? Infinity) &&
      (q === null || q.some((name) => isNamed(notice, name))),
  );
}

/** A turn of WeChat's is called by its user and its MsgId; who has only the latter means it too. */
function isNamed(notice: Notice, q: string): boolean {
  const user = 'user' in notice ? notice.user : null;
  const turn = 'turn' in notice ? notice.turn : '';
  const messageId = 'messageId' in notice ? notice.messageId : null;
  return user === q || messageId === q || turn === q || turn.endsWith(`-${q}`);
}

function timeOf(id: string): number {
  return Number(id.split('-')[0]);
}
