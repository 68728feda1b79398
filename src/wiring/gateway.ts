import type { Config } from '../config/index.ts';
import type { AccountNotice } from '../core/notice.ts';
import type { OwnCalls } from '../core/platform.ts';
import type { Log } from '../core/ports.ts';
import { behindOf } from '../core/roster.ts';
import { createGateway, type Gateway } from '../gateway/gateway.ts';
import { createWatch, type GatewayWatch } from '../gateway/watch.ts';
import type { Agents } from '../http/agents.ts';
import { isFromHere, openTo } from '../http/guard.ts';
import type { Guessed } from '../http/guesses.ts';
import type { Parts } from './parts.ts';

/** Who may use it: whoever knows the key; without one nobody, but in the demo this machine. */
function gatewayAccess(config: Pick<Config, 'gatewayKey' | 'demo' | 'production'>) {
  if (config.gatewayKey !== null) return { by: 'key', keys: [config.gatewayKey] } as const;
  const isOpen = openTo(config) === 'loopback';
  return isOpen ? ({ by: 'place', admits: isFromHere } as const) : ({ by: 'nobody' } as const);
}

/** The gateway for the bot's own calls, which tells the typing what it sees. */
export function openGateway(parts: Parts): Gateway {
  const { config, shards, clock, log, clients, served: accounts, serving, learned } = parts;
  const { kept: events, identities, blocks } = parts.on('fast');
  const reachesRedis = (): boolean => shards.all().some(({ connections }) => !connections.health.isAway());
  const accepted = (place: AccountNotice): void => void learned.switchOn(place, 'passed').catch(() => {});
  return createGateway({
    access: gatewayAccess(config),
    accountOf: (place) => {
      // A bot answers what was taken before its account was removed.
      const served = accounts.lasting.of(place);
      return served && { platform: served.platform, base: served.apiBase, agent: serving.agentFor(served) };
    },
    agentFor: clients.gateway.agentFor,
    watch: createWatch({ blocks, events, identities, clock, log, reachesRedis, accepted }),
    clock,
    log,
    observe: parts.observe,
    guessed: parts.guesses.at('gateway'),
  });
}

const unread: OwnCalls = { reads: () => false, read: () => null, verdict: () => ({ is: 'unknown' }) };
const nobody: GatewayWatch = {
  sending: () => Promise.resolve({ waitedForShow: false, over: () => {} }),
  aside: () => {},
  typed: () => {},
};

/** The gateway that only passes on, for the panic switch: the bot's API calls must go on. */
export function openPlainGateway(
  config: Config,
  { agents, log, guessed }: { agents: Agents; log: Log; guessed: Guessed },
): Gateway {
  const accounts = new Map(
    (config.bypass ?? []).map(({ channel, account, apiBase: base }) => [
      `${channel}/${account}`,
      { platform: { channel, account, ownCalls: unread }, base },
    ]),
  );
  const behind = (account: string) => accounts.get(`wechat/${behindOf(account)?.component ?? ''}.*`);
  return createGateway({
    access: gatewayAccess(config),
    accountOf: ({ channel, account }) =>
      accounts.get(`${channel}/${account}`) ?? (channel === 'wechat' ? behind(account) : null) ?? null,
    agentFor: agents.agentFor,
    watch: nobody,
    clock: Date,
    log,
    guessed,
  });
}
