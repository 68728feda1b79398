import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Express } from 'express';
import type { Skipped } from '../config/index.ts';
import type { Platform } from '../core/platform.ts';
import { createApp, webhooks, type Readiness } from '../http/app.ts';
import { createDirect } from '../http/direct.ts';
import { createHolds } from '../http/holds.ts';
import { createServedAccounts } from '../http/served.ts';
import { beat, createTakeover, createTicker } from '../queue/heartbeat.ts';
import { createIntake } from '../queue/intake.ts';
import { storedPushLimit } from '../queue/jobs.ts';
import { keys } from '../queue/keys.ts';
import { beatsPerSync, createQueueParts, type Parts } from './parts.ts';
import { createReleases, type Releases } from './releases.ts';
import { startQueues } from './worker.ts';

export interface WebOptions {
  skipped: readonly Skipped[];
  releases: Releases;
  /** Runs the queues while no worker does. Not needed where the same process is a worker anyway. */
  standby: boolean;
}

/** Opens the web process. Resolves with its port when it listens; Redis may come up later. */
export async function startWeb(parts: Parts, { skipped, releases, standby }: WebOptions): Promise<number> {
  const readiness: Readiness = { phase: 'starting', degraded: [], skipped: [...skipped] };
  const direct = createDirect({ send: parts.clients.bot.send, clock: parts.clock, log: parts.log });
  releases.add('messages under way', () => limited(direct.idle(), 19_000));
  const app = createWebApp(parts, { readiness, direct, releases });
  const server = await listen(app, parts.config);
  releases.add('server', () => closeServer(server));
  watchRedis(parts, { readiness, releases, standby });
  readiness.phase = 'ready';
  releases.add('readiness', () => {
    readiness.phase = 'stopping';
  });
  const { port } = server.address() as AddressInfo;
  parts.log.info({ port }, 'listening');
  return port;
}

interface WebAppParts {
  readiness: Readiness;
  direct: ReturnType<typeof createDirect>;
  releases: Releases;
}

function createWebApp(parts: Parts, { readiness, direct, releases }: WebAppParts): Express {
  const { connections, clock, log, accounts, config } = parts;
  const { replies, events, store, deliveries } = createQueueParts(parts, connections.fast, releases);
  const name = randomUUID();
  const holds = createHolds(name, deliveries);
  listenForOffers(parts, name, (holder) => holds.offered(holder));
  const intake = createIntake({ replies, events, store, clock });
  const deps = {
    intake,
    holds,
    deliveries,
    direct,
    clock,
    log,
    storedPushLimit,
    holdMs: config.holdMs,
    send: parts.clients.bot.send,
    isMute: async (platform: Platform) => {
      await accounts.refresh();
      return clock.now() < accounts.of(platform).muteUntil;
    },
    accounts: createServedAccounts(parts.served),
    strangers: new Set<string>(),
  };
  return createApp({ log, readiness: () => readiness, ...webhooks(deps) });
}

function listenForOffers({ connections, log }: Parts, name: string, offered: (holder: string) => void): void {
  const subscriber = connections.subscriber();
  subscriber.on('message', (_, holder: string) => offered(holder));
  subscriber
    .subscribe(keys.web(name))
    .catch((error: unknown) => log.warn({ error }, 'Offers of answers cannot be heard.'));
}

function watchRedis(parts: Parts, how: { readiness: Readiness; releases: Releases; standby: boolean }): void {
  const { connections, accounts, clock, log } = parts;
  let queues = createReleases(() => {});
  const takeover = createTakeover(
    {
      start: () => {
        queues = createReleases((name, error) =>
          log.warn({ name, error }, 'The queues did not stop as they should.'),
        );
        startQueues(parts, queues);
      },
      stop: () => queues.all(),
    },
    log,
  );
  how.releases.add('queues', () => takeover.stop());
  let beats = 0;
  const ticker = createTicker(
    beat,
    async () => {
      if (beats % beatsPerSync === 0) await clock.sync(connections.fast);
      beats += 1;
      const alive = await connections.fast.exists(keys.heartbeat);
      await accounts.refresh();
      how.readiness.degraded = [];
      if (how.standby) await takeover.see(alive === 1);
    },
    () => {
      how.readiness.degraded = ['redis'];
    },
  );
  how.releases.add('watch', () => ticker.stop());
}

/** Heroku's router keeps idle connections for 90 s: ours must not close first. */
const keepAliveMs = 95_000;

export async function listen(app: Express, { port, host }: { port: number; host: string }): Promise<Server> {
  const server = createServer(app);
  server.keepAliveTimeout = keepAliveMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}

/** Takes no more connections, and lets the requests under way end. */
export async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  await limited(closed, 19_000);
  server.closeAllConnections();
}

async function limited(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
