import { fail, type Finding, ok, warn } from '../core/platform.ts';
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

/** What is asked of the doctor. */
export interface Wanted {
  json: boolean;
  help: boolean;
  /** Real messages are sent to the bots and through the webhook URL. */
  push: boolean;
  /** Where the platforms find keeptyping, without a slash at the end; null: this machine is tried. */
  webhookBase: string | null;
}

export const usage = `Usage: npm run doctor -- [--json] [--webhook <public base URL>] [--push]
  --json      one JSON document instead of lines
  --webhook   where the platforms find keeptyping: https://typing.example.com (or WEBHOOK_URL)
  --push      also sends a text message of a user who does not exist to each bot, and one through each webhook
`;

/** Reads the command line; a fault is one sentence. */
export function readArguments(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Wanted | { fault: string } {
  const wanted: Wanted = { json: false, help: false, push: false, webhookBase: null };
  let address = environment['WEBHOOK_URL'] || null;
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', value] = (words[at] ?? '').split(/=(.*)/s);
    if (word === '--json') wanted.json = true;
    else if (word === '--push') wanted.push = true;
    else if (word === '--help' || word === '-h') wanted.help = true;
    else if (word === '--webhook') address = value ?? words[(at += 1)] ?? '';
    else return { fault: `${word} is no option of the doctor: see --help.` };
  }
  if (address === null) return wanted;
  const webhookBase = baseOf(address);
  return webhookBase === null
    ? { fault: 'The webhook URL must be a whole URL that begins with https:// or http://.' }
    : { ...wanted, webhookBase };
}

/** Whoever gives the whole webhook URL means its base. */
function baseOf(address: string): string | null {
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return null;
  return address.replace(/[?#].*$/s, '').replace(/(\/webhooks(\/.*)?|\/+)$/, '');
}

/** The configuration as its loader describes it. */
export interface CheckedConfiguration {
  /** `channel/name` of each account. */
  accounts: readonly string[];
  /** What was read beside the environment. @default none */
  files?: readonly string[];
  skipped: readonly { account: string; reason: string }[];
  warnings: readonly string[];
  /** The panic switch is on. */
  bypass: boolean;
  /** Whether there are accounts that were set at run time. @default none */
  records?: 'some' | 'none' | 'unknown';
}

const subject = 'configuration';

export function examineConfiguration(loaded: CheckedConfiguration): Finding[] {
  const { skipped, warnings, bypass } = loaded;
  return [
    servedFinding(loaded),
    ...skipped.map(({ account, reason }) =>
      fail(`${account} configuration`, {
        says: `this account is skipped: ${reason}`,
        remedy: 'Correct it and start keeptyping anew.',
      }),
    ),
    ...(bypass ? [warn('BYPASS', { says: 'is set: pushes are only passed on', remedy: 'Unset it.' })] : []),
    ...warnings.map((says) => warn(subject, { says: withoutStop(says), remedy: '' })),
  ];
}

function servedFinding({ accounts, files = [], records = 'none' }: CheckedConfiguration): Finding {
  const from = files.length > 0 ? ` (from the environment, ${files.join(', ')})` : '';
  if (accounts.length > 0) return ok(subject, `serves ${accounts.join(', ')}${from}`);
  switch (records) {
    case 'some':
      return ok(subject, `defines no account${from}: those that were set at run time are served`);
    case 'none':
      return fail(subject, { says: `no account is configured${from}`, remedy: firstSteps });
    case 'unknown':
      return warn(subject, {
        says: 'defines no account, and whether some were set at run time is not known',
        remedy: 'Mend Redis.',
      });
  }
}

/** Nothing else can be looked at then. */
export function examineFaults(faults: readonly string[]): Finding[] {
  return faults.map((says) =>
    fail(subject, { says: withoutStop(says), remedy: 'keeptyping does not start with this.' }),
  );
}

const firstSteps =
  'Set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL, or NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET, NXCLOUD_APP_KEY and NXCLOUD_BOT_URL.';

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

/** The line at the end of a terminal that says what is being waited for. */
interface ProgressLine {
  on(subject: string): void;
  off(): void;
}

const everyMs = 1_000;

/** @param write null: there is no terminal */
export function createProgress(write: ((text: string) => void) | null): ProgressLine {
  let ticking: NodeJS.Timeout | undefined;
  const off = (): void => {
    if (ticking === undefined) return;
    clearInterval(ticking);
    ticking = undefined;
    write?.('\r\u001B[2K');
  };
  return {
    off,
    on: (subject) => {
      off();
      if (write === null) return;
      let seconds = 0;
      const say = (): void => write(`\r\u001B[2K…     ${subject}${seconds > 0 ? ` (${seconds} s)` : ''}`);
      say();
      ticking = setInterval(() => {
        seconds += 1;
        say();
      }, everyMs);
    },
  };
}

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

export function reportAsJson(findings: readonly Finding[]): string {
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
