/** What is to stand in Redis of an account that somebody sets. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/ports.ts';
import { idOf, type Place } from '../core/roster.ts';
import type { Fields } from '../core/wire.ts';
import {
  type AccountRecord,
  closeFields,
  openFields,
  readRecord,
  type Understanding,
  writeRecord,
} from './record.ts';
import type { Records, RecordStore } from './records.ts';

type Put =
  | { is: 'created' | 'updated' }
  /** A sentence each, by the field's name, without any value. */
  | { is: 'faulty'; faults: readonly string[] }
  | Refused;

/** It cannot be done, whatever the fields: why, and what mends it. */
interface Refused {
  is: 'refused';
  error: string;
}

interface PutOptions<Account> extends Understanding<Account> {
  store: RecordStore;
  /** Fields that an update need not repeat. */
  keptOf: (place: Place) => readonly string[];
  /** What is wrong with where its URLs lead. */
  urlFaults: (place: Place, fields: Fields) => Promise<readonly string[]>;
  /** Files or the environment define an account of that name. */
  isConfigured: (place: Place) => boolean;
}

/** `changed`: somebody else was faster, and nothing was done. */
async function tryPut<Account>(
  options: PutOptions<Account>,
  place: Place,
  given: Fields,
): Promise<Put | 'changed'> {
  const { store, seal, read, secretsOf, isConfigured } = options;
  if (isConfigured(place)) return refused(configured(place));
  if (seal === null) return refused(noKey);
  const from = await store.of(idOf(place));
  const stored = from === null ? null : readRecord(from);
  if (stored && 'fault' in stored) return refused(`${idOf(place)} cannot be changed: ${stored.fault}.`);
  const former = stored?.removedAt === null ? stored : null;
  const kept = former ? keep(options, { place, given, former }) : { fields: {}, stuck: [] };
  if (kept.stuck.length > 0) return refused(stuck(kept.stuck));
  const fields = { ...kept.fields, ...withoutEmpty(given) };
  const understood = read(place, fields);
  const faults = [
    ...('faults' in understood ? understood.faults : []),
    ...(await options.urlFaults(place, fields)),
  ];
  if (faults.length > 0) return { is: 'faulty', faults: [...new Set(faults)] };
  if (former && isAsItIs(options, { place, former, fields })) return { is: 'updated' };
  const to = writeRecord(closeFields(seal, { place, fields, secrets: secretsOf(place) }));
  const said = await store.replace(idOf(place), { from, to });
  if (said === 'full') return refused(full);
  return said === 'changed' ? said : { is: former ? 'updated' : 'created' };
}

interface Update {
  place: Place;
  given: Fields;
  former: AccountRecord;
}

/** The secrets that the new fields do not name; or those of them that cannot be opened. */
function keep<Account>(
  { seal, keptOf }: PutOptions<Account>,
  { place, given, former }: Update,
): { fields: Fields; stuck: string[] } {
  const named = new Set(Object.keys(given).filter((name) => given[name] !== ''));
  const isKept = (name: string): boolean => keptOf(place).includes(name) && !named.has(name);
  const closed = Object.fromEntries(Object.entries(former.closed).filter(([name]) => isKept(name)));
  return openFields(seal, place, { open: {}, closed, removedAt: null });
}

function isAsItIs<Account>(
  { seal }: PutOptions<Account>,
  { place, former, fields }: { place: Place; former: AccountRecord; fields: Fields },
): boolean {
  const { fields: now, stuck } = openFields(seal, place, former);
  const isPresent = Object.values(former.closed).every((sealed) => seal?.isPresent(sealed));
  return isPresent && stuck.length === 0 && isDeepStrictEqual(now, fields);
}

/** As in a file, an empty text says nothing. */
function withoutEmpty(given: Fields): Fields {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '' && value !== null));
}

const noKey =
  'ACCOUNTS_KEY is not set, and without it no secret may lie in Redis: set it to 32 bytes in base64, the same in all processes.';
const full = 'There is no room for another account: remove one, or use a second installation.';

function configured(place: Place): string {
  return `${idOf(place)} is defined by the environment or by a file, which win: change it there.`;
}

function stuck(names: readonly string[]): string {
  return `What is stored of ${names.join(', ')} was closed by another key: send them too, or put that key into ACCOUNTS_KEY_PREVIOUS.`;
}

function refused(error: string): Refused {
  return { is: 'refused', error };
}

/** Sets and removes accounts at run time. */

type Removed = { is: 'removed' } | Refused;

interface DirectoryOptions<Account> extends PutOptions<Account> {
  records: Pick<Records<Account>, 'follow'>;
  clock: Pick<Clock, 'now'>;
}

/** Every member rejects when Redis is out of reach. */
interface Directory {
  /**
   * Sets an account. Secrets that are left out stay as they are, null takes one away; all else is as the fields say. What
   * is set already changes nothing.
   */
  put(place: Place, fields: Fields): Promise<Put>;
  /** Also where there is none. */
  remove(place: Place): Promise<Removed>;
}

export function createDirectory<Account>(options: DirectoryOptions<Account>): Directory {
  const { records } = options;
  return {
    put: async (place, given) => {
      const put = await again(() => tryPut(options, place, given));
      await records.follow();
      return put;
    },
    remove: async (place) => {
      const removed = await again(() => tryRemove(options, place));
      await records.follow();
      return removed;
    },
  };
}

/** Somebody else has changed it meanwhile: judged anew. */
async function again<Done>(work: () => Promise<Done | 'changed'>): Promise<Done> {
  for (;;) {
    const done = await work();
    if (done !== 'changed') return done;
  }
}

async function tryRemove<Account>(
  { store, clock, isConfigured }: DirectoryOptions<Account>,
  place: Place,
): Promise<Removed | 'changed'> {
  const from = await store.of(idOf(place));
  const record = from === null ? null : readRecord(from);
  if (record === null || ('removedAt' in record && record.removedAt !== null))
    return isConfigured(place) ? refused(configured(place)) : { is: 'removed' };
  // What it has taken is still to be done: until that is over the record stays, marked.
  const to = 'fault' in record ? null : writeRecord({ ...record, removedAt: clock.now() });
  const said = await store.replace(idOf(place), { from, to });
  return said === 'changed' ? said : { is: 'removed' };
}
