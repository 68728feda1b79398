/**
 * What a turn costs, the hundredth as the hundred-thousandth: processor time, what it asks of Redis, and what Redis and
 * the processes hold; drawn into docs/cost.svg.
 */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bytes, count, megabytes, ms, type Row, sum, times, wait } from './measure.ts';
import { type Panel, picture } from './picture.ts';
import type { BenchRedis } from './redis.ts';
import { createLoad } from './turns-load.ts';
import { cpuByName, minus, openTurns, rssOf as rssOfProcess, type TurnsSite, until } from './turns-site.ts';

/** Looked at after so many turns. */
const marks = [100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000];
/** By then the code has been compiled for what it does… */
const compiled = 2_000;
/** …and each process keeps as much as it ever does for a platform that repeats. */
const filled = 20_000;
const atOnce = 128;
const botDelayMs = 200;
/** What a turn leaves to be done belongs to it (ms). */
const settleMs = 1_500;
/** What comes later than the platform waits is sent by then (ms). */
const answerLimit = 30_000;
/** What the platform and the bot have noted is dropped after so many, or they would be what grows. */
const forgetEvery = 5_000;

interface Look {
  turns: number;
  /** Of each process and Redis (ms). */
  cpu: Record<string, number>;
  commands: number;
  reads: number;
  /** Bytes in all. */
  redis: number;
  rss: Record<string, number>;
}

/** What was taken between two looks, of each turn; and what was held at the second: in Redis (bytes) of each turn so far. */
interface Cost {
  turns: number;
  cpu: number;
  commands: number;
  reads: number;
  redis: number;
  rss: Record<string, number>;
}

export async function cost(bench: BenchRedis): Promise<Row[]> {
  const site = await openTurns('product', bench);
  const load = createLoad(site);
  const wrong = { 'without an answer': 0, 'answered twice': 0 };
  const looks: Look[] = [];
  try {
    await site.order({ botDelayMs });
    await load.pushAll(20, 20); // Tokens, scripts, connections.
    await wait(2_000);
    looks.push(await lookAt(site, bench, 0));
    for (const turns of marks) {
      for (let done = looks.at(-1)?.turns ?? 0; done < turns;) {
        const batch = Math.min(forgetEvery, turns - done);
        const pushed = await load.pushAll(batch, atOnce);
        const late = pushed.filter(({ inline }) => inline.length === 0).length;
        const { sent } = await until(site, (noted) => noted.sent.length >= late, answerLimit);
        const ways = [...sent, ...pushed.filter(({ inline }) => inline.length > 0)].map(({ user }) => user);
        wrong['without an answer'] += batch - new Set(ways).size;
        wrong['answered twice'] += ways.length - new Set(ways).size;
        await site.order({ forget: true });
        done += batch;
      }
      await wait(settleMs);
      looks.push(await lookAt(site, bench, turns));
    }
  } finally {
    load.close();
    await site.close();
  }
  const [first, ...others] = looks;
  if (!first) throw new Error('Nothing was looked at.');
  const costs = others.map((look, index) => ({
    ...between(looks[index] ?? first, look),
    redis: (look.redis - first.redis) / look.turns,
  }));
  await writeFile(fileURLToPath(new URL('../docs/cost.svg', import.meta.url)), drawn(costs));
  return [rowOf(costs, wrong)];
}

async function lookAt(site: TurnsSite, bench: BenchRedis, turns: number): Promise<Look> {
  const rss = Object.entries(site.processes).map(
    async ([name, pid]) => [name, await rssOfProcess(pid)] as const,
  );
  return {
    turns,
    cpu: await cpuByName(site, bench),
    commands: await bench.info('total_commands_processed'),
    reads: await bench.info('total_reads_processed'),
    redis: await bench.info('used_memory'),
    rss: Object.fromEntries(await Promise.all(rss)),
  };
}

function between(from: Look, to: Look): Omit<Cost, 'redis'> {
  const turns = to.turns - from.turns;
  return {
    turns: to.turns,
    cpu: sum(Object.values(minus(to.cpu, from.cpu))) / turns,
    commands: (to.commands - from.commands) / turns,
    reads: (to.reads - from.reads) / turns,
    rss: to.rss,
  };
}

function rowOf(costs: readonly Cost[], wrong: Record<string, number>): Row {
  const at = (turns: number): Cost => {
    const found = costs.find((each) => each.turns === turns);
    if (!found) throw new Error(`The cost of a turn was not looked at after ${turns}.`);
    return found;
  };
  const last = at(marks.at(-1) ?? 0);
  const [early, full] = [at(compiled), at(filled)];
  return {
    what: `cost of a turn, bot ${botDelayMs} ms, ${atOnce} at a time: the last of ${last.turns.toLocaleString('en')}, and beside those up to ${compiled.toLocaleString('en')} (RSS: ${filled.toLocaleString('en')}); drawn in docs/cost.svg`,
    values: {
      'CPU of web, worker and Redis': ms(last.cpu),
      'CPU beside early': times(last.cpu / early.cpu),
      'Redis commands': count(last.commands),
      'commands beside early': times(last.commands / early.commands),
      "Redis's reads of the network": count(last.reads),
      'Redis memory': bytes(last.redis),
      'RSS of web and worker': megabytes(rssOf(last)),
      'RSS beside early': times(rssOf(last) / rssOf(full)),
    },
    goal: {
      says: 'flat: ≤ 1.1 × of early',
      met: (of) => ['CPU', 'commands', 'RSS'].every((name) => of(`${name} beside early`) <= 1.1),
    },
    exact: { turns: last.turns, wrong },
  };
}

const rssOf = ({ rss }: Cost): number => sum(Object.values(rss));

function drawn(costs: readonly Cost[]): string {
  const line = (name: string, of: (cost: Cost) => number) => ({
    name,
    points: costs.map((each) => [each.turns, of(each)] as const),
  });
  const panels: Panel[] = [
    { title: 'CPU of a turn (ms): web, worker and Redis', lines: [line('', ({ cpu }) => cpu)] },
    {
      title: 'Redis, of a turn: commands, reads of the network',
      lines: [line('commands', ({ commands }) => commands), line('reads', ({ reads }) => reads)],
    },
    { title: 'Redis memory, of each turn so far (bytes)', lines: [line('', ({ redis }) => redis)] },
    {
      title: 'Resident memory (MB)',
      lines: ['web', 'worker'].map((name) => line(name, ({ rss }) => (rss[name] ?? Number.NaN) / 1e6)),
    },
  ];
  return picture('What a turn costs, by how many there have been', panels);
}
