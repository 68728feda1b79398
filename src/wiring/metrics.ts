import type { Config } from '../config/index.ts';
import type { Clock } from '../core/ports.ts';
import type { Roster } from '../core/roster.ts';
import { createMetrics, type Metrics, type Source, type Stock } from '../metrics/metrics.ts';
import type { Connections } from '../redis/connect.ts';
import { keys } from '../redis/script.ts';
import type { Accounts } from '../typing/learned.ts';
import { countJobs, type OpenedQueues, openQueues, type QueuesDeps } from './queues.ts';

export interface MetricsDeps extends Pick<QueuesDeps, 'redis' | 'releases'> {
  config: Pick<Config, 'dyno'>;
  connections: Pick<Connections, 'fast'>;
  roster: Pick<Roster, 'all' | 'of'>;
  accounts: Pick<Accounts, 'of'>;
  clock: Pick<Clock, 'now'>;
}

/** The process's metrics, and where they look up what is not told. */
export function openMetrics(deps: MetricsDeps): Metrics {
  const { config, roster, accounts, clock } = deps;
  const { connections, redis, releases } = deps;
  const opening = { connections, redis, releases };
  // Opened by the first scrape: many a process is never scraped.
  let queues: OpenedQueues | null = null;
  const source: Source = {
    stock: () => stockOf(deps, (queues ??= openQueues(deps.connections.fast, opening))),
    accounts: () =>
      roster.all().map(({ platform }) => {
        const { channel, account } = platform;
        return { channel, account, typing: clock.now() < accounts.of(platform).offUntil ? 'off' : 'on' };
      }),
  };
  return createMetrics({ dyno: config.dyno, isServed: (place) => roster.of(place) !== null, source });
}

async function stockOf({ connections }: MetricsDeps, queues: OpenedQueues): Promise<Stock> {
  const [alive, typing, replies, open] = await Promise.all([
    connections.fast.exists(keys.heartbeat),
    countJobs(queues.typing),
    countJobs(queues.replies),
    connections.fast.zcard(keys.open),
  ]);
  const sizes = [
    { queue: 'typing' as const, ...typing },
    { queue: 'replies' as const, ...replies },
  ];
  return { queues: sizes, worker: alive === 1, conversations: open };
}
