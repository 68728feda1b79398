/**
 * How many processes, and how large a Redis, for so many turns a second: a formula, whose costs of a turn are measured for
 * each platform apart, and which is then held against what a mix of both takes at three rates.
 */
import { keys } from '../src/redis/keys.ts';
import { mixed, shortened, usual } from './keys.ts';
import {
  count,
  megabytes,
  ms,
  percent,
  prefixed,
  quantile,
  type Row,
  times,
  type Value,
  wait,
} from './measure.ts';
import { type Product, startProduct } from './product.ts';
import type { BenchRedis } from './redis.ts';
import { exactnessOf, meanOf, ofModels, openTraffic, type Traffic } from './traffic.ts';
import { cpuOf, rssOf } from './turns-site.ts';

const parts = ['web', 'worker', 'redis'] as const;
type Part = (typeof parts)[number];

/** Of each part of keeptyping: processor time (ms). */
type Cost = Record<Part, number>;

function each(of: (part: Part) => number): Cost {
  return { web: of('web'), worker: of('worker'), redis: of('redis') };
}

/**
 * Processor time of a busy process: so much in each second, and so much more for each turn. Of many turns several are dealt
 * with in one go, so that at low rates each costs more.
 */
interface Line {
  second: Cost;
  turn: Cost;
}

/** A processor that has no more to do than this takes a burst as it comes. */
const wellUsed = 0.6;
/** An open turn, with its push (bytes). */
const openBytes = 6_000;
/** A quiet Redis, and a full journal (bytes). */
const quietBytes = 1.7e6;
const journalBytes = 3.3e6;
/** Beside what a key takes itself, Redis has tables of all of them: so much of it. */
const tables = 1.25;

/** Processors that so many turns a second keep busy, of one process of each kind. */
function busy(perSecond: number, { second, turn }: Line): Cost {
  return each((part) => (second[part] + perSecond * turn[part]) / 1_000);
}

/** What stands in Redis because of turns, open ones and those that have ended (bytes). */
function held(ended: { bytes: number }, perSecond: number): number {
  const open = (perSecond * meanOf(ofModels)) / 1_000;
  return tables * ended.bytes + open * openBytes;
}

/** Messages of one user in a day. */
const turnsPerUser = 10;

/** So many processes: what each takes by itself is no room for turns. */
function countFor(perSecond: number, { second, turn }: Line, part: Part): number {
  return Math.ceil((perSecond * turn[part]) / (wellUsed * 1_000 - second[part]));
}

/** The formula, in whole processes and Redis. */
function sizeOf(perSecond: number, line: Line): Record<string, Value> {
  return {
    webs: count(countFor(perSecond, line, 'web')),
    workers: count(countFor(perSecond, line, 'worker')),
    Redis: count(countFor(perSecond, line, 'redis')),
    'of a processor': percent(busy(perSecond, line).redis),
    'memory of Redis': megabytes(
      quietBytes + journalBytes + held(mixed(usual, perSecond, turnsPerUser), perSecond),
    ),
  };
}

/** Turns a second of each platform's, few and many. */
const calibration = { wechat: [20, 80], nxcloud: [10, 40] } as const;
const rates = [20, 40, 80];
/** Of these rates the table tells. */
const told = [1, 10, 100, 1_000, 5_000];
/** The first thousands of turns cost twice as much as later ones: code is compiled as it is used (ms, a second). */
const compiling = { ms: 150_000, perSecond: 80 };
/** Until as many turns of a kind are open as stay so (ms). */
const warmMs = 40_000;
const settleMs = 100_000;
const measuredMs = 30_000;
const margins = { cpu: 0.3, memory: 0.2 };

interface Site {
  load: Traffic;
  product: Product;
  bench: BenchRedis;
  redisPid: number;
}

async function cpuNow({ product: { processes }, redisPid }: Site): Promise<Cost> {
  return {
    web: await cpuOf(processes.web),
    worker: await cpuOf(processes.worker),
    redis: await cpuOf(redisPid),
  };
}

/** In a second (ms), at this rate. */
async function busyAt(site: Site, perSecond: number, firstMs: number): Promise<Cost & { rate: number }> {
  const running = site.load.openly(firstMs + measuredMs, perSecond);
  await wait(firstMs);
  const [before, begun, from] = [await cpuNow(site), site.load.count().begun, performance.now()];
  await running;
  const [after, turns, seconds] = [
    await cpuNow(site),
    site.load.count().begun - begun,
    (performance.now() - from) / 1_000,
  ];
  return { ...each((part) => (after[part] - before[part]) / seconds), rate: turns / seconds };
}

/** What few turns and many tell of each turn, and of none. */
async function lineOf(site: Site, [few, many]: readonly [number, number]): Promise<Line> {
  const less = await busyAt(site, few, warmMs);
  const more = await busyAt(site, many, warmMs);
  const turn = each((part) => (more[part] - less[part]) / (more.rate - less.rate));
  return { turn, second: each((part) => Math.max(0, less[part] - less.rate * turn[part])) };
}

/** Of which so much is the second's. */
function mix(first: Line, second: Line, share: number): Line {
  const of = (kind: keyof Line): Cost =>
    each((part) => first[kind][part] * (1 - share) + second[kind][part] * share);
  return { second: of('second'), turn: of('turn') };
}

/** What Redis has beyond the journal, whose end is known (bytes). */
async function memoryOf({ bench }: Site): Promise<number> {
  const journal = (await bench.redis.memory('USAGE', keys.journal, 'SAMPLES', 0)) ?? 0;
  return (await bench.info('used_memory')) - journal;
}

export async function sizing(bench: BenchRedis): Promise<Row[]> {
  const load = await openTraffic(ofModels);
  const product = await startProduct({
    REDIS_URL: bench.url,
    ...load.environment,
    // As much runs out as comes, after a minute and a half.
    WECHAT_RULES: JSON.stringify(shortened.wechat),
    NXCLOUD_RULES: JSON.stringify(shortened.nxcloud),
  });
  load.connect(product.url);
  const site = { load, product, bench, redisPid: await bench.info('process_id') };
  const quiet = await memoryOf(site);
  await load.openly(compiling.ms, compiling.perSecond);
  load.mix(0);
  const wechat = await lineOf(site, calibration.wechat);
  load.mix(1);
  const nxcloud = await lineOf(site, calibration.nxcloud);
  load.mix(ofModels.whatsappOneIn);
  const line = mix(wechat, nxcloud, 1 / ofModels.whatsappOneIn);
  const rows: Row[] = [
    {
      what: "processor time of a turn: WeChat's; WhatsApp's, with a gateway send and three statuses; and of a second, whatever comes",
      values: {
        ...prefixed('WeChat', inMs(wechat.turn)),
        ...prefixed('WhatsApp', inMs(nxcloud.turn)),
        ...prefixed('a second', inMs(line.second)),
      },
    },
  ];
  for (const perSecond of rates) rows.push(await pointAt(site, { perSecond, line, quiet }));
  rows.push({ what: 'the turns of all these', values: {}, exact: exactnessOf(await load.settled()) });
  await product.close();
  await load.close();
  for (const perSecond of told)
    rows.push({ what: `by the formula, ${perSecond} turns a second`, values: sizeOf(perSecond, line) });
  return rows;
}

interface Point {
  perSecond: number;
  line: Line;
  /** Of Redis, before the first turn (bytes). */
  quiet: number;
}

async function pointAt(site: Site, { perSecond, line, quiet }: Point): Promise<Row> {
  const samples: number[] = [];
  const sampling = setInterval(() => void memoryOf(site).then((bytes) => samples.push(bytes)), 2_000);
  const measured = await busyAt(site, perSecond, settleMs);
  clearInterval(sampling);
  // The last ones are of the time that is measured.
  const memory = quantile(samples.slice(-measuredMs / 2_000), 0.5) - quiet;
  const [taken, formula] = [each((part) => measured[part] / 1_000), busy(measured.rate, line)];
  const { web, worker } = site.product.processes;
  const cpu = parts.map((part) => taken[part] / formula[part]);
  return {
    what: `${perSecond} turns a second, one in four WhatsApp's, bot 3 s (median), ends kept for 20 to 90 s: processors that are busy, and memory of Redis beyond a quiet one and the journal, beside the formula`,
    values: {
      web: percent(taken.web),
      worker: percent(taken.worker),
      Redis: percent(taken.redis),
      ...Object.fromEntries(
        parts.map((part, n) => [`${part} beside the formula`, times(cpu[n] ?? Number.NaN)]),
      ),
      memory: megabytes(memory),
      'memory beside the formula': times(memory / held(mixed(shortened, perSecond), perSecond)),
      'resident memory of web': megabytes(await rssOf(web)),
      'of worker': megabytes(await rssOf(worker)),
    },
    goal: {
      says: `processors within ${margins.cpu * 100} %, memory within ${margins.memory * 100} %`,
      met: (of) =>
        parts.every((part) => isNear(of(`${part} beside the formula`), margins.cpu)) &&
        isNear(of('memory beside the formula'), margins.memory),
    },
  };
}

function isNear(ratio: number, margin: number): boolean {
  return Math.abs(ratio - 1) <= margin;
}

function inMs({ web, worker, redis }: Cost): Record<string, Value> {
  return { web: ms(web), worker: ms(worker), Redis: ms(redis) };
}
