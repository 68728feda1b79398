/** `npm run bench`: keeptyping's figures on the simulator, web and worker apart, on an untouched redis-server. */
import { cpus } from 'node:os';
import { cover, crowd, firstTyping, wakeUps } from './latency.ts';
import { gateway } from './gateway.ts';
import { accounts } from './accounts.ts';
import { footprint } from './footprint.ts';
import { table, type Row } from './measure.ts';
import { turnsBenches } from './turns.ts';
import { viewers } from './viewers.ts';
import { startUntouchedRedis, type BenchRedis } from './redis.ts';

const benches: Record<string, (redis: BenchRedis) => Promise<Row[]>> = {
  first: ({ url }) => firstTyping(url),
  cover: ({ url }) => cover(url),
  crowd: ({ url }) => crowd(url),
  wake: ({ url }) => wakeUps(url),
  accounts: ({ url, redis }) => accounts(url, () => redis.flushall()),
  gateway: ({ url }) => gateway(url),
  footprint,
  viewers,
  ...Object.fromEntries(Object.entries(turnsBenches).map(([name, bench]) => [`turns-${name}`, bench])),
};

const wanted = process.argv.slice(2);
const rows: Row[] = [];
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`${name}…\n`);
  const redis = await startUntouchedRedis();
  rows.push(...(await bench(redis)));
  await redis.stop();
}
// A floor that is not met is told to whoever runs this in a script.
if (rows.some(({ met }) => met === false)) process.exitCode = 1;
process.stdout.write(
  `\nNode ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? 'CPU'}\n\n${table(rows)}\n`,
);
