import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { createBotTurns } from '../bot-queue/ends.ts';
import { createBotQueueWatch } from '../bot-queue/follow.ts';
import type { Platform } from '../core/platform.ts';
import type { ServedBot } from '../core/roster.ts';
import { createPattern } from '../redis/connect.ts';
import { beat, createLeader, createTicker, signOfLife } from '../redis/leader.ts';
import { keys, queueNames } from '../redis/keys.ts';
import { createMessageIndex } from '../replies/intake.ts';
import { acknowledgeOrphans, insureOverdue } from '../replies/jobs.ts';
import { createOwned } from '../replies/owned.ts';
import { settling } from '../replies/reply.ts';
import type { LocalHolds } from '../replies/run.ts';
import type { EventQueue } from '../typing/events.ts';
import { createMeet } from '../typing/perform.ts';
import { createShares } from '../typing/shares.ts';
import { createOpenConversations } from '../typing/open-conversations.ts';
import { alive, countAccounts, createCarrying, createPushShares } from './carrying.ts';
import { isEmbedded, learnFromRedis, type Parts } from './parts.ts';
import { createToldReleases, limited, type Releases } from './releases.ts';
import type { Shard } from './shards.ts';
import { createWorkers, type Workers } from './workers.ts';

/**
 * Running jobs get so long to end before they go back to the queue; one that is just being sent then ends within the
 * stopping time (ms).
 */
const grace = 13_000;
/** Failed jobs hold message bodies: a day, on a quiet queue too (ms; BullMQ looks only when another job fails). */
const failedKept = 24 * 60 * 60_000;
const cleaningEvery = 60 * 60_000;
const cleaningMost = 5 * 60_000;

/** The queues' workers: what a worker process does, and a web process while there is none. */
export function startQueues(parts: Parts, releases: Releases): Workers {
  const { shards, learned, clock, log, config, observe, wakes, platformOf, backFor, name, pressure } = parts;
  const { typingConcurrency, replyConcurrency } = config;
  const { events, store } = parts.on('jobs');
  const { lasting, records } = parts.served;
  const botOf = (platform: Platform): Omit<ServedBot, 'mode'> | null => lasting.of(platform)?.bot ?? null;
  const performing = createShares({
    places: typingConcurrency,
    // Ends and messages of the bot are judged whatever the calls do.
    reserve: Math.ceil(typingConcurrency / 2),
    accounts: () => countAccounts(parts),
    clock,
  });
  const known = { store, wakes, learned, clock, log, observe, platformOf, backFor };
  const meet = createMeet({
    platformOf,
    lookAgain: () => records.follow(),
  });
  const workers = createWorkers({
    perform: { ...known, name, pressure, shares: performing },
    wakes,
    queueOf: shards.queueOf('jobs'),
    askEvery: isEmbedded(parts.redis) ? 5 : idleAsking,
    typingConcurrency,
    replyConcurrency,
    telemetry: parts.tracing?.telemetry ?? null,
    log,
    meet,
  });
  const carrying = createPushShares(parts);
  const leave = shards.each((shard) => {
    const { connections, outbox, keys } = shard;
    const { health } = connections;
    const owned = createOwned({ deliveries: shard.on('fast').deliveries, outbox, clock, log });
    const carry = createCarrying(parts, { shard, holds: noHolds, shares: carrying });
    workers.add({
      connection: connections.jobs,
      keys,
      reply: { ...carry, health, owned, platformOf, botOf },
    });
  });
  releases.add('workers', () => workers.close(grace));
  releases.add('shards', leave);
  const overdue = createOverdue(parts, workers);
  const ticker = createTicker(beat, overdue, (error) =>
    log.debug({ error }, 'What is overdue was not looked for.'),
  );
  releases.add('overdue', () => ticker.stop());
  // Not awaited: their commands wait for Redis, which may be away.
  void wakes.adopt();
  releases.add('orphans', shards.each(takeUpOrphans(parts)));
  startBotQueue(parts, { events, platformOf }, releases);
  startCleaning(parts, releases);
  return workers;
}

/**
 * Each asking is nine commands, which a hosted Redis may charge for; a connection that has died is dropped by the watchdog
 * (s). The embedded Redis does not wake who waits for a delayed job.
 */
const idleAsking = 60;

/** Each look is four commands, which a hosted Redis may charge for: an idle one is asked less often. */
const beatsPerLook = 3;

async function activeIn({ connections: { fast }, keys }: Shard): Promise<number> {
  const counts = Object.values(queueNames).map((name) => fast.llen(keys.activeJobs(name)));
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

/** Whoever has died meanwhile cannot be told from whoever is slow; whoever hears nothing at all can. */
function takeUpOrphans({ name, clock, log, on, platformOf }: Parts): (shard: Shard) => void {
  return (shard) => {
    const { commands, connections, keys } = shard;
    const isDead = async (other: string): Promise<boolean> =>
      other !== name &&
      !commands.lacks.has('channels') &&
      (await connections.jobs.publish(keys.web(other), alive)) === 0;
    const { deliveries } = shard.on('jobs');
    const { events } = on('jobs');
    const { health } = connections;
    acknowledgeOrphans({ deliveries, platformOf, isDead, events, clock, health }).catch((error: unknown) =>
      log.debug({ error, shard: shard.n }, 'What dead processes had was not looked for.'),
    );
  };
}

/** What dead processes have left: conversations to look at, pushes without an answer, jobs that nobody works at. */
function createOverdue({ shards, wakes, clock, log }: Parts, workers: Workers): () => Promise<void> {
  let beats = 0;
  // At the start at once: what a worker that has died was to look at is overdue already.
  let isBusy = true;
  const insure = async (shard: Shard): Promise<number> => {
    const isSettled = shard.connections.health.backFor() >= settling;
    return isSettled ? insureOverdue({ ...shard.on('fast'), clock, log }) : 0;
  };
  /** One that is away holds up no other. */
  const inEach = async (count: (shard: Shard) => Promise<number>): Promise<number> => {
    const counts = shards.all().map((shard) =>
      count(shard).catch((error: unknown) => {
        log.debug({ error, shard: shard.n }, 'What is overdue there was not looked for.');
        return 0;
      }),
    );
    return (await Promise.all(counts)).reduce((sum, each) => sum + each, 0);
  };
  return async () => {
    beats += 1;
    if (!isBusy && beats % beatsPerLook !== 0) return;
    const [found, insured, active] = await Promise.all([
      wakes.takeOverdue(),
      inEach(insure),
      inEach(activeIn),
    ]);
    isBusy = found + insured + active > 0;
    if (active > 0) await workers.rescueStalled();
  };
}

function startCleaning({ shards, log }: Parts, releases: Releases): void {
  const open = createOpenConversations(shards.spread('jobs'));
  const failed = (error: unknown): void => log.debug({ error }, 'What is old was not removed.');
  const clean = async (): Promise<void> => {
    const queues = shards.all().flatMap((shard) => {
      const { typing, replies } = shard.on('jobs');
      return [typing, replies];
    });
    const cleaned = queues.map((queue) => queue.clean(failedKept, 1_000, 'failed'));
    // The commands wait for a Redis that is away, and the other shards do not.
    const all = [...cleaned, open.sweep(), shards.keep()].map((each: Promise<unknown>) => each.catch(failed));
    await limited(Promise.all(all), cleaningMost);
  };
  const cleaning = createTicker(cleaningEvery, clean, failed);
  // Not awaited: its commands wait for Redis, which may be away.
  releases.add('cleaning', () => void cleaning.stop());
}

/** The platform's connections are a web's. */
const noHolds: LocalHolds = { waits: () => false, give: () => Promise.resolve(false) };

/** A worker process: runs the queues and shows that it lives. */
export async function startWorker(parts: Parts, releases: Releases): Promise<Workers> {
  const { connections, shards, log } = parts;
  await connections.ready();
  // A Redis that has gone again meanwhile is no fault of the start: it is read when it is back.
  await learnFromRedis(parts, 0).catch((error: unknown) => log.debug({ error }, 'Redis is read later.'));
  await Promise.all(shards.all().map(({ commands }) => commands.look()));
  const workers = startQueues(parts, releases);
  let beats = 0;
  const ticker = createTicker(
    beat,
    async () => {
      const isRefused = shards
        .all()
        .some(({ commands: { lacks } }) => lacks.has('scripts') || lacks.has('jobs'));
      if (!isRefused && workers.move()) await signOfLife(connections.fast);
      beats += 1;
      await learnFromRedis(parts, beats);
    },
    (error) => {
      connections.health.refused();
      log.debug({ error }, 'A heartbeat did not reach Redis.');
    },
  );
  releases.add('heartbeat', () => ticker.stop());
  log.info({}, 'working');
  return workers;
}

interface BotQueueParts {
  events: EventQueue;
  platformOf: (name: Pick<Platform, 'channel' | 'account'>) => Platform | null;
}

/** Another process takes over within 4/3 of it, so within 3 s (ms). */
const leadership = 2_200;

/** Follows the bot's own queue, if one is named: one process at a time. */
function startBotQueue(parts: Parts, { events, platformOf }: BotQueueParts, releases: Releases): void {
  const { config, connections, redis, clock, log } = parts;
  const { botQueue, redisTlsRejectUnauthorized: rejectUnauthorized } = config;
  if (!botQueue) return;
  const memory = connections.fast;
  const ended = createBotTurns({ events, index: createMessageIndex(memory), clock, platformOf });
  const leader = createLeader({
    redis: memory,
    key: keys.botQueue.leader,
    ttlMs: leadership,
    holder: randomUUID(),
    log,
    lead: () => {
      const { name: queue, prefix } = botQueue;
      const url = botQueue.redisUrl ?? redis.url;
      const connection = createPattern({ url, rejectUnauthorized, key: `${prefix}:${queue}:events` });
      return createBotQueueWatch({ queue, prefix, connection, memory, log, ended });
    },
  });
  releases.add('bot queue', () => leader.stop());
}

/** The worker of a process that is more than a worker. */
export interface OwnWorker {
  start(): Promise<void>;
  /** Stops it as a deployment does, only without patience for running jobs, and starts it again after `ms`. */
  restartAfter(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export function createOwnWorker(parts: Parts): OwnWorker {
  const releases = createToldReleases(parts.log);
  let workers: Workers | null = null;
  let halted: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  const start = async (): Promise<void> => {
    workers = await startWorker(parts, releases);
  };
  const halt = async (): Promise<void> => {
    // 0 would give up the jobs' locks, and with them seconds.
    await workers?.close(1);
    await releases.all();
  };
  return {
    start,
    async restartAfter(ms) {
      halted = halt();
      await halted;
      await delay(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (!stopping.signal.aborted) await start();
    },
    async stop() {
      stopping.abort();
      await halted;
      await releases.all();
    },
  };
}
