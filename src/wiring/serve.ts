/** From an account to what a process serves of it. */
import { allowsAddress } from '../accounts/urls.ts';
import type { Account, Config } from '../config/index.ts';
import type { Platform } from '../core/platform.ts';
import type { Served } from '../core/served.ts';
import {
  createClients,
  createPlatform,
  type Clients,
  type ClientsOptions,
  type PlatformDeps,
} from './platforms.ts';
import type { Releases } from './releases.ts';

export interface Serving {
  /** One that files or the environment define: they are the operator's own, and may name whatever this machine reaches. */
  configured(account: Account): Served;
  /** One that was set at run time: its connections reach only what such may. */
  confined(account: Account): Served;
  /** Its `afterAck` is `auto`. */
  isAuto(platform: Platform): boolean;
  /** For the bot's calls through the gateway. */
  agentFor(served: Served): ReturnType<Clients['gateway']['agentFor']>;
}

export interface ServingDeps extends PlatformDeps, Pick<ClientsOptions, 'traced'> {
  config: Config;
  releases: Releases;
}

export function createServing(deps: ServingDeps): Serving {
  const { config, clients, releases, traced } = deps;
  const limits = { typing: config.typingConcurrency, replies: config.replyConcurrency };
  const confined = createClients({
    ...limits,
    traced,
    confinement: { allows: allowsAddress(config.allowPrivateUrls) },
  });
  releases.add('HTTP clients of accounts that were set at run time', () => closeClients(confined));
  const autos = new WeakSet<Platform>();
  const serve = (account: Account, by: Clients): Served => {
    const platform = createPlatform(account, { ...deps, clients: by });
    if (account.afterAck === 'auto') autos.add(platform);
    const { apiBase, botUrl, botMode: mode, replyConcurrency: concurrency } = account;
    const { botTimeoutMs: timeoutMs, botRetry: retry } = config;
    if (botUrl === null) return { platform, apiBase, bot: null };
    const { send } = by.bot;
    return { platform, apiBase, bot: { url: botUrl, mode, timeoutMs, retry, concurrency, send } };
  };
  const areConfined = new WeakSet<Platform>();
  return {
    configured: (account) => serve(account, clients),
    confined: (account) => {
      const served = serve(account, confined);
      areConfined.add(served.platform);
      return served;
    },
    isAuto: (platform) => autos.has(platform),
    agentFor: ({ platform, apiBase }) =>
      (areConfined.has(platform) ? confined : clients).gateway.agentFor(apiBase),
  };
}

export function closeClients(clients: Clients): void {
  Object.values(clients).forEach((client: { close: () => void }) => client.close());
}
