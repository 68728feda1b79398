import type { Channel } from '../core/platform.ts';
import { createPhone, type LivePhone } from './live-phone.ts';
import type { Mark } from './phone.ts';

export type Listener = (mark: Mark) => void;

/** All phones of one platform; a phone comes into being when it is first asked for. */
export interface Phones {
  of: (user: string) => LivePhone;
  forget: (user: string) => void;
  /** Hears every later mark. Returns the way to stop. */
  on: (listener: Listener) => () => void;
  close(): void;
}

export function createPhones(options: { channel: Channel; lifetime: number; now: () => number }): Phones {
  const phones = new Map<string, LivePhone>();
  const listeners = new Set<Listener>();
  const emit = (mark: Mark): void => {
    for (const listener of listeners) listener(mark);
  };
  return {
    of(user) {
      const phone = phones.get(user) ?? createPhone({ ...options, user, emit });
      phones.set(user, phone);
      return phone;
    },
    forget(user) {
      phones.get(user)?.close();
      phones.delete(user);
    },
    on(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    close() {
      for (const phone of phones.values()) phone.close();
    },
  };
}
