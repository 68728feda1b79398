import type { Conversation } from '../core/platform.ts';
import { type Entry, inJson, recordOf, textOf } from './journal-entry.ts';
import { keys } from './keys.ts';

export interface JournalForgetCommands {
  xrange(key: string, start: string, end: string, count: 'COUNT', most: number): Promise<Entry[]>;
  xdel(key: string, ...ids: string[]): Promise<unknown>;
}

/** Records of one command. */
export const page = 1_000;

/** Deletes every record that names the user. The whole journal is read for it. */
export async function forgetIn(redis: JournalForgetCommands, conversation: Conversation): Promise<void> {
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
  const text = textOf(entry);
  if (!text.includes(written)) return false;
  const notice = recordOf(entry)[0]?.notice;
  // What cannot be read has the user in a place that is not known here.
  if (!notice) return text.includes(`"${written}"`);
  if (!('account' in notice) || notice.channel !== channel || notice.account !== account) return false;
  const whose = 'user' in notice ? notice.user : null;
  return whose === user || ('turn' in notice && notice.turn.startsWith(`${user}-`));
}
