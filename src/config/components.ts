/** Third-party platforms: from what somebody wrote down to what the adapter takes. */
import { z } from 'zod';
import { appIdPattern } from '../core/roster.ts';
import type { WechatComponent } from '../wechat/component/component.ts';
import { buildBoth, type Limits, noFields, present, readInterim } from './accounts.ts';
import { readValue } from './environment.ts';
import { aesKey, needed, wechatFields } from './schema.ts';
import type { Candidate, Environment } from './settings.ts';

/** The fields of a third-party platform, as a file spells them; a message goes on after the field's name. */

const { appSecret, tokenPrevious, encodingAesKeyPrevious, apiBase, accessTokenUrl } = wechatFields.shape;

/** Every setting of an account but its identity: all its authorizers have it. */
const templateFields = wechatFields.pick({
  kind: true,
  typingPath: true,
  interim: true,
  customSend: true,
  botUrl: true,
  botMode: true,
  replyConcurrency: true,
  typing: true,
  afterAck: true,
  sendEnds: true,
  startDelayMs: true,
  starts: true,
  rules: true,
});

const forEach = accessTokenUrl.refine((url) => url === undefined || url.includes('{appid}'), {
  error: 'must hold {appid}: one token is not good for another account',
});

const headerValue = z
  .string({ error: 'must be a text in quotes' })
  .regex(/^[!-~]([ -~]*[!-~])?$/, { error: 'must be what stands behind "Authorization: "' });

const appIds = z.array(z.string().regex(appIdPattern, { error: 'is no AppID' }), {
  error: 'must be a list of AppIDs',
});

const page = "the platform's page at open.weixin.qq.com";

const componentFields = z
  .strictObject({
    appId: needed(`copy the AppID from ${page}`),
    appSecret,
    token: needed(`copy the Token from ${page}`),
    tokenPrevious,
    encodingAesKey: needed(`copy the message key from ${page}`).pipe(aesKey),
    encodingAesKeyPrevious,
    apiBase,
    authorizerTokenUrl: forEach,
    authorizerTokenAuthorization: headerValue.optional(),
    forwardUrl: accessTokenUrl,
    minis: appIds.default([]),
    template: templateFields.prefault({}),
  })
  .refine((read) => read.appSecret !== undefined || read.authorizerTokenUrl !== undefined, {
    path: ['appSecret'],
    error: 'is missing: set it, or authorizerTokenUrl',
    // However much else is wrong: all is said at once.
    when: ({ value }) => typeof value === 'object' && value !== null,
  });

/** A component as somebody wrote it down, not yet checked; `label` takes a field's whole path. */
export interface ComponentCandidate extends Pick<Candidate, 'name' | 'from' | 'fields' | 'faults'> {
  label: (path: readonly string[]) => string;
}

/** The component, or all that is wrong with it: a sentence each, by the field's name, without any value. */
export function readComponent(
  candidate: ComponentCandidate,
  limits: Limits,
): { component: WechatComponent } | { faults: string[] } {
  const read = componentFields.safeParse(candidate.fields);
  const found = read.success ? [] : read.error.issues.map((issue) => describe(issue, candidate));
  const faults = [...candidate.faults, ...found];
  if (!read.success || faults.length > 0) return { faults };
  return { component: build(candidate.name, read.data, limits) };
}

function describe(issue: z.core.$ZodIssue, { label }: ComponentCandidate): string {
  const path = issue.path.map(String);
  if (issue.code !== 'unrecognized_keys')
    return `${label(path)} ${issue.message.replace('authorizerTokenUrl', label(['authorizerTokenUrl']))}`;
  const names = issue.keys.map((key) => label([...path, key]));
  return noFields(names, 'a component');
}

function build(name: string, fields: z.infer<typeof componentFields>, limits: Limits): WechatComponent {
  const { kind, typingPath = null, interim, customSend } = fields.template;
  const { apiBase, ...shared } = buildBoth({ ...fields.template, apiBase: fields.apiBase }, limits);
  return {
    name,
    appId: fields.appId,
    appSecret: fields.appSecret ?? null,
    tokens: present(fields.token, fields.tokenPrevious),
    encodingAesKeys: present(fields.encodingAesKey, fields.encodingAesKeyPrevious),
    apiBase,
    authorizerTokenUrl: fields.authorizerTokenUrl ?? null,
    authorizerTokenAuthorization: fields.authorizerTokenAuthorization ?? null,
    forwardUrl: fields.forwardUrl ?? null,
    minis: fields.minis,
    template: {
      kind,
      typingPath,
      interim: readInterim(interim),
      customSend: { kfAccount: customSend.kfAccount ?? null, isAiMessage: customSend.isAiMessage },
      ...shared,
    },
  };
}

const own = Object.keys(componentFields.shape).filter((field) => field !== 'template');
const template = Object.keys(templateFields.shape);

function variableOf(field: string): string {
  return `WECHAT_COMPONENT_${field.replace(/[A-Z]/g, (capital) => `_${capital}`)}`.toUpperCase();
}

/** The variables that define the component `default`. */
export const componentVariables: readonly string[] = [...own, ...template].map(variableOf);

/** Fields whose presence says that there is to be one; the others only shape it. */
const defining = [
  'appId',
  'appSecret',
  'token',
  'encodingAesKey',
  'authorizerTokenUrl',
  'forwardUrl',
  'botUrl',
];

/** The component that the environment defines by plain variables; null: none. */
export function environmentComponent(environment: Environment): ComponentCandidate | null {
  if (!defining.some((field) => (environment[variableOf(field)] ?? '') !== '')) return null;
  const faults: string[] = [];
  const read = (fields: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(
      fields.flatMap((field) => {
        const text = environment[variableOf(field)] ?? '';
        return text === '' ? [] : [[field, readValue(text, variableOf(field), faults)]];
      }),
    );
  return {
    name: 'default',
    from: 'environment',
    fields: { ...read(own), template: read(template) },
    faults,
    label: ([first = '', ...rest]) =>
      first === 'template'
        ? [variableOf(rest[0] ?? ''), ...rest.slice(1)].join('.')
        : [variableOf(first), ...rest].join('.'),
  };
}
