/** An account as it stands in Redis: JSON, its secrets closed one by one. */
import { createCipheriv, createDecipheriv, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Seal } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import { type Fields, jsonOf } from '../core/wire.ts';

export interface AccountRecord {
  /** What may be read by whoever reads Redis. */
  open: Fields;
  /** The others, sealed. */
  closed: Readonly<Record<string, string>>;
  /** It takes no more pushes since then (ms); what it had taken goes on. null: it is in use. */
  removedAt: number | null;
}

const stored = z.object({
  v: z.literal(1),
  fields: z.record(z.string(), z.unknown()),
  secrets: z.record(z.string(), z.string()),
  removedAt: z.number().optional(),
});

const versioned = z.object({ v: z.unknown() });

export function writeRecord({ open, closed, removedAt }: AccountRecord): string {
  const record: z.input<typeof stored> = { v: 1, fields: open, secrets: closed };
  return JSON.stringify(removedAt === null ? record : { ...record, removedAt });
}

/** The record, or why it is none, as the end of a sentence. Never throws. */
export function readRecord(text: string): AccountRecord | { fault: string } {
  const json = jsonOf(text);
  const read = stored.safeParse(json);
  if (read.success) {
    const { fields: open, secrets: closed, removedAt = null } = read.data;
    return { open, closed, removedAt };
  }
  const other = versioned.safeParse(json);
  return other.success && other.data.v !== 1
    ? {
        fault: 'its record has a version that this release does not know: bring all processes to one release',
      }
    : { fault: 'its record cannot be read: set the account anew, or delete it' };
}

/** @param secrets The names of the fields that nobody may read in Redis; they hold text. */
export function closeFields(
  seal: Seal,
  { place, fields, secrets }: { place: Place; fields: Fields; secrets: readonly string[] },
): AccountRecord {
  const entries = Object.entries(fields);
  const closed = entries.flatMap(([name, value]) =>
    secrets.includes(name) ? [[name, seal.seal(String(value), purposeOf(place, name))]] : [],
  );
  return {
    open: Object.fromEntries(entries.filter(([name]) => !secrets.includes(name))),
    closed: Object.fromEntries(closed),
    removedAt: null,
  };
}

/** All fields; and the names of those that cannot be opened. */
export function openFields(
  seal: Seal | null,
  place: Place,
  { open, closed }: AccountRecord,
): { fields: Fields; stuck: string[] } {
  const opened = Object.entries(closed).map(
    ([name, sealed]) => [name, seal?.open(sealed, purposeOf(place, name)) ?? null] as const,
  );
  return {
    fields: { ...open, ...Object.fromEntries(opened.filter(([, value]) => value !== null)) },
    stuck: opened.flatMap(([name, value]) => (value === null ? [name] : [])),
  };
}

function purposeOf({ channel, account }: Place, field: string): string {
  return `account/${channel}/${account}/${field}`;
}

/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D), under a key of the operator's.
 *
 *   v1.<key id>.<nonce>.<ciphertext and tag>      each in base64url; the version and the purpose are authenticated too
 *
 * The key's id tells which key closed it, and nothing of the key.
 */

export interface KeySeal extends Seal {
  /** false: it was closed by a key before the present one, or is not to be opened at all. */
  isPresent(sealed: string): boolean;
}

interface SealOptions {
  /** 32 bytes each: the present one, which closes; then those before, which only open. */
  keys: readonly [Buffer, ...Buffer[]];
  /** So many bytes that nobody can guess or repeat. */
  random: (bytes: number) => Buffer;
}

const algorithm = 'aes-256-gcm';
const version = 'v1';
/** What the standard recommends. At random, one key closes 2^32 secrets before two nonces may meet. */
const nonceBytes = 12;
const tagBytes = 16;

interface Key {
  id: string;
  bytes: Buffer;
}

export function createSeal({ keys, random }: SealOptions): KeySeal {
  const [present, ...before] = keys;
  const closing = nameKey(present);
  const opening = [closing, ...before.map(nameKey)];
  return {
    seal: (secret, purpose) => close(closing, { secret, purpose, nonce: random(nonceBytes) }),
    open: (sealed, purpose) => {
      const parts = readParts(sealed);
      const key = opening.find(({ id }) => id === parts?.id);
      return parts && key ? openSecret(key, parts, purpose) : null;
    },
    isPresent: (sealed) => readParts(sealed)?.id === closing.id,
  };
}

function nameKey(bytes: Buffer): Key {
  const id = createHmac('sha256', bytes).update('keeptyping key id').digest().subarray(0, 6);
  return { bytes, id: id.toString('base64url') };
}

function close(
  { id, bytes }: Key,
  { secret, purpose, nonce }: { secret: string; purpose: string; nonce: Buffer },
): string {
  const cipher = createCipheriv(algorithm, bytes, nonce, { authTagLength: tagBytes });
  cipher.setAAD(bindingOf(purpose));
  const closed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return [version, id, nonce.toString('base64url'), closed.toString('base64url')].join('.');
}

interface SealedParts {
  id: string;
  nonce: Buffer;
  closed: Buffer;
}

function readParts(sealed: string): SealedParts | null {
  const [, id = '', nonce = '', closed = ''] =
    /^v1\.([\w-]{8})\.([\w-]{16})\.([\w-]{22,})$/.exec(sealed) ?? [];
  if (id === '') return null;
  return { id, nonce: Buffer.from(nonce, 'base64url'), closed: Buffer.from(closed, 'base64url') };
}

function openSecret({ bytes }: Key, { nonce, closed }: SealedParts, purpose: string): string | null {
  const decipher = createDecipheriv(algorithm, bytes, nonce, { authTagLength: tagBytes });
  decipher.setAAD(bindingOf(purpose));
  decipher.setAuthTag(closed.subarray(-tagBytes));
  try {
    const secret = Buffer.concat([decipher.update(closed.subarray(0, -tagBytes)), decipher.final()]);
    return secret.toString('utf8');
  } catch {
    return null;
  }
}

function bindingOf(purpose: string): Buffer {
  return Buffer.from(`keeptyping/${version}/${purpose}`, 'utf8');
}

/** From records to accounts; one that cannot be used stops no other. */

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
