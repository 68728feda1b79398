/**
 * What ended turns leave in Redis: by arithmetic (how many keys, how large, for how long), and by a run in which all of it
 * is kept for seconds, so that as much runs out as comes. The same arithmetic says what a day at that rate leaves.
 */
import { keys as ours } from '../src/redis/keys.ts';
import type { Rules } from '../src/core/rules.ts';
import { nxcloudRules } from '../src/nxcloud/rules.ts';
import { wechatRules } from '../src/wechat/rules.ts';
import { count, megabytes, type Row, times, wait } from './measure.ts';
import { startProduct } from './product.ts';
import type { BenchRedis } from './redis.ts';
import { exactnessOf, ofModels, openTraffic } from './traffic.ts';

/** A kind of key. */
interface Left {
  /** So many of a turn. */
  perTurn: number;
  /** `MEMORY USAGE` of one, with ids of usual length. */
  bytes: number;
  lifeMs: number;
}

type Lives = Pick<Rules, 'remembered' | 'repeats' | 'window' | 'deadline'>;

interface AllLives {
  wechat: Lives;
  nxcloud: Lives;
}

/** As they are. */
export const usual: AllLives = { wechat: wechatRules, nxcloud: nxcloudRules };

const statusesPerAnswer = 3;
/** What opens no turn is repeated for no longer (ms). */
const repeatsOfNoTurn = 10 * 60_000;

/** As src/redis/keys.ts and docs/privacy.md have it. */
const leftByTurn = {
  wechat: ({ wechat: { remembered, repeats } }: AllLives): Record<string, Left> => ({
    state: { perTurn: 1, bytes: 568, lifeMs: remembered },
    last: { perTurn: 1, bytes: 296, lifeMs: remembered },
    delivery: { perTurn: 1, bytes: 216, lifeMs: repeats },
  }),
  nxcloud: (
    { nxcloud: { remembered, repeats, window, deadline } }: AllLives,
    turnsPerUser: number,
  ): Record<string, Left> => ({
    state: { perTurn: 1, bytes: 744, lifeMs: remembered },
    // While a turn is open it is to outlast that.
    last: { perTurn: 1 / turnsPerUser, bytes: 328, lifeMs: Math.max(window, remembered + deadline) },
    delivery: { perTurn: 1, bytes: 216, lifeMs: repeats },
    'delivery of a status': {
      perTurn: statusesPerAnswer,
      bytes: 216,
      lifeMs: Math.min(repeats, repeatsOfNoTurn),
    },
  }),
} as const;

interface Sum {
  keys: number;
  bytes: number;
}

/** What stands there at so many turns a second, when as much goes as comes. */
function sumOf(all: Record<string, Left>, perSecond: number): Sum {
  const sum = { keys: 0, bytes: 0 };
  for (const { perTurn, bytes, lifeMs } of Object.values(all)) {
    const count = (perSecond * perTurn * lifeMs) / 1_000;
    sum.keys += count;
    sum.bytes += count * bytes;
  }
  return sum;
}

/** Of both, one turn in four WhatsApp's. @param turnsPerUser In a day: they have one `last` between them on WhatsApp. */
export function mixed(lives: AllLives, perSecond: number, turnsPerUser = 1): Sum {
  const [wechat, nxcloud] = [
    sumOf(leftByTurn.wechat(lives), perSecond * (1 - 1 / whatsappOneIn)),
    sumOf(leftByTurn.nxcloud(lives, turnsPerUser), perSecond / whatsappOneIn),
  ];
  return { keys: wechat.keys + nxcloud.keys, bytes: wechat.bytes + nxcloud.bytes };
}

const { whatsappOneIn } = ofModels;
/** A short wait is soon over, and a turn that is open is not what is counted here. */
const traffic = { whatsappOneIn, botMedianMs: 200, botSpread: 0 };
const perSecond = 20;
/**
 * Seconds where minutes, hours and a day are usual (ms). None is shorter than a turn and its statuses; WeChat's state is to
 * outlast its window, as it does.
 */
export const shortened: AllLives = {
  wechat: { remembered: 35_000, repeats: 50_000, window: wechatRules.window, deadline: 20_000 },
  nxcloud: { remembered: 20_000, repeats: 60_000, window: 90_000, deadline: 20_000 },
};
/** As much goes as comes (ms). */
const fullMs = 110_000;
const looks = 4;
const betweenLooks = 10_000;
/** From the push to the last event of its turn, from when on it is kept: the bot's time (ms); WhatsApp's statuses take longer. */
const margin = 0.1;

export async function dayOfKeys(bench: BenchRedis): Promise<Row[]> {
  const load = await openTraffic(traffic);
  const product = await startProduct({
    REDIS_URL: bench.url,
    ...load.environment,
    WECHAT_RULES: JSON.stringify(shortened.wechat),
    NXCLOUD_RULES: JSON.stringify(shortened.nxcloud),
  });
  load.connect(product.url);
  const running = load.openly(fullMs + looks * betweenLooks, perSecond);
  await wait(fullMs);
  const sums: Sum[] = [];
  for (let look = 0; look < looks; look += 1) {
    sums.push(await ofTurns(bench));
    await wait(betweenLooks);
  }
  await running;
  const exact = exactnessOf(await load.settled());
  await product.close();
  await load.close();
  const measured = {
    keys: sums.reduce((all, { keys }) => all + keys, 0) / looks,
    bytes: sums.reduce((all, { bytes }) => all + bytes, 0) / looks,
  };
  const expected = mixed(shortened, perSecond);
  const day = mixed(usual, perSecond);
  const isNear = (ratio: number): boolean => Math.abs(ratio - 1) <= margin;
  return [
    {
      what: `what ended turns leave in Redis, kept for 20 to 90 s in place of 2 min to 24 h, at ${perSecond} turns a second (one in four WhatsApp's), beside the arithmetic`,
      values: {
        keys: count(measured.keys),
        'by arithmetic': count(expected.keys),
        'ratio of keys': times(measured.keys / expected.keys),
        memory: megabytes(measured.bytes),
        'memory by arithmetic': megabytes(expected.bytes),
        'ratio of memory': times(measured.bytes / expected.bytes),
      },
      goal: {
        says: `within ${margin * 100} %`,
        met: (of) => isNear(of('ratio of keys')) && isNear(of('ratio of memory')),
      },
      exact,
    },
    {
      what: `the same arithmetic after a day at that rate, each turn another user's`,
      values: {
        turns: count(perSecond * 86_400),
        keys: count(day.keys),
        memory: megabytes(day.bytes),
      },
    },
  ];
}

/** What is there of single users and pushes. Keys that have run out are no longer among them. */
async function ofTurns({ redis }: BenchRedis): Promise<Sum> {
  const sum = { keys: 0, bytes: 0 };
  const prefixes = [ours.state(''), ours.last(''), ours.delivery('')];
  for await (const batch of redis.scanStream({ count: 500 }) as AsyncIterable<string[]>) {
    const found = batch.filter((key) => prefixes.some((prefix) => key.startsWith(prefix)));
    const sizes = await Promise.all(found.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    const there = sizes.filter((size) => size !== null);
    sum.keys += there.length;
    sum.bytes += there.reduce((all, size) => all + size, 0);
  }
  return sum;
}
