/** The shards of this process: what it has on each Redis, and on which a conversation is. */
import type { Telemetry } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Conversation } from '../core/platform.ts';
import { type Log, type Standing, standsWell } from '../core/ports.ts';
import { readRedisUrl } from '../core/redis-url.ts';
import { said, saidTogether } from '../core/said.ts';
import type { RedisClock } from '../redis/clock.ts';
import { type Commands, createCommands, standingOf } from '../redis/commands.ts';
import { type Connections, createConnections, visitRedis } from '../redis/connect.ts';
import { type Keys, keysOf } from '../redis/keys.ts';
import { createOutbox, type Outbox } from '../redis/outbox.ts';
import { createLayout, type Spread } from '../redis/shards.ts';
import { createDeliveries, type Deliveries } from '../replies/delivery.ts';
import { sameAs } from '../typing/state-schema.ts';
import { createToldReleases, limited, type Releases } from './releases.ts';
import { type OpenedQueues, openQueues } from './workers.ts';

/** A Redis that this process is connected to. */
interface Connected {
  connections: Connections;
  /** Which of those that are used it refuses. */
  commands: Commands;
  /** A further shard is on it. */
  tries: (keys: Keys) => Promise<void>;
  /** What it has to know, and does not take now. */
  outbox: Outbox;
  standing: () => Standing;
  /** What others tell this process. */
  subscriber: () => Redis;
}

/** `fast` fails at once while Redis is away, `jobs` waits for it. */
export type Kind = 'fast' | 'jobs';

/** The queues, and the records of pushes, on one connection. */
export interface ShardQueues extends OpenedQueues {
  deliveries: Deliveries;
}

export interface Shard extends Connected {
  n: number;
  keys: Keys;
  on: (kind: Kind) => ShardQueues;
}

export interface Shards {
  /** The first, which also has what is not spread. */
  home: Shard;
  all: () => readonly Shard[];
  /** Calls back for each: for those that are, and for those that are opened later, until it is told to stop. */
  each: (work: (shard: Shard) => void) => () => void;
  /** Where a conversation is, or begins; `push`: or the record of that push. */
  of: (conversation: Conversation, push?: string) => Shard | Promise<Shard>;
  /** The typing queue of the shard that has the conversation; what waits for its Redis. */
  queueOf: (kind: Kind) => (conversation: Conversation) => Promise<OpenedQueues['typing']>;
  outboxOf: (conversation: Conversation) => Promise<Outbox>;
  /** Learns how many there are by now. */
  follow: () => Promise<void>;
  /** Leaves no shard that is still needed; to be called every hour. */
  keep: () => Promise<void>;
  spread: (kind: Kind) => Spread<Redis>;
  /** How the Redis stands that stands worst. */
  standing: () => Standing;
  /** For how long a conversation's Redis has been there again (ms); Infinity: it has not been away. */
  backFor: (conversation: Conversation) => number;
}

interface ShardsOptions {
  /** `shards` null: as many as there are. */
  config: { redisUrls: readonly string[]; shards: number | null; redisTlsRejectUnauthorized: boolean };
  redis: { url: string; eventsMaxLen: number };
  clock: RedisClock;
  log: Log;
  releases: Releases;
  telemetry: Telemetry | null;
}

/** What a stopping process has learned last; a Redis that is away is not waited for (ms). */
const outboxMs = 2_000;

export function openShards(asked: ShardsOptions): Shards {
  const { config, redis, clock, log } = asked;
  const releases = createToldReleases(log);
  // Those that are opened later are needed as long as the first.
  asked.releases.add('shards', () => releases.all());
  const options = { ...asked, releases };
  const { redisUrls: urls } = config;
  const connected = new Map<string, Connected>();
  const opened: Shard[] = [];
  const listeners = new Set<(shard: Shard) => void>();
  const isMissing = (n: number): boolean => urls.length > 0 && n >= urls.length;
  const open = (n: number): Shard => {
    const url = urls[n] ?? redis.url;
    const keys = keysOf(n);
    // A connection to a Cluster is to one of its nodes.
    const name = readRedisUrl(url)?.kind === 'cluster' ? `${url} ${n}` : url;
    const known = connected.get(name);
    const to = known ?? connect(options, url, keys);
    connected.set(name, to);
    // A right to the first one's keys is none to these.
    if (known) void known.tries(keys);
    const shard: Shard = { ...to, n, keys, on: once((kind: Kind) => queuesOn(options, to, { keys, kind })) };
    opened.push(shard);
    for (const listener of listeners) listener(shard);
    return shard;
  };
  /** A message is taken all the same; whoever knows all Redis may take it too. */
  const at = (n: number): Shard => (isMissing(n) ? home : (opened[n] ?? openUpTo(n)));
  const openUpTo = (n: number): Shard => {
    while (opened.length < n) open(opened.length);
    return opened[n] ?? open(n);
  };
  const home = open(0);
  const layout = createLayout({
    redis: home.connections.fast,
    shards: config.shards,
    clock,
    log,
    has: async (n, keys) => !isMissing(n) && (await at(n).connections.fast.exists(...keys)) > 0,
    states: async function* (n) {
      if (isMissing(n)) return;
      const { connections, keys } = at(n);
      const start = keys.state('');
      for await (const found of connections.fast.scanStream({ match: `${start}*`, count: 1_000 })) {
        const names = found as string[];
        const states = names.length === 0 ? [] : await connections.fast.mget(...names);
        yield names.flatMap((key, nth) => (isState(states[nth]) ? [key.slice(start.length)] : []));
      }
    },
  });
  let isTold = false;
  const openAll = (): void => {
    const inUse = layout.inUse();
    inUse.forEach(at);
    if (isTold || !inUse.some(isMissing)) return;
    isTold = true;
    log.error(
      { shards: inUse.length },
      `REDIS_URLS names ${urls.length} of ${inUse.length} shards that are in use: add the others, or what is in them is answered without its record.`,
    );
  };
  openAll();
  const of: Shards['of'] = (conversation, push) => {
    // Most have one, and nothing to look up.
    if (opened.length === 1) return home;
    const n = layout.of(conversation, push);
    return typeof n === 'number' ? at(n) : n.then(at);
  };
  return {
    home,
    all: () => opened,
    each: (work) => {
      listeners.add(work);
      opened.forEach(work);
      return () => void listeners.delete(work);
    },
    of,
    queueOf: (kind) => async (conversation) => (await of(conversation)).on(kind).typing,
    outboxOf: async (conversation) => (await of(conversation)).outbox,
    follow: async () => {
      await layout.follow();
      openAll();
    },
    keep: () => layout.keep(),
    spread: (kind) => {
      const spotOf = once(({ connections, keys }: Shard) => ({ redis: connections[kind], keys }));
      return {
        of: (conversation) => {
          const shard = of(conversation);
          return shard instanceof Promise ? shard.then(spotOf) : spotOf(shard);
        },
        all: () => opened.map(spotOf),
      };
    },
    backFor: (conversation) => {
      const where = opened.length === 1 ? [0] : layout.maybe(conversation);
      return Math.min(...where.map((n) => at(n).connections.health.backFor()));
    },
    standing: () => {
      const all = [...connected.values()].map((each) => each.standing());
      const worst = all.reduce((worse, { is }, n) => (badness(is) > badness(all[worse]?.is) ? n : worse), 0);
      const found = all[worst] ?? standsWell;
      if (all.length < 2 || found.says === null) return found;
      const which = said('Of {all} Redis it is number {which}.', { all: all.length, which: worst + 1 });
      return { ...found, says: saidTogether(found.says, which) };
    },
  };
}

const fromBest: readonly Standing['is'][] = ['ok', 'refusing', 'readonly', 'unwritable', 'full', 'away'];

function badness(is: Standing['is'] = 'ok'): number {
  return fromBest.indexOf(is);
}

/** Not what only leads from another name of the user's to the state: each push writes that anew. */
function isState(raw: string | null | undefined): boolean {
  return typeof raw === 'string' && sameAs(raw) === null;
}

function once<Argument, Made extends object>(
  make: (argument: Argument) => Made,
): (argument: Argument) => Made {
  const made = new Map<Argument, Made>();
  return (argument) => {
    const known = made.get(argument);
    if (known) return known;
    const one = make(argument);
    made.set(argument, one);
    return one;
  };
}

/** One try (ms). */
const visitMs = 3_000;

function connect({ config, clock, log, releases }: ShardsOptions, url: string, keys: Keys): Connected {
  const address = { url, rejectUnauthorized: config.redisTlsRejectUnauthorized, key: keys.probe };
  const connections = createConnections({ ...address, log });
  releases.add('Redis connections', () => connections.close());
  const { fast, health } = connections;
  // They are tried at the start, and whenever Redis is back: another one may have come in its place.
  const others: Keys[] = [];
  const visit = () => visitRedis({ ...address, timeoutMs: visitMs });
  const commands = createCommands({ visit, keys, others, log });
  commands.onChange(() => health.takeAsAway(commands.lacks.has('scripts')));
  const look = (): void => void commands.look();
  fast.once('ready', look);
  fast.once('ready', () => void warnOfEviction(fast, log));
  health.onBack(look);
  releases.add('commands', () => commands.close());
  const outbox = createOutbox({ health, clock, log });
  releases.add('outbox', async () => {
    await limited(outbox.idle(), outboxMs);
    outbox.close();
  });
  const subscriber = once(() => {
    const redis = connections.subscriber();
    // Each shard listens on it.
    redis.setMaxListeners(0);
    return redis;
  });
  return {
    connections,
    commands,
    tries: async (further) => {
      others.push(further);
      // Before that they are tried as soon as it is.
      if (fast.status === 'ready') await commands.look();
    },
    outbox,
    standing: () => standingOf(health, commands),
    subscriber: () => subscriber(null),
  };
}

/** A Redis that evicts keys loses messages. Managed ones may allow no CONFIG, or tell nothing at all. */
async function warnOfEviction(redis: Redis, log: Log): Promise<void> {
  const answer = await redis.config('GET', 'maxmemory-policy').catch(() => []);
  const info = await redis.info('memory').catch(() => '');
  const told: unknown = Array.isArray(answer) ? answer[1] : undefined;
  const policy = told ?? /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (typeof policy !== 'string' || policy === 'noeviction') return;
  log.warn({ policy }, 'Redis may evict jobs when its memory is full: set maxmemory-policy to noeviction.');
}

function queuesOn(
  { redis, log, releases, telemetry }: ShardsOptions,
  { connections }: Connected,
  { keys, kind }: { keys: Keys; kind: Kind },
): ShardQueues {
  const connection = connections[kind];
  const { eventsMaxLen } = redis;
  return {
    ...openQueues(connection, { failsFast: kind === 'fast', keys, eventsMaxLen, releases, telemetry }),
    deliveries: createDeliveries(connection, { log, keys }),
  };
}
