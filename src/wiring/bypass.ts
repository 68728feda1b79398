import type { Config, Forward } from '../config/index.ts';
import type { Log } from '../core/ports.ts';
import { withGateway } from '../gateway/gateway.ts';
import { createApp } from '../http/app.ts';
import { bypass } from '../http/bypass.ts';
import { createGuesses } from '../http/guesses.ts';
import { boundsOf, createBodies } from '../http/respond.ts';
import { createRedisClock } from '../redis/clock.ts';
import { openPlainGateway } from './gateway.ts';
import { createClients } from './platforms.ts';
import { closeServer, listen, portOf, type Releases } from './releases.ts';

/** Bots may take long to answer through a plain forwarder (ms). */
const drainMs = 19_000;

/** `BYPASS=1`: a plain forwarder. Nothing else of keeptyping is opened. */
export async function startBypass(
  config: Config,
  forwards: readonly Forward[],
  how: { log: Log; releases: Releases },
): Promise<void> {
  const { log, releases } = how;
  const { bot, gateway: agents } = createClients();
  releases.add('HTTP clients', () => [bot, agents].forEach((client) => client.close()));
  const deps = { forwards, send: bot.send, log, timeoutMs: config.botTimeoutMs };
  const components = forwards.flatMap(({ account }) =>
    account.endsWith('.*') ? [account.slice(0, -2)] : [],
  );
  const bounds = boundsOf(config);
  const app = createApp({
    log,
    bodies: createBodies({ ...bounds, whole: bounds.longest }),
    components,
    readiness: () => ({ phase: 'ready', degraded: ['bypass'], skipped: [] }),
    receive: (request, response) => bypass(deps, request, response),
    handshake: (request, response) => bypass(deps, request, response),
  });
  const guesses = createGuesses({ clock: createRedisClock({ local: Date.now }), log });
  releases.add('guesses', () => guesses.close());
  const gateway = openPlainGateway(config, { agents, log, guessed: guesses.at('gateway') });
  const server = await listen(withGateway(gateway, app), config);
  releases.add('server', () => closeServer(server, drainMs));
  log.warn(
    { port: portOf(server), forwards: forwards.length },
    'BYPASS is set: pushes are forwarded as they come, without typing.',
  );
}
