/** The worker process: typing and reply jobs. Needs REDIS_URL. */
import { workerGuard } from './http/guard.ts';
import { startHealth } from './wiring/metrics.ts';
import { openParts } from './wiring/parts.ts';
import { openTracing, run } from './wiring/run.ts';
import { startWorker } from './wiring/worker.ts';

await run({ envFile: false }, async ({ config, log, releases }) => {
  if (config.bypass) {
    // Idle, not gone: a platform would start a process that ends again and again.
    const idle = setInterval(() => {}, 60_000);
    releases.add('idling', () => clearInterval(idle));
    return log.warn({}, 'BYPASS is set: the worker has nothing to do.');
  }
  const tracing = await openTracing(config, { log, releases });
  const parts = await openParts({ config, log, releases, tracing });
  const { metricsPort: port, host } = config;
  const { scrape } = parts.metrics;
  const guessed = parts.guesses.at('metrics');
  const guard = workerGuard(config);
  if (port !== null) await startHealth({ port, host, guard, guessed, scrape, releases });
  await startWorker(parts, releases);
});
