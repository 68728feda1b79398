/** The configuration: environment and files in, one typed, checked and frozen value out. */
import { tokenWarning } from './accounts.ts';
import { componentVariables, environmentComponent } from './components.ts';
import { isProduction, nameSettings, type Config } from './config.ts';
import { environmentCandidates, unknownVariables } from './environment.ts';
import { fileCandidates } from './files.ts';
import { readFromDisk, type ReadFile } from './json-file.ts';
import { readAll, readForwards, type Skipped } from './read-all.ts';
import { readSettings, type Environment } from './settings.ts';

export { readAccount, tokenWarning, type Account } from './accounts.ts';
export type { Config, Forward } from './config.ts';
export type { Skipped } from './read-all.ts';

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
