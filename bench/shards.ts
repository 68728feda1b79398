/**
 * What shards are for: turns a second with one and with several, each Redis as it is, and each kept to a share of a
 * processor, so that Redis is what limits them. All are processes of their own on one machine.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { count, ms, percent, perSecond, type Row, sum, times, wait } from './measure.ts';
import { startProduct } from './product.ts';
import { type BenchRedis, startUntouchedRedis } from './redis.ts';
import { type Count, exactness, notTaken, openTraffic } from './traffic.ts';
import { cpuOf } from './turns-site.ts';

/** So many turns are open at a time. */
const atOnce = 128;
const warmMs = 10_000;
const measuredMs = 15_000;
/** A push of WhatsApp's is acknowledged when Redis has it. (One of WeChat's is answered whatever Redis does.) */
const traffic = { whatsappOneIn: 1, botMedianMs: 1_000, botSpread: 0 };

/** One Redis for all shards, or one for each; `share`: of a processor, that each of them may take. */
interface Setting {
  shards: number;
  servers: number;
  share: number | null;
}

interface Saturated extends Setting {
  turnsPerSecond: number;
  /** Processor time (ms) of a turn. */
  web: number;
  worker: number;
  redis: number;
  /** Of a turn. */
  typing: number;
  /** Times that a Redis counted as away. */
  away: number;
  settled: Count;
}

async function saturate(setting: Setting): Promise<Saturated> {
  const { shards, servers, share } = setting;
  const all = await Promise.all(Array.from({ length: servers }, () => startUntouchedRedis()));
  const pids = await Promise.all(all.map((redis) => redis.info('process_id')));
  const load = await openTraffic(traffic);
  const product = await startProduct({ ...load.environment, ...settingsOf(all, shards) });
  load.connect(product.url);
  const throttle = share === null ? null : await startThrottle(share, pids);
  const cpu = async () => ({
    web: await cpuOf(product.processes.web),
    worker: await cpuOf(product.processes.worker),
    redis: sum(await Promise.all(pids.map(cpuOf))),
  });
  const running = load.crowd(warmMs + measuredMs, atOnce);
  await wait(warmMs);
  const [before, from, began] = [load.count(), await cpu(), performance.now()];
  await running;
  const [after, to, seconds] = [load.count(), await cpu(), (performance.now() - began) / 1_000];
  const settled = await load.settled();
  throttle?.kill();
  const away = product.output().split('Redis is out of reach').length - 1;
  await product.close();
  await load.close();
  await Promise.all(all.map((redis) => redis.stop()));
  const turns = after.begun - after.open - (before.begun - before.open);
  return {
    ...setting,
    turnsPerSecond: turns / seconds,
    web: (to.web - from.web) / turns,
    worker: (to.worker - from.worker) / turns,
    redis: (to.redis - from.redis) / turns,
    typing: (after.typing - before.typing) / turns,
    away,
    settled,
  };
}

function settingsOf(all: readonly BenchRedis[], shards: number): Record<string, string> {
  const SHARDS = String(shards);
  if (all.length > 1) return { REDIS_URLS: all.map(({ url }) => url).join(','), SHARDS };
  return { REDIS_URL: all[0]?.url ?? '', SHARDS };
}

async function startThrottle(share: number, pids: readonly number[]) {
  const throttle = fork(
    fileURLToPath(new URL('./throttle.ts', import.meta.url)),
    [share, ...pids].map(String),
    {
      execArgv: ['--import', 'tsx'],
    },
  );
  await once(throttle, 'message');
  return {
    kill: () => throttle.disconnect(),
  };
}

const machine = (shards: number, servers: number): Setting => ({ shards, servers, share: null });

/** With the one Redis that is throttled, some of what the machine can do; six of them can do more than it. */
const part = 0.25;
const several = [1, 2, 3, 6];

export async function shards(): Promise<Row[]> {
  const free = [];
  for (const setting of [machine(1, 1), machine(3, 1), machine(3, 3)]) free.push(await saturate(setting));
  const [one] = free;
  if (!one) throw new Error('Nothing was measured.');
  const share = (part * one.turnsPerSecond * one.redis) / 1_000;
  const held = [];
  for (const n of several) held.push(await saturate({ shards: n, servers: n, share }));
  const [first] = held;
  return [...free.map((each) => rowOf(each, one)), ...held.map((each) => rowOf(each, first ?? each))];
}

/** With twice as many shards, as long as Redis is the limit, there are so many times the turns at least. */
const growth = 0.8;
/** More shards than the machine needs take no more of it than this. */
const cost = 0.75;

const perCore = ({ web, worker, redis }: Saturated): number => 1_000 / (web + worker + redis);

function rowOf(it: Saturated, one: Saturated): Row {
  const { shards: n, servers, share, turnsPerSecond, web, worker, redis, typing, away, settled } = it;
  const name = `WhatsApp turns a second, ${atOnce} at a time, bot 1 s: ${n} shard${n === 1 ? '' : 's'} on ${servers} Redis`;
  return {
    what:
      share === null
        ? name
        : `${name}, each Redis stopped whenever it has had more than a share of a processor, the same for each`,
    values: {
      turns: perSecond(turnsPerSecond),
      'of those of one shard': times(turnsPerSecond / one.turnsPerSecond),
      'processor time of a turn: web': ms(web),
      worker: ms(worker),
      Redis: ms(redis),
      'turns per second of it': perSecond(perCore(it)),
      'of those of one shard there': times(perCore(it) / perCore(one)),
      'of a processor, each Redis': percent((turnsPerSecond * redis) / 1_000 / servers),
      ...(share === null ? {} : { 'of which it may take': percent(share) }),
      'typing calls a turn': count(typing),
      'times that a Redis counted as away': count(away),
      ...notTaken(settled),
    },
    ...goalOf(it),
    exact: exactness(settled),
  };
}

/** With a Redis that is throttled, Redis is the limit as long as there are few: then the machine is. */
function goalOf({ shards: n, share }: Saturated): Pick<Row, 'goal'> {
  if (share === null)
    return {
      goal: {
        says: `≥ ${cost} × per second of processor time`,
        met: (of) => of('of those of one shard there') >= cost,
      },
    };
  if (n > 3) return {};
  const least = n === 1 ? 1 : growth * n;
  return { goal: { says: `≥ ${least.toFixed(1)} ×`, met: (of) => of('of those of one shard') >= least } };
}
