import { randomUUID } from 'node:crypto';
import { createBotTurns } from '../bot-queue/ends.ts';
import { createBotQueueWatch } from '../bot-queue/follow.ts';
import type { Platform } from '../core/platform.ts';
import { createPattern } from '../redis/connect.ts';
import { createLeader } from '../redis/leader.ts';
import { keys } from '../redis/script.ts';
import { createMessageIndex } from '../replies/intake.ts';
import type { EventQueue } from '../typing/events.ts';
import type { Parts } from './parts.ts';
import type { Releases } from './releases.ts';

export interface BotQueueParts {
  events: EventQueue;
  platformOf: (name: Pick<Platform, 'channel' | 'account'>) => Platform | null;
}

/** Another process takes over within 4/3 of it, so within 3 s (ms). */
const leadership = 2_200;

/** Follows the bot's own queue, if one is named: one process at a time. */
export function startBotQueue(parts: Parts, { events, platformOf }: BotQueueParts, releases: Releases): void {
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
