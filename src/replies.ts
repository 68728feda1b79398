/** `npm run replies`: the reply jobs that failed; `npm run replies -- retry <job>` runs one again. Needs REDIS_URL. */
import { listFailed, retryFailed } from './replies/failed.ts';
import { openParts } from './wiring/parts.ts';
import { run } from './wiring/run.ts';

const usage =
  'Usage: npm run replies            lists the failed reply jobs\n       npm run replies -- retry <job>  runs one again';

await run(async ({ config, log, releases, stop }) => {
  const [command, id] = process.argv.slice(2);
  const parts = await openParts({ config, log, releases });
  const { replies, deliveries } = parts.queuesOn(parts.connections.jobs);
  if (command === undefined) process.stdout.write(await listFailed(replies));
  else if (command === 'retry' && id !== undefined)
    process.stdout.write(await retryFailed({ replies, deliveries }, id));
  else process.stdout.write(`${usage}\n`);
  stop(0);
});
