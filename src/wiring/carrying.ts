import { processOf } from '../replies/delivery.ts';
import { type CarryDeps, createAnsweredSince, createIsAnswered, type LocalHolds } from '../replies/run.ts';
import { createWay } from '../typing/blocks.ts';
import { createShares, type Shares } from '../typing/shares.ts';
import type { Parts } from './parts.ts';
import type { Shard } from './shards.ts';

/** Said to another process only to learn whether somebody hears it. */
export const alive = 'alive';

interface Carrying extends CarryDeps {
  name: string;
  /** Of the pushes that may be carried at once. */
  shares: Shares;
}

interface Of {
  /** Where the push is. */
  shard: Shard;
  /** The platform's connections that this process has. */
  holds: LocalHolds;
  shares: Shares;
}

/** What a web and a worker carry a push through with. */
export function createCarrying(parts: Parts, { shard, holds, shares }: Of): Carrying {
  const { name, clients, clock, log, observe, learned } = parts;
  const { connections, commands, outbox, keys } = shard;
  const { kept: events, store, blocks } = parts.on('fast');
  return {
    name,
    shares,
    deliveries: shard.on('fast').deliveries,
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
    answeredSince: createAnsweredSince({ store }),
    // Without channels the holder looks for it by itself.
    notify: async (holder) =>
      commands.lacks.has('channels') ? 1 : connections.fast.publish(keys.web(processOf(holder)), holder),
    makeWay: createWay({ blocks, clock }),
  };
}

/** Of the pushes that this process may carry at once, in all shards. */
export function createPushShares(parts: Parts): Shares {
  return createShares({
    places: parts.config.replyConcurrency,
    reserve: 0,
    accounts: () => countAccounts(parts),
    clock: parts.clock,
  });
}

/** How many there are now, those that are made on demand among them. */
export function countAccounts({ roster, components }: Pick<Parts, 'roster' | 'components'>): number {
  return roster.all().length + components.made();
}
