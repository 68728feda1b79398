/** Sets and removes accounts at run time. */
import type { Clock } from '../core/clock.ts';
import { idOf, type Place } from '../core/sight.ts';
import { readRecord, writeRecord, type Fields } from './record.ts';
import type { Records } from './records.ts';
import { configured, refused, tryPut, type Put, type PutOptions, type Refused } from './put.ts';

export type Removed = { is: 'removed' } | Refused;

export interface DirectoryOptions<Account> extends PutOptions<Account> {
  records: Pick<Records<Account>, 'follow'>;
  clock: Pick<Clock, 'now'>;
}

/** Every member rejects when Redis is out of reach. */
export interface Directory {
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
