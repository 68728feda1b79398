/** The pushes that this process carries: their leases are moved on while it works, and given back when it stops. */
import { setMaxListeners } from 'node:events';
import type { Clock, Log } from '../core/ports.ts';
import type { Outbox } from '../redis/outbox.ts';
import type { Deliveries, Owner } from './delivery.ts';

/** Another process takes a delivery over when nothing was heard of its owner for so long (ms). */
export const lease = 15_000;
/** A lease is moved on when no more than this is left of it (ms): a process that stands still for a while keeps what it has. */
const leastLeft = 8_000;
const look = 500;

/** One push while it is carried. */
export interface Ownership {
  /** Aborted when the process has to stop. */
  signal: AbortSignal;
  /** It is over, or given up. */
  end(): void;
}

export interface Owned {
  begin(who: Owner & { leaseUntil: number }): Ownership;
  /** Lets what is under way end; what has not by then is given up, and resolves when all is. */
  stop(graceMs: number): Promise<void>;
}

interface OwnedOptions {
  deliveries: Pick<Deliveries, 'renew'>;
  outbox: Pick<Outbox, 'tell'>;
  clock: Clock;
  log: Log;
}

export function createOwned({ deliveries, outbox, clock, log }: OwnedOptions): Owned {
  const all = new Map<string, { renew: (now: number) => void; over: Promise<void> }>();
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  let timer: NodeJS.Timeout | undefined;
  const renewAll = (): void => {
    timer = undefined;
    const now = clock.now();
    for (const { renew } of all.values()) renew(now);
    if (all.size > 0) timer = setTimeout(renewAll, look);
  };
  return {
    begin: ({ id, owner, leaseUntil }) => {
      let until = leaseUntil;
      let isWaiting = false;
      const { promise: over, resolve: end } = settledFromOutside();
      const renew = (now: number): void => {
        if (until - now > leastLeft || isWaiting || stopping.signal.aborted) return;
        until = now + lease;
        isWaiting = true;
        void outbox.tell(id, async () => {
          isWaiting = false;
          if (!all.has(owner)) return;
          const isOurs = await deliveries.renew({ id, owner }, clock.now() + lease);
          if (!isOurs) log.debug({ push: id }, 'The delivery is no longer of this process.');
        });
      };
      all.set(owner, { renew, over });
      timer ??= setTimeout(renewAll, look);
      return {
        signal: stopping.signal,
        end: () => {
          all.delete(owner);
          end();
        },
      };
    },
    stop: async (graceMs) => {
      let late: NodeJS.Timeout | undefined;
      await Promise.race([
        allOver(all),
        new Promise<void>((resolve) => (late = setTimeout(resolve, graceMs))),
      ]);
      clearTimeout(late);
      stopping.abort(new Error('the process stops'));
      await allOver(all);
      clearTimeout(timer);
    },
  };
}

/** ms */
const askPause = 1_000;

/**
 * Asks the record until it answers: of an answer that another process may have been given, nobody else can say who
 * delivers it. @throws the signal's reason
 */
export async function untilHeard<Said>(
  { clock, signal }: { clock: Clock; signal: AbortSignal },
  ask: () => Promise<Said>,
): Promise<Said> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await clock.sleep(askPause, signal);
    }
  }
}

async function allOver(all: ReadonlyMap<string, { over: Promise<void> }>): Promise<void> {
  await Promise.all([...all.values()].map(({ over }) => over));
}

function settledFromOutside(): { promise: Promise<void>; resolve: () => void } {
  const settled: { resolve?: () => void } = {};
  const promise = new Promise<void>((resolve) => (settled.resolve = resolve));
  return { promise, resolve: () => settled.resolve?.() };
}
