/**
 * What shards are for: turns a second with one and with several, each Redis as it is, and each kept to a share of a
 * processor, so that Redis is what limits them. All are processes of their own on one machine.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { count, ms, perSecond, percent, type Row, times, wait } from './measure.ts';
import { startProduct } from './product.ts';
import { type BenchRedis, startUntouchedRedis } from './redis.ts';
import { type Count, exactnessOf, openTraffic } from './traffic.ts';
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
  rate: number;
  /** Processor time (ms) of a turn. */
  web: number;
  worker: number;
  redis: number;
  /** Of a turn. */
  typing: number;
  /** Times that a Redis counted as away. */
  away: number;
  turns: Count;
}

async function saturate(setting: Setting): Promise<Saturated> {
  const { shards, servers, share } = setting;
  const redises = await Promise.all(Array.from({ length: servers }, () => startUntouchedRedis()));
  const pids = await Promise.all(redises.map((redis) => redis.info('process_id')));
  const load = await openTraffic(traffic);
  const product = await startProduct({ ...load.environment, ...settingsOf(redises, shards) });
  load.connect(product.url);
  const throttle = share === null ? null : await startThrottle(share, pids);
  const cpu = async () => ({
    web: await cpuOf(product.processes.web),
    worker: await cpuOf(product.processes.worker),
    redis: (await Promise.all(pids.map(cpuOf))).reduce((a, b) => a + b, 0),
  });
  const running = load.crowd(warmMs + measuredMs, atOnce);
  await wait(warmMs);
  const [before, from, began] = [load.count(), await cpu(), performance.now()];
  await running;
  const [after, to, seconds] = [load.count(), await cpu(), (performance.now() - began) / 1_000];
  const all = await load.settled();
  throttle?.kill();
  const away = product.output().split('Redis is out of reach').length - 1;
  await product.close();
  await load.close();
  await Promise.all(redises.map((redis) => redis.stop()));
  const turns = after.begun - after.open - (before.begun - before.open);
  return {
    ...setting,
    rate: turns / seconds,
    web: (to.web - from.web) / turns,
    worker: (to.worker - from.worker) / turns,
    redis: (to.redis - from.redis) / turns,
    typing: (after.typing - before.typing) / turns,
    away,
    turns: all,
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
  const share = (part * one.rate * one.redis) / 1_000;
  const held = [];
  for (const n of several) held.push(await saturate({ shards: n, servers: n, share }));
  const [first] = held;
  return [...free.map((each) => rowOf(each, one)), ...held.map((each) => rowOf(each, first ?? each))];
}

/** With n shards there are n times the turns, less a fifth, as long as Redis is the limit. */
const growth = 0.8;
/** Shards that the machine does not need may take so much of it. */
const cost = 0.75;

const perCore = ({ web, worker, redis }: Saturated): number => 1_000 / (web + worker + redis);

function rowOf(it: Saturated, one: Saturated): Row {
  const { shards: n, servers, share } = it;
  const isLimit = share !== null && n > 1 && n <= 3;
  const row: Row = {
    what: `WhatsApp turns a second, ${atOnce} at a time, bot 1 s: ${n} shard${n === 1 ? '' : 's'} on ${servers} Redis, ${share === null ? 'which take what they need' : 'each stopped whenever it has had more than its share of a processor'}`,
    values: {
      '': perSecond(it.rate),
      'beside one shard': times(it.rate / one.rate),
      ...(share === null ? {} : { share: percent(share) }),
      'each Redis takes': percent((it.rate * it.redis) / 1_000 / servers),
      'a turn: web': ms(it.web),
      worker: ms(it.worker),
      Redis: ms(it.redis),
      'turns by a second of all processors': count(perCore(it)),
      'beside one shard of that': times(perCore(it) / perCore(one)),
      'typing calls a turn': count(it.typing),
      'times that Redis counted as away': count(it.away),
    },
    exact: exactnessOf(it.turns),
  };
  if (share === null && it !== one)
    row.goal = { says: `≥ ${cost} × by processor`, met: (of) => of('beside one shard of that') >= cost };
  if (isLimit)
    row.goal = { says: `≥ ${(growth * n).toFixed(1)} ×`, met: (of) => of('beside one shard') >= growth * n };
  return row;
}
