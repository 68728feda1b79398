import { keys } from '../redis/keys.ts';
import { processOf } from '../replies/delivery.ts';
import type { CarryDeps, LocalHolds } from '../replies/run.ts';
import { createBlocks, createWay } from '../typing/blocks.ts';
import type { Parts } from './parts.ts';

/** What a web and a worker carry a push through with; `holds`: the platform's connections that this process has. */
export function createCarrying(parts: Parts, holds: LocalHolds): CarryDeps {
  const { connections, clients, clock, log, observe, learned, outbox } = parts;
  const { deliveries, kept: events } = parts.queuesOn(connections.fast);
  return {
    deliveries,
    events,
    outbox,
    learned,
    clock,
    log,
    observe,
    holds,
    health: connections.health,
    send: clients.bot.send,
    notify: (holder) => connections.fast.publish(keys.web(processOf(holder)), holder),
    makeWay: createWay({ blocks: createBlocks(connections.fast), clock }),
  };
}
