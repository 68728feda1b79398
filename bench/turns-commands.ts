/** What `turns.ts` reads of Redis: the commands that come in, and what is kept. */
import type { BenchRedis } from './redis.ts';
import { now } from './measure.ts';

export interface Counted {
  ms: number;
  /** Commands that clients sent. */
  top: number;
  /** Those inside scripts too. */
  all: number;
  /** The clients' own. */
  byName: Record<string, number>;
}

/** Counts while something happens. MONITOR slows Redis down: not for what is timed. */
export async function counted({ redis }: BenchRedis, work: () => Promise<unknown>): Promise<Counted> {
  const own = `${redis.stream.localAddress}:${'localPort' in redis.stream ? redis.stream.localPort : ''}`;
  const byName: Record<string, number> = {};
  const monitor = await redis.monitor();
  monitor.on('monitor', (_time: string, [name = '']: string[], source: string) => {
    if (source === 'lua' || source === own) return;
    const key = name.toLowerCase();
    byName[key] = (byName[key] ?? 0) + 1;
  });
  const [from, before] = [now(), await commandsOf(redis)];
  await work();
  // Its answer counts the question before it, and neither is anybody's but ours.
  const all = (await commandsOf(redis)) - before - 1;
  const ms = now() - from;
  monitor.disconnect();
  return { ms, all, byName, top: Object.values(byName).reduce((a, b) => a + b, 0) };
}

async function commandsOf(redis: BenchRedis['redis']): Promise<number> {
  const stats = await redis.info('commandstats');
  return [...stats.matchAll(/^cmdstat_[^:]+:calls=(\d+)/gm)].reduce(
    (all, [, calls]) => all + Number(calls),
    0,
  );
}

export interface Kept {
  keys: number;
  bytes: number;
  /** Each key counted for the part of seven minutes that it is kept. */
  lasting: { keys: number; bytes: number };
  /** Bytes by what the keys are called, without what tells one turn from another. */
  byKind: Record<string, number>;
}

/** Every key, and what it takes. */
export async function kept({ redis }: BenchRedis): Promise<Kept> {
  const byKind: Record<string, number> = {};
  const lasting = { keys: 0, bytes: 0 };
  let [keys, bytes] = [0, 0];
  for await (const batch of redis.scanStream({ count: 500 }) as AsyncIterable<string[]>) {
    const sizes = await Promise.all(batch.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    const kept = await Promise.all(batch.map((key) => redis.pttl(key)));
    batch.forEach((key, index) => {
      const kind = kindOf(key);
      const size = sizes[index] ?? 0;
      byKind[kind] = (byKind[kind] ?? 0) + size;
      bytes += size;
      keys += 1;
      if (kind.endsWith(':journal')) return; // Bounded, however many turns there are.
      const left = kept[index] ?? -1;
      const share = left < 0 ? 1 : Math.min(1, left / observedMs);
      lasting.keys += share;
      lasting.bytes += share * size;
    });
  }
  return { keys, bytes, lasting, byKind };
}

const observedMs = 7 * 60_000;

function kindOf(key: string): string {
  return key
    .split(':')
    .map((part) => (part.length > 12 && /[\d_/+]/.test(part) ? '…' : /^\d+$/.test(part) ? 'n' : part))
    .join(':');
}
