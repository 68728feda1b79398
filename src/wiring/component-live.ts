/** From a configured third-party platform to what a process serves of it. */
import { type ComponentTypings, modeOf } from '../accounts/component-typing.ts';
import type { Config } from '../config/index.ts';
import type { Observe } from '../core/notice.ts';
import type { Clock, KeptSecrets, Log, Seal, SharedCache } from '../core/ports.ts';
import type { Served } from '../core/roster.ts';
import { authorizerOf, type WechatComponent } from '../wechat/component/component.ts';
import type { News } from '../wechat/component/events.ts';
import { createLiveComponent, type LiveComponent } from '../wechat/component/live.ts';
import type { Clients } from './platforms.ts';
import { serveBy } from './serve.ts';

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

/** The vendor's own service (ms); WeChat has hung up by then. */
const forwardMs = 10_000;

export type Live = { component: WechatComponent; live: LiveComponent };

/** The platform as this process serves it, or why it cannot. */
export function open(
  component: WechatComponent,
  options: ComponentsOptions,
): LiveComponent | { reason: string } {
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

/** An account behind it; `appId` null: its own events. `proved`: WeChat has pushed for the account. */
export function make(
  { component, live }: Live,
  { appId, proved }: { appId: string | null; proved: () => void },
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
  return serveBy(authorizerOf(component, appId), config, { platform: live.authorizer(appId, proved), send });
}
