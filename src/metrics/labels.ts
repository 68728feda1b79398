/**
 * What stands in labels. Each value is a series that stays until the process ends: what others choose (a platform's
 * codes, names in a URL) must not fill the memory.
 */

export interface Place {
  channel: string;
  account: string;
}

export interface Labels {
  place(where: Place): Place;
  code(code: number): string;
}

export interface LabelsOptions {
  /** Whether an account of that name is served: what a URL or a push names may be anything. */
  isServed: (where: Place) => boolean;
}

/** What stands for every account that is not served, and for every value after the first so many. */
export const rest = 'other';

/** Accounts that were served once keep their series; platforms have some dozens of codes. */
const mostAccounts = 5_000;
const mostCodes = 200;

export function createLabels({ isServed }: LabelsOptions): Labels {
  const account = createBound(mostAccounts);
  const code = createBound(mostCodes);
  return {
    place: (where) => ({
      channel: where.channel,
      account: isServed(where) ? account(where.account) : rest,
    }),
    code: (number) => code(String(number)),
  };
}

function createBound(most: number): (value: string) => string {
  const known = new Set<string>();
  return (value) => {
    if (known.has(value)) return value;
    if (known.size >= most) return rest;
    known.add(value);
    return value;
  };
}

/** Clocks that are measured against each other can give a little less than nothing, which prom-client would not take. */
export function seconds(ms: number): number {
  return Number.isFinite(ms) && ms > 0 ? ms / 1000 : 0;
}
