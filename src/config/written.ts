/** What somebody wrote down: accounts and third-party platforms in the environment, in default.json and in local.json. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isAccountName } from '../core/roster.ts';
import type { Fields } from '../core/wire.ts';
import type { Candidate } from './accounts.ts';
import { type Section, sections, type Variable, variablesOf } from './fields.ts';
import type { Environment } from './settings.ts';
import { about, asJsonSchema, variableOf } from './values.ts';

const all: readonly Section[] = ['wechat', 'nxcloud', 'component'];

/** Those that plain variables define, each named `default`. */
export function environmentCandidates(environment: Environment): Candidate[] {
  return all.flatMap((section) => {
    const set = variablesOf(section).filter(({ variable }) => (environment[variable] ?? '') !== '');
    if (!set.some(({ schema }) => about.get(schema)?.defines)) return [];
    const faults: string[] = [];
    const read = (variables: Variable[]): Fields =>
      Object.fromEntries(variables.map((one) => [one.field, readValue(one, environment, faults)]));
    const own = read(set.filter(({ inTemplate }) => !inTemplate));
    const template = read(set.filter(({ inTemplate }) => inTemplate));
    const fields = section === 'component' ? { ...own, template } : own;
    const label = (path: readonly string[]): string => {
      const [field = '', ...rest] = path[0] === 'template' ? path.slice(1) : path;
      return [variableOf(sections[section].prefix, field), ...rest].join('.');
    };
    return [{ section, name: 'default', from: 'environment', fields, faults, label }];
  });
}

/** What a file holds as a number or an object is JSON in a variable. */
function readValue({ variable, schema }: Variable, environment: Environment, faults: string[]): unknown {
  const text = environment[variable] ?? '';
  if (asJsonSchema(schema).type === 'string') return text;
  try {
    return JSON.parse(text);
  } catch {
    faults.push(`${variable} must be JSON`);
    return undefined;
  }
}

/** One line for each variable that looks like one of ours and is none. */
export function unknownVariables(environment: Environment): string[] {
  const known = new Set(all.flatMap(variablesOf).map(({ variable }) => variable));
  return Object.keys(environment)
    .filter((name) => /^(WECHAT|NXCLOUD)_/.test(name) && !known.has(name))
    .map((name) => `${name} is no setting of keeptyping: it has no effect.`);
}

const DEFAULT_FOLDER = 'config';

const byName = z
  .record(z.string(), z.record(z.string(), z.unknown(), { error: 'must be an object' }), {
    error: 'must be an object of accounts by name',
  })
  .default({});

const file = z.strictObject(
  {
    version: z.literal(1, { error: 'must be 1' }),
    accounts: z
      .strictObject({ wechat: byName, nxcloud: byName }, { error: 'must be an object' })
      .default({ wechat: {}, nxcloud: {} }),
    components: byName,
  },
  { error: 'must hold an object' },
);

type Written = Record<Section, Record<string, Fields>>;

/**
 * Those of both files, `local.json` over `default.json`, `${NAME}` filled in. A fault of one is kept with it; what makes
 * a file unreadable goes to `faults`.
 */
export function fileCandidates(options: {
  folder: string | undefined;
  environment: Environment;
  readFile: ReadFile;
  faults: string[];
}): Candidate[] {
  const { folder = DEFAULT_FOLDER, environment, readFile, faults } = options;
  const read = ['default.json', 'local.json'].map((name) =>
    readWritten(join(folder, name), readFile, faults),
  );
  if (options.folder !== undefined && read.every((written) => written === 'absent')) {
    faults.push('CONFIG_DIR names a folder with neither default.json nor local.json: add one, or unset it');
  }
  const [under = {}, over = {}] = read.map((written) => (written === 'absent' ? undefined : written));
  const merged = merge(under, over);
  return all.flatMap((section) =>
    entriesOf(merged[section]).map(([name, fields]) =>
      fromFile({ section, name, written: isObject(fields) ? fields : {}, environment }),
    ),
  );
}

function fromFile(one: {
  section: Section;
  name: string;
  written: Fields;
  environment: Environment;
}): Candidate {
  const { section, name, written, environment } = one;
  const faults: string[] = [];
  if (!isAccountName(name))
    faults.push('has a bad name: use at most 64 letters, digits, _ and -, the first a letter or a digit');
  const fields = withoutEmpty(fillIn(written, environment, faults));
  const place = section === 'component' ? `components.${name}` : `accounts.${section}.${name}`;
  return { section, name, from: 'files', fields, faults, label: (path) => [place, ...path].join('.') };
}

/** Also of the template within. */
function withoutEmpty(fields: Fields): Fields {
  const there = entriesOf(fields).filter(([, value]) => value !== '' && value !== null);
  return Object.fromEntries(
    there.map(([key, value]) => [key, key === 'template' && isObject(value) ? withoutEmpty(value) : value]),
  );
}

/** Puts the environment's values into the strings of a file; adds a fault for each that is not set. */
function fillIn(fields: Fields, environment: Environment, faults: string[]): Fields {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return fillText(value, environment, faults);
    if (Array.isArray(value)) return value.map(fill);
    return isObject(value) ? fillIn(value, environment, faults) : value;
  };
  return Object.fromEntries(entriesOf(fields).map(([key, value]) => [key, fill(value)]));
}

function fillText(text: string, environment: Environment, faults: string[]): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
    const value = environment[name];
    if (value === undefined) faults.push(`needs \${${name}}, which the environment does not set`);
    return value ?? reference;
  });
}

function readWritten(path: string, readFile: ReadFile, faults: string[]): Written | 'absent' | undefined {
  const text = readText(path, readFile, faults);
  if (text === null) return 'absent';
  const value = parseJson(text, path, faults);
  if (value === undefined) return undefined;
  const read = file.safeParse(value);
  if (read.success) return { ...read.data.accounts, component: read.data.components };
  for (const issue of read.error.issues) faults.push(`${path}: ${describe(issue)}`);
  return undefined;
}

function describe(issue: z.core.$ZodIssue): string {
  const place = issue.path.join('.');
  if (issue.code !== 'unrecognized_keys') return `${place} ${issue.message}`.trim();
  const named = [place, issue.keys.join(', ')].filter(Boolean).join('.');
  return `${named} is unknown: it holds version, accounts (of wechat and nxcloud) and components`;
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

function entriesOf(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value) : [];
}

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
