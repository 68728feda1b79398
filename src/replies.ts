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

function outOfReach(all: number): string {
  return all === 1
    ? 'Redis is out of reach: start it, or correct REDIS_URL.'
    : `One of ${all} Redis is out of reach: start it, or correct REDIS_URLS.`;
}

const [command, job, ...more] = process.argv.slice(2);
const isRetry = command === 'retry' && job !== undefined && more.length === 0;
if (command === '--help' || command === '-h') process.stdout.write(usage);
else if (command !== undefined && !isRetry) {
  const what = command === 'retry' ? 'retry takes one job' : `${command} is no command of replies`;
  process.stderr.write(`${what}: see npm run replies -- --help.\n`);
  process.exitCode = 1;
} else
  await run({ envFile: true, unread: [] }, async ({ config, log, releases, stop }) => {
    const { shards: spread, connections } = await openParts({ config, log, releases, follows: true });
    let isThere = false;
    const look = async (): Promise<void> => {
      await connections.ready();
      await spread.follow();
      await Promise.all(spread.all().map((shard) => shard.connections.ready()));
      isThere = true;
    };
    await limited(look(), redisMs);
    if (!isThere) throw new StartError(outOfReach(spread.all().length));
    const shards = spread.all().map((shard) => shard.on('jobs'));
    process.stdout.write(isRetry ? await retryFailed(shards, job) : await listFailed(shards));
    stop(0);
  });
