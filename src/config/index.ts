/** The configuration: environment and files in, one typed, checked and frozen value out. */
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';
import { eventsName } from '../core/roster.ts';
import {
  type Account,
  type Candidate,
  type Component,
  type Limits,
  readAccount,
  readComponent,
  tokenWarning,
} from './accounts.ts';
import { sections } from './fields.ts';
import {
  type Environment,
  isProduction,
  nameSettings,
  type ProcessConfig,
  readSettings,
  type Settings,
} from './settings.ts';
import {
  environmentCandidates,
  fileCandidates,
  type ReadFile,
  readFromDisk,
  unknownVariables,
} from './written.ts';
export { type Account, type Component, tokenWarning } from './accounts.ts';

export interface Config extends Omit<ProcessConfig, 'demo' | 'bypass'> {
  /** Asked for by `DEMO`; without a word of it, when no account is configured outside production. */
  demo: boolean;
  /** With `BYPASS=1` all there is: no accounts are read. Else null. */
  bypass: readonly Forward[] | null;
  accounts: readonly Account[];
  /** WeChat's third-party platforms. */
  components: readonly Component[];
  /** Those accounts that plain variables define, as `channel/name`; the others stand in files. */
  fromEnvironment: readonly string[];
  /** One sentence each, for the log. */
  warnings: readonly string[];
}

/** Where a plain forwarder sends an account's pushes. */
export interface Forward {
  channel: Channel;
  /** `<component>.*`: each account behind that third-party platform; its URL may hold `{appid}`. */
  account: string;
  /** null: its pushes go nowhere; the bot's own calls still pass the gateway. */
  botUrl: string | null;
  /** Where the gateway passes the bot's own calls on to. */
  apiBase: string;
}

/** An account of a file that could not be loaded; `account` is `channel/name`, of a third-party platform `component/name`. */
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
 * Loads the configuration; `files` are those that there were.
 * @throws ConfigError with all faults of the environment and of the files' syntax, or when none of the accounts loads.
 */
export function loadConfig(
  environment: Environment,
  readFile: ReadFile = readFromDisk,
): { config: Config; skipped: readonly Skipped[]; files: readonly string[] } {
  const files: string[] = [];
  const reading: ReadFile = (path) => {
    const text = readFile(path);
    if (text !== null) files.push(path);
    return text;
  };
  const isBypass = /^(1|true)$/.test(environment['BYPASS'] ?? '');
  const warnings = unknownVariables(environment);
  const faults: string[] = [];
  const settings = isBypass ? readForBypass(environment, { warnings, faults }) : readAll(environment, faults);
  const folder = environment['CONFIG_DIR'] || undefined;
  const candidates = [
    ...environmentCandidates(environment),
    ...fileCandidates({ folder, environment, readFile: reading, faults }),
  ];
  const { accounts, components, bypass, skipped } = isBypass
    ? { ...readForwards(candidates, faults), accounts: [], components: [] }
    : { ...understand(candidates, settings, faults), bypass: null };
  if (settings === null || faults.length > 0) throw new ConfigError(faults);
  warnings.push(...accounts.flatMap((account) => tokenWarning(account) ?? []));
  const none = candidates.length === 0 && settings.accountsKey === null;
  const demo =
    !isBypass && (settings.demo ?? ((none || settings.demoBotUrl !== null) && !isProduction(settings)));
  const fromEnvironment = candidates.flatMap(({ from, section, name }) =>
    from === 'environment' && section !== 'component' ? [`${section}/${name}`] : [],
  );
  const here = { demo, bypass, accounts, components, fromEnvironment, warnings };
  return deepFreeze({ config: { ...nameSettings(settings), ...here }, skipped, files });
}

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === 'object' && value !== null) Object.values(value).forEach(deepFreeze);
  return Object.freeze(value);
}

function readAll(environment: Environment, faults: string[]): Settings | null {
  const read = readSettings(environment);
  if ('settings' in read) return read.settings;
  faults.push(...read.faults.map(({ variable, is }) => `${variable} ${is}`));
  return null;
}

/** What the panic switch needs; a fault in any other variable must not stand in its way. */
const needed = ['port', 'host', 'logLevel', 'logFormat', 'nodeEnv', 'dyno', 'bypass'];

function readForBypass(
  environment: Environment,
  { warnings, faults }: { warnings: string[]; faults: string[] },
): Settings | null {
  const whole = readSettings(environment);
  if ('settings' in whole) return whole.settings;
  warnings.push(...whole.faults.map(({ variable, is }) => `Ignored, as BYPASS is set: ${variable} ${is}`));
  const harmful = whole.faults.filter(({ field }) => !needed.includes(field));
  const without = Object.fromEntries(harmful.map(({ variable }) => [variable, undefined]));
  return readAll({ ...environment, ...without }, faults);
}

interface Understood {
  accounts: Account[];
  components: Component[];
  skipped: Skipped[];
}

/** A fault of the environment is the whole configuration's; an account of a file is skipped, unless none is left and none can come at run time. */
function understand(
  candidates: readonly Candidate[],
  settings: Settings | null,
  faults: string[],
): Understood {
  const limits = { cap: settings?.typingCapMs ?? 0, deadline: settings?.replyDeadlineMs ?? 0 };
  const all: Understood = { accounts: [], components: [], skipped: [] };
  const loaded = new Set<string>();
  for (const candidate of candidates) {
    const account = `${candidate.section}/${candidate.name}`;
    const read = readEither(candidate, limits);
    const found = 'faults' in read ? read.faults : [];
    if (loaded.has(account))
      all.skipped.push({ account, reason: 'the environment defines an account of that name' });
    else if ('account' in read) all.accounts.push(read.account);
    else if ('component' in read) all.components.push(read.component);
    else if (candidate.from === 'environment') faults.push(...found);
    else all.skipped.push({ account, reason: found.join('; ') });
    if (found.length === 0) loaded.add(account);
  }
  const comeLater = settings !== null && settings.accountsKey !== null;
  if (loaded.size === 0 && !comeLater)
    faults.push(...all.skipped.map(({ account, reason }) => `${account}: ${reason}`));
  return all;
}

function readEither(candidate: Candidate, limits: Limits) {
  const { section } = candidate;
  return section === 'component' ? readComponent(candidate, limits) : readAccount(section, candidate, limits);
}

/** The panic switch must work: what else is wrong with an account is of no interest. */
function readForwards(
  candidates: readonly Candidate[],
  faults: string[],
): { bypass: Forward[]; skipped: Skipped[] } {
  const bypass: Forward[] = [];
  const skipped: Skipped[] = [];
  for (const { channel, account, fields, label } of candidates.flatMap(forwardsOf)) {
    const { botUrl, apiBase } = sections[channel].schema.shape;
    const read = z.object({ botUrl, apiBase }).safeParse(fields);
    if (read.success) bypass.push({ channel, account, ...read.data });
    else {
      const found = read.error.issues.map(({ path, message }) => `${label(path.join('.'))} ${message}`);
      skipped.push({ account: `${channel}/${account}`, reason: found.join('; ') });
    }
  }
  if (bypass.length === 0) {
    faults.push('BYPASS needs a bot to forward to: set WECHAT_BOT_URL or NXCLOUD_BOT_URL');
    faults.push(...skipped.map(({ reason }) => reason));
  }
  return { bypass, skipped };
}

interface WrittenForward {
  channel: Channel;
  account: string;
  fields: { botUrl: unknown; apiBase: unknown };
  label: (field: string) => string;
}

/** Behind a third-party platform its accounts' pushes, and its own events. */
function forwardsOf({ section, name, fields, label }: Candidate): WrittenForward[] {
  const { botUrl, apiBase, forwardUrl, template } = fields;
  if (section !== 'component')
    return [
      { channel: section, account: name, fields: { botUrl, apiBase }, label: (field) => label([field]) },
    ];
  const ofTemplate =
    typeof template === 'object' && template !== null && 'botUrl' in template ? template.botUrl : undefined;
  const labelOf = (path: readonly string[]) => (field: string) => label(field === 'botUrl' ? path : [field]);
  return [
    {
      channel: 'wechat',
      account: `${name}.*`,
      fields: { botUrl: ofTemplate, apiBase },
      label: labelOf(['template', 'botUrl']),
    },
    {
      channel: 'wechat',
      account: eventsName(name),
      fields: { botUrl: forwardUrl, apiBase },
      label: labelOf(['forwardUrl']),
    },
  ];
}
