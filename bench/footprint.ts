import { openSite } from '../test/chaos/processes.ts';
import { bytes, count, megabytes, type Row, wait } from './measure.ts';
import type { BenchRedis } from './redis.ts';

/** What keeptyping takes of Redis: connections, and bytes while many wait. */
export async function footprint(bench: BenchRedis): Promise<Row[]> {
  // The smallest Redis that is sold.
  await bench.redis.config('SET', 'maxmemory', '25mb');
  const site = await openSite({
    redisUrl: bench.url,
    env: { REPLY_CONCURRENCY: '2000' },
    bot: { thinkMs: 20_000 },
  });
  const { wechat } = site.simulator;
  const own = await connections(bench);
  const worker = await site.worker();
  await wait(1_000);
  const working = (await connections(bench)) - own;
  await site.web();
  await wait(2_500);
  const both = (await connections(bench)) - own;
  const quiet = await bench.info('used_memory');
  const users = Array.from({ length: 1_000 }, (_, index) => `oFoot_${index}`);
  const pushes: Promise<unknown>[] = [];
  for (const user of users) {
    pushes.push(wechat.push({ user, text: 'hi' }));
    await wait(5);
  }
  await Promise.all(pushes);
  await wait(500);
  const open = await bench.info('used_memory');
  await Promise.all(users.map((user) => wechat.phone(user).next(({ what }) => what === 'received')));
  await wait(1_000);
  worker.signal('SIGTERM');
  await worker.exit;
  await wait(4_500);
  const alone = (await connections(bench)) - own;
  await site.close();
  return [
    {
      what: 'Redis connections of each process',
      values: {
        'web beside a worker': count(both - working),
        worker: count(working),
        'lone web': count(alone),
      },
      goal: {
        says: '≤ 5',
        met: (of) => Math.max(of('web beside a worker'), of('worker'), of('lone web')) <= 5,
      },
    },
    {
      what: `Redis memory, limited to 25 MB, with ${users.length} open turns of 20 s; quiet (an empty redis-server takes 0.9 MB of it)`,
      values: {
        open: megabytes(open),
        quiet: megabytes(quiet),
        'a turn': bytes((open - quiet) / users.length),
      },
      goal: { says: '< 25 MB, ≤ 3 MB', met: (of) => of('open') < 25 && of('quiet') <= 3 },
      exact: { turns: users.length, wrong: {} },
    },
  ];
}

async function connections({ redis }: BenchRedis): Promise<number> {
  return String(await redis.client('LIST'))
    .trim()
    .split('\n').length;
}
