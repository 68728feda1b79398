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

/** Processor time of a turn (ms). */
interface Cost {
  web: number;
  worker: number;
  redis: number;
}

const parts = ['web', 'worker', 'redis'] as const;

/** A processor that has no more to do than this takes a burst as it comes. */
const wellUsed = 0.6;
/** An open turn, with its push (bytes). */
const openBytes = 6_000;
/** A quiet Redis, and a full journal (bytes). */
const quietBytes = 1.7e6;
const journalBytes = 3.3e6;
/** Beside what a key takes itself, Redis has tables of all of them: so much of it. */
const tables = 1.25;

/** Processors that so many turns a second keep busy. */
function busy(perSecond: number, cost: Cost): Cost {
  const of = (ms: number): number => (perSecond * ms) / 1_000;
  return { web: of(cost.web), worker: of(cost.worker), redis: of(cost.redis) };
}

/** What stands in Redis because of turns, open ones and those that have ended (bytes). */
function held(ended: { bytes: number }, perSecond: number): number {
  const open = (perSecond * meanOf(ofModels)) / 1_000;
  return tables * ended.bytes + open * openBytes;
}

/** Messages of one user in a day. */
const turnsPerUser = 10;

function countFor(load: number): number {
  return Math.ceil(load / wellUsed);
}

/** The formula, in whole processes and Redis. */
function sizeOf(perSecond: number, cost: Cost): Record<string, Value> {
  const all = busy(perSecond, cost);
  return {
    webs: count(countFor(all.web)),
    workers: count(countFor(all.worker)),
    Redis: count(countFor(all.redis)),
    'of a processor': percent(all.redis),
    'memory of Redis': megabytes(
      quietBytes + journalBytes + held(mixed(usual, perSecond, turnsPerUser), perSecond),
    ),
  };
}

const calibration = { wechat: 40, nxcloud: 20 };
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

/** Of a turn (ms), at this rate. */
async function costAt(site: Site, perSecond: number, firstMs: number): Promise<Cost> {
  const running = site.load.openly(firstMs + measuredMs, perSecond);
  await wait(firstMs);
  const [before, begun] = [await cpuNow(site), site.load.count().begun];
  await running;
  const [after, turns] = [await cpuNow(site), site.load.count().begun - begun];
  return {
    web: (after.web - before.web) / turns,
    worker: (after.worker - before.worker) / turns,
    redis: (after.redis - before.redis) / turns,
  };
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
  const wechat = await costAt(site, calibration.wechat, warmMs);
  load.mix(1);
  const nxcloud = await costAt(site, calibration.nxcloud, warmMs);
  load.mix(ofModels.whatsappOneIn);
  const share = 1 / ofModels.whatsappOneIn;
  const cost: Cost = {
    web: wechat.web * (1 - share) + nxcloud.web * share,
    worker: wechat.worker * (1 - share) + nxcloud.worker * share,
    redis: wechat.redis * (1 - share) + nxcloud.redis * share,
  };
  const rows: Row[] = [
    {
      what: "processor time of a turn: WeChat's; WhatsApp's, with a gateway send and three statuses",
      values: { ...prefixed('WeChat', inMs(wechat)), ...prefixed('WhatsApp', inMs(nxcloud)) },
    },
  ];
  for (const perSecond of rates) rows.push(await pointAt(site, { perSecond, cost, quiet }));
  rows.push({ what: 'the turns of all these', values: {}, exact: exactnessOf(await load.settled()) });
  await product.close();
  await load.close();
  for (const perSecond of told)
    rows.push({ what: `by the formula, ${perSecond} turns a second`, values: sizeOf(perSecond, cost) });
  return rows;
}

interface Point {
  perSecond: number;
  cost: Cost;
  /** Of Redis, before the first turn (bytes). */
  quiet: number;
}

async function pointAt(site: Site, { perSecond, cost, quiet }: Point): Promise<Row> {
  const samples: number[] = [];
  const sampling = setInterval(() => void memoryOf(site).then((bytes) => samples.push(bytes)), 2_000);
  const measured = await costAt(site, perSecond, settleMs);
  clearInterval(sampling);
  // The last ones are of the time that is measured.
  const memory = quantile(samples.slice(-measuredMs / 2_000), 0.5) - quiet;
  const [taken, formula] = [busy(perSecond, measured), busy(perSecond, cost)];
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
