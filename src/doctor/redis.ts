/** The checks of a Redis that is connected. */
import { fail, type Finding, ok, warn } from '../core/platform.ts';
import { type Info, infoFindings, parseInfo } from './redis-info.ts';

/** The commands that the doctor uses: it writes nothing. */
export interface RedisCommands {
  info(): Promise<string>;
  config(get: 'GET', name: string): Promise<unknown>;
  time(): Promise<readonly unknown[]>;
  exists(key: string): Promise<number>;
}

/** Names that INFO has under another name, or not everywhere. */
const configured: readonly (readonly [infoName: string, configName: string])[] = [
  ['maxmemory_policy', 'maxmemory-policy'],
  ['maxclients', 'maxclients'],
  ['maxmemory', 'maxmemory'],
];

export async function examineInfo(redis: RedisCommands): Promise<Finding[]> {
  const text = await redis.info().catch(() => null);
  if (text === null) {
    const remedy = 'Allow INFO to this user, or look at version, maxmemory-policy and persistence yourself.';
    return [warn('Redis settings', { says: 'not known: INFO is not allowed here', remedy })];
  }
  const info = new Map(parseInfo(text));
  for (const [infoName, configName] of configured) {
    if (info.has(infoName)) continue;
    const value = await ask(redis, configName);
    if (value !== null) info.set(infoName, value);
  }
  return [...infoFindings(info), ...evictionUnknown(info)];
}

/** Managed ones often allow no CONFIG. */
async function ask(redis: RedisCommands, name: string): Promise<string | null> {
  const answer = await redis.config('GET', name).catch(() => null);
  const value: unknown = Array.isArray(answer) ? answer[1] : null;
  return typeof value === 'string' ? value : null;
}

function evictionUnknown(info: Info): Finding[] {
  if (info.has('maxmemory_policy')) return [];
  const remedy = 'Look in its console that maxmemory-policy is noeviction.';
  return [warn('Redis eviction policy', { says: 'Redis does not tell it', remedy })];
}

/** All processes go by Redis's time; only NXCloud compares it with its own. */
const clockNoticed = 5_000;

/** @param now this machine's time, ms since 1970 */
export async function examineClock(redis: RedisCommands, now: () => number): Promise<Finding[]> {
  const before = now();
  const [seconds, microseconds] = await redis.time();
  const off = Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (before + now()) / 2;
  const subject = 'Redis clock';
  if (Math.abs(off) < clockNoticed) return [ok(subject, "agrees with this machine's")];
  const how = `${Math.round(Math.abs(off) / 1_000)} s ${off < 0 ? 'behind' : 'ahead of'} this machine's`;
  return [warn(subject, { says: how, remedy: 'Set both clocks by NTP.' })];
}

/** In a cluster the key may live elsewhere: keeptyping speaks to one node. */
export async function examineWorker(redis: RedisCommands, heartbeat: string): Promise<Finding[]> {
  const alive = await redis.exists(heartbeat).catch((error: unknown) => errorWord(error));
  if (alive === 'MOVED') {
    const remedy =
      'Let REDIS_URL name the node that holds the keys of {keeptyping}: keeptyping speaks to one.';
    return [fail('Redis Cluster', { says: "this node does not hold keeptyping's keys", remedy })];
  }
  if (typeof alive === 'string') {
    const remedy = 'Let this user of Redis read and write the keys {keeptyping}:*.';
    return [fail('Redis keys', { says: `cannot be read (${alive})`, remedy })];
  }
  if (alive > 0) return [ok('worker', 'alive')];
  const remedy =
    'Start keeptyping; with web and worker apart, look why no worker runs: the web does its work meanwhile.';
  return [warn('worker', { says: 'no sign of life in the last 3 s', remedy })];
}

/** Redis's errors begin with a word of their own: NOAUTH, WRONGPASS, NOPERM, MOVED; others have a code. */
export function errorWord(error: unknown): string {
  if (!(error instanceof Error)) return 'error';
  if ('code' in error && typeof error.code === 'string') return error.code;
  return /^[A-Z]{3,}\b/.exec(error.message)?.[0] ?? error.name;
}
