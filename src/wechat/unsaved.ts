import type { Clock } from '../core/ports.ts';

/** What came in place of something used up, until it is kept: no other copy is left. */
export interface Unsaved {
  /** Keeps it; rejects when that fails now. `save` may be carried out more than once. */
  save(name: string, save: () => Promise<unknown>): Promise<void>;
  /** Keeps what is left from before, if anything is. Rejects while it cannot be. */
  saveLeft(name: string): Promise<void>;
}

const tries = 3;
const pauseMs = 200;

export function createUnsaved(clock: Clock): Unsaved {
  const left = new Map<string, () => Promise<unknown>>();
  const saveLeft = async (name: string): Promise<void> => {
    const save = left.get(name);
    if (!save) return;
    await insist(clock, save);
    left.delete(name);
  };
  return {
    saveLeft,
    save: (name, save) => {
      left.set(name, save);
      return saveLeft(name);
    },
  };
}

async function insist(clock: Clock, work: () => Promise<unknown>): Promise<void> {
  for (let left = tries; ; left -= 1) {
    try {
      await work();
      return;
    } catch (error) {
      if (left <= 1) throw error;
      await clock.sleep(pauseMs);
    }
  }
}
