/** `npm start`: one process does everything, and sets all up by itself. */
import { provideRedis } from './redis/by-itself.ts';
import { startBypass } from './wiring/bypass.ts';
import { openDemo } from './wiring/demo.ts';
import { createParts } from './wiring/parts.ts';
import { createReleases } from './wiring/releases.ts';
import { run } from './wiring/run.ts';
import { startWeb } from './wiring/web.ts';
import { startWorker } from './wiring/worker.ts';

await run(async ({ config, skipped, log, releases }) => {
  if (config.bypass) return startBypass(config, config.bypass, { log, releases });
  const demo = config.demo ? await openDemo(config) : null;
  const redis = await provideRedis({ ...config, url: config.redisUrl, path: process.env['PATH'] ?? '', log });
  releases.add('Redis', () => redis.stop());
  const parts = createParts({ config: demo?.config ?? config, redis, log: demo?.log ?? log, releases });
  const working = createReleases((name, error) =>
    log.warn({ name, error }, 'Something did not close as it should.'),
  );
  releases.add('worker', () => working.all());
  // The web first: with Redis away it forwards all the same.
  const port = await startWeb(parts, { skipped, releases, standby: false });
  await startWorker(parts, working);
  await demo?.play(port, releases);
});
