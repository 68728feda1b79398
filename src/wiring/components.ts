import type { Config, Skipped } from '../config/index.ts';
import { behindOf } from '../core/authorizer.ts';
import type { Clock } from '../core/clock.ts';
import { modeOf } from '../core/component-typing.ts';
import type { KeptSecrets } from '../core/kept-secrets.ts';
import type { Log } from '../core/log.ts';
import type { Observe } from '../core/notice.ts';
import type { Seal } from '../core/seal.ts';
import type { Served } from '../core/served.ts';
import type { SharedCache } from '../core/shared-cache.ts';
import type { Place } from '../core/sight.ts';
import type { KeptToken } from '../http/component-authorizers.ts';
import type { ComponentTypings } from '../queue/component-typing.ts';
import { authorizerOf, type WechatComponent } from '../wechat/component.ts';
import type { News } from '../wechat/component-listener.ts';
import { createLiveComponent, type LiveComponent } from '../wechat/live-component.ts';
import type { Clients } from './platforms.ts';
import { serveBy } from './serve.ts';

/** The third-party platforms of this process, and the accounts behind them as they are named. */
export interface Components {
  /** Of those that are served. */
  names: readonly string[];
  skipped: readonly Skipped[];
  typings: ComponentTypings;
  /** The account of that name behind a component, made where it is not there yet; null: there can be none. */
  more(place: Place): Served | null;
  /** How many accounts it has made. */
  made(): number;
  isAuto(place: Place): boolean;
  /** Takes an authorizer's refresh token from an operator. Rejects when Redis is out of reach. */
  keepRefreshToken(component: string, appId: string, token: string): Promise<KeptToken>;
}

export interface ComponentsOptions {
  config: Pick<Config, 'components' | 'botTimeoutMs' | 'botRetry'>;
  clients: Pick<Clients, 'typing' | 'messages' | 'bot'>;
  clock: Clock;
  cache: SharedCache;
  kept: KeptSecrets;
  /** null: ACCOUNTS_KEY is not set. */
  seal: Seal | null;
  typings: ComponentTypings;
  /** @default nobody */
  observe?: Observe;
  /** Hears what changed for the accounts behind a component. Never throws. */
  told: (component: string, news: News) => void;
  log: Log;
}

/** Accounts that nobody has written to for longest are forgotten first, and made anew when they are named again. */
const kept = 2_000;
/** The vendor's own service (ms); WeChat has hung up by then. */
const forwardMs = 10_000;

type Live = { component: WechatComponent; live: LiveComponent };

export function createComponents(options: ComponentsOptions): Components {
  const { config, typings } = options;
  const skipped: Skipped[] = [];
  const all = new Map<string, Live>();
  for (const component of config.components) {
    const live = open(component, options);
    if ('reason' in live) skipped.push({ account: `component/${component.name}`, reason: live.reason });
    else all.set(component.name, { component, live });
  }
  const made = new Map<string, Served>();
  return {
    names: [...all.keys()],
    skipped,
    typings,
    more: ({ channel, account }) => {
      const behind = channel === 'wechat' ? behindOf(account) : null;
      const here = behind && all.get(behind.component);
      if (!here) return null;
      const served = made.get(account) ?? make(here, behind.appId, options);
      remember(made, account, served);
      return served;
    },
    made: () => made.size,
    isAuto: ({ account }) =>
      all.get(behindOf(account)?.component ?? '')?.component.template.afterAck === 'auto',
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

function remember(made: Map<string, Served>, account: string, served: Served): void {
  made.delete(account);
  made.set(account, served);
  const [oldest] = made.keys();
  if (made.size > kept && oldest !== undefined) made.delete(oldest);
}

function open(component: WechatComponent, options: ComponentsOptions): LiveComponent | { reason: string } {
  const { clients, clock, cache, log, observe, seal, typings, told } = options;
  const { mode = 'continuous' } = component.template.rules;
  try {
    return createLiveComponent(component, {
      typing: clients.typing.send,
      send: clients.messages.send,
      clock,
      cache,
      log,
      observe,
      safe: seal && { kept: options.kept, seal },
      modeOf: (appId) => modeOf(typings.of(component.name), appId, mode),
      told: (news) => told(component.name, news),
    });
  } catch (error) {
    return { reason: error instanceof Error ? error.message : 'it cannot be opened' };
  }
}

function make(
  { component, live }: Live,
  appId: string | null,
  { config, clients }: ComponentsOptions,
): Served {
  const { send } = clients.bot;
  const { apiBase, forwardUrl } = component;
  if (appId === null) {
    // To hear of an authorization twice does no harm; not to hear of it does.
    const vendor = { mode: 'job', timeoutMs: forwardMs, retry: 'always', concurrency: null, send } as const;
    return {
      platform: live.events,
      apiBase,
      bot: forwardUrl === null ? null : { url: forwardUrl, ...vendor },
    };
  }
  return serveBy(authorizerOf(component, appId), config, { platform: live.authorizer(appId), send });
}
