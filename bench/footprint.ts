import { openSite } from '../test/chaos/processes.ts';
import { wait, type Row } from './measure.ts';
import type { BenchRedis } from './redis.ts';

const note = (what: string, measured: string, floor = '–', met: boolean | null = null): Row => ({
  what,
  measured,
  floor,
  met,
});

/** What keeptyping takes of Redis: connections, bytes, commands. */
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
  const idle = await commandsOf(bench, () => wait(20_000));
  const quiet = await bench.info('used_memory');
  const users = Array.from({ length: 1_000 }, (_, index) => `oFoot_${index}`);
  const before = await bench.info('total_commands_processed');
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
  const turns = (await bench.info('total_commands_processed')) - before - idle * 1.5;
  worker.signal('SIGTERM');
  await worker.exit;
  await wait(4_500);
  const alone = (await connections(bench)) - own;
  await site.close();
  return [
    note(
      'Redis connections: a web beside a worker, a worker, a lone web',
      `${both - working}, ${working}, ${alone}`,
      '≤ 5 a process',
      Math.max(both - working, working, alone) <= 5,
    ),
    note(
      '1,000 open turns on a Redis of 25 MB',
      `${(open / 1e6).toFixed(1)} MB used, all answered`,
      '< 25 MB',
      open < 25e6,
    ),
    note(
      'Redis memory when quiet (an empty redis-server takes 0.9 MB of it)',
      `${(quiet / 1e6).toFixed(2)} MB`,
      '≤ 3 MB',
      quiet <= 3e6,
    ),
    note('Redis memory per open turn', `${Math.round((open - quiet) / users.length)} bytes`),
    note(
      'Redis commands per turn of 20 s with two typing calls and a late answer (those inside scripts included)',
      `${Math.round(turns / users.length)}`,
    ),
    note(
      'Redis commands per idle day, one web and one worker (those inside scripts included)',
      `${Math.round((idle / 20) * 86_400)}`,
    ),
  ];
}

async function connections({ redis }: BenchRedis): Promise<number> {
  return String(await redis.client('LIST'))
    .trim()
    .split('\n').length;
}

async function commandsOf(bench: BenchRedis, work: () => Promise<void>): Promise<number> {
  const before = await bench.info('total_commands_processed');
  await work();
  return (await bench.info('total_commands_processed')) - before;
}
