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
import { count, megabytes, ms, quantile, type Row, wait } from './measure.ts';
import { heapOf, type Product, startProduct } from './product.ts';
import { ofAll, startOf, table } from './record.ts';
import { startUntouchedRedis, type BenchRedis } from './redis.ts';
import { fit, isFlat, judged, leastKept, type Line, type Measured, type Sample } from './soak-lines.ts';
import { picture } from './soak-picture.ts';
import { exactnessOf, ofModels, openTraffic, type Traffic } from './traffic.ts';
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
  const rules = { repeats: lifeMs, remembered: Math.min(remembered, lifeMs / 2) };
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

/** So many turns a second as are wanted, or half of what there is at most. The code has been compiled by then. */
async function warmUp(load: Traffic, wanted: number | null): Promise<number> {
  if (wanted !== null) {
    await load.openly(2 * warmUpMs, wanted);
    return wanted;
  }
  const crowding = load.crowd(2 * warmUpMs, crowd);
  await wait(warmUpMs);
  const before = load.count();
  await crowding;
  const after = load.count();
  const atMost = ((after.begun - after.open - before.begun + before.open) * 1_000) / warmUpMs;
  return Math.max(1, Math.floor(atMost / 2));
}

/** What is live when nothing is under way, and no answer is kept for a repeat any more (bytes). */
async function atRest(load: Traffic, product: Product): Promise<Record<'web' | 'worker', number>> {
  await load.settled();
  await wait(restMs);
  return product.live();
}

function rowOf(what: Measured, line: Line, rate: number): Row {
  const { name, unit } = judged[what];
  const told = unit === 'bytes' ? megabytes : count;
  return {
    what: `${name}, by a line from ${Math.round(line.from.s / 60)} min on`,
    values: {
      from: told(line.from.at),
      to: told(line.to.at),
      'an hour': told(line.perHour),
      '±': told(line.give),
      [`${unit} a turn`]: count(line.perHour / (rate * 3_600)),
    },
    goal: {
      says: `no more than chance explains above ${leastKept[unit]} ${unit} a turn`,
      met: () => isFlat(what, line, rate),
    },
  };
}

/** No garbage, and nothing under way: what is left is kept. */
function liveRow(name: string, { before, after }: Record<'before' | 'after', number>, turns: number): Row {
  return {
    what: `${name}: live heap at rest, before and after ${turns} turns`,
    values: {
      before: megabytes(before),
      after: megabytes(after),
      'bytes a turn': count((after - before) / turns),
    },
    goal: {
      says: `< ${leastKept.bytes} bytes a turn`,
      met: (of) => of('bytes a turn') < leastKept.bytes,
    },
  };
}

function lagRow(name: string, lags: readonly number[]): Row {
  const half = Math.floor(lags.length / 2);
  return {
    what: `${name}: event loop lag, p99 of each 5 s`,
    values: {
      'first half: p50': ms(quantile(lags.slice(0, half), 0.5)),
      'second half: p50': ms(quantile(lags.slice(half), 0.5)),
      most: ms(quantile(lags, 1)),
    },
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
  const runMs = Number(flags.minutes) * 60_000;
  if (!(runMs >= shortest)) throw new Error('A line needs time: --minutes must be 5 or more.');
  const { lifeMs, environment } = livesFor(runMs);
  const start = startOf(`npm run soak -- ${process.argv.slice(2).join(' ')}`.trim());
  const dir = await mkdtemp(join(tmpdir(), 'soak-'));
  const redis = await startUntouchedRedis(dir);
  const load = await openTraffic(ofModels);
  const product = await startProduct({ REDIS_URL: redis.url, ...load.environment, ...environment });
  load.connect(product.url);
  const rate = await warmUp(load, flags.rate === undefined ? null : Number(flags.rate));
  const before = await atRest(load, product);
  const warm = load.count();
  const said = `${rate} turns a second for ${flags.minutes} min`;
  process.stderr.write(`${said} (load ${loadavg()[0]?.toFixed(1)})\n`);

  const [from, samples] = [performance.now(), [] as Sample[]];
  const loads: number[] = [];
  const running = load.openly(runMs, rate);
  while (performance.now() - from < runMs) {
    const taken = await sample(from, product, redis).catch(() => null);
    if (taken) samples.push(taken);
    loads.push(loadavg()[0] ?? Number.NaN);
    await wait(sampleMs);
  }
  await running;
  const after = await atRest(load, product);
  const all = load.count();
  const faults = product.output().match(/^.*"level":[456]0.*$/gm) ?? [];
  await product.close();
  await load.close();
  await redis.stop();
  await rm(dir, { recursive: true });

  const names = Object.keys(judged) as Measured[];
  const lineOf = (what: Measured): Line => {
    const settled = settledAt(what, { lifeMs, seconds: runMs / 1_000 });
    const those = samples.filter(({ s }) => s >= settled);
    return fit(those, what);
  };
  const lines = Object.fromEntries(names.map((what) => [what, lineOf(what)])) as Record<Measured, Line>;
  const turns = all.begun - warm.begun;
  const rows = [
    ...names.map((what) => rowOf(what, lines[what], rate)),
    liveRow('web', { before: before.web, after: after.web }, turns),
    liveRow('worker', { before: before.worker, after: after.worker }, turns),
    lagRow(
      'web',
      samples.map(({ webLag }) => webLag),
    ),
    lagRow(
      'worker',
      samples.map(({ workerLag }) => workerLag),
    ),
    {
      what: 'the turns',
      values: {
        'answered inline': count(all.inline),
        'by custom/send': count(all.sent),
        'through the gateway': count(all.passed),
        'typing calls': count(all.typing),
        'deliveries not taken at first': count(all.repeated),
        'load of the machine (p50)': count(quantile(loads, 0.5)),
        'warnings and errors logged': count(faults.length),
      },
      exact: exactnessOf(all),
    },
  ].map((row) => ofAll([row]));
  if (flags.samples !== undefined)
    await writeFile(flags.samples, JSON.stringify({ rate, lifeMs, lines, samples }));
  if (flags.picture !== undefined)
    await writeFile(flags.picture, picture(samples, lines, { title: `keeptyping, ${said}` }));
  for (const line of new Set(faults.map((each) => /"msg":"([^"]*)"/.exec(each)?.[1] ?? each)))
    process.stderr.write(`${line}\n`);
  if (rows.some(({ met }) => met === false)) process.exitCode = 1;
  process.stdout.write(
    `\n- ${start.says}\n- ${said}, Redis with its append-only file\n\n${table(rows, start.taken)}\n`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main();
