/** Pushes that are not taken, told once a minute: whoever sends them chooses how many come, and what stands in them. */
import { setMaxListeners } from 'node:events';
import type { AccountNotice, Observe } from '../core/notice.ts';
import type { Clock, Log } from '../core/ports.ts';
import { behindOf } from '../core/roster.ts';
import type { Said } from '../core/said.ts';

export interface Refused {
  /** @param reason says what mends it, too */
  note(place: AccountNotice, reason: Said): void;
  /** Tells what was counted. */
  close(): void;
}

interface RefusedOptions {
  clock: Clock;
  log: Log;
  /** @default nobody counts */
  observe?: Observe;
}

interface Counted {
  times: number;
  /** When it was last so (ms). */
  at: number;
}

/** What an account's pushes were refused for, by the sentence. */
type Batch = Map<string, Counted>;

/** The first is told at once, what follows in one line for all of so long (ms). */
const apart = 60_000;

export function createRefused({ clock, log, observe = () => {} }: RefusedOptions): Refused {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  const batches = new Map<string, Batch>();
  const tell = ({ channel, account }: AccountNotice, batch: Batch): void => {
    const reasons = [...batch].toSorted(([, one], [, other]) => other.times - one.times);
    const count = reasons.reduce((sum, [, { times }]) => sum + times, 0);
    const said = reasons.map(([reason, { times }]) => (reasons.length > 1 ? `${times}: ${reason}` : reason));
    log.warn(
      { channel, account, count },
      `Pushes were not taken, ${count} within a minute. ${said.join(' ')}`,
    );
    for (const [reason, { times, at }] of reasons)
      observe({ is: 'refused', at, channel, account, count: times, reason });
  };
  const tellAll = async (id: string, place: AccountNotice): Promise<void> => {
    for (let batch = batches.get(id); batch && batch.size > 0; batch = batches.get(id)) {
      batches.set(id, new Map());
      tell(place, batch);
      await clock.sleep(apart, closing.signal).catch(() => {});
    }
    batches.delete(id);
  };
  return {
    close: () => closing.abort(new Error('the process stops')),
    note: ({ channel, account }, reason) => {
      // What AppID a URL names nothing proves: those behind a third-party platform are one.
      const place = { channel, account: behindOf(account)?.component ?? account };
      const id = `${channel}/${place.account}`;
      const known = batches.get(id);
      const batch = known ?? new Map<string, Counted>();
      batches.set(id, batch);
      batch.set(reason, { times: (batch.get(reason)?.times ?? 0) + 1, at: clock.now() });
      if (!known) void tellAll(id, place);
    },
  };
}
