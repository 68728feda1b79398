import type { RequestHandler } from 'express';
import type { Skipped } from '../config/index.ts';
import type { Readiness } from '../http/app.ts';
import { beat, createTakeover, createTicker, type Standby } from '../redis/leader.ts';
import { keys } from '../redis/script.ts';
import { createDirect } from '../replies/direct.ts';
import { learnFromRedis, type Parts } from './parts.ts';
import { createReleases, type Releases } from './releases.ts';
import { closeServer, limited, listen, portOf } from './serving.ts';
import { createWebApp } from './web-app.ts';
import { startQueues } from './worker.ts';

export interface WebOptions {
  skipped: readonly Skipped[];
  releases: Releases;
  /** Runs the queues while no worker does. Not needed where the same process is a worker anyway. */
  standby: boolean;
  /** A page at the root. @default null: there is none */
  page?: RequestHandler | null;
  /**
   * The worker in the same process. It stops when no more pushes are taken, and before the gateway does: the bots whose
   * answers it waits for send them there.
   */
  worker?: { stop(): Promise<void> };
}

/** A held connection and a relayed delivery last 5 s at most: longer no platform waits (ms). */
const drainMs = 6_000;
/** A bot's call through the gateway may take longer; all must be over when the process has to end (ms). */
const gatewayMs = 17_000;
/** Messages that are on their way without Redis; the workers' own grace comes after it (ms). */
const directMs = 8_000;

/** Opens the web process. Resolves with its port when it listens; Redis may come up later. */
export async function startWeb(parts: Parts, options: WebOptions): Promise<number> {
  const { skipped, releases, standby, page = null, worker } = options;
  const left = [...skipped, ...parts.components.skipped];
  const readiness: Readiness = { phase: 'starting', degraded: [], skipped: left };
  const { clock, log, observe } = parts;
  const direct = createDirect({ send: parts.clients.bot.send, clock, log, observe });
  const app = createWebApp(parts, { readiness, direct, releases, page, standby });
  await readAccounts(parts);
  const server = await listen(app.listener, parts.config);
  let stoppingAt = 0;
  releases.add('server', () => {
    const left = stoppingAt + gatewayMs - performance.now();
    return Promise.all([closeServer(server, Math.max(left, drainMs)), limited(direct.idle(), directMs)]);
  });
  watchRedis(parts, { readiness, releases, standby });
  if (worker) releases.add('worker', () => worker.stop());
  readiness.phase = 'ready';
  // Its streams would keep the server open, and nothing is waited for on them.
  releases.add('console', () => app.console.close());
  releases.add('readiness', () => {
    readiness.phase = 'stopping';
    stoppingAt = performance.now();
  });
  const port = portOf(server);
  parts.log.info({ port }, 'listening');
  return port;
}

/** Not longer: what is configured is served without Redis too (ms). */
const firstLookMs = 1_000;

/** A push that comes with the first moment is to find its account. */
async function readAccounts({ config, connections, served }: Parts): Promise<void> {
  if (config.accountsKeys.length === 0) return;
  const read = connections.ready().then(() => served.records.follow());
  await limited(
    read.catch(() => {}),
    firstLookMs,
  );
}

/** Looks after Redis and the workers: whether it takes writes, whether they live, what they have learned. */
function watchRedis(parts: Parts, how: { readiness: Readiness; releases: Releases; standby: boolean }): void {
  const { connections, log } = parts;
  const takeover = createTakeover(() => openStandby(parts), log);
  how.releases.add('queues', () => takeover.close());
  let beats = 0;
  const ticker = createTicker(
    beat,
    async () => {
      // A primary that has become a replica still reads: only a write tells.
      await connections.fast.set(keys.probe, '1', 'PX', 10_000);
      const alive = await connections.fast.exists(keys.heartbeat);
      await learnFromRedis(parts, beats);
      beats += 1;
      how.readiness.degraded = [];
      if (how.standby) takeover.see(alive === 1);
    },
    () => {
      how.readiness.degraded = ['redis'];
    },
  );
  how.releases.add('watch', () => ticker.stop());
}

function openStandby(parts: Parts): Standby {
  const releases = createReleases((name, error) =>
    parts.log.warn({ name, error }, 'The queues did not stop as they should.'),
  );
  const workers = startQueues(parts, releases);
  return {
    drain: async () => {
      await workers.drain();
      await releases.all();
    },
    close: () => releases.all(),
  };
}
