/** The configuration: environment and files in, one typed, checked and frozen value out. */
import type { z } from 'zod';
import { eventsName } from '../core/roster.ts';
import type { WechatComponent } from '../wechat/component/component.ts';
import { type Account, readAccount, tokenWarning } from './accounts.ts';
import {
  type ComponentCandidate,
  componentVariables,
  environmentComponent,
  readComponent,
} from './components.ts';
import { type Config, type Forward, isProduction, nameSettings } from './config.ts';
import { environmentCandidates, unknownVariables } from './environment.ts';
import { fileCandidates, type ReadFile, readFromDisk } from './files.ts';
import { forwardFields } from './schema.ts';
import { type Candidate, type Environment, readSettings, type Settings } from './settings.ts';
export { readAccount, tokenWarning, type Account } from './accounts.ts';
export type { Config, Forward } from './config.ts';

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
  const warnings = unknownVariables(environment, componentVariables);
  const read = bypass ? readForBypass(environment, warnings) : readSettings(environment);
  if ('faults' in read) faults.push(...read.faults);
  const folder = environment['CONFIG_DIR'] || undefined;
  const files = fileCandidates({ folder, environment, readFile, faults });
  const candidates = {
    accounts: [...environmentCandidates(environment), ...files.accounts],
    components: [...[environmentComponent(environment) ?? []].flat(), ...files.components],
  };
  const settings = 'settings' in read ? read.settings : null;
  const { accounts, components, forwards, skipped } = bypass
    ? { ...readForwards(candidates, faults), accounts: [], components: [] }
    : { ...readAll(candidates, settings, faults), forwards: null };
  if (settings === null || faults.length > 0) throw new ConfigError(faults);
  warnings.push(...accounts.flatMap((account) => tokenWarning(account) ?? []));
  const count = candidates.accounts.length + candidates.components.length;
  const none = count === 0 && settings.ACCOUNTS_KEY === undefined;
  const demo = settings.DEMO ?? (none && !bypass && !isProduction(settings));
  const fromEnvironment = candidates.accounts
    .filter(({ from }) => from === 'environment')
    .map(({ channel, name }) => `${channel}/${name}`);
  const here = { accounts, components, fromEnvironment };
  return deepFreeze({
    config: { ...nameSettings(settings), demo, bypass: forwards, ...here, warnings },
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

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}

/** All that somebody wrote down: what can be used, and what is skipped with the reason. */

/** An account of a file that could not be loaded; `account` is `channel/name`, of a third-party platform `component/name`. */
export interface Skipped {
  account: string;
  reason: string;
}

export interface Candidates {
  accounts: readonly Candidate[];
  components: readonly ComponentCandidate[];
}

type Served = { accounts: Account[]; components: WechatComponent[]; skipped: Skipped[] };

/** A fault of the environment is the whole configuration's; an account of a file is skipped, unless none is left and none can come at run time. */
function readAll(candidates: Candidates, settings: Settings | null, faults: string[]): Served {
  const limits = settings ?? { TYPING_CAP_MS: 0, REPLY_DEADLINE_MS: 0 };
  const all: Served = { accounts: [], components: [], skipped: [] };
  for (const candidate of candidates.accounts) {
    const { channel, name } = candidate;
    const twice = all.accounts.some((other) => channel === other.channel && name === other.name);
    const read = readAccount(candidate, limits);
    if ('account' in read && !twice) all.accounts.push(read.account);
    else refuse(candidate, `${channel}/${name}`, { twice, read, all, faults });
  }
  for (const candidate of candidates.components) {
    const twice = all.components.some(({ name }) => name === candidate.name);
    const read = readComponent(candidate, { cap: limits.TYPING_CAP_MS, deadline: limits.REPLY_DEADLINE_MS });
    if ('component' in read && !twice) all.components.push(read.component);
    else refuse(candidate, `component/${candidate.name}`, { twice, read, all, faults });
  }
  const comeLater = settings?.ACCOUNTS_KEY !== undefined;
  if (all.accounts.length + all.components.length === 0 && !comeLater)
    faults.push(...all.skipped.map(({ account, reason }) => `${account}: ${reason}`));
  return all;
}

interface Refusal {
  twice: boolean;
  read: object | { faults: string[] };
  all: Served;
  faults: string[];
}

function refuse(
  { from }: Pick<Candidate, 'from'>,
  account: string,
  { twice, read, all, faults }: Refusal,
): void {
  const found = 'faults' in read ? read.faults : [];
  if (twice) all.skipped.push({ account, reason: 'the environment defines an account of that name' });
  else if (from === 'environment') faults.push(...found);
  else all.skipped.push({ account, reason: found.join('; ') });
}

/** The panic switch must work: what else is wrong with an account is of no interest. */
function readForwards(candidates: Candidates, faults: string[]): { forwards: Forward[]; skipped: Skipped[] } {
  const forwards: Forward[] = [];
  const skipped: Skipped[] = [];
  for (const written of [
    ...candidates.accounts.map(ofAccount),
    ...candidates.components.flatMap(ofComponent),
  ]) {
    const { channel, account, botUrl, apiBase, label } = written;
    const read = forwardFields[channel].safeParse({ botUrl, apiBase });
    if (read.success) forwards.push({ channel, account, ...read.data });
    else
      skipped.push({
        account: `${channel}/${account}`,
        reason: read.error.issues.map((issue) => describe(issue, label)).join('; '),
      });
  }
  if (forwards.length === 0) {
    faults.push('BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL');
    faults.push(...skipped.map(({ reason }) => reason));
  }
  return { forwards, skipped };
}

interface WrittenForward extends Pick<Candidate, 'channel' | 'label'> {
  account: string;
  botUrl: unknown;
  apiBase: unknown;
}

function ofAccount({ channel, name: account, fields, label }: Candidate): WrittenForward {
  return { channel, account, botUrl: fields['botUrl'], apiBase: fields['apiBase'], label };
}

function ofComponent({ name, fields, label }: ComponentCandidate): WrittenForward[] {
  const template = fields['template'];
  const botUrl =
    typeof template === 'object' && template !== null && 'botUrl' in template ? template.botUrl : undefined;
  const shared = { channel: 'wechat', apiBase: fields['apiBase'] } as const;
  const ofTemplate = (field: string): string => label(field === 'botUrl' ? ['template', field] : [field]);
  const ofEvents = (field: string): string => label([field === 'botUrl' ? 'forwardUrl' : field]);
  return [
    { ...shared, account: `${name}.*`, botUrl, label: ofTemplate },
    { ...shared, account: eventsName(name), botUrl: fields['forwardUrl'], label: ofEvents },
  ];
}

function describe({ path, message }: z.core.$ZodIssue, label: Candidate['label']): string {
  return `${label(path.map(String).join('.'))} ${message}`;
}
