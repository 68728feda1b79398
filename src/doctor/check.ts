import { fail, type Finding } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';

/** One thing to look at, on its own: whatever becomes of it, the others are looked at too. */
export interface Check {
  /** What is said while it runs, and of what did not end. */
  subject: string;
  /** In ms. */
  limitMs: number;
  run(): Promise<Finding[]>;
}

export interface Show {
  findings(found: readonly Finding[]): void;
  /** A check is being waited for. */
  waiting(check: Check, place: { number: number; of: number }): void;
}

/** Runs all checks at once and shows them in their order. Never rejects. */
export async function runChecks(
  checks: readonly Check[],
  { sleep, show }: { sleep: Clock['sleep']; show: Show },
): Promise<Finding[]> {
  const running = checks.map((check) => ({ check, found: runOne(check, sleep) }));
  const all: Finding[] = [];
  for (const [index, { check, found }] of running.entries()) {
    show.waiting(check, { number: index + 1, of: checks.length });
    const findings = await found;
    show.findings(findings);
    all.push(...findings);
  }
  return all;
}

async function runOne(check: Check, sleep: Clock['sleep']): Promise<Finding[]> {
  const done = new AbortController();
  const { subject, limitMs } = check;
  const late = (): Finding[] => [
    fail(subject, {
      says: `no answer within ${limitMs / 1000} s`,
      remedy: 'Look whether this machine reaches it: addresses, firewall, proxy.',
    }),
  ];
  try {
    return await Promise.race([check.run(), sleep(limitMs, done.signal).then(late, () => [])]);
  } catch (error) {
    // Its message may hold anything.
    const kind = error instanceof Error ? error.name : 'an error';
    return [fail(subject, { says: `the check itself failed (${kind})`, remedy: 'Please report it.' })];
  } finally {
    done.abort(new Error('the check has ended'));
  }
}
