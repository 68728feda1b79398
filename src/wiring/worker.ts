import type { Conversation, Platform } from '../core/platform.ts';
import { processOf } from '../http/holds.ts';
import type { PerformDeps } from '../queue/perform.ts';
import type { Bot, ReplyDeps } from '../queue/reply-run.ts';
import { beat, createTicker, signOfLife } from '../queue/heartbeat.ts';
import { keys } from '../queue/keys.ts';
import { createWorkers, type Workers } from '../queue/workers.ts';
import { beatsPerSync, createQueueParts, type Parts } from './parts.ts';
import type { Releases } from './releases.ts';

/** Running jobs get so long to end before they go back to the queue (ms). */
export const grace = 19_000;

/** The queues' workers: what a worker process does, and a web process while there is none. */
export function startQueues(parts: Parts, releases: Releases): Workers {
  const { connections, accounts, clock, log, clients, config } = parts;
  const { events, store, deliveries } = createQueueParts(parts, connections.jobs, releases);
  const find = (name: Pick<Conversation, 'channel' | 'account'>) =>
    parts.served.find(
      ({ platform }) => platform.channel === name.channel && platform.account === name.account,
    );
  const platformOf = (name: Pick<Conversation, 'channel' | 'account'>): Platform | null =>
    find(name)?.platform ?? null;
  const botOf = (platform: Platform): Bot | null => find(platform)?.bot ?? null;
  const notify = (holder: string): Promise<number> =>
    connections.jobs.publish(keys.web(processOf(holder)), holder);
  const perform: PerformDeps = { store, events, accounts, clock, log, platformOf };
  const reply: ReplyDeps = {
    deliveries,
    events,
    store,
    accounts,
    clock,
    log,
    send: clients.bot.send,
    notify,
    platformOf,
    botOf,
  };
  const { typingConcurrency, replyConcurrency } = config;
  const workers = createWorkers({
    connection: connections.jobs,
    perform,
    reply,
    typingConcurrency,
    replyConcurrency,
    log,
  });
  releases.add('workers', () => workers.close(connections.jobs.status === 'ready' ? grace : 0));
  return workers;
}

/** A worker process: runs the queues and shows that it lives. */
export async function startWorker(parts: Parts, releases: Releases): Promise<void> {
  const { connections, accounts, clock, log } = parts;
  await connections.ready();
  await clock.sync(connections.fast);
  await accounts.refresh();
  startQueues(parts, releases);
  let beats = 0;
  const ticker = createTicker(
    beat,
    async () => {
      beats += 1;
      await signOfLife(connections.fast);
      await accounts.refresh();
      if (beats % beatsPerSync === 0) await clock.sync(connections.fast);
    },
    (error) => log.debug({ error }, 'A heartbeat did not reach Redis.'),
  );
  releases.add('heartbeat', () => ticker.stop());
}
