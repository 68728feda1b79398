/** `npm run replies`: the reply jobs that failed; `npm run replies -- retry <job>` runs one again. Needs REDIS_URL. */
import { listFailed, retryFailed } from './replies/failed.ts';
import { StartError } from './core/ports.ts';
import { openParts } from './wiring/parts.ts';
import { limited } from './wiring/releases.ts';
import { run } from './wiring/run.ts';

const usage = `Usage: npm run replies            lists the failed reply jobs
       npm run replies -- retry <job>  runs one again
`;

/** Whoever asks does not wait for longer (ms). */
const redisMs = 10_000;

const [command, job, ...more] = process.argv.slice(2);
const isRetry = command === 'retry' && job !== undefined && more.length === 0;
if (command === '--help' || command === '-h') process.stdout.write(usage);
else if (command !== undefined && !isRetry) {
  const what = command === 'retry' ? 'retry takes one job' : `${command} is no command of replies`;
  process.stderr.write(`${what}: see npm run replies -- --help.\n`);
  process.exitCode = 1;
} else
  await run({ envFile: true, unread: [] }, async ({ config, log, releases, stop }) => {
    const parts = await openParts({ config, log, releases });
    let isThere = false;
    await limited(
      parts.connections.ready().then(() => (isThere = true)),
      redisMs,
    );
    if (!isThere) throw new StartError('Redis is out of reach: start it, or correct REDIS_URL.');
    await parts.shards.follow();
    const shards = parts.shards.all().map((shard) => shard.on('jobs'));
    process.stdout.write(isRetry ? await retryFailed(shards, job) : await listFailed(shards));
    stop(0);
  });
