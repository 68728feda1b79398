import { randomUUID } from 'node:crypto';
import type { RequestListener } from 'node:http';
import type { RequestHandler } from 'express';
import type { Skipped } from '../config/index.ts';
import type { Console } from '../console/console.ts';
import type { Platform } from '../core/platform.ts';
import { idOf, type Place } from '../core/roster.ts';
import { withGateway } from '../gateway/gateway.ts';
import { createApp, type Readiness, webhooks } from '../http/app.ts';
import { createHolds } from '../http/holds.ts';
import type { WebDeps } from '../http/task.ts';
import type { WebhookDeps } from '../http/webhook.ts';
import { beat, createTakeover, createTicker, type Standby } from '../redis/leader.ts';
import { keys } from '../redis/keys.ts';
import { createDirect, type Direct } from '../replies/direct.ts';
import { createIntake, createMessageIndex } from '../replies/intake.ts';
import type { EventQueue } from '../typing/events.ts';
import { storedPushLimit } from '../typing/jobs.ts';
import { openConsole } from './console.ts';
import { faultyRecords, openControl } from './control.ts';
import { openGateway } from './gateway.ts';
import { openMetricsPage } from './metrics.ts';
import { learnFromRedis, type Parts, type QueueParts } from './parts.ts';
import { closeServer, createReleases, limited, listen, portOf, type Releases } from './releases.ts';
import { startQueues } from './worker.ts';

interface WebOptions {
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
  const app = createWebApp(parts, { readiness, direct, page, standby });
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

interface WebAppParts {
  readiness: Readiness;
  direct: Direct;
  page: RequestHandler | null;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
}

interface WebApp {
  listener: RequestListener;
  console: Pick<Console, 'close'>;
}

/** The web's routes on the connection that fails fast. */
function createWebApp(parts: Parts, options: WebAppParts): WebApp {
  const { readiness, direct, page, standby } = options;
  const queues = parts.queuesOn(parts.connections.fast);
  const { later, events: laterEvents } = createLater(parts);
  const isSkipped = (place: Place): boolean =>
    withRecords(parts, readiness).skipped.some(({ account }) => account === idOf(place));
  const deps = createWebhookDeps(parts, { queues, later, direct, isSkipped });
  const { log } = parts;
  const { events, store } = queues;
  const control = openControl(parts, { events, store, skipped: readiness.skipped });
  const console = openConsole(parts, {
    queues,
    standby,
    skipped: () => withRecords(parts, readiness).skipped,
  });
  const { names: components } = parts.components;
  const pages = { metrics: openMetricsPage(parts), control, console: console.handler, page };
  const routes = { ...tracedWebhooks(parts, deps), ...pages, components };
  const app = createApp({ log, readiness: () => withRecords(parts, readiness), ...routes });
  const gateway = openGateway(parts, { events, later: laterEvents });
  return { listener: withGateway(gateway, app), console };
}

interface WebhookParts extends Pick<WebhookDeps, 'later' | 'direct' | 'isSkipped'> {
  queues: QueueParts;
}

function createWebhookDeps(parts: Parts, { queues, ...ways }: WebhookParts): WebhookDeps {
  const { connections, clock, log, observe, learned, config, roster, served } = parts;
  const { replies, events, store, deliveries } = queues;
  const index = config.botQueue ? createMessageIndex(connections.fast) : undefined;
  const name = randomUUID();
  const holds = createHolds(name, deliveries);
  listenForOffers(parts, name, (holder) => holds.offered(holder));
  return {
    ...ways,
    holds,
    deliveries,
    clock,
    log,
    observe,
    storedPushLimit,
    intake: createIntake({ replies, events, store, clock, index }),
    reachesRedis: () => connections.fast.status === 'ready',
    holdMs: config.holdMs,
    send: parts.clients.bot.send,
    isMute: async (platform: Platform) => {
      await learned.refresh();
      return learned.isMute(platform);
    },
    accounts: roster,
    strangers: new Set<string>(),
    mayCome: () => config.accountsKeys.length > 0 && !served.records.isLoaded(),
  };
}

/** Accounts that were set at run time may be faulty too: looked up when somebody asks for them. */
function withRecords(parts: Parts, readiness: Readiness): Readiness {
  return {
    ...readiness,
    get skipped() {
      return [...readiness.skipped, ...faultyRecords(parts)];
    },
  };
}

function tracedWebhooks({ tracing }: Parts, deps: WebhookDeps): ReturnType<typeof webhooks> {
  const { receive, handshake } = webhooks(deps);
  return { receive: tracing?.push(receive) ?? receive, handshake };
}

const waitingLimit = 10_000;

/** The same moves on the connection that waits for Redis. */
function createLater(parts: Parts): { later: WebDeps['later']; events: Pick<EventQueue, 'tell'> } {
  const { replies, events, store, deliveries } = parts.queuesOn(parts.connections.jobs);
  const intake = createIntake({ replies, events, store, clock: parts.clock });
  // A Redis that stands still for long must not fill the memory with what waits for it.
  const waiting = new Set<Promise<unknown>>();
  const bounded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (waiting.size >= waitingLimit) throw new Error('too much waits for Redis');
    const promise = work();
    waiting.add(promise);
    return promise.finally(() => waiting.delete(promise));
  };
  return {
    later: {
      giveBack: (id, holder) => bounded(() => deliveries.giveBack(id, holder)),
      forfeit: (id) => bounded(() => deliveries.forfeit(id)),
      resume: (id) => bounded(() => deliveries.resume(id)),
      redeliver: (platform, received) => intake.redeliver(platform, received),
    },
    events: { tell: (...told) => bounded(() => events.tell(...told)) },
  };
}

function listenForOffers({ connections, log }: Parts, name: string, offered: (holder: string) => void): void {
  const subscriber = connections.subscriber();
  subscriber.on('message', (_, holder: string) => offered(holder));
  subscriber
    .subscribe(keys.web(name))
    .catch((error: unknown) => log.warn({ error }, 'Offers of answers cannot be heard.'));
}
