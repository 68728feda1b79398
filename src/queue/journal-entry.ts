/** One entry of the journal's stream, as Redis gives it. */
import type { Notice } from '../core/notice.ts';
import { readRecord, recordVersion } from './journal-record.ts';

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

export function textOf([, fields]: Entry): string {
  return fields.join(' ');
}

/** As a word stands within JSON. */
export function inJson(word: string): string {
  return JSON.stringify(word).slice(1, -1);
}
