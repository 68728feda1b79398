/** From an account to what a process serves of it. */
import { allowsAddress } from '../accounts/urls.ts';
import type { Account, Config } from '../config/index.ts';
import type { Platform } from '../core/platform.ts';
import type { Served } from '../core/roster.ts';
import type { Send } from '../core/wire.ts';
import {
  type Clients,
  type ClientsOptions,
  createClients,
  createPlatform,
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
  const confined = createClients({
    traced,
    confinement: { allows: allowsAddress(config.allowPrivateUrls) },
  });
  releases.add('HTTP clients of accounts that were set at run time', () => closeClients(confined));
  const autos = new WeakSet<Platform>();
  const serve = (account: Account, by: Clients): Served => {
    const platform = createPlatform(account, { ...deps, clients: by });
    if (account.afterAck === 'auto') autos.add(platform);
    return serveBy(account, config, { platform, send: by.bot.send });
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

/** The account with its bot, as a process serves it. */
export function serveBy(
  account: Account,
  { botTimeoutMs: timeoutMs, botRetry: retry }: Pick<Config, 'botTimeoutMs' | 'botRetry'>,
  { platform, send }: { platform: Platform; send: Send },
): Served {
  const { apiBase, botUrl: url, botMode: mode, replyConcurrency: concurrency } = account;
  return { platform, apiBase, bot: url === null ? null : { url, mode, timeoutMs, retry, concurrency, send } };
}

export function closeClients(clients: Clients): void {
  Object.values(clients).forEach((client: { close: () => void }) => client.close());
}
