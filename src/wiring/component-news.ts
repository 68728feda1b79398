import type { Redis } from 'ioredis';
import { createComponentTypings } from '../accounts/component-typing.ts';
import type { KeySeal } from '../accounts/record.ts';
import type { Config } from '../config/index.ts';
import type { Platform } from '../core/platform.ts';
import type { Clock, Log } from '../core/ports.ts';
import { authorizerName, behindOf, type Place } from '../core/roster.ts';
import type { Connections } from '../redis/connect.ts';
import { createKeptSecrets } from '../redis/shared.ts';
import { type Accounts, readSwitchedOff } from '../typing/learned.ts';
import type { News } from '../wechat/component/events.ts';
import { createKeyFollower } from './component-keys.ts';
import type { ComponentsOptions } from './component-live.ts';
import { type Components, createComponents } from './components.ts';

interface OpenOptions extends Omit<ComponentsOptions, 'kept' | 'seal' | 'typings' | 'told' | 'config'> {
  config: Config;
  connections: Connections;
  /** null: ACCOUNTS_KEY is not set. */
  seal: KeySeal | null;
}

export interface OpenComponents extends Components {
  /** Called now and then: what they keep closed follows a change of ACCOUNTS_KEY. */
  followKeys(): void;
}

/** The third-party platforms on Redis; their events switch `accounts`, which there are a moment later. */
export function openComponents(options: OpenOptions, accounts: () => Accounts): OpenComponents {
  const { config, connections, clock, log } = options;
  const redis = connections.fast;
  const kept = createKeptSecrets(redis);
  const names = config.components.map(({ name }) => name);
  const typings = createComponentTypings({ redis, components: names, log });
  const platformOf = (place: Place): Platform | null => components.more(place)?.platform ?? null;
  const told = createNews({ accounts, platformOf, redis, clock, log });
  const components = createComponents({ ...options, kept, typings, told });
  for (const { account, reason } of components.skipped)
    log.error({ account }, `This account is skipped: ${reason}`);
  return { ...components, followKeys: createKeyFollower({ ...options, kept }) };
}

interface NewsOptions {
  accounts: () => Accounts;
  platformOf: (place: Place) => Platform | null;
  redis: Pick<Redis, 'hgetall'>;
  clock: Clock;
  log: Log;
}

/** WeChat's code for an account that has not authorised the platform. */
const withdrawn = {
  is: 'account-off',
  code: 61003,
  remedy: 'The account has withdrawn its authorization of the third-party platform: let it authorise again.',
} as const;

/** For want of a ticket: 0 there was none, else it was no good. */
const ofTicket: ReadonlySet<number> = new Set([0, 61005, 61006]);

/** Switches typing as the authorization events of a component have it. */
function createNews(options: NewsOptions): (component: string, news: News) => void {
  return (component, news) => {
    heed(options, component, news).catch((error: unknown) =>
      options.log.warn(
        { component, news: news.is, error },
        'Redis did not take what an authorization event changes.',
      ),
    );
  };
}

async function heed(options: NewsOptions, component: string, news: News): Promise<void> {
  const { accounts, platformOf, redis, clock } = options;
  if (news.is === 'ticket') {
    const off = await readSwitchedOff(redis, clock.now());
    const ours = off.filter(
      ({ account, code }) => behindOf(account)?.component === component && ofTicket.has(code),
    );
    if (ours.length > 0) await accounts().refresh();
    for (const place of ours) await switchOn(options, place);
    return;
  }
  const place = { channel: 'wechat', account: authorizerName(component, news.appId) };
  const platform = platformOf(place);
  if (!platform) return;
  if (news.is === 'withdrawn') return accounts().switchOff(platform, withdrawn);
  await accounts().refresh();
  await switchOn(options, place);
}

async function switchOn({ accounts, platformOf }: NewsOptions, place: Place): Promise<void> {
  const platform = platformOf(place);
  if (platform) await accounts().switchOn(platform);
}
