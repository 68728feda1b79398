/** The worker process: typing and reply jobs. Needs REDIS_URL. */
import { startHealth } from './wiring/health.ts';
import { workerGuard } from './wiring/metrics-page.ts';
import { openParts } from './wiring/parts.ts';
import { run } from './wiring/run.ts';
import { openTracing } from './wiring/tracing.ts';
import { startWorker } from './wiring/worker.ts';

await run(async ({ config, log, releases }) => {
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
  if (port !== null) await startHealth({ port, host, guard: workerGuard(config), scrape, releases });
  await startWorker(parts, releases);
});
