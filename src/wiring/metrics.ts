import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestHandler } from 'express';
import type { Config } from '../config/index.ts';
import type { Clock, Standing } from '../core/ports.ts';
import type { Roster } from '../core/roster.ts';
import { anyOf, createGuard, type Guard, operatorGuard, type OperatorGuardParts } from '../http/guard.ts';
import type { Guessed, Guesses } from '../http/guesses.ts';
import { createMetricsPage } from '../http/metrics.ts';
import { createMetrics, type Metrics, type MetricsSource, type Stock } from '../metrics/metrics.ts';
import type { Connections } from '../redis/connect.ts';
import { keys } from '../redis/keys.ts';
import type { LearnedAccounts } from '../typing/learned.ts';
import { listen, portOf, type Releases } from './releases.ts';
import type { Shards } from './shards.ts';
import { countJobs } from './workers.ts';

interface MetricsDeps {
  shards: Pick<Shards, 'all'>;
  config: Pick<Config, 'dyno'>;
  connections: Pick<Connections, 'fast'>;
  roster: Pick<Roster, 'all' | 'of'>;
  learned: Pick<LearnedAccounts, 'of'>;
  standing: () => Standing;
  clock: Pick<Clock, 'now'>;
}

/** The process's metrics, and where they look up what is not told. */
export function openMetrics(deps: MetricsDeps): Metrics {
  const { config, roster, learned, clock } = deps;
  const source: MetricsSource = {
    stock: () => stockOf(deps),
    standing: () => deps.standing().is,
    accounts: () =>
      roster.all().map(({ platform }) => {
        const { channel, account } = platform;
        return { channel, account, typing: clock.now() < learned.of(platform).offUntil ? 'off' : 'on' };
      }),
  };
  return createMetrics({ dyno: config.dyno, roster, source });
}

async function stockOf({ connections, shards }: MetricsDeps): Promise<Stock> {
  const all = shards.all();
  // Opened by the first scrape: many a process is never scraped.
  const queues = all.map((shard) => shard.on('fast'));
  const [alive, typing, replies, open] = await Promise.all([
    connections.fast.exists(keys.heartbeat),
    countJobs(queues.map((each) => each.typing)),
    countJobs(queues.map((each) => each.replies)),
    Promise.all(all.map((shard) => shard.connections.fast.zcard(shard.keys.open))),
  ]);
  const conversations = open.reduce((sum, count) => sum + count, 0);
  const sizes = [
    { queue: 'typing' as const, ...typing },
    { queue: 'replies' as const, ...replies },
  ];
  return { queues: sizes, worker: alive === 1, conversations };
}

interface HealthOptions {
  port: number;
  host: string;
  /** Who may read the metrics. */
  guard: Guard;
  guessed: Guessed;
  scrape: Metrics['scrape'];
  releases: Releases;
}

/** `GET /healthz` and `GET /metrics` of a worker, which serves no other HTTP. Resolves with the port. */
export async function startHealth(options: HealthOptions): Promise<number> {
  const { port, host, releases } = options;
  const answer = (request: IncomingMessage, response: ServerResponse): void =>
    void answerHealth(options, request, response);
  const server = await listen(answer, { port, host, setting: 'METRICS_PORT' });
  releases.add('health', () => {
    server.close();
    server.closeAllConnections();
  });
  return portOf(server);
}

async function answerHealth(
  options: HealthOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').replace(/\?.*/, '');
  if (path === '/healthz') return json(response, 200, { status: 'alive' });
  if (path !== '/metrics')
    return json(response, 404, { error: 'There are only /healthz and /metrics here.' });
  if (options.guard(request) !== 'admitted') {
    await options.guessed(request);
    response.setHeader('WWW-Authenticate', 'Bearer');
    return json(response, 401, { error: 'Send "Authorization: Bearer", then METRICS_TOKEN.' });
  }
  const { contentType, text } = await options.scrape();
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}

interface MetricsPageParts extends OperatorGuardParts {
  config: Pick<Config, 'demo' | 'production' | 'controlTokens' | 'metricsToken'>;
  metrics: Pick<Metrics, 'scrape'>;
  guesses: Pick<Guesses, 'at'>;
}

/** `/metrics` of a web process. */
export function openMetricsPage(parts: MetricsPageParts): RequestHandler {
  const { config, metrics, guesses } = parts;
  const tokens = config.metricsToken === null ? [] : [config.metricsToken];
  const control = operatorGuard(parts, tokens.length > 0 ? { open: 'never' } : {});
  const guard = anyOf(createGuard({ tokens, open: 'never' }), control);
  return createMetricsPage({ guard, scrape: metrics.scrape, guessed: guesses.at('metrics') });
}
