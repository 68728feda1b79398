/** A simulated third-party platform: WeChat's side of it, and the accounts that authorise it, with their users. */
import { createComponentApi } from './component-api.ts';
import { type ComponentEvents, createComponentEvents } from './component-events.ts';
import { createGrants, type Grants } from './component-grants.ts';
import { COMPONENT_RULES, type ComponentRules } from './component-ledger.ts';
import { type Random, randomText } from './faults.ts';
import { createStation, type Premises } from './station.ts';
import type { WechatAccountOptions } from './wechat-account.ts';
import { push, type WechatMessage, type WechatPushed } from './wechat-push.ts';
import { type Contacts, createContacts, WECHAT_RULES, type WechatRules } from './wechat-rules.ts';

export interface ComponentOptions extends Pick<
  WechatAccountOptions,
  'appId' | 'token' | 'encodingAesKey' | 'format'
> {
  appSecret: string;
  /** Accounts that are Mini Programs. */
  minis: readonly string[];
  rules: Partial<WechatRules & ComponentRules>;
}

export const COMPONENT_DEFAULTS: Readonly<ComponentOptions> = Object.freeze<ComponentOptions>({
  appId: 'wx60a1f7d3c5b29e84',
  appSecret: 'fedcba9876543210fedcba9876543210',
  token: 'componenttoken',
  encodingAesKey: 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefg',
  format: 'xml',
  minis: [],
  rules: {},
});

export interface ComponentSimulator extends Premises, ComponentEvents {
  readonly options: Readonly<ComponentOptions>;
  readonly grants: Pick<Grants, 'authorise' | 'grant' | 'spoilTickets' | 'expireTokens'>;
  /** `url`: keeptyping's, without a slash at the end, and the component's name there, if any, as `/name`. */
  connect: (url: string, name?: string) => void;
  /** A user writes to one of the accounts. */
  push(appId: string, message: WechatMessage): Promise<WechatPushed>;
}

interface Account {
  contacts: Contacts;
  kind: 'official' | 'mini';
  originalId: string;
}

/** It stands beside the two platforms, with an API of its own. */
export async function startComponent(
  overrides: Partial<ComponentOptions> = {},
  { now = Date.now, random = Math.random }: { now?: () => number; random?: Random } = {},
): Promise<ComponentSimulator> {
  const options = { ...COMPONENT_DEFAULTS, ...overrides };
  const rules = { ...WECHAT_RULES, ...COMPONENT_RULES, ...options.rules };
  const station = createStation({ channel: 'wechat', lifetime: rules.lifetime, webhookUrl: null, now });
  const create = (kind: string): string => `${kind}@@@${randomText(random, 100)}`;
  const grants = createGrants({ ...options, rules, now, create });
  const accounts = createAccounts((appId) => ({
    contacts: createContacts(rules, now),
    kind: options.minis.includes(appId) ? 'mini' : 'official',
    originalId: `gh_${appId.slice(-12)}`,
  }));
  const { phones, webhook, closing } = station;
  const api = createComponentApi({ grants, phones, accountOf: accounts.of, random });
  const premises = await station.open(api, accounts.forget);
  const shared = { ...options, rules, phones, now, random, closing, mode: 'secure' as const };
  const pushed = new Map<string, string>();
  const at = (path: string): string => `${webhook.url ?? ''}${path}`;
  return {
    ...premises,
    ...createComponentEvents({ ...shared, grants, url: () => at('/events') }),
    options,
    grants,
    connect: (url, name = '') => premises.connect(`${url}/webhooks/wechat/component${name}`),
    push: (appId, message) =>
      push({ ...shared, ...accounts.of(appId), pushed, webhook: { url: at(`/${appId}/callback`) } }, message),
  };
}

interface Accounts {
  of: (appId: string) => Account;
  forget: (user: string) => void;
}

/** An account comes into being when it is first asked for. */
function createAccounts(create: (appId: string) => Account): Accounts {
  const accounts = new Map<string, Account>();
  return {
    of(appId) {
      const account = accounts.get(appId) ?? create(appId);
      accounts.set(appId, account);
      return account;
    },
    forget(user) {
      for (const { contacts } of accounts.values()) contacts.forget(user);
    },
  };
}
