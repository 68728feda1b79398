/** The accounts of `default.json` and `local.json`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';
import { isAccountName } from '../core/served.ts';
import type { Candidate, Fields } from './candidate.ts';
import { fillIn } from './environment.ts';
import type { Environment } from './settings.ts';

/** The text of a file; null when there is none. Throws when it cannot be read. */
export type ReadFile = (path: string) => string | null;

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
  },
  { error: 'must hold an object' },
);

type Accounts = z.infer<typeof file>['accounts'];

/** What the disk holds. */
export function readFromDisk(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
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
}): Candidate[] {
  const { folder = DEFAULT_FOLDER, environment, faults } = options;
  const read = ['default.json', 'local.json'].map((name) =>
    readAccounts(join(folder, name), options.readFile, faults),
  );
  if (options.folder !== undefined && read.every((accounts) => accounts === 'absent')) {
    faults.push('CONFIG_DIR names a folder with neither default.json nor local.json: add one, or unset it');
  }
  const [first, second] = read.map((accounts) => (accounts === 'absent' ? undefined : accounts));
  const channels: readonly Channel[] = ['wechat', 'nxcloud'];
  return channels.flatMap((channel) => {
    const merged = merge(first?.[channel] ?? {}, second?.[channel] ?? {});
    return Object.entries(merged).map(([name, fields]) =>
      candidateOf({ channel, name, written: isObject(fields) ? fields : {}, environment }),
    );
  });
}

function candidateOf(options: {
  channel: Channel;
  name: string;
  written: Fields;
  environment: Environment;
}): Candidate {
  const { channel, name } = options;
  const faults: string[] = [];
  const place = `accounts.${channel}.${name}`;
  if (!isAccountName(name)) faults.push('has a bad name: use at most 64 letters, digits, _ and -');
  const filled = Object.entries(fillIn(options.written, options.environment, faults));
  const fields = Object.fromEntries(filled.filter(([, value]) => value !== '' && value !== null));
  return { channel, name, from: 'files', fields, faults, label: (field) => `${place}.${field}` };
}

function readAccounts(path: string, readFile: ReadFile, faults: string[]): Accounts | 'absent' | undefined {
  const text = readText(path, readFile, faults);
  if (text === null) return 'absent';
  const value = parseJson(text, path, faults);
  if (value === undefined) return undefined;
  const read = file.safeParse(value);
  if (read.success) return read.data.accounts;
  for (const issue of read.error.issues) faults.push(`${path}: ${describe(issue)}`);
  return undefined;
}

function describe(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.');
  if (issue.code === 'unrecognized_keys') {
    return `${[place, issue.keys.join(', ')].filter(Boolean).join('.')} is unknown: it holds version and accounts, and those wechat and nxcloud`;
  }
  return `${place} ${issue.message}`.trim();
}

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
