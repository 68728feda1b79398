/**
 * How many pushes one web takes, beside what does less: the web alone, for a worker stands on a machine of its own. No
 * bot is called (observe): what follows a push is in other rows.
 */
import { keys, queueNames } from '../src/redis/keys.ts';
import { beat, signOfLife } from '../src/redis/leader.ts';
import { startServer } from './child.ts';
import {
  middleAndTail,
  ms,
  perSecond,
  prefixed,
  quantile,
  type Row,
  sum,
  times,
  type Value,
  wait,
} from './measure.ts';
import { accountsOf, kinds, makePushes, type PushKind } from './pushes.ts';
import type { BenchRedis } from './redis.ts';
import { cpuOf, startWeb } from './turns-site.ts';
import { type Answered, createWire, sendAll, sendOpenly, type Wire } from './wire.ts';

const names = ['keeptyping', 'bare', 'checks', 'redis', 'bullmq'] as const;
type Name = (typeof names)[number];

const said: Record<Name, string> = {
  keeptyping: 'keeptyping',
  bare: 'node:http',
  checks: 'Express and the checks',
  redis: 'Express, checks and one Redis write',
  bullmq: 'Express, checks and one BullMQ job',
};

interface Receiver {
  wire: Wire;
  pid: number;
  close(): Promise<void>;
}

/** The four take turns with so many pushes, so many at a time. */
const warmUp = 1_500;
const batch = 1_500;
const batches = 3;
const atOnce = 64;
/** Beside half of what the slowest can do, for so long (ms). */
const openMs = 1_500;

export async function ingest(bench: BenchRedis): Promise<Row[]> {
  const worker = pretendToWork(bench);
  const receivers = { keeptyping: await openWeb(bench) } as Record<Name, Receiver>;
  for (const name of names.slice(1)) receivers[name] = await openOther(name, bench);
  try {
    const rows: Row[] = [];
    for (const kind of kinds) rows.push(...(await measure(kind, receivers, bench)));
    return rows;
  } finally {
    clearInterval(worker);
    for (const receiver of Object.values(receivers)) {
      receiver.wire.close();
      await receiver.close();
    }
  }
}

/** What the web leaves to a worker is left in the queue. */
function pretendToWork({ redis }: BenchRedis): NodeJS.Timeout {
  void signOfLife(redis);
  return setInterval(() => void signOfLife(redis), beat);
}

/** Nobody calls the platform here. */
const nowhere = 'http://127.0.0.1:1';

async function openWeb({ url }: BenchRedis): Promise<Receiver> {
  const web = await startWeb({ REDIS_URL: url, ...accountsOf({ base: nowhere, bot: false }) });
  return { wire: createWire(web.port), pid: web.pid, close: () => web.close() };
}

async function openOther(name: Name, { url }: BenchRedis): Promise<Receiver> {
  const server = await startServer(new URL('./ingest-server.mjs', import.meta.url), [name], {
    REDIS_URL: url,
    ...accountsOf({ base: nowhere, bot: false }),
  });
  return { wire: createWire(server.port), pid: server.pid, close: () => server.close() };
}

async function measure(kind: PushKind, receivers: Record<Name, Receiver>, bench: BenchRedis): Promise<Row[]> {
  const wrong = { refused: 0, 'not in Redis': 0 };
  let turns = 0;
  const note = (name: Name, answered: readonly Answered[]): void => {
    if (name === 'keeptyping') turns += answered.length;
    wrong.refused += answered.filter(({ status }) => status !== 200).length;
  };
  const each = <T>(of: (name: Name) => T): Record<Name, T> =>
    Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>;
  const [rates, cpus] = [each((): number[] => []), each((): number[] => [])];
  const before = await waiting(bench);
  for (const name of names) note(name, await sendAll(receivers[name].wire, makePushes(kind, warmUp), atOnce));
  for (let nth = 0; nth < batches; nth += 1) {
    for (const name of names) {
      const { wire, pid } = receivers[name];
      const pushes = makePushes(kind, batch);
      const [from, cpu] = [performance.now(), await cpuOf(pid)];
      note(name, await sendAll(wire, pushes, atOnce));
      rates[name].push((batch * 1_000) / (performance.now() - from));
      // What it has acknowledged and still does for it belongs to it.
      if (name === 'keeptyping') await settled(bench, before + turns);
      cpus[name].push(((await cpuOf(pid)) - cpu) / batch);
    }
  }
  const rate = each((name) => quantile(rates[name], 0.5));
  const openly = Math.min(rate.keeptyping, rate.redis) / 2;
  const held = each((): Answered[] => []);
  for (const name of names) {
    const pushes = makePushes(kind, Math.round((openly * openMs) / 1_000));
    held[name] = await sendOpenly(receivers[name].wire, pushes, openly);
    note(name, held[name]);
    await wait(500);
  }
  await settled(bench, before + turns);
  wrong['not in Redis'] = before + turns - (await waiting(bench));
  const exact = { turns, wrong };
  const held99 = (name: Name) => middleAndTail(held[name].map(({ took }) => took));
  return [
    {
      what: `ingest, ${kind}: pushes a second with ${atOnce} under way, and the CPU of each`,
      values: {
        ...namedBy((name) => perSecond(rate[name])),
        [ratio]: times(rate.keeptyping / rate.redis),
        [leastPossible]: times(rate.bullmq / rate.redis),
        ...prefixed(
          'CPU',
          namedBy((name) => ms(sum(cpus[name]) / batches)),
        ),
      },
      goal: { says: '≥ 0.8 × of the one with a Redis write', met: (of) => of(ratio) >= 0.8 },
      exact,
    },
    {
      what: `ingest, ${kind}: how long the answer takes with half as many, in open loop`,
      values: {
        rate: perSecond(openly),
        ...namedBy((name) => held99(name).p50, 'p50'),
        ...namedBy((name) => held99(name).p99, 'p99'),
      },
    },
  ];
}

function namedBy(of: (name: Name) => Value, what = ''): Row['values'] {
  return Object.fromEntries(names.map((name) => [`${said[name]} ${what}`.trim(), of(name)]));
}

const ratio = 'keeptyping beside the one with a Redis write';
/** keeptyping makes such a job of each push, too. */
const leastPossible = 'the one with a BullMQ job beside that';

/** A push that opens a turn is a job of the typing queue. */
function waiting({ redis }: BenchRedis): Promise<number> {
  return redis.llen(keys.waitingJobs(queueNames.typing));
}

/** Resolves when Redis has so many, or in the end. */
async function settled(bench: BenchRedis, howMany: number): Promise<void> {
  for (let look = 0; look < 100 && (await waiting(bench)) < howMany; look += 1) await wait(50);
}
