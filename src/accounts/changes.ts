/** What becomes of the accounts that are set at run time, in the log: once for each change. */
import type { Log } from '../core/log.ts';

/** One account, as far as the log is concerned. */
export interface Shown {
  account: unknown;
  fault: string | null;
  removedAt: number | null;
}

type Listing = ReadonlyMap<string, Shown>;

/** @param before null: they are read for the first time, and only what is wrong is worth a line. */
export function sayChanges(log: Log, before: Listing | null, now: Listing): void {
  for (const [account, next] of now) sayFault(log, account, { former: before?.get(account), next });
  if (before === null) return;
  for (const account of new Set([...before.keys(), ...now.keys()])) {
    const line = lineOf(inUse(before.get(account)), inUse(now.get(account)));
    if (line !== null) log.info({ account }, line);
  }
}

function sayFault(
  log: Log,
  account: string,
  { former, next }: { former: Shown | undefined; next: Shown },
): void {
  if (next.removedAt !== null || next.fault === null || next.fault === former?.fault) return;
  if (next.account === null) log.error({ account }, `This account is skipped: ${next.fault}`);
  else log.error({ account }, `This account goes on as it was: ${next.fault}`);
}

/** null: it takes no pushes. */
function inUse(shown: Shown | undefined): string | null {
  if (!shown || shown.account === null || shown.removedAt !== null) return null;
  return JSON.stringify(shown.account);
}

function lineOf(before: string | null, now: string | null): string | null {
  if (before === now) return null;
  if (before === null) return 'This account has been added at run time.';
  return now === null
    ? 'This account has been removed: it takes no more pushes.'
    : 'This account has been changed at run time.';
}
