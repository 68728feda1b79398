/** An account as it stands in Redis: JSON, its secrets closed one by one. */
import { z } from 'zod';
import type { Seal } from '../core/seal.ts';
import type { Place } from '../core/sight.ts';

/** As a configuration file spells them. */
export type Fields = Readonly<Record<string, unknown>>;

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

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
