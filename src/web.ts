/** The web process: webhooks. Needs REDIS_URL. */
import { provideRedis } from './redis/by-itself.ts';
import { startBypass } from './wiring/bypass.ts';
import { createParts } from './wiring/parts.ts';
import { run } from './wiring/run.ts';
import { startWeb } from './wiring/web.ts';

await run(async ({ config, skipped, log, releases }) => {
  if (config.bypass) return startBypass(config, config.bypass, { log, releases });
  const { url, eventsMaxLen } = await provideRedis({
    ...config,
    url: config.redisUrl,
    production: true,
    path: '',
    log,
  });
  const parts = createParts({ config, redis: { url, eventsMaxLen }, log, releases });
  await startWeb(parts, { skipped, releases, standby: true });
});
