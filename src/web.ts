/** The web process: webhooks. Needs REDIS_URL. */
import { provideTokens } from './config/own-tokens.ts';
import { startBypass } from './wiring/bypass.ts';
import { openParts } from './wiring/parts.ts';
import { openTracing, run } from './wiring/run.ts';
import { startWeb } from './wiring/web.ts';

await run({ envFile: false }, async ({ config: read, skipped, log, releases }) => {
  // Only `npm start` plays the demo, which is open to this machine; this Redis may be an installation's.
  const { config, ownsControl: invites } = await provideTokens({ ...read, demo: false }, log);
  if (config.bypass) return startBypass(config, config.bypass, { log, releases });
  const tracing = await openTracing(config, { log, releases });
  const parts = await openParts({ config, log, releases, tracing });
  await startWeb(parts, { skipped, releases, standby: true, invites });
});
