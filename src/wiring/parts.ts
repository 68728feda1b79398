import { randomUUID } from 'node:crypto';
import type { Config } from '../config/index.ts';
import { createObservers, type Observe, type Observers } from '../core/notice.ts';
import { type Log, type Standing, StartError } from '../core/ports.ts';
import type { Conversation, Platform } from '../core/platform.ts';
import { type Place, platformsOf, type Roster } from '../core/roster.ts';
import { createGuesses, type Guesses } from '../http/guesses.ts';
import { createRefused, type Refused } from '../http/refused.ts';
import { createJournal, type Journal, type JournalOptions } from '../journal/journal.ts';
import { createJournalReader, type JournalReader } from '../journal/reader.ts';
import type { Metrics } from '../metrics/metrics.ts';
import { provideRedis } from '../redis/by-itself.ts';
import { createRedisClock, type RedisClock } from '../redis/clock.ts';
import type { Commands } from '../redis/commands.ts';
import type { Connections } from '../redis/connect.ts';
import { queueNames } from '../redis/keys.ts';
import { createSharedCache } from '../redis/shared.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type Assurances, createAssurances } from '../typing/assurances.ts';
import { type Blocks, createBlocks } from '../typing/blocks.ts';
import { createEventQueue, createKeptEvents, type EventQueue } from '../typing/events.ts';
import { createLearned, createSightings, createSightsObserver, seenOn } from '../typing/learned.ts';
import { createLooks } from '../typing/looks.ts';
import { createApply } from '../typing/perform.ts';
import { createPressure, type Pressure } from '../typing/pressure.ts';
import { createIdentities, type Identities } from '../typing/identities.ts';
import { createStore, type Store } from '../typing/store.ts';
import { createWakes, type Wakes } from '../typing/wakes.ts';
import { openAccounts, openSeal, type ServedAccounts } from './accounts.ts';
import { openComponents, type OpenComponents } from './components.ts';
import { openMetrics } from './metrics.ts';
import { type Clients, closeClients, createClients, createServing, type Serving } from './platforms.ts';
import type { Releases } from './releases.ts';
import { type Kind, openShards, type Shards } from './shards.ts';

interface RedisPlace {
  url: string;
  eventsMaxLen: number;
}

/** What web and worker processes have in common. */
export interface Parts {
  /** This process's name, which no other has. */
  name: string;
  config: Config;
  log: Log;
  /** Where conversations and pushes are; most have one shard. */
  shards: Shards;
  /** To the first, which has all else. */
  connections: Connections;
  /** Which of those that are used that one refuses. */
  commands: Commands;
  /** For how long a conversation's Redis has been there again (ms); Infinity: it has not been away. */
  backFor: (conversation: Conversation) => number;
  /** How Redis stands; asked by whoever tells it. */
  standing: () => Standing;
  clock: RedisClock;
  clients: Clients;
  /** The accounts that take pushes. */
  roster: Roster;
  /** All that is known of them. */
  served: ServedAccounts;
  /** What an account has taken before it was removed is still done. */
  platformOf: (place: Place) => Platform | null;
  serving: Serving;
  components: OpenComponents;
  learned: ReturnType<typeof createLearned>;
  assurances: Assurances;
  /** Hear of everything that happens. */
  observers: Observers;
  observe: Observe;
  /** Records what happens; reads what has. */
  journal: OpenJournal;
  redis: RedisPlace;
  metrics: Metrics;
  /** Whoever shows a wrong token. */
  guesses: Guesses;
  /** Hears of pushes that are not taken. */
  refused: Refused;
  /** How far behind this process is. */
  pressure: Pressure;
  /** Conversations that have to be looked at again. */
  wakes: Wakes;
  /** Opened once for each kind of connection: the web's fails fast, the workers' waits for Redis. */
  on: (kind: Kind) => ConversationParts;
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
  /** It takes as many shards as there are, whatever is configured. @default false */
  follows?: boolean;
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
  const { config, redis, log, releases, tracing = null, follows = false } = options;
  const clock = createRedisClock({ local: () => performance.timeOrigin + performance.now() });
  const telemetry = tracing?.telemetry ?? null;
  const wanted = { ...config, ...(follows ? { shards: null } : {}) };
  const shards = openShards({ config: wanted, redis, clock, log, releases, telemetry });
  const { connections, commands } = shards.home;
  const { standing, backFor } = shards;
  // Also of a Redis that has come back on another host.
  connections.fast.on('ready', () => void clock.sync(connections.fast).catch(() => {}));
  const traced = tracing?.call;
  const clients = createClients({ traced });
  releases.add('HTTP clients', () => closeClients(clients));
  const observers = createObservers(log);
  const { observe } = observers;
  const cache = createSharedCache(connections.fast, randomUUID);
  const seal = openSeal(config);
  const calls = { clients, clock, cache, log, observe };
  const components = openComponents({ ...calls, config, connections, seal }, () => learned);
  const assurances = createAssurances({ redis: connections.fast, clock, log });
  const serving = createServing({ ...calls, assurances, config, releases, traced });
  const served = openAccounts({ config, redis: connections.fast, serving, components, clock, log });
  const saw = createSightings({ redis: connections.fast, clock, log });
  observers.add(createSightsObserver(saw));
  const learned = createLearned({ redis: connections.fast, clock, log, saw, observe });
  const { roster } = served;
  observers.add(createLooks({ log, observe, roster, seen: seenOn(connections.fast) }));
  const heard = { learned, assurances, observers, observe };
  const wakes = createWakes({ shards: shards.spread('fast'), clock, log });
  const name = randomUUID().slice(-12);
  const pressure = createPressure({
    waiting: async () => {
      const waiting = shards
        .all()
        .map(({ keys, connections: { fast } }) =>
          fast.llen(keys.waitingJobs(queueNames.typing)).catch(() => 0),
        );
      return (await Promise.all(waiting)).reduce((sum, count) => sum + count, 0);
    },
  });
  releases.add('pressure', () => pressure.close());
  const guesses = createGuesses({ clock, log, observe });
  releases.add('guesses', () => guesses.close());
  const refused = createRefused({ clock, log, observe });
  releases.add('refused pushes', () => refused.close());
  const own = {
    name,
    config,
    log,
    shards,
    connections,
    commands,
    clock,
    clients,
    wakes,
    pressure,
    guesses,
    refused,
  };
  const platformOf = platformsOf(served.lasting);
  const known = { ...own, standing, backFor, roster, served, platformOf, serving, components, ...heard };
  const opened = new Map<Kind, ConversationParts>();
  const on = (kind: Kind): ConversationParts => {
    const one = opened.get(kind) ?? openConversationParts(parts, kind);
    opened.set(kind, one);
    return one;
  };
  const metrics = openMetrics(known);
  observers.add(metrics.observe);
  const journal = openJournal({ ...known, redis, releases });
  observers.add(journal.observe);
  const parts: Parts = { ...known, redis, metrics, tracing, journal, on };
  return parts;
}

/** What tells conversations, and asks of them, in whatever shard each is. */
export interface ConversationParts {
  events: EventQueue;
  /** The same for whoever cannot wait for Redis: what it does not take waits in the outbox. */
  kept: EventQueue;
  store: Store;
  blocks: Blocks;
  identities: Identities;
}

function openConversationParts(parts: Parts, kind: Kind): ConversationParts {
  const { shards, wakes, learned, clock, log, observe, platformOf, backFor } = parts;
  const spread = shards.spread(kind);
  const store = withJournal(createStore(spread, { log }), parts.journal);
  const judging = { store, wakes, learned, clock, log, observe, platformOf, backFor };
  const { outboxOf } = shards;
  const events = createEventQueue({ queueOf: shards.queueOf(kind), apply: createApply(judging) });
  return {
    events,
    kept: createKeptEvents(events, outboxOf),
    store,
    blocks: createBlocks(spread),
    identities: createIdentities({ store, events, outboxOf, clock, platformOf }),
  };
}

/** Every so many beats other processes' findings are read, and the clock is measured against Redis's anew. */
const beatsPerRefresh = 5;
const beatsPerLayout = 10;
const beatsPerSync = 30;
/** Accounts that are set at run time are known everywhere within this many; without a key for them none is. */
const beatsPerFollow = { withKey: 2, without: 10 };

/** What a process learns from Redis as it runs, as far as it may; `beats` counts from 0. */
export async function learnFromRedis(parts: Parts, beats: number): Promise<void> {
  try {
    await learnAll(parts, beats);
  } catch (error) {
    const { lacks } = parts.commands;
    if (!lacks.has('records') && !lacks.has('scripts')) throw error;
  }
}

async function learnAll(parts: Parts, beats: number): Promise<void> {
  const { config, connections, clock, learned, assurances, served, components } = parts;
  await components.typings.refresh();
  if (beats % beatsPerSync === 0) {
    await clock.sync(connections.fast);
    components.followKeys();
  }
  // Whoever has changed the number of shards waits until all know it.
  if (beats % beatsPerLayout === 0) await parts.shards.follow();
  const perFollow = config.accountsKeys.length > 0 ? beatsPerFollow.withKey : beatsPerFollow.without;
  if (beats % perFollow === 0) await served.records.follow();
  // Whoever starts a process has mostly mended something.
  if (beats === 0) await learned.tryAgain();
  if (beats % beatsPerRefresh === 0) await learned.refresh();
  if (beats % beatsPerLayout === 0) await assurances.refresh();
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

/** The Redis written in JavaScript, which must keep its streams short. */
export function isEmbedded({ eventsMaxLen }: { eventsMaxLen: number }): boolean {
  return eventsMaxLen < 100;
}

/** The embedded Redis copies a stream at each write: there it must be short. */
const embeddedLength = 500;

function openJournal(options: JournalParts): OpenJournal {
  const { config, connections, redis, clock, log, releases } = options;
  const length = isEmbedded(redis) ? Math.min(config.journalLength, embeddedLength) : config.journalLength;
  const by = randomUUID().slice(0, 8);
  const journal = createJournal({ redis: connections.fast, clock, log, length, by });
  releases.add('journal', () => journal.close());
  return { ...journal, reader: createJournalReader(connections.fast) };
}

/** Longer than a record waits to be written (ms). */
const othersMs = 1_000;

/** Who is forgotten is nowhere in the journal, either. */
function withJournal(store: Store, journal: Pick<OpenJournal, 'flush' | 'reader'>): Store {
  return {
    ...store,
    forget: async (conversation) => {
      const users = [conversation.user, ...(await store.names(conversation))];
      await store.forget(conversation);
      await journal.flush();
      const forget = async (): Promise<void> => {
        for (const user of users) await journal.reader.forget({ ...conversation, user });
      };
      await forget();
      // Other processes may just be writing what they have seen of it.
      setTimeout(() => void forget().catch(() => {}), othersMs).unref();
    },
  };
}
