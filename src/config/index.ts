/** The configuration: environment and files in, one typed, checked and frozen value out. */
import type { z } from 'zod';
import { readAccount, type Account } from './accounts.ts';
import type { Candidate } from './candidate.ts';
import { isProduction, nameSettings, type Config, type Forward } from './config.ts';
import { environmentCandidates, unknownVariables } from './environment.ts';
import { fileCandidates, readFromDisk, type ReadFile } from './files.ts';
import { forwardFields } from './schema.ts';
import { readSettings, type Environment, type Settings } from './settings.ts';

export { readAccount, type Account } from './accounts.ts';
export type { Config, Forward } from './config.ts';

/** An account of a file that could not be loaded; `account` is `channel/name`. */
export interface Skipped {
  account: string;
  reason: string;
}

/** The configuration cannot be used. The message lists every fault, one a line, by name and without any value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(['The configuration has faults:', ...faults.map((fault) => `- ${fault}`)].join('\n'));
    this.faults = faults;
  }
}

/**
 * Loads the configuration.
 * @throws ConfigError with all faults of the environment and of the files' syntax, or when none of the accounts loads.
 */
export function loadConfig(
  environment: Environment,
  readFile: ReadFile = readFromDisk,
): { config: Config; skipped: readonly Skipped[] } {
  const faults: string[] = [];
  const bypass = /^(1|true)$/.test(environment['BYPASS'] ?? '');
  const warnings = unknownVariables(environment);
  const read = bypass ? readForBypass(environment, warnings) : readSettings(environment);
  if ('faults' in read) faults.push(...read.faults);
  const candidates = [
    ...environmentCandidates(environment),
    ...fileCandidates({ folder: environment['CONFIG_DIR'] || undefined, environment, readFile, faults }),
  ];
  const settings = 'settings' in read ? read.settings : null;
  const { accounts, forwards, skipped } = bypass
    ? { ...readForwards(candidates, faults), accounts: [] }
    : { ...readAccounts(candidates, settings, faults), forwards: null };
  if (settings === null || faults.length > 0) throw new ConfigError(faults);
  const none = candidates.length === 0 && settings.ACCOUNTS_KEY === undefined;
  const demo = settings.DEMO ?? (none && !bypass && !isProduction(settings));
  const fromEnvironment = candidates.filter(({ from }) => from === 'environment').map(idOf);
  return deepFreeze({
    config: { ...nameSettings(settings), demo, bypass: forwards, accounts, fromEnvironment, warnings },
    skipped,
  });
}

/** What the panic switch needs; a fault in any other variable must not stand in its way. */
const needed: readonly string[] = ['PORT', 'HOST', 'LOG_LEVEL', 'LOG_FORMAT', 'NODE_ENV', 'DYNO', 'BYPASS'];

function readForBypass(environment: Environment, warnings: string[]): ReturnType<typeof readSettings> {
  const whole = readSettings(environment);
  if (!('faults' in whole)) return whole;
  warnings.push(...whole.faults.map((fault) => `Ignored, as BYPASS is set: ${fault}`));
  const faulty = whole.faults.map((fault) => fault.slice(0, fault.indexOf(' ')));
  const harmless = Object.entries(environment).filter(
    ([name]) => needed.includes(name) || !faulty.includes(name),
  );
  return readSettings(Object.fromEntries(harmless));
}

/**
 * A fault of the environment is the whole configuration's; an account of a file is skipped, unless none is left, and
 * none can come at run time.
 */
function readAccounts(
  candidates: readonly Candidate[],
  settings: Settings | null,
  faults: string[],
): { accounts: Account[]; skipped: Skipped[] } {
  const accounts: Account[] = [];
  const skipped: Skipped[] = [];
  const limits = settings ?? { TYPING_CAP_MS: 0, REPLY_DEADLINE_MS: 0 };
  for (const candidate of candidates) {
    const read = readAccount(candidate, limits);
    const twice = accounts.some(
      ({ channel, name }) => channel === candidate.channel && name === candidate.name,
    );
    if (twice) skipped.push(skip(candidate, ['the environment defines an account of that name']));
    else if ('account' in read) accounts.push(read.account);
    else if (candidate.from === 'environment') faults.push(...read.faults);
    else skipped.push(skip(candidate, read.faults));
  }
  const comeLater = settings?.ACCOUNTS_KEY !== undefined;
  if (accounts.length === 0 && !comeLater)
    faults.push(...skipped.map(({ account, reason }) => `${account}: ${reason}`));
  return { accounts, skipped };
}

function skip(candidate: Candidate, faults: readonly string[]): Skipped {
  return { account: idOf(candidate), reason: faults.join('; ') };
}

function idOf({ channel, name }: Pick<Candidate, 'channel' | 'name'>): string {
  return `${channel}/${name}`;
}

/** The panic switch must work: what else is wrong with an account is of no interest. */
function readForwards(
  candidates: readonly Candidate[],
  faults: string[],
): { forwards: Forward[]; skipped: Skipped[] } {
  const forwards: Forward[] = [];
  const skipped: Skipped[] = [];
  for (const candidate of candidates) {
    const { channel, name: account, fields } = candidate;
    const read = forwardFields[channel].safeParse({ botUrl: fields['botUrl'], apiBase: fields['apiBase'] });
    if (read.success) forwards.push({ channel, account, ...read.data });
    else
      skipped.push(
        skip(
          candidate,
          read.error.issues.map((issue) => describeForward(issue, candidate)),
        ),
      );
  }
  if (forwards.length === 0) {
    faults.push('BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL');
    faults.push(...skipped.map(({ reason }) => reason));
  }
  return { forwards, skipped };
}

function describeForward({ path, message }: z.core.$ZodIssue, { label }: Candidate): string {
  return `${label(path.map(String).join('.'))} ${message}`;
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}
