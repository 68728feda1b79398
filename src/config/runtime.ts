/** Accounts that are set while keeptyping runs: the same fields as in a file, and what may be said of them. */
import { z } from 'zod';
import type { Channel } from '../core/platform.ts';
import { type Account, readAccount } from './accounts.ts';
import { nxcloudFields, wechatFields } from './schema.ts';
import type { Fields, Settings } from './settings.ts';

/** Nobody is told these again, and an update need not repeat them. */
export const secretFields: Record<Channel, readonly string[]> = {
  wechat: [
    'appSecret',
    'token',
    'tokenPrevious',
    'encodingAesKey',
    'encodingAesKeyPrevious',
    'accessTokenUrl',
  ],
  nxcloud: ['accessKey', 'accessSecret', 'accessSecretPrevious', 'appKey'],
};

/** URLs may hold a password, or a key in their query: they too are closed where they are kept. */
export const sealedFields: Record<Channel, readonly string[]> = {
  wechat: [...secretFields.wechat, 'botUrl', 'apiBase'],
  nxcloud: [...secretFields.nxcloud, 'botUrl', 'apiBase'],
};

/** Names in a request may be of any length. */
const longestLabel = 60;

/** The account of these fields, or all that is wrong with them: a sentence each, by the field's name. */
export function readRuntimeAccount(
  { channel, name, fields }: { channel: Channel; name: string; fields: Fields },
  { replyDeadlineMs, typingCapMs }: { replyDeadlineMs: number; typingCapMs: number },
): { account: Account } | { faults: string[] } {
  const limits: Pick<Settings, 'TYPING_CAP_MS' | 'REPLY_DEADLINE_MS'> = {
    TYPING_CAP_MS: typingCapMs,
    REPLY_DEADLINE_MS: replyDeadlineMs,
  };
  return readAccount({ channel, name, from: 'record', fields, faults: [], label }, limits);
}

function label(field: string): string {
  return field.slice(0, longestLabel);
}

/** What may be sent, for whoever describes it: secrets may be left out, where they are stored, or null. */
export const runtimeFields = {
  wechat: loosen(wechatFields, secretFields.wechat),
  nxcloud: loosen(nxcloudFields, secretFields.nxcloud),
};

function loosen({ shape }: z.ZodObject, secrets: readonly string[]): z.ZodObject {
  return z.strictObject(
    Object.fromEntries(
      Object.entries(shape).map(([name, field]) => [
        name,
        secrets.includes(name) ? z.string().nullable().optional() : field,
      ]),
    ),
  );
}

/** An account without its secrets: the fields that a file would have for it, and which secrets are set. */
export function describeAccount(account: Account): {
  fields: Record<string, unknown>;
  secrets: Record<string, 'set' | 'unset'>;
} {
  const { mode, sendEnds, ...rules } = account.rules;
  const { botMode, replyConcurrency, afterAck, starts } = account;
  const urls = { botUrl: bareUrl(account.botUrl), apiBase: bareUrl(account.apiBase) };
  const both = { ...urls, botMode, replyConcurrency, typing: mode, afterAck, sendEnds, starts, rules };
  const own = account.channel === 'wechat' ? describeWechat(account) : describeNxcloud(account);
  return { fields: withoutNull({ ...own.fields, ...both }), secrets: own.secrets };
}

type Of<Name extends Channel> = Extract<Account, { channel: Name }>;

function describeWechat(account: Of<'wechat'>): ReturnType<typeof describeAccount> {
  const { appId, appSecret, kind, typingPath, tokens, encodingAesKeys, accessTokenUrl } = account;
  const interim =
    account.interim && withoutNull({ ...account.interim, after: inSeconds(account.interim.after) });
  return {
    fields: { appId, kind, typingPath, interim, customSend: withoutNull(account.customSend) },
    secrets: {
      appSecret: isSet(appSecret),
      token: isSet(tokens[0]),
      tokenPrevious: isSet(tokens[1]),
      encodingAesKey: isSet(encodingAesKeys[0]),
      encodingAesKeyPrevious: isSet(encodingAesKeys[1]),
      accessTokenUrl: isSet(accessTokenUrl),
    },
  };
}

function describeNxcloud(account: Of<'nxcloud'>): ReturnType<typeof describeAccount> {
  const { appId, businessPhone, verifyCallbacks, accessKey, accessSecrets, appKey } = account;
  return {
    fields: { appId, businessPhone, verifyCallbacks },
    secrets: {
      accessKey: isSet(accessKey),
      accessSecret: isSet(accessSecrets[0]),
      accessSecretPrevious: isSet(accessSecrets[1]),
      appKey: isSet(appKey),
    },
  };
}

function isSet(value: string | null | undefined): 'set' | 'unset' {
  return value === null || value === undefined ? 'unset' : 'set';
}

function inSeconds(ms: number | null): number | null {
  return ms === null ? null : ms / 1000;
}

/** Without user, password and query. */
function bareUrl(url: string | null): string | null {
  if (url === null) return null;
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname === '/' ? '' : pathname}`;
}

function withoutNull(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
