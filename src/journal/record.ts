/**
 * How a notice stands in the journal: `[letter, at, …its fields in the order below]` as JSON, under the number of this
 * format. Fields are only ever added at the end, and then as optional: adjacent releases read each other's.
 */
import { z } from 'zod';
import type { Notice } from '../core/notice.ts';

/** Of the format; records of another one are passed over. */
export const recordVersion = '1';

type Kept =
  | 'inbound'
  | 'skipped'
  | 'call'
  | 'ended'
  | 'ghost'
  | 'outbound'
  | 'handoff'
  | 'delivery'
  | 'bot'
  | 'breaker'
  | 'token'
  | 'account'
  | 'look'
  | 'refused';
type FieldsOf<Kind extends Kept> = Exclude<keyof Extract<Notice, { is: Kind }>, 'is' | 'at'>;

const word = z.string();
const wordOrNone = z.string().nullable();
/** Added later: records of the release before end before it. */
const wordOrNothing = z
  .string()
  .nullish()
  .transform((text) => text ?? undefined);
const count = z.number();
const countOrNone = z.number().nullable();
const yes = z.boolean();
const account = { channel: word, account: word };
const user = { ...account, user: word };
const maybeUser = { ...account, user: wordOrNone };

/** `probing`: what 0.1.0 wrote for it; its records are read for a day. */
const breakerState = word.transform((state) => (state === 'probing' ? 'half-open' : state));

const shapes = {
  inbound: { ...user, turn: word, messageId: wordOrNone, type: word, opensTurn: yes },
  skipped: { ...user, turn: word, reason: word },
  call: { ...user, kind: word, outcome: word, code: count, remedy: wordOrNone, ms: count },
  ended: {
    ...user,
    turn: word,
    by: word,
    waitMs: count,
    litMs: count,
    firstMs: countOrNone,
    untyped: wordOrNone,
  },
  ghost: { ...user, ms: count },
  // Records of before say nothing of it.
  outbound: {
    ...user,
    by: word,
    messageId: wordOrNone,
    isMore: yes.nullish().transform((is) => is === true),
  },
  handoff: { ...user, on: yes, by: word },
  delivery: { ...maybeUser, turn: word, way: word, code: count, job: wordOrNone },
  bot: {
    ...maybeUser,
    turn: word,
    status: count,
    result: word,
    ms: count,
    overheadMs: countOrNone,
    why: wordOrNothing,
  },
  breaker: { ...account, state: breakerState },
  token: { ...account, result: word, code: count },
  account: { ...account, typing: word, code: count, remedy: wordOrNone },
  refused: { ...account, count, reason: word },
  look: { ...account, reason: word },
} satisfies { [Kind in Kept]: Record<FieldsOf<Kind>, z.ZodType> };

const letters: Readonly<Record<Kept, string>> = {
  inbound: 'm',
  skipped: 's',
  call: 'c',
  ended: 'e',
  ghost: 'g',
  outbound: 'v',
  handoff: 'h',
  delivery: 'd',
  bot: 'b',
  breaker: 'r',
  token: 't',
  account: 'a',
  refused: 'n',
  look: 'k',
};

const kinds = new Map(
  Object.entries(shapes).map(([is, shape]) => [is, { fields: Object.keys(shape), schema: z.object(shape) }]),
);
const byLetter = new Map(Object.entries(letters).map(([is, letter]) => [letter, is]));

/** No platform's id is longer; whatever else comes must not fill Redis. */
const longest = 256;

/** null: not worth a record. */
export function writeRecord(notice: Notice): string | null {
  if (!isKept(notice)) return null;
  const fields: Readonly<Record<string, unknown>> = { ...notice };
  const values = kinds.get(notice.is)?.fields.map((field) => shorten(fields[field])) ?? [];
  return JSON.stringify([letters[notice.is], shorten(notice.at), ...values]);
}

function isKept(notice: Notice): notice is Extract<Notice, { is: Kept }> {
  // A token that was renewed is what happens every two hours.
  return notice.is in letters && !(notice.is === 'token' && notice.result === 'renewed');
}

function shorten(value: unknown): unknown {
  if (typeof value === 'number') return Math.round(value);
  return typeof value === 'string' ? value.slice(0, longest) : value;
}

/** null: this release does not know such a record. */
export function readRecord(json: string): Notice | null {
  const [letter, at, ...values] = parseList(json);
  const is = byLetter.get(String(letter)) ?? '';
  const kind = kinds.get(is);
  if (!kind || typeof at !== 'number') return null;
  const named = Object.fromEntries(kind.fields.map((field, index) => [field, values[index]]));
  const read = kind.schema.safeParse(named);
  // A newer release may have further words for what ended a turn; they are shown as they are.
  return read.success ? ({ is, at, ...read.data } as Notice) : null;
}

function parseList(json: string): unknown[] {
  try {
    const value: unknown = JSON.parse(json);
    return Array.isArray(value) ? value : [];
  } catch {
    return [];
  }
}

/** One entry of the journal's stream, as Redis gives it. */

export type Entry = [id: string, fields: string[]];

export interface JournalRecord {
  /** Of the stream: sorts by time. */
  id: string;
  notice: Notice;
  /** The process it is of, where that matters. */
  by: string | null;
}

/** None: it is of a kind or a version that is not known here. */
export function recordOf([id, fields]: Entry): JournalRecord[] {
  if (fields[0] !== recordVersion) return [];
  const notice = readRecord(fields[1] ?? '');
  return notice ? [{ id, notice, by: fields[2] === 'by' ? (fields[3] ?? null) : null }] : [];
}

export function entryText([, fields]: Entry): string {
  return fields.join(' ');
}

/** As a word stands within JSON. */
export function inJson(word: string): string {
  return JSON.stringify(word).slice(1, -1);
}
