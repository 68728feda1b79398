/**
 * `npm run soak`: half of what this machine can do, for half an hour, on a redis-server with an append-only file. Memory,
 * keys and lag are sampled; a line through each says whether anything grows. Exits with 1 when something does, or when a
 * turn had not exactly one answer.
 *
 *     npm run soak -- --minutes 5 --rate 40 --samples samples.json --picture soak.svg
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bytes, count, megabytes, ms, quantile, type Row, type Value, wait } from './measure.ts';
import { heapOf, type Product, startProduct } from './product.ts';
import { isMet, ofAll, recordOf, startOf } from './record.ts';
import { type BenchRedis, startUntouchedRedis } from './redis.ts';
import {
  fit,
  isFlat,
  judged,
  type Judged,
  leastKept,
  type Line,
  type Measured,
  type Sample,
} from './soak-lines.ts';
import { picture } from './soak-picture.ts';
import { exactness, notTaken, ofModels, openTraffic, type Traffic } from './traffic.ts';
import { rssOf } from './turns-site.ts';

/** As many turns open at once fill the machine. */
const crowd = 600;
const warmUpMs = 15_000;
/** Answers are kept for 60 s, for repeats. */
const restMs = 75_000;
const sampleMs = 5_000;
const shortest = 5 * 60_000;

/** Compiled, its pools filled, its heap as large as its garbage wants it (s). */
const settling = 5 * 60;

/** Where each line begins (s): Redis holds what is forgotten last only when that has run out for the first time. */
export function settledAt(what: Measured, { lifeMs, seconds }: { lifeMs: number; seconds: number }): number {
  const process = Math.min(settling, seconds / 6);
  return what === 'redis' || what === 'keys' ? Math.max(process, lifeMs / 1_000 + 60) : process;
}

/** Each of the ends of turns is kept for so long, and no longer than a third of the run (ms). WeChat's is this one anyway. */
const longestLife = 10 * 60_000;
const remembered = 2 * 60_000;

/** WhatsApp's are hours and a day: a run of half an hour would see them grow only. */
function livesFor(runMs: number): { lifeMs: number; environment: Record<string, string> } {
  const lifeMs = Math.min(longestLife, Math.round(runMs / 3));
  const rules = { repeats: lifeMs, remembered: Math.min(remembered, lifeMs) };
  return {
    lifeMs,
    environment: {
      WECHAT_RULES: JSON.stringify(rules),
      // Its last interaction outlasts an open turn.
      NXCLOUD_RULES: JSON.stringify({ ...rules, window: lifeMs, deadline: lifeMs - rules.remembered }),
    },
  };
}

type Metrics = Record<string, number>;

/** ms; the timer of 10 ms by which it is measured is no lag. */
function lag({ nodejs_eventloop_lag_p99_seconds: seconds = Number.NaN }: Metrics): number {
  return Math.max(0, seconds * 1_000 - 10);
}

async function sample(from: number, product: Product, redis: BenchRedis): Promise<Sample> {
  const { web, worker } = await product.metrics();
  return {
    s: (performance.now() - from) / 1_000,
    webRss: await rssOf(product.processes.web),
    workerRss: await rssOf(product.processes.worker),
    webHeap: heapOf(web),
    workerHeap: heapOf(worker),
    redis: await redis.info('used_memory'),
    keys: await redis.redis.dbsize(),
    webLag: lag(web),
    workerLag: lag(worker),
  };
}

/** So many turns a second as are half of what there is at most; at any rate the code has run for a while. */
async function warmUp(load: Traffic, wanted: number | null): Promise<number> {
  const begun = load.crowd(2 * warmUpMs, crowd);
  await wait(warmUpMs);
  const before = load.count();
  await begun;
  const after = load.count();
  const perSecond = ((after.begun - after.open - before.begun + before.open) * 1_000) / warmUpMs;
  return wanted ?? Math.max(1, Math.floor(perSecond / 2));
}

/** What is live when nothing is under way, and no answer is kept for a repeat any more (bytes). */
async function atRest(load: Traffic, product: Product): Promise<Record<'web' | 'worker', number>> {
  await load.settled();
  await wait(restMs);
  return product.live();
}

function valueOf(value: number, unit: Judged['unit']): Value {
  if (unit === 'bytes') return megabytes(value);
  return unit === 'ms' ? ms(value) : count(value);
}

function rowOf(what: Measured, line: Line, perSecond: number): Row {
  const { name, unit } = judged[what];
  const values = {
    'the line from': valueOf(line.from.at, unit),
    to: valueOf(line.to.at, unit),
    'an hour': valueOf(line.perHour, unit),
    '±': valueOf(line.give, unit),
  };
  if (unit === 'ms') return { what: name, values };
  const grown = line.perHour / (perSecond * 3_600);
  return {
    what: name,
    values: { ...values, 'a turn': unit === 'keys' ? count(grown) : bytes(grown) },
    goal: {
      says: `< ${leastKept[unit]} ${unit === 'keys' ? 'key' : unit} a turn`,
      met: () => isFlat(what, line, perSecond) === true,
    },
  };
}

/** No garbage, and nothing under way: what is left is kept. */
function liveRow(name: string, { before, after }: Record<'before' | 'after', number>, turns: number): Row {
  const kept = (after - before) / turns;
  return {
    what: `${name}: live heap at rest, before and after ${turns} turns`,
    values: { before: megabytes(before), after: megabytes(after), 'a turn': bytes(kept) },
    goal: { says: `< ${leastKept.bytes} bytes a turn`, met: (of) => of('a turn') < leastKept.bytes },
  };
}

async function main(): Promise<void> {
  const { values: flags } = parseArgs({
    options: {
      minutes: { type: 'string', default: '30' },
      rate: { type: 'string' },
      samples: { type: 'string' },
      picture: { type: 'string' },
    },
  });
  const start = startOf(`npm run soak -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, ''));
  const runMs = Number(flags.minutes) * 60_000;
  if (!(runMs >= shortest)) throw new Error('A line needs time: --minutes must be 5 or more.');
  const { lifeMs, environment } = livesFor(runMs);
  const dir = await mkdtemp(join(tmpdir(), 'soak-'));
  const redis = await startUntouchedRedis(dir);
  const load = await openTraffic(ofModels);
  const product = await startProduct({ REDIS_URL: redis.url, ...load.environment, ...environment });
  load.connect(product.url);
  const perSecond = await warmUp(load, flags.rate === undefined ? null : Number(flags.rate));
  const before = await atRest(load, product);
  const warm = load.count();
  const said = `${perSecond} turns a second for ${flags.minutes} min`;
  process.stderr.write(`${said} (load ${loadavg()[0]?.toFixed(1)})\n`);

  const [from, samples] = [performance.now(), [] as Sample[]];
  const loads: number[] = [];
  const running = load.evenly(runMs, perSecond);
  while (performance.now() - from < runMs) {
    const taken = await sample(from, product, redis).catch(() => null);
    if (taken) samples.push(taken);
    loads.push(loadavg()[0] ?? Number.NaN);
    await wait(sampleMs);
  }
  await running;
  const after = await atRest(load, product);
  const counts = load.count();
  const faults = product.output().match(/^.*"level":[456]0.*$/gm) ?? [];
  await product.close();
  await load.close();
  const version = await redis.version();
  await redis.stop();
  await rm(dir, { recursive: true });

  const lines = Object.fromEntries(
    (Object.keys(judged) as Measured[]).map((what) => {
      const settled = settledAt(what, { lifeMs, seconds: runMs / 1_000 });
      return [
        what,
        fit(
          samples.filter(({ s }) => s >= settled),
          what,
        ),
      ];
    }),
  ) as Record<Measured, Line>;
  const rows: Row[] = [
    ...(Object.keys(judged) as Measured[]).map((what) => rowOf(what, lines[what], perSecond)),
    ...(['web', 'worker'] as const).map((name) =>
      liveRow(name, { before: before[name], after: after[name] }, counts.begun - warm.begun),
    ),
    {
      what: 'turns',
      values: {
        inline: count(counts.inline),
        'by custom/send': count(counts.sent),
        'through the gateway': count(counts.passed),
        'typing calls': count(counts.typing),
        ...notTaken(counts),
      },
      exact: exactness(counts),
    },
    { what: 'warnings and errors logged', values: { lines: count(faults.length) } },
  ];
  if (flags.samples !== undefined)
    await writeFile(flags.samples, JSON.stringify({ perSecond, lifeMs, lines, samples }));
  if (flags.picture !== undefined)
    await writeFile(flags.picture, picture(samples, lines, { title: `keeptyping, ${said}` }));
  for (const line of new Set(faults.map((each) => /"msg":"([^"]*)"/.exec(each)?.[1] ?? each)))
    process.stderr.write(`${line}\n`);
  const redisSetUp = `${version} with its own defaults, and an append-only file`;
  const run = { rows: rows.map((row) => ofAll([row])), failed: [], redis: redisSetUp };
  if (!isMet(run)) process.exitCode = 1;
  const beside = quantile(loads, 0.5).toFixed(1);
  process.stdout.write(`\n${said}; load of the machine ${beside} (p50)\n\n${recordOf(start, run)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
