/** The account that the environment defines by plain variables, `default`, and `${NAME}` in files. */
import type { Channel } from '../core/platform.ts';
import { nxcloudFields, wechatFields } from './schema.ts';
import type { Candidate, Environment, Fields } from './settings.ts';

/** Fields whose presence says that there is to be an account; the others only shape it. */
const DEFINING: Record<Channel, readonly string[]> = {
  wechat: ['appId', 'appSecret', 'token', 'encodingAesKey', 'accessTokenUrl', 'botUrl'],
  nxcloud: ['accessKey', 'accessSecret', 'appKey', 'businessPhone', 'botUrl'],
};

const FIELDS: Record<Channel, readonly string[]> = {
  wechat: Object.keys(wechatFields.shape),
  nxcloud: Object.keys(nxcloudFields.shape),
};

const CHANNELS: readonly Channel[] = ['wechat', 'nxcloud'];

/** `WECHAT_APP_ID` for `appId` of wechat. */
export function variableOf(channel: Channel, field: string): string {
  const words = field.replace(/[A-Z]/g, (capital) => `_${capital}`);
  return `${channel}_${words}`.toUpperCase();
}

/** The accounts named `default` for which at least one defining variable is set. */
export function environmentCandidates(environment: Environment): Candidate[] {
  return CHANNELS.flatMap((channel) => {
    const value = (field: string): string => environment[variableOf(channel, field)] ?? '';
    if (!DEFINING[channel].some((field) => value(field) !== '')) return [];
    const faults: string[] = [];
    const set = FIELDS[channel].filter((field) => value(field) !== '');
    const fields = Object.fromEntries(
      set.map((field) => [field, readValue(value(field), variableOf(channel, field), faults)]),
    );
    const label = (field: string): string => variableOf(channel, field);
    return [{ channel, name: 'default', from: 'environment' as const, fields, faults, label }];
  });
}

const NOT_TEXT = /_(RULES|STARTS|START_DELAY_MS|REPLY_CONCURRENCY|INTERIM|CUSTOM_SEND|MINIS)$/;

/** What a file holds as a number or an object is JSON in a variable. */
export function readValue(text: string, variable: string, faults: string[]): unknown {
  if (!NOT_TEXT.test(variable)) return text;
  try {
    return JSON.parse(text);
  } catch {
    faults.push(`${variable} must be JSON`);
    return undefined;
  }
}

/** One line for each variable that looks like one of ours and is none; `others`: what is ours too. */
export function unknownVariables(environment: Environment, others: readonly string[]): string[] {
  const known = new Set([
    ...CHANNELS.flatMap((channel) => FIELDS[channel].map((field) => variableOf(channel, field))),
    ...others,
  ]);
  return Object.keys(environment)
    .filter((name) => /^(WECHAT|NXCLOUD)_/.test(name) && !known.has(name))
    .map((name) => `${name} is no setting of keeptyping: it has no effect.`);
}

/** Puts the environment's values into the strings of a file; adds a fault for each that is not set. */
export function fillIn(fields: Fields, environment: Environment, faults: string[]): Fields {
  const fill = (value: unknown): unknown => {
    if (typeof value === 'string') return fillText(value, environment, faults);
    if (Array.isArray(value)) return value.map(fill);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner)]));
  };
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, fill(value)]));
}

function fillText(text: string, environment: Environment, faults: string[]): string {
  return text.replace(/\$\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (reference, name: string) => {
    const value = environment[name];
    if (value === undefined) faults.push(`needs \${${name}}, which the environment does not set`);
    return value ?? reference;
  });
}
