/** The accounts and the third-party platforms of `default.json` and `local.json`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';
import { isAccountName } from '../core/roster.ts';
import type { ComponentCandidate } from './components.ts';
import { fillIn } from './environment.ts';
import type { Candidate, Environment, Fields } from './settings.ts';

const DEFAULT_FOLDER = 'config';

const accountsByName = z
  .record(z.string(), z.record(z.string(), z.unknown(), { error: 'must be an object' }), {
    error: 'must be an object of accounts by name',
  })
  .default({});

const file = z.strictObject(
  {
    version: z.literal(1, { error: 'must be 1' }),
    accounts: z
      .strictObject({ wechat: accountsByName, nxcloud: accountsByName }, { error: 'must be an object' })
      .default({ wechat: {}, nxcloud: {} }),
    components: accountsByName,
  },
  { error: 'must hold an object' },
);

type Written = Record<Channel | 'components', Record<string, Fields>>;

/** What both files define. */
export interface FileCandidates {
  accounts: Candidate[];
  components: ComponentCandidate[];
}

/**
 * The accounts of both files, `local.json` over `default.json`, `${NAME}` filled in. A fault of one account is kept
 * with it; what makes a file unreadable goes to `faults`.
 */
export function fileCandidates(options: {
  folder: string | undefined;
  environment: Environment;
  readFile: ReadFile;
  faults: string[];
}): FileCandidates {
  const { folder = DEFAULT_FOLDER, environment, faults } = options;
  const read = ['default.json', 'local.json'].map((name) =>
    readAccounts(join(folder, name), options.readFile, faults),
  );
  if (options.folder !== undefined && read.every((accounts) => accounts === 'absent')) {
    faults.push('CONFIG_DIR names a folder with neither default.json nor local.json: add one, or unset it');
  }
  const [first, second] = read.map((accounts) => (accounts === 'absent' ? undefined : accounts));
  const filled = (section: keyof Written): Filled[] =>
    Object.entries(merge(first?.[section] ?? {}, second?.[section] ?? {})).map(([name, fields]) =>
      fill({ name, written: isObject(fields) ? fields : {}, environment }),
    );
  const channels: readonly Channel[] = ['wechat', 'nxcloud'];
  return {
    accounts: channels.flatMap((channel) =>
      filled(channel).map((one) => {
        const label = (field: string): string => `accounts.${channel}.${one.name}.${field}`;
        return { ...one, channel, label };
      }),
    ),
    components: filled('components').map((one) => {
      const label = (path: readonly string[]): string => ['components', one.name, ...path].join('.');
      return { ...one, label };
    }),
  };
}

type Filled = Pick<Candidate, 'name' | 'from' | 'fields' | 'faults'>;

function fill(options: { name: string; written: Fields; environment: Environment }): Filled {
  const faults: string[] = [];
  if (!isAccountName(options.name))
    faults.push('has a bad name: use at most 64 letters, digits, _ and -, the first a letter or a digit');
  const fields = present(fillIn(options.written, options.environment, faults));
  return { name: options.name, from: 'files', fields, faults };
}

/** Without the empty ones, also of the template within. */
function present(fields: Fields): Fields {
  const there = Object.entries(fields).filter(([, value]) => value !== '' && value !== null);
  return Object.fromEntries(
    there.map(([key, value]) => [key, key === 'template' && isObject(value) ? present(value) : value]),
  );
}

function readAccounts(path: string, readFile: ReadFile, faults: string[]): Written | 'absent' | undefined {
  const text = readText(path, readFile, faults);
  if (text === null) return 'absent';
  const value = parseJson(text, path, faults);
  if (value === undefined) return undefined;
  const read = file.safeParse(value);
  if (read.success) return { ...read.data.accounts, components: read.data.components };
  for (const issue of read.error.issues) faults.push(`${path}: ${describe(issue)}`);
  return undefined;
}

function describe(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return `${[place, issue.keys.join(', ')].filter(Boolean).join('.')} is unknown: it holds version, accounts (of wechat and nxcloud) and components`;
  }
  return `${place} ${issue.message}`.trim();
}

function merge(under: Fields, over: Fields): Fields {
  const merged = new Map(Object.entries(under));
  for (const [key, value] of Object.entries(over)) {
    const below = merged.get(key);
    merged.set(key, isObject(below) && isObject(value) ? merge(below, value) : value);
  }
  return Object.fromEntries(merged);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** One file of the configuration, as far as it is JSON. */

/** The text of a file; null when there is none. Throws when it cannot be read. */
export type ReadFile = (path: string) => string | null;

/** What the disk holds. */
export function readFromDisk(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** The file's text; null when there is none. A fault when it cannot be read. */
function readText(path: string, readFile: ReadFile, faults: string[]): string | null {
  try {
    return readFile(path);
  } catch {
    faults.push(`${path}: cannot be read: let this user read it`);
    return '{"version":1}';
  }
}

/** The parser's own words may quote the file, secrets included: only the place is taken from them. */
function parseJson(text: string, path: string, faults: string[]): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const position = /position (\d+)/.exec(String(error))?.[1];
    const line =
      position === undefined ? '' : ` (line ${text.slice(0, Number(position)).split('\n').length})`;
    faults.push(`${path}: is not JSON${line}: mend it or remove it`);
    return undefined;
  }
}
