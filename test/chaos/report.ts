/** What a run's findings look like on the terminal. */
import { seconds } from './judge-answers.ts';
import type { Finding } from './promises.ts';
import type { Ran } from './run.ts';

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function lineOf({ record }: Pick<Ran, 'record'>, { promised, who, at, words }: Finding): string {
  return `${promised}: ${who}${at === null ? '' : ` ${seconds(record, at)}`}: ${words}`;
}

/** What is broken, and where to look for the cause. */
export function sayBroken(ran: Ran): void {
  const { record, verdict, folder } = ran;
  for (const [promised, count] of countsOf(verdict.broken)) say(`  ${count} × ${promised}`);
  for (const finding of verdict.broken) say(`  BROKEN ${lineOf(ran, finding)}`);
  say(`  the harness itself stood still for ${record.stoodStill} ms at most`);
  say(`  logs: ${folder}`);
}

function countsOf(findings: readonly Finding[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { promised } of findings) counts.set(promised, (counts.get(promised) ?? 0) + 1);
  return counts;
}
