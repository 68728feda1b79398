/** From what somebody wrote down to the account that the adapters take. */
import type { z } from 'zod';
import type { Rules } from '../core/rules.ts';
import type { NxcloudAccount } from '../nxcloud/account.ts';
import type { WechatAccount } from '../wechat/account.ts';
import { nxcloudFields, wechatFields } from './schema.ts';
import type { Candidate, Settings } from './settings.ts';

export type Account = WechatAccount | NxcloudAccount;

/** The account, or all that is wrong with it: a sentence each, by the field's name, without any value. */
export function readAccount(
  candidate: Candidate,
  settings: Pick<Settings, 'TYPING_CAP_MS' | 'REPLY_DEADLINE_MS'>,
): { account: Account } | { faults: string[] } {
  const read =
    candidate.channel === 'wechat'
      ? wechatFields.safeParse(candidate.fields)
      : nxcloudFields.safeParse(candidate.fields);
  const found = read.success ? [] : read.error.issues.map((issue) => describe(issue, candidate));
  const faults = [...candidate.faults, ...found];
  if (!read.success || faults.length > 0) return { faults };
  const limits = { cap: settings.TYPING_CAP_MS, deadline: settings.REPLY_DEADLINE_MS };
  return { account: build(candidate.name, read.data, limits) };
}

function describe(issue: z.core.$ZodIssue, { label }: Candidate): string {
  const [field, ...rest] = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys')
    return `${[label(field ?? ''), ...rest].join('.')} ${issue.message}`;
  if (field === undefined) return noFields(issue.keys.map(label), 'an account');
  const names = issue.keys.map((key) => `${label(field)}.${key}`);
  return `${names.join(' and ')} ${names.length > 1 ? 'are no rules' : 'is no rule'} that can be set`;
}

/** What an account lacks that loads all the same: a sentence for the log; null: nothing. */
export function tokenWarning(account: Account): string | null {
  const hasToken =
    account.channel !== 'wechat' || account.appSecret !== null || account.accessTokenUrl !== null;
  const name = `${account.channel}/${account.name}`;
  return hasToken ? null : `${name}: appSecret and accessTokenUrl are unset: no typing and no late answers.`;
}

export function noFields(names: readonly string[], of: string): string {
  return `${names.join(' and ')} ${names.length > 1 ? 'are no fields' : 'is no field'} of ${of}`;
}

type WechatFields = z.infer<typeof wechatFields>;
type NxcloudFields = z.infer<typeof nxcloudFields>;
export type Limits = Pick<Rules, 'cap' | 'deadline'>;

function build(name: string, fields: WechatFields | NxcloudFields, limits: Limits): Account {
  return 'token' in fields ? buildWechat(name, fields, limits) : buildNxcloud(name, fields, limits);
}

function buildWechat(name: string, fields: WechatFields, limits: Limits): WechatAccount {
  return {
    channel: 'wechat',
    name,
    appId: fields.appId,
    appSecret: fields.appSecret ?? null,
    tokens: present(fields.token, fields.tokenPrevious),
    encodingAesKeys: present(fields.encodingAesKey, fields.encodingAesKeyPrevious),
    kind: fields.kind,
    accessTokenUrl: fields.accessTokenUrl ?? null,
    typingPath: fields.typingPath ?? null,
    interim: readInterim(fields.interim),
    customSend: {
      kfAccount: fields.customSend.kfAccount ?? null,
      isAiMessage: fields.customSend.isAiMessage,
    },
    ...buildBoth(fields, limits),
  };
}

export function readInterim(interim: WechatFields['interim']): WechatAccount['interim'] {
  return interim
    ? { text: interim.text, after: interim.after === undefined ? null : interim.after * 1000 }
    : null;
}

function buildNxcloud(name: string, fields: NxcloudFields, limits: Limits): NxcloudAccount {
  return {
    channel: 'nxcloud',
    name,
    accessKey: fields.accessKey,
    accessSecrets: present(fields.accessSecret, fields.accessSecretPrevious),
    appKey: fields.appKey,
    businessPhone: fields.businessPhone?.replace('+', '') ?? null,
    appId: fields.appId ?? null,
    verifyCallbacks: fields.verifyCallbacks,
    ...buildBoth(fields, limits),
  };
}

type Shared = Pick<
  WechatFields,
  | 'apiBase'
  | 'botUrl'
  | 'botMode'
  | 'replyConcurrency'
  | 'typing'
  | 'afterAck'
  | 'sendEnds'
  | 'startDelayMs'
  | 'starts'
  | 'rules'
>;

/** What every account has, of whichever channel. */
export function buildBoth(fields: Shared, limits: Limits) {
  const startDelay = fields.startDelayMs === undefined ? {} : { startDelay: fields.startDelayMs };
  return {
    apiBase: fields.apiBase.replace(/\/+$/, ''),
    botUrl: fields.botUrl ?? null,
    botMode: fields.botMode,
    replyConcurrency: fields.replyConcurrency ?? null,
    afterAck: fields.afterAck,
    starts: fields.starts,
    rules: { mode: fields.typing, sendEnds: fields.sendEnds, ...limits, ...startDelay, ...fields.rules },
  };
}

export function present(...values: (string | undefined)[]): string[] {
  return values.filter((value) => value !== undefined);
}
