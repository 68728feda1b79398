/** The doctor: the configuration against the live services. */
import type { Redis } from 'ioredis';
import { allowsAddress } from '../accounts/urls.ts';
import { type Config, ConfigError, loadConfig } from '../config/index.ts';
import { inChinese } from '../core/chinese.ts';
import type { Finding } from '../core/platform.ts';
import { createLog } from '../log.ts';
import { createRedisClock } from '../redis/clock.ts';
import { closeConnection } from '../redis/connect.ts';
import { closeClients, createClients } from '../wiring/platforms.ts';
import {
  type Check,
  createProgress,
  examineConfiguration,
  examineFaults,
  exitCodeOf,
  reportAsJson,
  lineOf,
  type CheckedConfiguration,
  readArguments,
  runChecks,
  type Show,
  summaryOf,
  usage,
  type Wanted,
} from './check.ts';
import { componentChecks, createChecks, examineRecords, mayHoldRecords } from './checks.ts';
import {
  type DoctorOpening,
  examineTokens,
  type FurtherRedis,
  nameOf,
  openFurther,
  openRedis,
  openWebhook,
} from './opening.ts';

/** For each of what the others stand on (ms). */
const limitMs = 6_000;

interface DoctorOptions {
  /** The command line, without the program's name. */
  words: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  /** Adds to the environment what a file sets, and returns the file's name. @default there is none */
  readEnvFile?: () => readonly string[];
  say: (text: string) => void;
  /** For the line that says what is being waited for; null: there is no terminal. */
  progress: ((text: string) => void) | null;
}

/** Looks at everything and says it. Resolves with the exit code: 1 when something is to be mended. */
export async function startDoctor(options: DoctorOptions): Promise<0 | 1> {
  const { say } = options;
  const added = addEnvFile(options);
  const wanted = readArguments(options.words, options.environment);
  if ('fault' in wanted) {
    say(`${wanted.language === 'zh' ? inChinese(wanted.fault) : wanted.fault}\n`);
    return 1;
  }
  if (wanted.help) {
    say(usage[wanted.language]);
    return 0;
  }
  const progress = createProgress(wanted.json ? null : options.progress);
  const show: Show = {
    waiting: ({ subject }) => progress.on(subject),
    findings: (found) => {
      progress.off();
      if (!wanted.json) say(found.map((finding) => `${lineOf(finding, wanted.language)}\n`).join(''));
    },
  };
  const findings =
    'findings' in added ? shown(show, added.findings) : await examine(options, { ...added, wanted, show });
  say(wanted.json ? `${reportAsJson(findings)}\n` : `\n${summaryOf(findings, wanted.language)}\n`);
  return exitCodeOf(findings);
}

interface Examination {
  /** What was read beside the environment. */
  files: readonly string[];
  wanted: Wanted;
  show: Show;
}

function addEnvFile({
  readEnvFile = () => [],
}: DoctorOptions): Pick<Examination, 'files'> | { findings: Finding[] } {
  try {
    return { files: readEnvFile() };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: examineFaults(error.faults) };
  }
}

async function examine(options: DoctorOptions, { files, wanted, show }: Examination): Promise<Finding[]> {
  const read = readConfiguration(options.environment, files);
  if (!('config' in read)) return shown(show, read.findings);
  const { config, loaded } = read;
  const isEmpty = config.accounts.length + config.components.length === 0;
  const records = isEmpty ? await mayHoldRecords(openingOf(options, config)) : 'none';
  const findings = shown(show, examineConfiguration({ ...loaded, records }));
  if (isEmpty && records === 'none') return findings;
  findings.push(...shown(show, examineTokens(config)));
  return [...findings, ...(await examineLive(options, { config, wanted, show }))];
}

function shown(show: Show, findings: Finding[]): Finding[] {
  show.findings(findings);
  return findings;
}

function openingOf({ environment }: DoctorOptions, config: Config): DoctorOpening {
  const clock = createRedisClock({ local: () => performance.timeOrigin + performance.now() });
  return { config, clock, path: environment['PATH'] ?? '' };
}

/** With the panic switch set, all that it ignores is read too: it is to be unset again. */
function readConfiguration(
  environment: DoctorOptions['environment'],
  first: readonly string[],
): { config: Config; loaded: CheckedConfiguration } | { findings: Finding[] } {
  try {
    const { config, skipped, files } = loadConfig({ ...environment, BYPASS: undefined });
    const accounts = [
      ...config.accounts.map(({ channel, name }) => `${channel}/${name}`),
      ...config.components.map(({ name }) => `component/${name}`),
    ];
    const bypass = /^(1|true)$/.test(environment['BYPASS'] ?? '');
    return {
      config,
      loaded: { accounts, files: [...first, ...files], skipped, warnings: config.warnings, bypass },
    };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { findings: examineFaults(error.faults) };
  }
}

interface DoctorRun {
  config: Config;
  wanted: Wanted;
  show: Show;
}

async function examineLive(options: DoctorOptions, live: DoctorRun): Promise<Finding[]> {
  const { config, wanted, show } = live;
  const clients = createClients();
  const confined = createClients({ confinement: { allows: allowsAddress(config.allowPrivateUrls) } });
  const log = createLog({ level: 'silent', format: 'json' });
  const opening = openingOf(options, config);
  const { clock } = opening;
  const { sleep } = clock;
  let redis: Redis | null = null;
  const further: FurtherRedis[] = [];
  let { webhookBase } = wanted;
  const checks: Check[] = [
    { subject: nameOf(config, 0), limitMs, run: () => openRedis(opening, (opened) => (redis = opened)) },
    ...openFurther(config, (opened) => further.push(opened)),
    {
      subject: 'webhook',
      limitMs,
      run: () => openWebhook(clients.bot.send, config, (base) => (webhookBase = base)),
    },
  ];
  try {
    // The last is not needed where the URL was given.
    const opened = await runChecks(webhookBase === null ? checks : checks.slice(0, -1), { sleep, show });
    const parts = { config, wanted, clients, confined, clock, log, redis, further, webhookBase };
    const found = await runChecks([...createChecks(parts), ...componentChecks(parts)], { sleep, show });
    return [...opened, ...found, ...(await examineRecords(parts, { sleep, show }))];
  } finally {
    [clients, confined].forEach(closeClients);
    const all = [...(redis ? [redis] : []), ...further.map((each) => each.redis)];
    await Promise.all(all.map(closeConnection));
  }
}
