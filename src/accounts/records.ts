/**
 * The accounts that were set at run time, as this process knows them: read anew whenever one has changed, and kept in
 * memory while Redis is away.
 */
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { sayChanges } from './changes.ts';
import { closeFields, openFields, readRecord, writeRecord } from './record.ts';
import type { RecordStore } from './store.ts';
import { understandAll, type All, type Known, type Understanding } from './understand.ts';

export interface Records<Account> {
  /** Looks whether something has changed. One look at a time. Rejects when Redis is out of reach. */
  follow(): Promise<void>;
  /** By `channel/name`, removed ones too while their work may be under way. */
  all(): All<Account>;
  /** They have been read at least once. */
  isLoaded(): boolean;
}

export interface RecordsOptions<Account> extends Understanding<Account> {
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
