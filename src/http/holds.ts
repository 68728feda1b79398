/** The platform's connections that this process holds open for an answer. */
import type { Answer } from '../core/wire.ts';
import type { Deliveries } from '../replies/delivery.ts';
import type { LocalHolds } from '../replies/run.ts';

interface Waiting {
  limitMs: number;
  /** Calls back when the connection can take no answer any more. */
  onClose: (closed: () => void) => void;
  /** Asked at the limit: whether to wait on for the platform to hang up, for so long (ms) at most. @default 0 */
  longer?: () => Promise<number>;
  /** An answer was claimed for it when it could be given none any more, or may have been. @default nobody cares */
  late?: () => void;
}

/** An answer for the connection; it is to be said whether it could be written. */
export interface Gift {
  answer: Answer;
  /** By another process, which leaves it to this one. */
  isOffered: boolean;
  written(was: boolean): void;
}

/** One connection. It can be given an answer from the moment that it is opened. */
export interface Hold {
  name: string;
  /** Resolves with the answer to write, or null when there is none by `limitMs` or the platform hung up. */
  wait(how: Waiting): Promise<Gift | null>;
  /** It can be given nothing any more. Says false where that was so already: it has an answer, or is over. */
  close(): boolean;
}

export interface Holds extends LocalHolds {
  open(id: string): Hold;
  /** An answer was offered to a connection of this process, by another one, or may have been. Says whether it waits for one. */
  offered(holder: string): boolean;
}

interface HoldsOptions {
  /** This process's name, which no other has. */
  name: string;
  deliveries: Pick<Deliveries, 'claim'>;
}

interface Open {
  id: string;
  name: string;
  give: (gift: Gift) => boolean;
  late: () => void;
  /** An answer is being claimed for it, or nobody has heard whether it was. */
  isAsking: boolean;
}

export function createHolds({ name: process, deliveries }: HoldsOptions): Holds {
  const byName = new Map<string, Open>();
  const byId = new Map<string, readonly Open[]>();
  const newest = (id: string): Open | undefined => byId.get(id)?.at(-1);
  let count = 0;
  const shut = (open: Open): void => {
    if (!byName.delete(open.name)) return;
    // One that has come late may be an older one, which the platform has given up long since: the others wait on.
    const left = (byId.get(open.id) ?? []).filter((each) => each !== open);
    if (left.length > 0) byId.set(open.id, left);
    else byId.delete(open.id);
  };
  const take = async (open: Open): Promise<void> => {
    open.isAsking = true;
    try {
      const answer = await deliveries.claim(open.id, open.name);
      open.isAsking = false;
      if (answer !== null && !open.give({ answer, isOffered: true, written: () => {} })) open.late();
    } catch {
      // It may have been claimed all the same: whoever is asked next must not hear of it, too.
      open.late();
    }
  };
  return {
    open: (id) => {
      let given: Take | null = null;
      let early: Gift | null = null;
      const open: Open = {
        id,
        name: `${process}.${(count += 1)}`,
        give: (gift) => {
          if (!byName.has(open.name)) return false;
          shut(open);
          if (given) return given(gift);
          early = gift;
          return true;
        },
        late: () => {},
        isAsking: false,
      };
      byName.set(open.name, open);
      byId.set(id, [...(byId.get(id) ?? []), open]);
      return {
        name: open.name,
        close: () => {
          const was = byName.has(open.name);
          shut(open);
          return was;
        },
        wait: async (how) => {
          open.late = how.late ?? open.late;
          const gift = early ?? (await inTime(how, (resolve) => (given = resolve)));
          shut(open);
          return gift;
        },
      };
    },
    waits: (id) => byId.has(id),
    give: (id, answer) =>
      new Promise((resolve) => {
        const given = newest(id)?.give({ answer, isOffered: false, written: resolve }) ?? false;
        if (!given) resolve(false);
      }),
    offered: (holder) => {
      const open = byName.get(holder);
      if (open && !open.isAsking) void take(open);
      return open !== undefined;
    },
  };
}

/** Whether the connection has it: not when its time was over, though nobody has been told yet. */
type Take = (gift: Gift | null) => boolean;

function inTime({ limitMs, onClose, longer }: Waiting, given: (take: Take) => void): Promise<Gift | null> {
  return new Promise((resolve) => {
    let isOver = false;
    const over: Take = (gift) => {
      if (isOver) return false;
      isOver = true;
      clearTimeout(timer);
      resolve(gift);
      return true;
    };
    const gone = (): void => void over(null);
    const limit = async (): Promise<void> => {
      const ms = (await longer?.().catch(() => 0)) ?? 0;
      // Where the process is behind, another turn of its loop can take half a second.
      if (ms > 0) timer = setTimeout(gone, ms);
      else gone();
    };
    let timer = setTimeout(() => void limit(), limitMs);
    given(over);
    onClose(gone);
  });
}
