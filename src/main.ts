/** `npm start`: one process does everything, and sets all up by itself. */
import { settingsFrom } from './config/env-file.ts';
import { provideTokens } from './config/own-tokens.ts';
import { openDemo } from './demo/open.ts';
import { provideRedis, provideThrowaway } from './redis/by-itself.ts';
import { startBypass } from './wiring/bypass.ts';
import { createParts } from './wiring/parts.ts';
import { openTracing, run } from './wiring/run.ts';
import { startWeb } from './wiring/web.ts';
import { createOwnWorker } from './wiring/worker.ts';

await run({ envFile: true }, async ({ config: read, files, skipped, log, releases }) => {
  log.info({}, settingsFrom(files, process.cwd()));
  const { config, ownsControl: invites } = await provideTokens(read, log);
  if (config.bypass) return startBypass(config, config.bypass, { log, releases });
  const demo = config.demo ? await openDemo(config) : null;
  const tracing = demo ? null : await openTracing(config, { log, releases });
  const redis = demo
    ? await provideThrowaway(log)
    : await provideRedis({ ...config, url: config.redisUrl, path: process.env['PATH'] ?? '', log });
  releases.add('Redis', () => redis.stop());
  const place = { config: demo?.config ?? config, redis, log: demo?.log ?? log };
  const parts = createParts({ ...place, releases, tracing });
  const worker = createOwnWorker(parts);
  // The web first: with Redis away it forwards all the same.
  const page = demo?.page ?? null;
  const left = demo ? [] : skipped;
  const port = await startWeb(parts, { skipped: left, releases, standby: false, page, worker, invites });
  await worker.start();
  await demo?.play(port, { releases, worker });
});
