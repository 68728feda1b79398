import { fail, type Finding, ok, warn } from '../core/platform.ts';
import type { Clock } from '../core/ports.ts';
import { inChinese } from '../core/chinese.ts';
import { said, type Said, saidElsewhere, saidTogether, saidWithRemedy } from '../core/said.ts';

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
      says: said('no answer within {seconds} s', { seconds: limitMs / 1000 }),
      remedy: said('Look whether this machine reaches it: addresses, firewall, proxy.'),
    }),
  ];
  try {
    return await Promise.race([check.run(), sleep(limitMs, done.signal).then(late, () => [])]);
  } catch (error) {
    // Its message may hold anything.
    const kind = error instanceof Error ? error.name : 'an error';
    return [
      fail(subject, {
        says: said('the check itself failed ({kind})', { kind }),
        remedy: said('Please report it.'),
      }),
    ];
  } finally {
    done.abort(new Error('the check has ended'));
  }
}

/** In which the doctor speaks; in JSON it is English, as in the log. */
export type Language = 'en' | 'zh';

/** What is asked of the doctor. */
export interface Wanted {
  json: boolean;
  help: boolean;
  language: Language;
  /** Real messages are sent to the bots and through the webhook URL. */
  push: boolean;
  /** Where the platforms find keeptyping, without a slash at the end; null: this machine is tried. */
  webhookBase: string | null;
}

export const usage: Readonly<Record<Language, string>> = {
  en: `Usage: npm run doctor -- [--json] [--webhook <public base URL>] [--push] [--lang en|zh-CN]
  --json      one JSON document instead of lines, in English
  --webhook   where the platforms find keeptyping: https://typing.example.com (or WEBHOOK_URL)
  --push      also sends a text message of a user who does not exist to each bot, and one through each webhook
  --lang      the language of the lines (or LC_ALL, LC_MESSAGES, LANG)
`,
  zh: `用法：npm run doctor -- [--json] [--webhook <公网地址>] [--push] [--lang en|zh-CN]
  --json      用一份英文 JSON 代替逐行输出
  --webhook   平台访问 keeptyping 的地址：https://typing.example.com（或 WEBHOOK_URL）
  --push      还向每个机器人发送一条不存在的用户的文本消息，并经每个 webhook 发送一条
  --lang      输出的语言（或 LC_ALL、LC_MESSAGES、LANG）
`,
};

type Environment = Readonly<Record<string, string | undefined>>;

/** As POSIX has it: the first that is set decides. */
export function languageOf({ LC_ALL, LC_MESSAGES, LANG }: Environment): Language {
  return /^zh\b|^zh_/i.test(LC_ALL || LC_MESSAGES || LANG || '') ? 'zh' : 'en';
}

/** null: it is none that the doctor speaks. */
function languageNamed(name: string): Language | null {
  const [, language] = /^(en|zh)(?:[-_.][\w.-]+)?$/i.exec(name) ?? [];
  return language === undefined ? null : (language.toLowerCase() as Language);
}

/** Reads the command line; a fault is one sentence. */
export function readArguments(
  words: readonly string[],
  environment: Environment,
): Wanted | { fault: Said; language: Language } {
  const wanted = { json: false, help: false, push: false, language: languageOf(environment) };
  const { language } = wanted;
  let address = environment['WEBHOOK_URL'] || null;
  for (let at = 0; at < words.length; at += 1) {
    const [word = '', value] = (words[at] ?? '').split(/=(.*)/s);
    if (word === '--json') wanted.json = true;
    else if (word === '--push') wanted.push = true;
    else if (word === '--help' || word === '-h') wanted.help = true;
    else if (word === '--webhook') address = value ?? words[(at += 1)] ?? '';
    else if (word === '--lang') {
      const name = value ?? words[(at += 1)] ?? '';
      const named = languageNamed(name);
      if (named === null)
        return {
          fault: said('--lang {language} is not known: say en or zh-CN.', { language: name }),
          language,
        };
      wanted.language = named;
    } else
      return { fault: said('{option} is no option of the doctor: see --help.', { option: word }), language };
  }
  const webhookBase = address === null ? null : baseOf(address);
  if (address === null || webhookBase !== null) return { ...wanted, webhookBase };
  const fault = said('The webhook URL must be a whole URL that begins with https:// or http://.');
  return { fault, language: wanted.language };
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
        says: said('this account is skipped: {reason}', { reason }),
        remedy: said('Correct it and start keeptyping anew.'),
      }),
    ),
    ...(bypass
      ? [warn('BYPASS', { says: said('is set: pushes are only passed on'), remedy: said('Unset it.') })]
      : []),
    ...warnings.map((says) => warn(subject, { says: saidElsewhere(withoutStop(says)), remedy: '' })),
  ];
}

function servedFinding({ accounts, files = [], records = 'none' }: CheckedConfiguration): Finding {
  const places = [said('the environment'), ...files].join(', ');
  if (accounts.length > 0)
    return ok(subject, said('serves {accounts} (from {places})', { accounts: accounts.join(', '), places }));
  switch (records) {
    case 'some':
      return ok(
        subject,
        said('{places} define no account: those that were set at run time are served', { places }),
      );
    case 'none':
      return fail(subject, {
        says: said('no account is configured in {places}', { places }),
        remedy: firstSteps,
      });
    case 'unknown':
      return warn(subject, {
        says: said('whether accounts were set at run time is not known, and no others are configured'),
        remedy: said('Mend Redis.'),
      });
  }
}

/** Nothing else can be looked at then. */
export function examineFaults(faults: readonly string[]): Finding[] {
  return faults.map((says) =>
    fail(subject, {
      says: saidElsewhere(withoutStop(says)),
      remedy: said('keeptyping does not start with this.'),
    }),
  );
}

const firstSteps = said(
  'Set WECHAT_APP_ID, WECHAT_APP_SECRET, WECHAT_TOKEN and WECHAT_BOT_URL, or NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET, NXCLOUD_APP_KEY and NXCLOUD_BOT_URL.',
);

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
export function lineOf({ level, subject, says, remedy }: Finding, language: Language = 'en'): string {
  const whole = says.endsWith('.') ? saidTogether(says, remedy || null) : saidWithRemedy(says, remedy);
  const line = {
    en: () => `${words[level]}  ${subject}: ${whole}`,
    zh: () =>
      `${words[level]}  ${subject}：${inChinese(says)}${says.endsWith('.') ? '' : '。'}${inChinese(remedy)}`,
  }[language]();
  return line.replaceAll(/\s+/g, (space) => (space.includes('\n') ? ' ' : space));
}

export function summaryOf(findings: readonly Finding[], language: Language = 'en'): string {
  const count = (level: Finding['level']): number => findings.filter((each) => each.level === level).length;
  const [good, odd, bad] = [count('ok'), count('warn'), count('fail')];
  return language === 'zh'
    ? `${good} 项正常，${odd} 项需留意，${bad} 项必须解决`
    : `${good} ok, ${odd} to look at, ${bad} to mend`;
}

export function reportAsJson(findings: readonly Finding[]): string {
  return JSON.stringify({ ok: exitCodeOf(findings) === 0, findings }, null, 2);
}

/** Warnings are no failure. */
export function exitCodeOf(findings: readonly Finding[]): 0 | 1 {
  return findings.some(({ level }) => level === 'fail') ? 1 : 0;
}

/** `4 min`, for a time that has passed (ms). */
export function agoOf(ms: number): Said {
  if (ms < 60 * 60_000) return said('within the hour');
  const hours = Math.round(ms / (60 * 60_000));
  return hours < 48
    ? said('{hours} h ago', { hours })
    : said('{days} d ago', { days: Math.round(hours / 24) });
}

/** How long something took. */
export function tookOf(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
