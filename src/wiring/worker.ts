import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Queue } from 'bullmq';
import { createBotTurns } from '../bot-queue/ends.ts';
import { createBotQueueWatch } from '../bot-queue/follow.ts';
import type { Platform } from '../core/platform.ts';
import type { Place, ServedBot } from '../core/roster.ts';
import { processOf } from '../http/holds.ts';
import { createPattern } from '../redis/connect.ts';
import { beat, createLeader, createTicker, signOfLife } from '../redis/leader.ts';
import { keys } from '../redis/keys.ts';
import { createMessageIndex } from '../replies/intake.ts';
import type { ReplyDeps } from '../replies/run.ts';
import { createBlocks, createWay } from '../typing/blocks.ts';
import type { EventQueue } from '../typing/events.ts';
import { createMeet, type PerformDeps } from '../typing/perform.ts';
import { createShares } from '../typing/shares.ts';
import { createOpenConversations } from '../typing/store.ts';
import { learnFromRedis, type Parts } from './parts.ts';
import { createReleases, type Releases } from './releases.ts';
import { createWorkers, type Workers } from './workers.ts';

/**
 * Running jobs get so long to end before they go back to the queue; one that is just being sent then ends within the
 * stopping time (ms).
 */
const grace = 13_000;
/** Failed jobs hold message bodies: a day, on a quiet queue too (ms; BullMQ looks only when another job fails). */
const failedKept = 24 * 60 * 60_000;
const cleaningEvery = 60 * 60_000;

/** The queues' workers: what a worker process does, and a web process while there is none. */
export function startQueues(parts: Parts, releases: Releases): Workers {
  const { connections, learned, clock, log, clients, config, observe } = parts;
  const { typingConcurrency, replyConcurrency } = config;
  const { typing, replies, events, store, deliveries } = parts.queuesOn(connections.jobs);
  // What an account has taken before it was removed is still done.
  const { lasting, records } = parts.served;
  const platformOf = (place: Place): Platform | null => lasting.of(place)?.platform ?? null;
  const botOf = (platform: Platform): Omit<ServedBot, 'mode'> | null => lasting.of(platform)?.bot ?? null;
  const served = (): number => parts.roster.all().length + parts.components.made();
  const performing = createShares({
    places: typingConcurrency,
    // Ends and messages of the bot are judged whatever the calls do.
    reserve: Math.ceil(typingConcurrency / 2),
    accounts: served,
    clock,
  });
  const replying = createShares({ places: replyConcurrency, reserve: 0, accounts: served, clock });
  const known = { store, events, learned, clock, log, observe, platformOf };
  const perform: PerformDeps = { ...known, shares: performing };
  const reply: ReplyDeps = {
    ...known,
    shares: replying,
    deliveries,
    send: clients.bot.send,
    notify: (holder) => connections.jobs.publish(keys.web(processOf(holder)), holder),
    makeWay: createWay({ blocks: createBlocks(connections.jobs), clock }),
    botOf,
  };
  const meet = createMeet({
    isKnown: (place) => lasting.of(place) !== null,
    lookAgain: () => records.follow(),
  });
  const telemetry = parts.tracing?.telemetry ?? null;
  const shared = { connection: connections.jobs, typingConcurrency, replyConcurrency, telemetry, log };
  const workers = createWorkers({ ...shared, perform, reply, meet });
  releases.add('workers', () => workers.close(connections.jobs.status === 'ready' ? grace : 0));
  startBotQueue(parts, { events, platformOf }, releases);
  startCleaning([typing, replies], parts, releases);
  return workers;
}

function startCleaning(queues: Queue[], { connections, log }: Parts, releases: Releases): void {
  const open = createOpenConversations(connections.jobs);
  const clean = async (): Promise<void> => {
    const cleaned = queues.map((queue) => queue.clean(failedKept, 1_000, 'failed'));
    await Promise.all([...cleaned, open.sweep()]);
  };
  const failed = (error: unknown): void => log.debug({ error }, 'What is old was not removed.');
  const cleaning = createTicker(cleaningEvery, clean, failed);
  // Not awaited: its commands wait for Redis, which may be away.
  releases.add('cleaning', () => void cleaning.stop());
}

/** A worker process: runs the queues and shows that it lives. */
export async function startWorker(parts: Parts, releases: Releases): Promise<Workers> {
  const { connections, log } = parts;
  await connections.ready();
  await learnFromRedis(parts, 0);
  await warnOfEviction(parts);
  const workers = startQueues(parts, releases);
  let beats = 0;
  const ticker = createTicker(
    beat,
    async () => {
      await signOfLife(connections.fast);
      beats += 1;
      await learnFromRedis(parts, beats);
    },
    (error) => log.debug({ error }, 'A heartbeat did not reach Redis.'),
  );
  releases.add('heartbeat', () => ticker.stop());
  log.info({}, 'working');
  return workers;
}

/** A Redis that evicts keys loses messages. Managed ones may not tell. */
async function warnOfEviction({ connections, log }: Parts): Promise<void> {
  const answer = await connections.fast.config('GET', 'maxmemory-policy').catch(() => []);
  const policy = Array.isArray(answer) ? answer[1] : undefined;
  if (typeof policy !== 'string' || policy === 'noeviction') return;
  log.warn({ policy }, 'Redis may evict jobs when its memory is full: set maxmemory-policy to noeviction.');
}

interface BotQueueParts {
  events: EventQueue;
  platformOf: (name: Pick<Platform, 'channel' | 'account'>) => Platform | null;
}

/** Another process takes over within 4/3 of it, so within 3 s (ms). */
const leadership = 2_200;

/** Follows the bot's own queue, if one is named: one process at a time. */
function startBotQueue(parts: Parts, { events, platformOf }: BotQueueParts, releases: Releases): void {
  const { config, connections, clock, log } = parts;
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
      const { name: queue, prefix, redisUrl } = botQueue;
      const connection = redisUrl === null ? memory : createPattern({ url: redisUrl, rejectUnauthorized });
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
  const releases = createReleases((name, error) =>
    parts.log.warn({ name, error }, 'Something did not close as it should.'),
  );
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
