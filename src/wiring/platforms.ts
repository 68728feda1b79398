import { allowsAddress } from '../accounts/urls.ts';
import type { Account, Config } from '../config/index.ts';
import type { Observe } from '../core/notice.ts';
import type { Platform } from '../core/platform.ts';
import type { Clock, Log, SharedCache } from '../core/ports.ts';
import type { Served } from '../core/roster.ts';
import type { Send } from '../core/wire.ts';
import { type Agents, createAgents, platformProxy } from '../http/agents.ts';
import { createApiClient } from '../http/api-client.ts';
import { type Client, createClient } from '../http/client.ts';
import type { Confinement } from '../http/confine.ts';
import { createNxcloud } from '../nxcloud/index.ts';
import type { Assurances } from '../typing/assurances.ts';
import { createWechat } from '../wechat/index.ts';
import type { Releases } from './releases.ts';

/** The process's HTTP clients. A typing call that hangs holds no connection that a message needs. */
export interface Clients {
  typing: Client;
  messages: Client;
  /** For what is asked seldom, such as tokens. */
  api: Client;
  bot: Client;
  /** For the calls of the bot that pass through. */
  gateway: Agents;
}

interface ClientsOptions {
  /** Makes calls of the bot part of a trace. @default no traces */
  traced?: ((send: Send) => Send) | undefined;
  /** Which addresses may be connected to. @default all */
  confinement?: Confinement;
}

/**
 * No pool has a limit: accounts mostly share a host, and one whose calls hang would make the others wait for a
 * connection. What may be under way is bounded where calls are begun, by account.
 */
export function createClients(options: ClientsOptions = {}): Clients {
  const { traced = (send) => send, ...confined } = options;
  // Python and Node servers close an idle connection after 2 to 5 s.
  const bot = createClient({ idleMs: 1_000, harmlessTwice: false, ...confined });
  const platform = { proxyFor: platformProxy, ...confined };
  return {
    typing: createClient({ idleMs: 30_000, harmlessTwice: true, ...platform }),
    messages: createClient({ idleMs: 1_000, harmlessTwice: false, ...platform }),
    api: createApiClient({ idleMs: 1_000, ...platform }),
    bot: { ...bot, send: traced(bot.send) },
    gateway: createAgents({ idleMs: 1_000, ...platform }),
  };
}

interface PlatformDeps {
  clients: Clients;
  clock: Clock;
  cache: SharedCache;
  log: Log;
  /** @default nobody */
  observe?: Observe;
  /** What the pushes of accounts have shown. @default nothing is known, or noted */
  assurances?: Pick<Assurances, 'of'>;
}

export function createPlatform(account: Account, deps: PlatformDeps): Platform {
  const { clients, clock, cache, log, observe, assurances } = deps;
  const [typing, messages] = [clients.typing.send, clients.messages.send];
  const isOff =
    account.channel === 'wechat' ? account.encryption === 'any' : account.verifyCallbacks === 'off';
  const assurance = assurances?.of({ channel: account.channel, account: account.name }, { isOff });
  const known = { clock, log, ...(assurance ? { assurance } : {}) };
  return account.channel === 'wechat'
    ? createWechat(account, { typing, messages, send: clients.api.send, cache, observe, ...known })
    : createNxcloud(account, { typing, ...known });
}

/** From an account to what a process serves of it. */

export interface Serving {
  /** One that files or the environment define: they are the operator's own, and may name whatever this machine reaches. */
  configured(account: Account): Served;
  /** One that was set at run time: its connections reach only what such may. */
  confined(account: Account): Served;
  /** For the bot's calls through the gateway. */
  agentFor(served: Served): ReturnType<Clients['gateway']['agentFor']>;
}

interface ServingDeps extends PlatformDeps, Pick<ClientsOptions, 'traced'> {
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
  const serve = (account: Account, by: Clients): Served => {
    const platform = createPlatform(account, { ...deps, clients: by });
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
    agentFor: ({ platform, apiBase }) =>
      (areConfined.has(platform) ? confined : clients).gateway.agentFor(apiBase),
  };
}

/** What an account, or a template of accounts, says of its bot. */
type BotSettings = Pick<Account, 'apiBase' | 'botUrl' | 'botMode' | 'replyConcurrency'> & {
  redeliver?: 'auto' | 'off';
};

/** The account with its bot, as a process serves it. */
export function serveBy(
  account: BotSettings,
  { botTimeoutMs: timeoutMs, botRetry: retry }: Pick<Config, 'botTimeoutMs' | 'botRetry'>,
  { platform, send }: { platform: Platform; send: Send },
): Served {
  const { apiBase, botUrl: url, botMode: mode, replyConcurrency: concurrency } = account;
  const redeliver = account.redeliver === 'auto';
  const bot = { url, mode, timeoutMs, retry, redeliver, concurrency, send };
  return { platform, apiBase, bot: url === null ? null : { ...bot, url } };
}

export function closeClients(clients: Clients): void {
  Object.values(clients).forEach((client: { close: () => void }) => client.close());
}
