/** A web process of the bench: says where it listens, and on each message how much processor time it has taken. */
import { loadConfig } from '../src/config/index.ts';
import { createLog } from '../src/log.ts';
import { openParts } from '../src/wiring/parts.ts';
import { createReleases } from '../src/wiring/releases.ts';
import { startWeb } from '../src/wiring/web.ts';

const { config } = loadConfig(process.env, () => null);
const log = createLog({ level: 'silent', format: 'json' });
const releases = createReleases(() => {});
const parts = await openParts({ config, log, releases });
await parts.connections.ready();
const port = await startWeb(parts, { skipped: [], releases, standby: false });
process.on('message', () => process.send?.({ cpu: process.cpuUsage() }));
process.send?.({ port });
