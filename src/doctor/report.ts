import type { Finding } from '../core/platform.ts';

const words = { ok: 'ok  ', warn: 'warn', fail: 'FAIL' } as const;

/** One line: how it stands and, where it is wrong, how to mend it. */
export function lineOf({ level, subject, says, remedy }: Finding): string {
  const mending = remedy === '' ? '' : ` ${remedy}`;
  return `${words[level]}  ${subject}: ${says}.${mending}`.replaceAll(/\s+/g, (space) =>
    space.includes('\n') ? ' ' : space,
  );
}

export function summaryOf(findings: readonly Finding[]): string {
  const count = (level: Finding['level']): number => findings.filter((each) => each.level === level).length;
  return `${count('ok')} ok, ${count('warn')} to look at, ${count('fail')} to mend`;
}

export function jsonOf(findings: readonly Finding[]): string {
  return JSON.stringify({ ok: exitCodeOf(findings) === 0, findings }, null, 2);
}

/** Warnings are no failure. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ level }) => level === 'fail') ? 1 : 0;
}

/** `4 min`, for a time that has passed (ms). */
export function agoOf(ms: number): string {
  if (ms < 60 * 60_000) return 'within the hour';
  const hours = Math.round(ms / (60 * 60_000));
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} d ago`;
}

/** How long something took. */
export function tookOf(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
