/**
 * What a process has learned and Redis has to know. While Redis is away, or takes nothing, it waits here, and is told
 * in the order in which it was learned as soon as Redis takes it: before anybody acts on what lies there from before.
 * A Redis that comes back may be another one, which has not had the last that was told, or one that had not yet written
 * that to its disk: it is told again.
 */
import type { Clock, Log } from '../core/ports.ts';
import type { Health } from './watchdog.ts';

/**
 * It may be done twice: a command that failed may have been carried out. `isLate`: it has waited here, and more may wait
 * behind it; `isAgain`: Redis has taken it once, and may have lost it or have heard newer things from others since.
 */
export type Work = (isLate: boolean, isAgain: boolean) => Promise<unknown>;

export interface Outbox {
  /**
   * Does the work now, or later. What has the same name is done in the order of asking. Resolves when it is done or waits
   * for Redis; never rejects.
   */
  tell(name: string, work: Work): Promise<void>;
  /** Redis knows it some other way: the work is done only where it may have lost that. */
  told(name: string, work: Work): void;
  /** Resolves when nothing waits any more. */
  idle(): Promise<void>;
  /** How many things wait. */
  size(): number;
  close(): void;
}

interface OutboxOptions {
  health: Pick<Health, 'isAway' | 'onBack'>;
  clock: Pick<Clock, 'now'>;
  log: Log;
}

/** Redis being away for long must not fill the memory: some 20 MB. */
const most = 10_000;
/** What is older concerns nobody: no turn is open for so long (ms). */
const oldest = 20 * 60_000;
/** After a refusal of a Redis that is there, such as one that is full (ms). */
const pause = 500;

/** A replica, or a disk, is no further behind, and that Redis is away is noticed within a second of it (ms). */
const lately = 3_000;

interface Waiting {
  work: Work;
  at: number;
  isAgain?: boolean;
}

export function createOutbox({ health, clock, log }: OutboxOptions): Outbox {
  const lines = new Map<string, Waiting[]>();
  const idlers = new Set<() => void>();
  let count = 0;
  let isFull = false;
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  const recent = new Set<Waiting & { name: string }>();
  let forgetting: NodeJS.Timeout | undefined;
  const forget = (): void => {
    forgetting = undefined;
    const until = clock.now() - lately;
    // While Redis is away nobody knows what it has lost.
    if (!health.isAway())
      for (const each of recent) {
        if (each.at > until) break;
        recent.delete(each);
      }
    forgetLater();
  };
  const forgetLater = (): void => {
    if (recent.size > 0 && !isClosed) forgetting ??= setTimeout(forget, lately).unref();
  };
  const told = (name: string, work: Work): void => {
    recent.add({ name, work, at: clock.now(), isAgain: true });
    const [oldest] = recent;
    if (recent.size > most && oldest) recent.delete(oldest);
    forgetLater();
  };
  /** What was told last comes before what has waited since. */
  const tellAgain = (): void => {
    const all = [...recent].slice(Math.max(0, recent.size - (most - count)));
    recent.clear();
    count += all.length;
    for (const each of all.toReversed()) {
      const line = lines.get(each.name);
      if (line) line.unshift(each);
      else lines.set(each.name, [each]);
    }
  };
  const keep = (name: string, waiting: Waiting): void => {
    if (count >= most) {
      if (!isFull) log.error({ most }, 'Too much waits for Redis: what is learned now is not told.');
      isFull = true;
      return;
    }
    count += 1;
    const line = lines.get(name);
    if (line) line.push(waiting);
    else lines.set(name, [waiting]);
  };
  const again = (ms: number): void => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!isClosed && !health.isAway()) for (const name of lines.keys()) void drain(name);
      if (lines.size > 0 && !isClosed) again(pause);
    }, ms);
  };
  const draining = new Set<string>();
  const drain = async (name: string): Promise<void> => {
    if (draining.has(name)) return;
    draining.add(name);
    try {
      for (let line = lines.get(name); line?.[0]; line = lines.get(name)) {
        const [first] = line;
        const { work, at, isAgain = false } = first;
        if (clock.now() - at < oldest) {
          await work(true, isAgain);
          told(name, work);
        }
        // Others may stand before it by now.
        line.splice(line.indexOf(first), 1);
        count -= 1;
        if (line.length === 0) lines.delete(name);
      }
    } catch {
      again(pause);
    } finally {
      draining.delete(name);
    }
    if (lines.size > 0) return;
    isFull = false;
    idlers.forEach((resolve) => resolve());
    idlers.clear();
  };
  health.onBack(() => {
    clearTimeout(timer);
    timer = undefined;
    tellAgain();
    again(0);
  });
  return {
    tell: async (name, work) => {
      if (!lines.has(name)) {
        try {
          await work(false, false);
          return told(name, work);
        } catch (error) {
          log.debug({ cause: error instanceof Error ? error.message : String(error) }, 'Told Redis later.');
        }
      }
      keep(name, { work, at: clock.now() });
      again(health.isAway() ? pause : 0);
    },
    told,
    idle: () =>
      lines.size === 0 ? Promise.resolve() : new Promise<void>((resolve) => void idlers.add(resolve)),
    size: () => count,
    close: () => {
      isClosed = true;
      clearTimeout(timer);
      clearTimeout(forgetting);
      if (count > 0) log.error({ count }, 'Redis stayed away: what was learned meanwhile is lost.');
    },
  };
}
