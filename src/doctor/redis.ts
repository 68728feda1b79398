/** The checks of a Redis that is connected. */
import type { Redis } from 'ioredis';
import { fail, type Finding, ok, warn } from '../core/platform.ts';
import { said, saidElsewhere } from '../core/said.ts';
import { findLacks, isSerious } from '../redis/commands.ts';
import { errorWord, isRefusal } from '../redis/errors.ts';
import { type Keys, keys } from '../redis/keys.ts';
import { layoutAt } from '../redis/shards.ts';
import { standingBy } from '../redis/watchdog.ts';

/** The commands that these checks use: they write nothing. */
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
    const remedy = said(
      'Allow INFO to this user, or look at version, maxmemory-policy and persistence yourself.',
    );
    return [warn('Redis settings', { says: said('not known: INFO is not allowed here'), remedy })];
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
  const remedy = said('Look in its console that maxmemory-policy is noeviction.');
  return [warn('Redis eviction policy', { says: said('Redis does not tell it'), remedy })];
}

/** All processes go by Redis's time; only NXCloud compares it with its own. */
const clockNoticed = 5_000;

/** @param now this machine's time, ms since 1970 */
export async function examineClock(redis: RedisCommands, now: () => number): Promise<Finding[]> {
  const before = now();
  const told = await redis.time().catch((error: unknown) => {
    if (isRefusal(error)) return null;
    throw error;
  });
  // Said of the commands.
  if (told === null) return [];
  const [whole, microseconds] = told;
  const off = Number(whole) * 1_000 + Number(microseconds) / 1_000 - (before + now()) / 2;
  const subject = 'Redis clock';
  if (Math.abs(off) < clockNoticed) return [ok(subject, said("agrees with this machine's"))];
  const seconds = Math.round(Math.abs(off) / 1_000);
  const how = said(off < 0 ? "{seconds} s behind this machine's" : "{seconds} s ahead of this machine's", {
    seconds,
  });
  return [warn(subject, { says: how, remedy: said('Set both clocks by NTP.') })];
}

/** Every command that keeptyping uses is tried, on connections of its own. */
export async function examineCommands(
  visit: () => Promise<Redis>,
  own: Keys = keys,
  others: readonly Keys[] = [],
): Promise<Finding[]> {
  const subject = 'Redis commands';
  try {
    const lacks = await findLacks(visit, own, others);
    if (lacks.length === 0) return [ok(subject, said('all that are used are allowed'))];
    return lacks.map(({ use, ...fault }) => (isSerious(use) ? fail : warn)(subject, fault));
  } catch (error) {
    const stands = standingBy(errorWord(error));
    if (stands?.says) return [fail('Redis', { says: stands.says, remedy: '' })];
    const remedy = said('Ask again when it takes commands.');
    return [
      warn(subject, { says: said('cannot be tried now ({word})', { word: errorWord(error) }), remedy }),
    ];
  }
}

/** How many shards there are, and were. Most have one, of which there is nothing to say. */
export async function examineShards(
  redis: Pick<Redis, 'get'>,
  { shards: wanted, redisUrls }: { shards: number; redisUrls: readonly string[] },
  now: number,
): Promise<Finding[]> {
  const subject = 'shards';
  // In a Cluster the key may live elsewhere: said of the worker's.
  const stands = await layoutAt(redis, now).catch(() => null);
  if (!stands)
    return wanted === 1
      ? []
      : [ok(subject, said('SHARDS is {shards}: no process has said so yet', { shards: wanted }))];
  const { shards, next, before } = stands;
  const coming = next?.shards ?? shards;
  const most = Math.max(shards, coming, ...before.map((each) => each.shards));
  if (redisUrls.length > 0 && most > redisUrls.length) {
    const says = said('{most} are in use, and REDIS_URLS names {named}', { most, named: redisUrls.length });
    return [fail(subject, { says, remedy: said('Name all that are in use, in their order.') })];
  }
  const parts = [
    said('{shards} in use', { shards }),
    ...(next ? [said('{shards} from {at} on', { shards: next.shards, at: timeOf(next.since) })] : []),
    ...before.map((each) =>
      said('those of SHARDS={shards} are looked into until {at}', {
        shards: each.shards,
        at: timeOf(each.until),
      }),
    ),
    ...(wanted === coming ? [] : [said('SHARDS is {shards} here', { shards: wanted })]),
  ];
  const says = saidElsewhere(parts.join('; '));
  if (wanted === coming) return [ok(subject, says)];
  const remedy = said('Deploy it: the first process that starts with it says so, and all change 30 s later.');
  return [warn(subject, { says, remedy })];
}

function timeOf(at: number): string {
  return new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
}

/** In a Cluster the key may live elsewhere. */
export async function examineWorker(redis: RedisCommands, heartbeat: string): Promise<Finding[]> {
  const alive = await redis.exists(heartbeat).catch((error: unknown) => errorWord(error));
  if (alive === 'MOVED') {
    const remedy = said('Let REDIS_URL begin with redis+cluster://, or rediss+cluster://.');
    return [fail('Redis Cluster', { says: said("this node does not hold keeptyping's keys"), remedy })];
  }
  if (typeof alive === 'string') {
    const remedy = said('Let this user of Redis read and write the keys {prefix}:*.', {
      prefix: keys.prefix,
    });
    return [fail('Redis keys', { says: said('cannot be read ({word})', { word: alive }), remedy })];
  }
  if (alive > 0) return [ok('worker', said('alive'))];
  const remedy = said(
    'Start keeptyping; with web and worker apart, look why no worker runs: the web does its work meanwhile.',
  );
  return [warn('worker', { says: said('no sign of life in the last 3 s'), remedy })];
}

/** What Redis says of itself: https://redis.io/docs/latest/commands/info/ */

/** Named values of INFO; what a managed Redis does not tell is missing. */
type Info = ReadonlyMap<string, string>;

export function parseInfo(text: string): Info {
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf(':');
    return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  return new Map(pairs);
}

/** What keeptyping needs at least of it, less what it does not tell. */
export function infoFindings(info: Info): Finding[] {
  return [version, role, eviction, persistence, connections, memory].flatMap((judge) => judge(info) ?? []);
}

/** https://docs.bullmq.io/guide/going-to-production names 6.2. */
function version(info: Info): Finding | null {
  const text = info.get('redis_version') ?? '';
  const [major = 0, minor = 0] = text.split('.').map(Number);
  if (text === '') return null;
  const subject = 'Redis version';
  // Valkey says 7.2.4 for Redis's sake, and its own beside it.
  if (major > 6 || (major === 6 && minor >= 2)) return ok(subject, saidElsewhere(text));
  return fail(subject, {
    says: said('{version} is too old', { version: text }),
    remedy: said('Use Redis 6.2 or newer, or Valkey.'),
  });
}

function role(info: Info): Finding | null {
  if (info.get('role') !== 'slave') return null;
  const says = said('this is a replica: it takes no writes');
  return fail('Redis role', { says, remedy: said('Let REDIS_URL name the primary.') });
}

/** https://docs.bullmq.io/guide/going-to-production#max-memory-policy */
function eviction(info: Info): Finding | null {
  const policy = info.get('maxmemory_policy');
  const subject = 'Redis eviction policy';
  if (policy === undefined) return null;
  if (policy === 'noeviction') return ok(subject, saidElsewhere(policy));
  const fault = {
    says: said('{policy}: when its memory is full, Redis drops messages', { policy }),
    remedy: said('Set maxmemory-policy to noeviction.'),
  };
  // Without a limit it never comes to that, as far as it tells of one.
  return numberOf(info, 'maxmemory') > 0 ? fail(subject, fault) : warn(subject, fault);
}

function persistence(info: Info): Finding | null {
  const subject = 'Redis persistence';
  const aof = info.get('aof_enabled');
  if (aof === undefined) return null;
  if (aof !== '1') {
    const remedy = said('Set appendonly yes, or choose a plan that has it.');
    return warn(subject, { says: said('off: what waits in Redis is lost when it restarts'), remedy });
  }
  if ((info.get('aof_last_write_status') ?? 'ok') === 'ok') return ok(subject, saidElsewhere('appendonly'));
  const says = said('the last write of the append-only file failed');
  return fail(subject, { says, remedy: said("Look at the disk of Redis's machine: it may be full.") });
}

/** A process of keeptyping has up to 5, and a release phase has the old and the new one. */
const connectionsNeeded = 10;

function connections(info: Info): Finding | null {
  const subject = 'Redis connections';
  const used = numberOf(info, 'connected_clients');
  const limit = numberOf(info, 'maxclients');
  if (Number.isNaN(used)) return null;
  if (Number.isNaN(limit)) return ok(subject, said('{used} used', { used }));
  const says = said('{used} of {limit} used', { used, limit });
  if (limit - used >= connectionsNeeded) return ok(subject, says);
  const remedy = said('Each process of keeptyping has up to 5: close others, or choose a larger plan.');
  return (limit - used < 1 ? fail : warn)(subject, { says, remedy });
}

function memory(info: Info): Finding | null {
  const subject = 'Redis memory';
  const used = numberOf(info, 'used_memory');
  const limit = numberOf(info, 'maxmemory');
  if (Number.isNaN(used) || Number.isNaN(limit)) return null;
  if (limit === 0) return ok(subject, said('{used} used; it tells of no limit', { used: megabytes(used) }));
  const says = said('{used} of {limit} used', { used: megabytes(used), limit: megabytes(limit) });
  const remedy = said('Give Redis more memory: when it is full it takes no more messages.');
  if (used < 0.75 * limit) return ok(subject, says);
  return (used >= 0.95 * limit ? fail : warn)(subject, { says, remedy });
}

function numberOf(info: Info, name: string): number {
  return Number(info.get(name) ?? Number.NaN);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
