import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Config } from '../config/index.ts';
import { createObservers, type Observe, type Observers } from '../core/notice.ts';
import type { Log } from '../core/ports.ts';
import type { Roster } from '../core/roster.ts';
import { createJournal, type Journal, type JournalOptions } from '../journal/journal.ts';
import { createJournalReader, type JournalReader } from '../journal/reader.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { provideRedis } from '../redis/by-itself.ts';
import { createRedisClock, type RedisClock } from '../redis/clock.ts';
import { type Connections, createConnections } from '../redis/connect.ts';
import { createSharedCache } from '../redis/shared.ts';
import { createDeliveries, type Deliveries } from '../replies/delivery.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { createAlarm, createEventQueue, type EventQueue } from '../typing/events.ts';
import { createLearned, createSightings, createSightsObserver } from '../typing/learned.ts';
import { createStore, type Store } from '../typing/store.ts';
import { openAccounts, openSeal, type ServedAccounts } from './accounts.ts';
import { openComponents, type OpenComponents } from './components.ts';
import { openMetrics } from './metrics.ts';
import { type Clients, closeClients, createClients, createServing, type Serving } from './platforms.ts';
import type { Releases } from './releases.ts';
import { StartError } from './run.ts';
import { type OpenedQueues, openQueues } from './workers.ts';

interface RedisPlace {
  url: string;
  eventsMaxLen: number;
}

/** What web and worker processes have in common. */
export interface Parts {
  config: Config;
  log: Log;
  connections: Connections;
  clock: RedisClock;
  clients: Clients;
  /** The accounts that take pushes. */
  roster: Roster;
  /** All that is known of them. */
  served: ServedAccounts;
  serving: Serving;
  components: OpenComponents;
  learned: ReturnType<typeof createLearned>;
  /** Hear of everything that happens. */
  observers: Observers;
  observe: Observe;
  /** Records what happens; reads what has. */
  journal: OpenJournal;
  redis: RedisPlace;
  metrics: Metrics;
  /** Opened once on each connection: the web's fails fast, the workers' waits for Redis. */
  queuesOn: (connection: Redis) => QueueParts;
  /** null: no traces are made. */
  tracing: Tracing | null;
}

interface PartsOptions {
  config: Config;
  redis: RedisPlace;
  log: Log;
  releases: Releases;
  /** @default null: no traces are made */
  tracing?: Tracing | null;
}

/** The parts on the Redis of REDIS_URL, for processes that start none. Rejects with the remedy without one. */
export async function openParts(options: Omit<PartsOptions, 'redis'>): Promise<Parts> {
  const { config, log } = options;
  if (config.redisUrl === null)
    throw new StartError(
      'REDIS_URL is missing: web, worker and replies need it; only npm start brings its own.',
    );
  const redis = await provideRedis({ ...config, url: config.redisUrl, production: true, path: '', log });
  return createParts({ ...options, redis });
}

export function createParts(options: PartsOptions): Parts {
  const { config, redis, log, releases, tracing = null } = options;
  const connections = createConnections({
    url: redis.url,
    rejectUnauthorized: config.redisTlsRejectUnauthorized,
    log,
  });
  releases.add('Redis connections', () => connections.close());
  const clock = createRedisClock({ local: () => performance.timeOrigin + performance.now() });
  const traced = tracing?.call;
  const clients = createClients({ traced });
  releases.add('HTTP clients', () => closeClients(clients));
  const observers = createObservers(log);
  const { observe } = observers;
  const cache = createSharedCache(connections.fast, randomUUID);
  const seal = openSeal(config);
  const calls = { clients, clock, cache, log, observe };
  const components = openComponents({ ...calls, config, connections, seal }, () => learned);
  const serving = createServing({ ...calls, config, releases, traced });
  const served = openAccounts({ config, redis: connections.fast, serving, components, clock, log });
  const saw = createSightings({ redis: connections.fast, clock, log });
  observers.add(createSightsObserver(saw));
  const learned = createLearned({ redis: connections.fast, clock, log, saw, observe });
  const { roster } = served;
  const heard = { learned, observers, observe };
  const known = { config, log, connections, clock, clients, roster, served, serving, components, ...heard };
  const opened = new Map<Redis, QueueParts>();
  const queuesOn = (connection: Redis): QueueParts => {
    const queues = opened.get(connection) ?? openQueueParts(parts, connection, releases);
    opened.set(connection, queues);
    return queues;
  };
  const metrics = openMetrics({ ...known, queues: () => queuesOn(connections.fast) });
  observers.add(metrics.observe);
  const journal = openJournal({ ...known, redis, releases });
  observers.add(journal.observe);
  const parts: Parts = { ...known, redis, metrics, tracing, journal, queuesOn };
  return parts;
}

/** The queues and stores on one connection. */
export interface QueueParts extends OpenedQueues {
  events: EventQueue;
  store: Store;
  deliveries: Deliveries;
}

function openQueueParts(parts: Parts, connection: Redis, releases: Releases): QueueParts {
  const queues = openQueues(connection, { ...parts, releases, telemetry: parts.tracing?.telemetry ?? null });
  const alarm = createAlarm({ clock: parts.clock, ping: () => parts.connections.fast.ping() });
  releases.add('alarm', () => alarm.close());
  return {
    ...queues,
    events: createEventQueue({ queue: queues.typing, alarm, clock: parts.clock }),
    store: withJournal(createStore(connection, { log: parts.log }), parts.journal),
    deliveries: createDeliveries(connection, { log: parts.log }),
  };
}

/** Every so many beats other processes' findings are read, and the clock is measured against Redis's anew. */
const beatsPerRefresh = 5;
const beatsPerSync = 30;

/** What a process learns from Redis as it runs; `beats` counts from 0. */
export async function learnFromRedis(parts: Parts, beats: number): Promise<void> {
  const { connections, clock, learned, served, components } = parts;
  await components.typings.refresh();
  if (beats % beatsPerSync === 0) {
    await clock.sync(connections.fast);
    components.followKeys();
  }
  await served.records.follow();
  if (beats % beatsPerRefresh === 0) await learned.refresh();
}

/** Records what happens; reads what has. */
interface OpenJournal extends Journal {
  reader: JournalReader;
}

interface JournalParts extends Pick<JournalOptions, 'clock' | 'log'> {
  config: Pick<Config, 'journalLength'>;
  connections: Pick<Connections, 'fast'>;
  redis: { eventsMaxLen: number };
  releases: Releases;
}

/** The embedded Redis copies a stream at each write: there it must be short. */
const embeddedLength = 500;

function openJournal(options: JournalParts): OpenJournal {
  const { config, connections, redis, clock, log, releases } = options;
  const isEmbedded = redis.eventsMaxLen < 100;
  const length = isEmbedded ? Math.min(config.journalLength, embeddedLength) : config.journalLength;
  const by = randomUUID().slice(0, 8);
  const journal = createJournal({ redis: connections.fast, clock, log, length, by });
  releases.add('journal', () => journal.close());
  return { ...journal, reader: createJournalReader(connections.fast) };
}

/** Who is forgotten is nowhere in the journal, either. */
function withJournal(store: Store, journal: Pick<OpenJournal, 'flush' | 'reader'>): Store {
  return {
    ...store,
    forget: async (conversation) => {
      await store.forget(conversation);
      await journal.flush();
      await journal.reader.forget(conversation);
    },
  };
}
