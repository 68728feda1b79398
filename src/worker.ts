/** The worker process: typing and reply jobs. Needs REDIS_URL. */
import { startHealth } from './wiring/health.ts';
import { openParts } from './wiring/parts.ts';
import { run } from './wiring/run.ts';
import { startWorker } from './wiring/worker.ts';

await run(async ({ config, log, releases }) => {
  if (config.bypass) {
    // Idle, not gone: a platform would start a process that ends again and again.
    const idle = setInterval(() => {}, 60_000);
    releases.add('idling', () => clearInterval(idle));
    return log.warn({}, 'BYPASS is set: the worker has nothing to do.');
  }
  const parts = await openParts({ config, log, releases });
  if (config.metricsPort !== null) await startHealth(config.metricsPort, config.host, releases);
  await startWorker(parts, releases);
});
