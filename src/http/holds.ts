import type { Answer } from '../core/wire.ts';

/** What the holder of a connection does with the shared record of a delivery. */
export interface HeldDeliveries {
  claim(id: string, holder: string): Promise<Answer | null>;
  leave(id: string, holder: string): Promise<Answer | null>;
}

/** The platform's connections that this process holds open for an answer. */
export interface Holds {
  /** A new name for one held connection; offers to it are published under the process's own name. */
  name(): string;
  /**
   * Resolves with the answer to write, or null when there is none by `limitMs` or the platform hung up.
   * Rejects when Redis is out of reach.
   */
  wait(id: string, holder: string, how: { limitMs: number; hangUp: AbortSignal }): Promise<Answer | null>;
  /** An answer has been offered to a holder of this process. */
  offered(holder: string): void;
}

export function createHolds(process: string, deliveries: HeldDeliveries): Holds {
  const waiting = new Map<string, () => void>();
  let count = 0;
  return {
    name: () => `${process}.${(count += 1)}`,
    offered: (holder) => waiting.get(holder)?.(),
    wait: async (id, holder, { limitMs, hangUp }) => {
      const offered = new Promise<boolean>((resolve) => waiting.set(holder, () => resolve(true)));
      try {
        const claimed = (await before(offered, limitMs, hangUp)) ? await deliveries.claim(id, holder) : null;
        return claimed ?? (await deliveries.leave(id, holder));
      } finally {
        waiting.delete(holder);
      }
    },
  };
}

/** The process's name within a holder's. */
export function processOf(holder: string): string {
  return holder.slice(0, holder.lastIndexOf('.'));
}

function before(offered: Promise<boolean>, limitMs: number, hangUp: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const over = (came: boolean): void => {
      clearTimeout(timer);
      hangUp.removeEventListener('abort', gone);
      resolve(came);
    };
    const gone = (): void => over(false);
    const timer = setTimeout(gone, limitMs);
    hangUp.addEventListener('abort', gone, { once: true });
    if (hangUp.aborted) gone();
    void offered.then(over);
  });
}
