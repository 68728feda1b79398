import type { Redis } from 'ioredis';
import { type ComponentTypings, createComponentTypings, modeOf } from '../accounts/component-typing.ts';
import type { KeySeal } from '../accounts/record.ts';
import type { Component, Config, Skipped } from '../config/index.ts';
import type { KeptToken } from '../control/components.ts';
import type { Observe } from '../core/notice.ts';
import type { Platform } from '../core/platform.ts';
import type { Clock, KeptSecrets, Log, Seal, SharedCache } from '../core/ports.ts';
import { behindOf, fillAppId, type Place, type Served } from '../core/roster.ts';
import type { Connections } from '../redis/connect.ts';
import { createKeptSecrets } from '../redis/shared.ts';
import { type LearnedAccounts, readSwitchedOff } from '../typing/learned.ts';
import { isByItself } from '../wechat/component/component.ts';
import type { TypingSwitch } from '../wechat/component/events.ts';
import { createLiveComponent, type LiveComponent } from '../wechat/component/live.ts';
import { sealComponentAnew, type SealingDeps } from '../wechat/component/secrets.ts';
import { type Clients, serveBy } from './platforms.ts';

/** The third-party platforms of this process, and the accounts behind them as they are named. */
export interface Components {
  /** Of those that are served. */
  names: readonly string[];
  skipped: readonly Skipped[];
  typings: ComponentTypings;
  /** The account of that name behind a component, made where it is not there yet; null: there can be none. */
  more(place: Place): Served | null;
  /**
   * The same for who may be anybody: it is not kept before a push has proved that WeChat means it, so made-up AppIDs
   * displace nobody and take no share.
   */
  named(place: Place): Served | null;
  /** Those that it has made, and kept. */
  all(): readonly Served[];
  /** How many. */
  made(): number;
  /** Takes an authorizer's refresh token from an operator. Rejects when Redis is out of reach. */
  keepRefreshToken(component: string, appId: string, token: string): Promise<KeptToken>;
}

/** Accounts that nobody has written to for longest are forgotten first, and made anew when they are named again. */
const kept = 2_000;

export function createComponents(options: ComponentsOptions): Components {
  const { typings } = options;
  const { all, skipped } = openAll(options);
  const made = new Map<string, Served>();
  const find = ({ channel, account }: Place): Served | null => {
    const behind = channel === 'wechat' ? behindOf(account) : null;
    const here = behind && all.get(behind.component);
    if (!here) return null;
    const proved = (): void => {
      if (!made.has(account)) remember(made, account, served);
    };
    const served = made.get(account) ?? make(here, { appId: behind.appId, proved }, options);
    return served;
  };
  return {
    names: [...all.keys()],
    skipped,
    typings,
    more: (place) => {
      const served = find(place);
      if (served) remember(made, place.account, served);
      return served;
    },
    named: find,
    all: () => [...made.values()],
    made: () => made.size,
    keepRefreshToken: async (name, appId, token) => {
      const keep = all.get(name)?.live.keepRefreshToken;
      if (!keep)
        return {
          is: 'refused',
          error: `The component ${name} does not refresh tokens by itself: its token service has the refresh tokens.`,
        };
      await keep(appId, token);
      return { is: 'kept' };
    },
  };
}

function openAll(options: ComponentsOptions): { all: Map<string, LiveEntry>; skipped: Skipped[] } {
  const skipped: Skipped[] = [];
  const all = new Map<string, LiveEntry>();
  for (const component of options.config.components) {
    const live = openComponent(component, options);
    if ('reason' in live) skipped.push({ account: `component/${component.name}`, reason: live.reason });
    else all.set(component.name, { component, live });
  }
  return { all, skipped };
}

function remember(made: Map<string, Served>, account: string, served: Served): void {
  made.delete(account);
  made.set(account, served);
  const [oldest] = made.keys();
  if (made.size > kept && oldest !== undefined) made.delete(oldest);
}

interface KeyFollowerOptions extends Omit<SealingDeps, 'seal'> {
  config: Pick<Config, 'components' | 'accountsKeys'>;
  seal: KeySeal | null;
  clock: Pick<Clock, 'now'>;
}

/** Processes that have only the former key yet go on closing with it (ms). */
const againMs = 10 * 60_000;

/**
 * Lets what third-party platforms keep follow a change of ACCOUNTS_KEY, in the background: at its first call, and now
 * and then at later ones, for as long as there is a former key. What Redis did not take is tried at the next call.
 */
function createKeyFollower(options: KeyFollowerOptions): () => void {
  const { config, seal, clock, log } = options;
  const components = config.components.filter(isByItself);
  if (seal === null || config.accountsKeys.length < 2 || components.length === 0) return () => {};
  let runs = false;
  let nextAt = 0;
  const run = async (): Promise<void> => {
    for (const component of components) await sealComponentAnew(component, { ...options, seal });
    nextAt = clock.now() + againMs;
  };
  return () => {
    if (runs || clock.now() < nextAt) return;
    runs = true;
    run()
      .catch((error: unknown) => log.debug({ error }, 'What components keep was not all closed anew.'))
      .finally(() => (runs = false));
  };
}

/** From a configured third-party platform to what a process serves of it. */

interface ComponentsOptions {
  config: Pick<Config, 'components' | 'botTimeoutMs' | 'botRetry'>;
  clients: Pick<Clients, 'typing' | 'messages' | 'api' | 'bot'>;
  clock: Clock;
  cache: SharedCache;
  kept: KeptSecrets;
  /** null: ACCOUNTS_KEY is not set. */
  seal: Seal | null;
  typings: ComponentTypings;
  /** @default nobody */
  observe?: Observe;
  /** Hears whose typing goes off or on behind a component. Never throws. */
  told: (component: string, change: TypingSwitch) => void;
  log: Log;
}

/** The vendor's own service (ms); WeChat has hung up by then. */
const forwardMs = 10_000;

type LiveEntry = { component: Component; live: LiveComponent };

/** The platform as this process serves it, or why it cannot. */
function openComponent(component: Component, options: ComponentsOptions): LiveComponent | { reason: string } {
  const { clients, clock, cache, log, observe, seal, typings, told } = options;
  const { mode = 'continuous' } = component.template.rules;
  try {
    return createLiveComponent(component, {
      typing: clients.typing.send,
      messages: clients.messages.send,
      send: clients.api.send,
      clock,
      cache,
      log,
      observe,
      safe: seal && { kept: options.kept, seal },
      modeOf: (appId) => modeOf(typings.of(component.name), appId, mode),
      told: (change) => told(component.name, change),
    });
  } catch (error) {
    return { reason: error instanceof Error ? error.message : 'it cannot be opened' };
  }
}

/** An account behind it; `appId` null: its own events. `proved`: WeChat has pushed for the account. */
function make(
  { component, live }: LiveEntry,
  { appId, proved }: { appId: string | null; proved: () => void },
  { config, clients }: ComponentsOptions,
): Served {
  const { send } = clients.bot;
  const { apiBase, forwardUrl, template } = component;
  if (appId === null) {
    // To hear of an authorization twice does no harm; not to hear of it does.
    const vendor = { mode: 'job', timeoutMs: forwardMs, retry: 'always', concurrency: null, send } as const;
    return {
      platform: live.events,
      apiBase,
      bot: forwardUrl === null ? null : { url: forwardUrl, ...vendor },
    };
  }
  const botUrl = template.botUrl === null ? null : fillAppId(template.botUrl, appId);
  const account = { ...template, apiBase, botUrl };
  return serveBy(account, config, { platform: live.authorizer(appId, proved), send });
}

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
export function openComponents(options: OpenOptions, accounts: () => LearnedAccounts): OpenComponents {
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
  accounts: () => LearnedAccounts;
  platformOf: (place: Place) => Platform | null;
  redis: Pick<Redis, 'hgetall'>;
  clock: Clock;
  log: Log;
}

/** Switches typing as the authorization events of a component have it. */
function createNews(options: NewsOptions): (component: string, change: TypingSwitch) => void {
  return (component, change) => {
    heed(options, change).catch((error: unknown) =>
      options.log.warn(
        { component, news: change.is, error },
        'Redis did not take what an authorization event changes.',
      ),
    );
  };
}

async function heed(options: NewsOptions, change: TypingSwitch): Promise<void> {
  const { accounts, platformOf, redis } = options;
  if (change.is === 'mended') {
    const mended = (await readSwitchedOff(redis)).filter(change.mends);
    if (mended.length > 0) await accounts().refresh();
    for (const place of mended) await switchOn(options, place);
    return;
  }
  const platform = platformOf(change.place);
  if (!platform) return;
  if (change.is === 'off') return accounts().switchOff(platform, change.why);
  await accounts().refresh();
  await switchOn(options, change.place);
}

async function switchOn({ accounts, platformOf }: NewsOptions, place: Place): Promise<void> {
  const platform = platformOf(place);
  if (platform) await accounts().switchOn(platform);
}
