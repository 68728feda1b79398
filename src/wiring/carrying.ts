import { keys } from '../redis/keys.ts';
import { processOf } from '../replies/delivery.ts';
import { type CarryDeps, createIsAnswered, type LocalHolds } from '../replies/run.ts';
import { createBlocks, createWay } from '../typing/blocks.ts';
import { createShares, type Shares } from '../typing/shares.ts';
import type { Parts } from './parts.ts';

interface Carrying extends CarryDeps {
  name: string;
  /** Of the pushes that may be carried at once. */
  shares: Shares;
}

/** What a web and a worker carry a push through with; `holds`: the platform's connections that this process has. */
export function createCarrying(parts: Parts, holds: LocalHolds): Carrying {
  const { name, config, connections, commands, clients, clock, log, observe, learned, outbox } = parts;
  const { deliveries, kept: events, store } = parts.queuesOn(connections.fast);
  return {
    name,
    shares: createShares({
      places: config.replyConcurrency,
      reserve: 0,
      accounts: () => countAccounts(parts),
      clock,
    }),
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
    isAnswered: createIsAnswered({ store, clock }),
    // Without channels the holder looks for it by itself.
    notify: async (holder) =>
      commands.lacks.has('channels') ? 1 : connections.fast.publish(keys.web(processOf(holder)), holder),
    makeWay: createWay({ blocks: createBlocks(connections.fast), clock }),
  };
}

/** How many there are now, those that are made on demand among them. */
export function countAccounts({ roster, components }: Pick<Parts, 'roster' | 'components'>): number {
  return roster.all().length + components.made();
}
