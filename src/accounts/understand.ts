/** From records to accounts; one that cannot be used stops no other. */
import type { Place } from '../core/sight.ts';
import { openFields, readRecord, type Fields } from './record.ts';
import type { KeySeal } from './seal.ts';

export interface Known<Account> {
  place: Place;
  /** As it stands in Redis. */
  raw: string;
  /** null: nothing of it can be used. */
  account: Account | null;
  /** Why what stands in Redis cannot be used; null: it can. With an account: that goes on as it was before. */
  fault: string | null;
  /** It takes no more pushes since then (ms); null: it is in use. */
  removedAt: number | null;
  /** A key before the present one has closed it. */
  stale: boolean;
}

/** By `channel/name`. */
export type All<Account> = ReadonlyMap<string, Known<Account>>;

export interface Understanding<Account> {
  /** null: there is no key. */
  seal: KeySeal | null;
  /** From the fields to the account, or all that is wrong with them. */
  read: (place: Place, fields: Fields) => { account: Account } | { faults: readonly string[] };
  /** Fields that are closed in Redis. */
  secretsOf: (place: Place) => readonly string[];
}

export function understandAll<Account>(
  options: Understanding<Account>,
  all: Readonly<Record<string, string>>,
  before: All<Account>,
): All<Account> {
  return new Map(
    Object.entries(all).map(([id, raw]) => {
      const known = before.get(id);
      if (known?.raw === raw) return [id, known];
      const slash = id.indexOf('/');
      const place = { channel: id.slice(0, slash), account: id.slice(slash + 1) };
      const next = understand(options, place, raw);
      // A process with an older release, or not yet with the new key, must not drop what it serves.
      return [id, next.account === null ? { ...next, account: known?.account ?? null } : next];
    }),
  );
}

function understand<Account>(
  { seal, read, secretsOf }: Understanding<Account>,
  place: Place,
  raw: string,
): Known<Account> {
  const nothing = { place, raw, account: null, removedAt: null, stale: false };
  const record = readRecord(raw);
  if ('fault' in record) return { ...nothing, fault: record.fault };
  const { removedAt } = record;
  const { fields, stuck } = openFields(seal, place, record);
  if (stuck.length > 0) return { ...nothing, removedAt, fault: stuckFault(seal) };
  const isOpen = secretsOf(place).some((name) => name in record.open);
  const stale = isOpen || Object.values(record.closed).some((sealed) => seal?.isPresent(sealed) === false);
  const understood = read(place, fields);
  return 'faults' in understood
    ? { ...nothing, removedAt, stale, fault: understood.faults.join('; ') }
    : { ...nothing, removedAt, stale, fault: null, account: understood.account };
}

function stuckFault(seal: KeySeal | null): string {
  return seal === null
    ? 'its secrets are closed: set ACCOUNTS_KEY to the key that closed them'
    : 'its secrets were closed by another key: put that one into ACCOUNTS_KEY_PREVIOUS, or set them anew';
}
