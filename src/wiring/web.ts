import type { RequestListener } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { RequestHandler } from 'express';
import type { Config, Skipped } from '../config/index.ts';
import type { Console } from '../console/console.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import type { Log } from '../core/ports.ts';
import { idOf, type Place } from '../core/roster.ts';
import { withGateway } from '../gateway/gateway.ts';
import { createApp, type Readiness, webhooks } from '../http/app.ts';
import { createHolds, type Holds } from '../http/holds.ts';
import { boundsOf, createBodies } from '../http/respond.ts';
import type { WebhookDeps } from '../http/webhook.ts';
import { processOf } from '../replies/delivery.ts';
import { createIntake, createMessageIndex } from '../replies/intake.ts';
import { createOwned, type Owned } from '../replies/owned.ts';
import { createTurns, type Turns } from '../replies/turns.ts';
import { storedPushLimit } from '../typing/jobs.ts';
import type { ShardOfPush } from '../http/task.ts';
import type { Shares } from '../typing/shares.ts';
import { alive, createCarrying, createPushShares } from './carrying.ts';
import { openConsole } from './console.ts';
import { faultyRecords, openControl } from './control.ts';
import { openGateway } from './gateway.ts';
import { openMetricsPage } from './metrics.ts';
import { nextSteps } from './next-steps.ts';
import type { Parts } from './parts.ts';
import { closeServer, limited, listen, portOf, type Releases } from './releases.ts';
import type { Shard } from './shards.ts';
import { watchRedis } from './watch.ts';

interface WebOptions {
  skipped: readonly Skipped[];
  releases: Releases;
  /** Runs the queues while no worker does. Not needed where the same process is a worker anyway. */
  standby: boolean;
  /** A page at the root. @default null: it leads to the console, where there is one */
  page?: RequestHandler | null;
  /**
   * The worker in the same process. It stops when no more pushes are taken, and before the gateway does: the bots whose
   * answers it waits for send them there.
   */
  worker?: { stop(): Promise<void> };
  /** Says the console by a link that logs in once. @default not */
  invites?: boolean;
}

/** A held connection and a relayed delivery last 5 s at most: longer no platform waits (ms). */
const drainMs = 6_000;
/** A bot's call through the gateway may take longer; all must be over when the process has to end (ms). */
const gatewayMs = 17_000;
/** Turns under way get so long to end; what has not goes to another process, which calls the bot again (ms). */
const turnsMs = 13_000;

/** Opens the web process. Resolves with its port when it listens; Redis may come up later. */
export async function startWeb(parts: Parts, options: WebOptions): Promise<number> {
  const { skipped, releases, standby, page = null, worker, invites = false } = options;
  const left = [...skipped, ...parts.components.skipped];
  const readiness: Readiness = { phase: 'starting', degraded: [], skipped: left };
  const { config, log } = parts;
  const seen = { worker: false };
  const carried = createCarried(parts, () => seen.worker);
  const app = createWebApp(parts, { readiness, carried, page, standby });
  await lookFirst(parts);
  const server = await listen(app.listener, config);
  let stoppingAt = 0;
  const remaining = (): number => Math.max(0, stoppingAt + gatewayMs - performance.now());
  releases.add('server', async () => {
    // Whose answers are waited for may send them through the gateway, by connections that are yet to come.
    await carried.stop(Math.min(turnsMs, remaining()));
    await closeServer(server, Math.max(remaining(), drainMs));
    // What the last connections were too late for is sent.
    await carried.stop(remaining());
  });
  watchRedis(parts, { releases, standby, seen });
  if (worker) releases.add('worker', () => worker.stop());
  readiness.phase = 'ready';
  // Its streams would keep the server open, and nothing is waited for on them.
  releases.add('console', () => app.console.close());
  releases.add('readiness', () => {
    readiness.phase = 'stopping';
    stoppingAt = performance.now();
  });
  const port = portOf(server);
  log.info({ port }, 'listening');
  if (!config.demo) {
    const invitation = invites ? app.console.invite() : null;
    const { names } = parts.components;
    for (const line of nextSteps({
      config,
      port,
      accounts: parts.roster.all(),
      components: names,
      invitation,
    }))
      log.info({}, line);
  }
  return port;
}

/** Not longer: what is configured is served without Redis too (ms). */
const firstLookMs = 1_000;

/** A push that comes with the first moment is to find its account, the time that all processes share, and what Redis can do. */
async function lookFirst({ config, connections, shards, served, clock, assurances }: Parts): Promise<void> {
  const look = async (): Promise<void> => {
    await connections.ready();
    // Whoever says how many shards there are says from when on.
    await clock.sync(connections.fast).catch(() => {});
    await shards.follow();
    await Promise.all([
      ...shards.all().map(({ commands }) => commands.look()),
      assurances.refresh(),
      config.accountsKeys.length === 0 ? null : served.records.follow(),
    ]);
  };
  await limited(
    look().catch(() => {}),
    firstLookMs,
  );
}

interface WebAppParts {
  readiness: Readiness;
  carried: Carried;
  page: RequestHandler | null;
  /** This process runs the queues while no worker lives. */
  standby: boolean;
}

interface WebApp {
  listener: RequestListener;
  console: Pick<Console, 'close' | 'invite'>;
}

/** The web's routes on the connection that fails fast. */
function createWebApp(parts: Parts, options: WebAppParts): WebApp {
  const { carried, page, standby } = options;
  const readiness = withRecords(parts, options.readiness);
  const isSkipped = (place: Place): boolean =>
    readiness.skipped.some(({ account }) => account === idOf(place));
  const bodies = createBodies(boundsOf(parts.config));
  const deps = { ...createWebhookDeps(parts, { carried, isSkipped }), bodies };
  const { log } = parts;
  const { events, store } = parts.on('fast');
  const control = openControl(parts, { events, store, skipped: options.readiness.skipped });
  const console = openConsole(parts, {
    standby,
    skipped: () => readiness.skipped,
  });
  const { names: components } = parts.components;
  const pages = {
    metrics: openMetricsPage(parts),
    control,
    console: console.handler,
    page: page ?? toConsole(parts.config),
  };
  const routes = { ...tracedWebhooks(parts, deps), bodies, ...pages, components };
  const app = createApp({ log, readiness: () => readiness, ...routes });
  const gateway = openGateway(parts);
  return { listener: withGateway(gateway, app), console };
}

/** Whoever types the bare address looks for the console; without a token for it there is none. */
function toConsole({ controlTokens }: Pick<Config, 'controlTokens'>): RequestHandler | null {
  if (controlTokens.length === 0) return null;
  return (request, response, next) =>
    request.path === '/' && ['GET', 'HEAD'].includes(request.method) ? response.redirect('/console') : next();
}

/** The pushes of one shard that this web has: those that it carries, and the connections that wait for an answer. */
interface CarriedShard extends ShardOfPush {
  owned: Owned;
}

interface Carried {
  shares: Shares;
  of(conversation: Conversation, push: string): CarriedShard | Promise<CarriedShard>;
  home: CarriedShard;
  /** Lets what is under way end; another process goes on with what has not by then. */
  stop(graceMs: number): Promise<void>;
}

/** Who offers an answer waits 500 ms for it to be claimed (ms). */
const offerLook = 100;

function createCarried(parts: Parts, workerLives: () => boolean): Carried {
  const { shards, clock, log, name } = parts;
  const shares = createPushShares(parts);
  const all = new Map<Shard, CarriedShard>();
  const open = (shard: Shard): CarriedShard => {
    const { connections, commands, outbox, keys } = shard;
    const { deliveries, replies } = shard.on('fast');
    const owned = createOwned({ deliveries, outbox, clock, log });
    const holds = createHolds({ name, deliveries });
    const isDeaf = (): boolean => commands.lacks.has('channels');
    const lookFor = async (holder: string): Promise<void> => {
      while (isDeaf() && holds.offered(holder)) await delay(offerLook);
    };
    const turns = createTurns({
      ...createCarrying(parts, { shard, holds, shares }),
      replies,
      owned,
      pressure: parts.pressure,
      storedPushLimit,
      jobsRun: () => workerLives() || !commands.lacks.has('jobs'),
      // Who cannot be asked is as good as dead: the bot is called again.
      askOwner: async (owner, { id, holder }) =>
        isDeaf() ? 0 : connections.fast.publish(keys.web(processOf(owner)), `repeat ${holder} ${id}`),
    });
    listenToOthers(shard, { name, log, holds, turns });
    return { owned, holds, turns, lookFor: (holder) => void lookFor(holder) };
  };
  shards.each((shard) => void all.set(shard, open(shard)));
  const home = all.get(shards.home) ?? open(shards.home);
  const at = (shard: Shard): CarriedShard => all.get(shard) ?? home;
  return {
    shares,
    home,
    of: (conversation, push) => {
      const shard = shards.of(conversation, push);
      return shard instanceof Promise ? shard.then(at) : at(shard);
    },
    stop: async (graceMs) => {
      await Promise.all([...all.values()].map(({ owned }) => owned.stop(graceMs)));
    },
  };
}

interface WebhookParts extends Required<Pick<WebhookDeps, 'isSkipped'>> {
  carried: Carried;
}

function createWebhookDeps(parts: Parts, { carried, isSkipped }: WebhookParts): WebhookDeps {
  const { connections, clock, log, observe, learned, config, roster, served } = parts;
  const { kept: events, store, identities } = parts.on('fast');
  const index = config.botQueue ? createMessageIndex(connections.fast) : undefined;
  return {
    ...carried.home,
    shardOf: (conversation, push) => carried.of(conversation, push),
    intake: createIntake({ events, store, identities, clock, index }),
    shares: carried.shares,
    pressure: parts.pressure,
    events,
    clock,
    log,
    observe,
    isSkipped,
    holdMs: config.holdMs,
    send: parts.clients.bot.send,
    isMute: (platform: Platform) => learned.isMute(platform),
    refreshMute: () => void learned.refresh().catch(() => {}),
    accounts: roster,
    refused: parts.refused,
    allowances: new Map(),
    mayCome: () => config.accountsKeys.length > 0 && !served.records.isLoaded(),
  };
}

/** What may change at any moment is looked up when somebody asks for it; accounts that were set at run time may be faulty too. */
function withRecords(parts: Parts, readiness: Readiness): Readiness {
  return {
    get phase() {
      return readiness.phase;
    },
    get degraded() {
      const isDown = parts.standing().is !== 'ok';
      return [...(parts.pressure.isHurried() ? ['overload'] : []), ...(isDown ? ['redis'] : [])];
    },
    get reasons() {
      const { says } = parts.standing();
      return says === null ? [] : [says];
    },
    get skipped() {
      return [...readiness.skipped, ...faultyRecords(parts)];
    },
  };
}

function tracedWebhooks({ tracing }: Parts, deps: WebhookDeps): ReturnType<typeof webhooks> {
  const { receive, ...others } = webhooks(deps);
  return { ...others, receive: tracing?.push(receive) ?? receive };
}

/** What other processes say to this one: that an answer waits for its connection, or that a repeat of a push has come. */
function listenToOthers(
  { subscriber: open, commands, keys }: Shard,
  { name, log, holds, turns }: { name: string; log: Log; holds: Holds; turns: Turns },
): void {
  const channel = keys.web(name);
  const subscriber = open();
  subscriber.on('message', (on, message: string) => {
    if (on !== channel) return;
    const [word, holder = '', ...id] = message.split(' ');
    if (word === 'repeat') turns.repeat(id.join(' '), holder).catch(() => {});
    else if (word !== alive) holds.offered(message);
  });
  const listen = (): void => {
    if (commands.lacks.has('channels')) return;
    subscriber.subscribe(channel).catch((error: unknown) => {
      // Said where all commands are tried.
      log.debug({ error }, 'Offers of answers cannot be heard.');
      void commands.look();
    });
  };
  commands.onChange(listen);
  listen();
}
