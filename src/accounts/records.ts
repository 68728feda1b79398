/**
 * The accounts that were set at run time, as this process knows them: read anew whenever one has changed, and kept in
 * memory while Redis is away.
 */
import type { Clock, Log } from '../core/ports.ts';
import { keys } from '../redis/keys.ts';
import {
  type All,
  closeFields,
  type Known,
  openFields,
  readRecord,
  understandAll,
  type Understanding,
  writeRecord,
} from './record.ts';

export interface Records<Account> {
  /** Looks whether something has changed. One look at a time. Rejects when Redis is out of reach. */
  follow(): Promise<void>;
  /** By `channel/name`, removed ones too while their work may be under way. */
  all(): All<Account>;
  /** They have been read at least once. */
  isLoaded(): boolean;
}

interface RecordsOptions<Account> extends Understanding<Account> {
  store: RecordStore;
  clock: Pick<Clock, 'now'>;
  log: Log;
  /** A removed account's work has that long to end (ms). */
  keepRemovedMs: number;
  /** Is told after each change. */
  changed: (known: All<Account>) => void;
}

export function createRecords<Account>(options: RecordsOptions<Account>): Records<Account> {
  const { store, log } = options;
  let known: All<Account> = new Map();
  let seen: string | null | undefined;
  const take = (next: All<Account>): void => {
    sayChanges(log, seen === undefined ? null : known, next);
    known = next;
    options.changed(known);
  };
  const read = async (revision: string | null): Promise<void> => {
    const all = await store.all();
    // The word is never taken away: a Redis without it has lost its data.
    const isLost = revision === null && known.size > 0 && Object.keys(all).length === 0;
    if (isLost) return bringBack(options, known);
    take(understandAll(options, all, known));
    seen = revision;
  };
  const look = async (): Promise<void> => {
    // It is read before the records are: a change meanwhile is found by the next look.
    const revision = await store.revision();
    if (revision !== seen) await read(revision);
    const over = [...known].filter(([, each]) => isOver(options, each));
    if (over.length > 0) take(new Map([...known].filter(([, each]) => !isOver(options, each))));
    for (const [id, { raw }] of over) await store.replace(id, { from: raw, to: null });
    await sealAnew(options, known);
  };
  return {
    follow: createTurns(look),
    all: () => known,
    isLoaded: () => seen !== undefined,
  };
}

/** One at a time; whoever asks while one waits for its turn shares that. */
function createTurns(work: () => Promise<void>): () => Promise<void> {
  let last: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | null = null;
  const begin = (): Promise<void> => {
    waiting = null;
    return work();
  };
  return () => {
    if (waiting) return waiting;
    waiting = last.then(begin, begin);
    last = waiting;
    return last;
  };
}

function isOver<Account>(
  { clock, keepRemovedMs }: RecordsOptions<Account>,
  { removedAt }: Known<Account>,
): boolean {
  return removedAt !== null && clock.now() >= removedAt + keepRemovedMs;
}

/** What was known goes on, and back. */
async function bringBack<Account>(
  { store, log }: RecordsOptions<Account>,
  known: All<Account>,
): Promise<void> {
  log.error(
    { accounts: known.size },
    'Redis has lost the accounts that were set at run time: they are written again from memory.',
  );
  for (const [id, { raw }] of known) await store.replace(id, { from: null, to: raw });
}

/** What an older key has closed, the present one closes: after that the older one is not needed any more. */
async function sealAnew<Account>(
  { store, seal, log, secretsOf }: RecordsOptions<Account>,
  known: All<Account>,
): Promise<void> {
  const stale = [...known].filter(([, each]) => each.stale && each.removedAt === null);
  if (seal === null || stale.length === 0) return;
  for (const [id, { place, raw }] of stale) {
    const record = readRecord(raw);
    if ('fault' in record) continue;
    const { fields } = openFields(seal, place, record);
    const to = writeRecord(closeFields(seal, { place, fields, secrets: secretsOf(place) }));
    const said = await store.replace(id, { from: raw, to });
    if (said === 'replaced')
      log.info({ account: id }, 'Its secrets are closed by the present ACCOUNTS_KEY now.');
  }
}

/** What becomes of the accounts that are set at run time, in the log: once for each change. */

/** One account, as far as the log is concerned. */
interface Shown {
  account: unknown;
  fault: string | null;
  removedAt: number | null;
}

type Listing = ReadonlyMap<string, Shown>;

/** @param before null: they are read for the first time, and only what is wrong is worth a line. */
function sayChanges(log: Log, before: Listing | null, now: Listing): void {
  for (const [account, next] of now) sayFault(log, account, { former: before?.get(account), next });
  if (before === null) return;
  for (const account of new Set([...before.keys(), ...now.keys()])) {
    const line = lineOf(inUse(before.get(account)), inUse(now.get(account)));
    if (line !== null) log.info({ account }, line);
  }
}

function sayFault(
  log: Log,
  account: string,
  { former, next }: { former: Shown | undefined; next: Shown },
): void {
  if (next.removedAt !== null || next.fault === null || next.fault === former?.fault) return;
  if (next.account === null) log.error({ account }, `This account is skipped: ${next.fault}`);
  else log.error({ account }, `This account goes on as it was: ${next.fault}`);
}

/** null: it takes no pushes. */
function inUse(shown: Shown | undefined): string | null {
  if (!shown || shown.account === null || shown.removedAt !== null) return null;
  return JSON.stringify(shown.account);
}

function lineOf(before: string | null, now: string | null): string | null {
  if (before === now) return null;
  if (before === null) return 'This account has been added at run time.';
  return now === null
    ? 'This account has been removed: it takes no more pushes.'
    : 'This account has been changed at run time.';
}

/** Where the records stand in Redis: a hash of them by name, and a word that is new after each change. */

/** The Redis commands that it uses. */
export interface RecordCommands {
  get(key: string): Promise<string | null>;
  hget(key: string, field: string): Promise<string | null>;
  hgetall(key: string): Promise<Record<string, string>>;
  eval(script: string, numberOfKeys: number, ...args: string[]): Promise<unknown>;
}

/** `id` is `channel/name`. Every member rejects when Redis is out of reach. */
export interface RecordStore {
  /** Another one after each change; null: nothing was ever written. */
  revision(): Promise<string | null>;
  all(): Promise<Readonly<Record<string, string>>>;
  of(id: string): Promise<string | null>;
  /** Replaces what is expected to stand there; null: nothing. `full`: there is no room for one more. */
  replace(id: string, change: { from: string | null; to: string | null }): Promise<Replaced>;
}

type Replaced = 'replaced' | 'changed' | 'full';

/** Each process holds all accounts; more belong on several installations. */
const mostRecords = 2_000;

const REPLACE = `
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] then return 'changed' end
if ARGV[3] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  if now == '' and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) then return 'full' end
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
redis.call('SET', KEYS[2], ARGV[4])
return 'replaced'
`;

/**
 * @param random A word that is never said twice: a counter would count to the same number again in a Redis that has lost
 * its data.
 */
export function createRecordStore(
  redis: RecordCommands,
  random: () => string,
  most: number = mostRecords,
): RecordStore {
  return {
    revision: () => redis.get(keys.accountRevision),
    all: () => redis.hgetall(keys.accountRecords),
    of: (id) => redis.hget(keys.accountRecords, id),
    replace: async (id, { from, to }) => {
      const change = [id, from ?? '', to ?? '', random(), String(most)];
      const said = await redis.eval(REPLACE, 2, keys.accountRecords, keys.accountRevision, ...change);
      return said === 'replaced' || said === 'full' ? said : 'changed';
    },
  };
}
