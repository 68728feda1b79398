/** Which release a finding of a rolling deploy is to be laid to, by the logs of both. */
import type { Finding } from './promises.ts';

/** What one process wrote. */
export interface Logged {
  isThisRelease: boolean;
  output: string;
}

/** What leads to a call, and what follows from it, is logged this near to it (ms). */
const [before, after] = [3_000, 1_000];

/**
 * Whether all that was logged about that user around a wrong typing call came from the release before: what it does so
 * with nobody beside it is its own, and out of reach. Only calls are judged so: one that is missing has no author.
 */
export function isOfReleaseBefore({ promised, who, at }: Finding, logs: readonly Logged[]): boolean {
  const isCall = promised === 'no typing begins after the answer' || promised === 'no call is refused';
  if (!isCall || at === null) return false;
  const near = logs.filter(({ output }) =>
    output.split('\n').some((line) => {
      if (!line.includes(`/${who}"`)) return false;
      const time = Number(/"time":(\d+)/.exec(line)?.[1]);
      return time >= at - before && time <= at + after;
    }),
  );
  return near.length > 0 && near.every(({ isThisRelease }) => !isThisRelease);
}
