import type { AccountView } from '../core/account-view.ts';
import type { Place } from '../core/sight.ts';

/** Every account there is, and the way to set one. Every member rejects when Redis is out of reach. */
export interface AccountRegister {
  list(): Promise<AccountView[]>;
  /** null: there is none of that name. */
  read(place: Place): Promise<AccountView | null>;
  put(
    place: Place,
    fields: Readonly<Record<string, unknown>>,
  ): Promise<
    | { is: 'created' | 'updated' }
    | { is: 'faulty'; faults: readonly string[] }
    | { is: 'refused'; error: string }
  >;
  remove(place: Place): Promise<{ is: 'removed' } | { is: 'refused'; error: string }>;
}
