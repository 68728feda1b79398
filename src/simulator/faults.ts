/** Faults on demand: what goes wrong with the next calls to a path of a simulated API. */

type Kind =
  /** The call waits this long. */
  | { latencyMs: number }
  /** The platform refuses with its own code: WeChat's errcode, NXCloud's code. */
  | { code: number }
  /** NXCloud only: Meta's error, inside code 0 for typing and inside 9099 for sending. */
  | { metaCode: number }
  | { status: number }
  /** No answer at all, the connection stays open. */
  | { hang: true }
  /** The connection is reset. */
  | { reset: true }
  /** HTTP 200 with what no client can read. */
  | { garbage: true };

/**
 * `carriedOut`: the call has its effect first, and only its answer suffers. Else the fault comes instead of the effect.
 * `user`: only calls about this user suffer.
 */
export type Fault = Kind & { carriedOut?: true; user?: string };

export interface Faults {
  /**
   * The next `times` calls to this path (`*`: to any) go wrong; further faults for it wait behind.
   * @param times @default until cleared
   * @returns the way to withdraw this one
   */
  set(path: string, fault: Fault, times?: number): () => void;
  /** Forgets the faults of one path, or all. */
  clear(path?: string): void;
  /** The fault of a call that has just arrived. */
  take(path: string, user?: string | null): Fault | null;
}

interface Pending {
  path: string;
  fault: Fault;
  left: number;
}

export function createFaults(): Faults {
  let pending: Pending[] = [];
  return {
    set(path, fault, times = Infinity) {
      const entry = { path, fault, left: times };
      pending.push(entry);
      return () => {
        pending = pending.filter((other) => other !== entry);
      };
    },
    clear(path) {
      pending = path === undefined ? [] : pending.filter((entry) => entry.path !== path);
    },
    take(path, user = null) {
      const first = pending.find((entry) => entry.left > 0 && isMeant(entry, path, user));
      if (first === undefined) return null;
      first.left -= 1;
      return first.fault;
    },
  };
}

function isMeant({ path: meant, fault }: Pending, path: string, user: string | null): boolean {
  return (meant === path || meant === '*') && (fault.user === undefined || fault.user === user);
}

/** A source of numbers from 0 up to, not including, 1. */
export type Random = () => number;

/** `length` characters out of `alphabet`. */
export function randomText(random: Random, length: number, alphabet = '0123456789abcdef'): string {
  return Array.from({ length }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join('');
}
