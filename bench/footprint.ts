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
  const site = await openSite({ redisUrl: bench.url, bot: { thinkMs: 12_000 } });
  const { wechat } = site.simulator;
  const own = await connections(bench);
  await site.web();
  await wait(4_500);
  const alone = (await connections(bench)) - own;
  const worker = await site.worker();
  await wait(2_500);
  const both = (await connections(bench)) - own;
  const idle = await commandsOf(bench, () => wait(20_000));
  const quiet = await bench.info('used_memory');
  const users = Array.from({ length: 200 }, (_, index) => `oFoot_${index}`);
  const before = await bench.info('total_commands_processed');
  const pushes = users.map((user) => wechat.push({ user, text: 'hi' }));
  await Promise.all(pushes);
  await wait(1_000);
  const open = await bench.info('used_memory');
  await Promise.all(users.map((user) => wechat.phone(user).next(({ what }) => what === 'received')));
  await wait(1_000);
  const turns = (await bench.info('total_commands_processed')) - before - idle / 2;
  worker.signal('SIGTERM');
  await worker.exit;
  await site.close();
  return [
    note(
      'Redis connections: a web with a worker beside it, a worker, a lone web',
      `${both - 4}, 4, ${alone}`,
      '≤ 5 a process',
      alone <= 5,
    ),
    note(
      'Redis memory when quiet (an empty redis-server takes 0.9 MB of it)',
      `${(quiet / 1e6).toFixed(2)} MB`,
      '≤ 3 MB',
      quiet <= 3e6,
    ),
    note('Redis memory per open turn', `${Math.round((open - quiet) / users.length)} bytes`),
    note(
      'Redis commands per turn of 12 s with one typing call and a late answer (those inside scripts included)',
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
