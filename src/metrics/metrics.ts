/** The metrics of one process, for Prometheus. */
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { collectDefaultMetrics, Registry } from 'prom-client';
import type { Observe } from '../core/notice.ts';
import type { Channel } from '../core/platform.ts';
import type { Standing } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';
import { createCount } from './count.ts';
import { createInstruments, type Instruments } from './instruments.ts';

interface Scrape {
  contentType: string;
  text: string;
}

export interface Metrics {
  /** Counts what happened. */
  observe: Observe;
  /** All metrics as they stand now, in Prometheus's text format. Never rejects for Redis's sake. */
  scrape: () => Promise<Scrape>;
}

interface MetricsOptions {
  /** The dyno, where a router chooses which of several answers a scrape: each series then says whose it is. */
  dyno?: string | null;
  /** Whether that account is served; of others the name is no label. @default every account */
  roster?: { of(place: Place): unknown };
  /** What is looked up at each scrape. @default nothing */
  source?: MetricsSource | null;
}

/** Prometheus gives a scrape 10 s; what is known without Redis must not wait for it as long (ms). */
const stockLimit = 1_000;

export function createMetrics(options: MetricsOptions = {}): Metrics {
  const { dyno = null, roster = { of: () => true }, source = null } = options;
  const registry = new Registry();
  if (dyno !== null) registry.setDefaultLabels({ dyno });
  collectDefaultMetrics({ register: registry });
  const instruments = createInstruments(registry);
  showStock(instruments, null);
  if (!source) instruments.redis.remove();
  return {
    observe: createCount({ instruments, roster }),
    scrape: async () => {
      if (source) await look(instruments, source);
      return { contentType: registry.contentType, text: await pageText(registry) };
    },
  };
}

/** Hundreds of accounts make a long text: others get their turn between one metric and the next. */
async function pageText(registry: Registry): Promise<string> {
  const texts: string[] = [];
  for (const { name } of registry.getMetricsAsArray()) {
    texts.push(await registry.getSingleMetricAsString(name));
    await nextTurn();
  }
  return `${texts.join('\n\n')}\n`;
}

async function look(on: Instruments, source: MetricsSource): Promise<void> {
  on.typing.reset();
  for (const { channel, account, typing } of source.accounts()) {
    on.typing.set({ channel, account }, typing === 'on' ? 1 : 0);
    beginAtZero(on, { channel, account });
  }
  const limit = delay(stockLimit, null, { ref: false });
  const stock = await Promise.race([source.stock().catch(() => null), limit]);
  const is = source.standing?.() ?? 'ok';
  const standing = stock || is !== 'ok' ? is : 'away';
  on.redis.set(standing === 'ok' ? 1 : 0);
  on.standing.reset();
  on.standing.set({ is: standing }, 1);
  showStock(on, stock);
}

/** Of what is rare and bad the first one counts: Prometheus sees an increase only where there was a 0 before. */
function beginAtZero({ deliveries, ended, ghosts, ghost, pushes }: Instruments, place: Place): void {
  for (const way of ['failed', 'impossible', 'unknown']) deliveries.inc({ ...place, way, code: '0' }, 0);
  pushes.inc({ ...place, result: 'refused', code: '401' }, 0);
  ended.inc({ ...place, evidence: 'reply-failed' }, 0);
  for (const counter of [ghosts, ghost]) counter.inc(place, 0);
}

/** Without Redis nobody knows: no series rather than an old or made-up number. */
function showStock({ worker, jobs, open }: Instruments, stock: Stock | null): void {
  for (const gauge of [worker, open]) gauge.remove();
  jobs.reset();
  if (!stock) return;
  worker.set(stock.worker ? 1 : 0);
  if (stock.conversations !== null) open.set(stock.conversations);
  for (const { queue, ...sizes } of stock.queues)
    for (const [state, size] of Object.entries(sizes)) jobs.set({ queue, state }, size);
}

/** What is not told as it happens, but looked up when somebody scrapes. */

interface QueueSize {
  queue: 'typing' | 'replies';
  waiting: number;
  active: number;
  delayed: number;
  failed: number;
}

/** What stands in Redis. */
export interface Stock {
  queues: readonly QueueSize[];
  /** A worker has shown a sign of life in the last seconds. */
  worker: boolean;
  /** Conversations with a turn that waits for its answer; null: nobody counts them. */
  conversations: number | null;
}

/** An account of this process, and whether the platform lets it type. */
interface AccountSwitch {
  channel: Channel;
  account: string;
  typing: 'on' | 'off';
}

export interface MetricsSource {
  /** Asks Redis. Rejects when it is away. */
  stock(): Promise<Stock>;
  accounts(): readonly AccountSwitch[];
  /** How Redis stands. @default well, as long as it answers */
  standing?(): Standing['is'];
}
