import type { Answer } from '../core/wire.ts';
import type { Deliveries } from '../replies/delivery.ts';

/** What the holder of a connection does with the shared record of a delivery. */
export type HeldDeliveries = Pick<Deliveries, 'claim' | 'leave'>;

interface Waiting {
  limitMs: number;
  hangUp: AbortSignal;
  /** Asked at the limit: whether to wait on for the platform to hang up, for so long (ms) at most. @default 0 */
  longer?: () => Promise<number>;
}

/** The platform's connections that this process holds open for an answer. */
export interface Holds {
  /** A new name for one held connection; offers to it are published under the process's own name. */
  name(): string;
  /**
   * Resolves with the answer to write, or null when there is none by `limitMs` or the platform hung up.
   * Rejects when Redis is out of reach.
   */
  wait(id: string, holder: string, how: Waiting): Promise<Answer | null>;
  /** An answer has been offered to a holder of this process. */
  offered(holder: string): void;
}

/** An offer can come on its own connection before Redis's answer to the hold does; those for nobody are few. */
const earlyKept = 1_000;

export function createHolds(process: string, deliveries: HeldDeliveries): Holds {
  const waiting = new Map<string, (holder: string) => void>();
  const early = new Set<string>();
  const keepEarly = (holder: string): void => {
    if (early.size >= earlyKept) early.clear();
    early.add(holder);
  };
  let count = 0;
  return {
    name: () => `${process}.${(count += 1)}`,
    offered: (holder) => (waiting.get(holder) ?? keepEarly)(holder),
    wait: async (id, holder, how) => {
      const offered = new Promise<boolean>((resolve) => {
        waiting.set(holder, () => resolve(true));
        if (early.delete(holder)) resolve(true);
      });
      try {
        const claimed = (await cameInTime(offered, how)) ? await deliveries.claim(id, holder) : null;
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

function cameInTime(offered: Promise<boolean>, how: Waiting): Promise<boolean> {
  const { hangUp, longer } = how;
  return new Promise((resolve) => {
    const over = (came: boolean): void => {
      clearTimeout(timer);
      hangUp.removeEventListener('abort', gone);
      resolve(came);
    };
    const gone = (): void => over(false);
    const limit = async (): Promise<void> => {
      timer = setTimeout(gone, (await longer?.().catch(() => 0)) ?? 0);
    };
    let timer = setTimeout(() => void limit(), how.limitMs);
    hangUp.addEventListener('abort', gone, { once: true });
    if (hangUp.aborted) gone();
    void offered.then(over);
  });
}
