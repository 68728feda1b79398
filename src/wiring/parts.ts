import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Config } from '../config/index.ts';
import type { Log } from '../core/log.ts';
import type { Platform } from '../core/platform.ts';
import type { Observe } from '../core/notice.ts';
import type { Seal } from '../core/seal.ts';
import type { Saw } from '../core/sight.ts';
import { createRoster, type ChangingRoster } from '../core/served.ts';
import { createAccounts } from '../queue/accounts.ts';
import { createAlarm } from '../queue/alarm.ts';
import { createDeliveries } from '../queue/delivery.ts';
import { createEventQueue } from '../queue/events.ts';
import { queueNames, type ReplyJob, type TypingJob } from '../queue/jobs.ts';
import { prefix } from '../queue/keys.ts';
import { createSightings } from '../queue/sightings.ts';
import { createStore } from '../queue/store.ts';
import { provideRedis } from '../redis/by-itself.ts';
import { createRedisClock, type RedisClock } from '../redis/clock.ts';
import { createConnections, FAIL_FAST_QUEUE, type Connections } from '../redis/connect.ts';
import { createSharedCache } from '../redis/shared-cache.ts';
import { openComponents } from './component-news.ts';
import type { Components } from './components.ts';
import { createClients, createPlatform, type Clients } from './platforms.ts';
import { createObservers, type Observers } from './observers.ts';
import type { Releases } from './releases.ts';
import { serve } from './served-account.ts';

export interface RedisPlace {
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
  roster: ChangingRoster;
  components: Components;
  accounts: ReturnType<typeof createAccounts>;
  /** Hear of everything that happens. */
  observers: Observers;
  observe: Observe;
  /** Notes what is seen of the accounts. */
  saw: Saw;
  redis: RedisPlace;
}

export interface PartsOptions {
  config: Config;
  redis: RedisPlace;
  log: Log;
  releases: Releases;
  /** Closes what may not lie in Redis open. @default null: ACCOUNTS_KEY is not set */
  seal?: Seal | null;
}

/** The parts on the Redis of REDIS_URL, for processes that start none. Rejects with the remedy without one. */
export async function openParts({ config, log, releases }: Omit<PartsOptions, 'redis'>): Promise<Parts> {
  const redis = await provideRedis({ ...config, url: config.redisUrl, production: true, path: '', log });
  return createParts({ config, redis, log, releases });
}

export function createParts({ config, redis, log, releases, seal = null }: PartsOptions): Parts {
  const connections = createConnections({
    url: redis.url,
    rejectUnauthorized: config.redisTlsRejectUnauthorized,
    log,
  });
  releases.add('Redis connections', () => connections.close());
  const clock = createRedisClock({ local: () => performance.timeOrigin + performance.now() });
  const clients = createClients({ typing: config.typingConcurrency, replies: config.replyConcurrency });
  releases.add('HTTP clients', () =>
    Object.values(clients).forEach((client: { close: () => void }) => client.close()),
  );
  const observers = createObservers(log);
  const { observe } = observers;
  const cache = createSharedCache(connections.fast, randomUUID);
  const components = openComponents(
    { config, connections, clients, clock, cache, seal, log, observe },
    () => accounts,
  );
  const roster = createRoster(
    config.accounts.map((account) =>
      serve(account, config, createPlatform(account, { clients, clock, cache, log, observe })),
    ),
    components,
  );
  const auto = new Set(
    config.accounts
      .filter(({ afterAck }) => afterAck === 'auto')
      .map(({ channel, name }) => `${channel}/${name}`),
  );
  const isAuto = (platform: Platform): boolean =>
    auto.has(`${platform.channel}/${platform.account}`) || components.isAuto(platform);
  const saw = createSightings({ redis: connections.fast, clock, log });
  const accounts = createAccounts({ redis: connections.fast, clock, log, isAuto, saw, observe });
  const shared = { config, log, connections, clock, clients, redis };
  return { ...shared, roster, components, accounts, saw, observers, observe };
}

/** The queues and stores on one connection: the web's fails fast, the workers' waits for Redis. */
export function createQueueParts(parts: Parts, connection: Redis, releases: Releases) {
  const shared = { connection, prefix, streams: { events: { maxLen: parts.redis.eventsMaxLen } } };
  const options = connection === parts.connections.fast ? { ...shared, ...FAIL_FAST_QUEUE } : shared;
  const typing = open(new Queue<TypingJob>(queueNames.typing, options), releases);
  const replies = open(new Queue<ReplyJob>(queueNames.replies, options), releases);
  const alarm = createAlarm({ clock: parts.clock, ping: () => parts.connections.fast.ping() });
  releases.add('alarm', () => alarm.close());
  return {
    typing,
    replies,
    events: createEventQueue({ queue: typing, alarm, clock: parts.clock }),
    store: createStore(connection),
    deliveries: createDeliveries(connection),
  };
}

function open<T extends Queue>(queue: T, releases: Releases): T {
  // Without a listener an outage of Redis would end the process; the connections report it themselves.
  queue.on('error', () => {});
  // Closing waits for Redis, and there is nothing to wait for when it is away: the connections are dropped next.
  releases.add(`queue ${queue.name}`, () =>
    Promise.race([queue.close(), delay(500, undefined, { ref: false })]),
  );
  return queue;
}

/** Every so many beats other processes' findings are read, and the clock is measured against Redis's anew. */
const beatsPerRefresh = 5;
const beatsPerSync = 30;

/** What a process learns from Redis as it runs; `beats` counts from 0. */
export async function learnFromRedis(parts: Parts, beats: number): Promise<void> {
  const { connections, clock, accounts, components } = parts;
  await components.typings.refresh();
  if (beats % beatsPerSync === 0) await clock.sync(connections.fast);
  if (beats % beatsPerRefresh === 0) await accounts.refresh();
}
