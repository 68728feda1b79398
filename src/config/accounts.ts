/** From what somebody wrote down to the accounts and third-party platforms that the adapters take, and back. */
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';
import type { Rules } from '../core/rules.ts';
import type { Fields } from '../core/wire.ts';
import {
  componentFields,
  nxcloudFields,
  type Section,
  sections,
  templateFields,
  wechatFields,
} from './fields.ts';
import { about, asJsonSchema, present } from './values.ts';

/** One as somebody wrote it down, not yet checked. */
export interface Candidate {
  section: Section;
  name: string;
  from: 'environment' | 'files' | 'record';
  /** Without the empty ones. */
  fields: Fields;
  /** What was found wrong on the way here. */
  faults: readonly string[];
  /** What a fault calls a field: the variable's name, or the place in the files. */
  label: (path: readonly string[]) => string;
}

/** What the process's settings say of each. */
export type Limits = Pick<Rules, 'cap' | 'deadline'>;

/** All that is wrong with one: a sentence each, by the field's name, without any value. */
type Faults = { faults: string[] };

export type Account = WechatSettings | NxcloudSettings;
type WechatSettings = ReturnType<typeof toWechat>;
type NxcloudSettings = ReturnType<typeof toNxcloud>;
export type Component = ReturnType<typeof toComponent>;

export function readAccount(
  channel: Channel,
  candidate: Candidate,
  limits: Limits,
): { account: Account } | Faults {
  const { name } = candidate;
  if (channel === 'wechat') {
    const read = parse(wechatFields, candidate);
    return 'faults' in read ? read : { account: toWechat(name, read.fields, limits) };
  }
  const read = parse(nxcloudFields, candidate);
  return 'faults' in read ? read : { account: toNxcloud(name, read.fields, limits) };
}

export function readComponent(candidate: Candidate, limits: Limits): { component: Component } | Faults {
  const { name, fields, label, faults } = candidate;
  const read = parse(componentFields, candidate);
  if ('appSecret' in fields || 'authorizerTokenUrl' in fields)
    return 'faults' in read ? read : { component: toComponent(name, read.fields, limits) };
  const missing = `${label(['appSecret'])} is missing: set it, or ${label(['authorizerTokenUrl'])}`;
  return { faults: [...('faults' in read ? read.faults : faults), missing] };
}

function parse<Schema extends z.ZodObject>(
  schema: Schema,
  candidate: Candidate,
): { fields: z.output<Schema> } | Faults {
  const read = schema.safeParse(candidate.fields);
  const found = read.success ? [] : read.error.issues.map((issue) => describe(issue, candidate));
  const faults = [...candidate.faults, ...found];
  return read.success && faults.length === 0 ? { fields: read.data } : { faults };
}

function describe(issue: z.core.$ZodIssue, { section, label }: Candidate): string {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys') return `${label(path)} ${issue.message}`;
  const names = issue.keys.map((key) => label([...path, key])).join(' and ');
  const isRule = section !== 'component' && path.length > 0;
  const [noun, rest] = isRule ? ['rule', 'that can be set'] : ['field', `of ${sections[section].called}`];
  return issue.keys.length > 1 ? `${names} are no ${noun}s ${rest}` : `${names} is no ${noun} ${rest}`;
}

function toWechat(name: string, fields: z.output<typeof wechatFields>, limits: Limits) {
  const { token, tokenPrevious, encodingAesKey, encodingAesKeyPrevious, ...rest } = fields;
  return {
    channel: 'wechat' as const,
    name,
    tokens: present(token, tokenPrevious),
    encodingAesKeys: present(encodingAesKey, encodingAesKeyPrevious),
    ...withRules(rest, limits),
  };
}

function toNxcloud(name: string, fields: z.output<typeof nxcloudFields>, limits: Limits) {
  const { accessSecret, accessSecretPrevious, ...rest } = fields;
  return {
    channel: 'nxcloud' as const,
    name,
    accessSecrets: present(accessSecret, accessSecretPrevious),
    ...withRules(rest, limits),
  };
}

function toComponent(name: string, fields: z.output<typeof componentFields>, limits: Limits) {
  const { token, tokenPrevious, encodingAesKey, encodingAesKeyPrevious, template, ...rest } = fields;
  return {
    name,
    tokens: present(token, tokenPrevious),
    encodingAesKeys: present(encodingAesKey, encodingAesKeyPrevious),
    ...rest,
    template: withRules(template, limits),
  };
}

type Ruled = Pick<z.output<typeof templateFields>, 'typing' | 'sendEnds' | 'startDelayMs' | 'rules'>;

/** What an account says of the platform's rules, in one. */
function withRules<Of extends Ruled>(fields: Of, limits: Limits) {
  const { typing: mode, sendEnds, startDelayMs, rules: own, ...rest } = fields;
  const startDelay = startDelayMs === undefined ? {} : { startDelay: startDelayMs };
  const rules: Partial<Rules> = { mode, sendEnds, ...limits, ...startDelay, ...own };
  return { ...rest, rules };
}

/** What an account lacks that loads all the same: a sentence for the log; null: nothing. */
export function tokenWarning(account: Account): string | null {
  const hasToken =
    account.channel !== 'wechat' || account.appSecret !== null || account.accessTokenUrl !== null;
  const name = `${account.channel}/${account.name}`;
  return hasToken ? null : `${name}: appSecret and accessTokenUrl are unset: no typing and no late answers.`;
}

/** Accounts that are set while keeptyping runs: the same fields as in a file, and what may be said of them. */

function namesWhere({ shape }: z.ZodObject, is: (field: z.ZodType) => boolean): readonly string[] {
  return Object.entries(shape).flatMap(([name, field]) => (is(field) ? [name] : []));
}

function isSecret(field: z.ZodType): boolean {
  return about.get(field)?.secret === true;
}

function ofEach<Value>(of: (schema: z.ZodObject) => Value): Record<Channel, Value> {
  return { wechat: of(wechatFields), nxcloud: of(nxcloudFields) };
}

/** Nobody is told these again, and an update need not repeat them. */
export const secretFields = ofEach((schema) => namesWhere(schema, isSecret));

/** Those that lead somewhere. */
export const urlFields = ofEach((schema) =>
  namesWhere(schema, (field) => asJsonSchema(field).format === 'uri'),
);

/** URLs may hold a password, or a key in their query: they too are closed where they are kept. */
export const sealedFields = {
  wechat: [...new Set([...secretFields.wechat, ...urlFields.wechat])],
  nxcloud: [...new Set([...secretFields.nxcloud, ...urlFields.nxcloud])],
};

/** Names in a request may be of any length. */
const longestLabel = 60;

/** The account of these fields, or all that is wrong with them: a sentence each, by the field's name. */
export function readRuntimeAccount(
  { channel, name, fields }: { channel: Channel; name: string; fields: Fields },
  { replyDeadlineMs: deadline, typingCapMs: cap }: { replyDeadlineMs: number; typingCapMs: number },
): ReturnType<typeof readAccount> {
  const candidate = { section: channel, name, from: 'record', fields, faults: [], label } as const;
  return readAccount(channel, candidate, { cap, deadline });
}

function label(path: readonly string[]): string {
  return path.map((part) => part.slice(0, longestLabel)).join('.');
}

/** What may be sent, for whoever describes it: secrets may be left out, where they are stored, or null. */
export const runtimeFields = ofEach(({ shape }) =>
  z.strictObject(
    Object.fromEntries(
      Object.entries(shape).map(([name, field]) => {
        const taken = isSecret(field) ? z.string().nullable().optional() : field;
        return [name, taken.describe(about.get(field)?.en ?? '')];
      }),
    ),
  ),
);

/** An account without its secrets: the fields that a file would have for it, and which secrets are set. */
export function describeAccount(account: Account): {
  fields: Record<string, unknown>;
  secrets: Record<string, 'set' | 'unset'>;
} {
  const { channel } = account;
  const written = withoutNull(fieldsOf(account));
  const isUrl = (name: string): boolean => urlFields[channel].includes(name);
  const open = Object.keys(sections[channel].schema.shape).filter(
    (name) => name in written && !secretFields[channel].includes(name),
  );
  return {
    fields: Object.fromEntries(
      open.map((name) => [name, isUrl(name) ? bareUrl(String(written[name])) : written[name]]),
    ),
    secrets: Object.fromEntries(
      secretFields[channel].map((name) => [name, name in written ? 'set' : 'unset']),
    ),
  };
}

/** As a file would have them. */
function fieldsOf(account: Account): object {
  const { mode: typing, sendEnds, ...rules } = account.rules;
  const all = { ...account, typing, sendEnds, rules };
  if (account.channel === 'nxcloud') {
    const [accessSecret = null, accessSecretPrevious = null] = account.accessSecrets;
    return { ...all, accessSecret, accessSecretPrevious };
  }
  const { interim, customSend } = account;
  const [token = null, tokenPrevious = null] = account.tokens;
  const [encodingAesKey = null, encodingAesKeyPrevious = null] = account.encodingAesKeys;
  return {
    ...all,
    token,
    tokenPrevious,
    encodingAesKey,
    encodingAesKeyPrevious,
    interim:
      interim && withoutNull({ ...interim, after: interim.after === null ? null : interim.after / 1000 }),
    customSend: withoutNull(customSend),
  };
}

/** Without user, password and query. */
function bareUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname === '/' ? '' : pathname}`;
}

function withoutNull(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
