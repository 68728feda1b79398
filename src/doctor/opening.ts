/** What the other checks stand on: a connection to Redis, and where pushes arrive. */
import type { Redis } from 'ioredis';
import type { Config } from '../config/index.ts';
import { tokenFile } from '../config/own-tokens.ts';
import { fail, type Finding, ok, warn } from '../core/platform.ts';
import { said, type Said, saidTogether } from '../core/said.ts';
import type { Send } from '../core/wire.ts';
import { findServer } from '../redis/by-itself.ts';
import type { RedisClock } from '../redis/clock.ts';
import { visitRedis } from '../redis/connect.ts';
import { errorWord } from '../redis/errors.ts';
import { type Keys, keysOf } from '../redis/keys.ts';
import { findPrivateServer } from '../redis/private-server.ts';
import { ownUrl } from '../wiring/releases.ts';
import { findListener } from './bot.ts';
import { type Check, tookOf } from './check.ts';

/** One try (ms). */
const timeoutMs = 3_000;

export interface DoctorOpening {
  config: Config;
  /** The environment's PATH. */
  path: string;
  /** Set to Redis's time. */
  clock: RedisClock;
}

/** Connects to the first Redis, or to the one that keeptyping runs by itself. */
export async function openRedis(
  { config, path, clock }: DoctorOpening,
  opened: (redis: Redis) => void,
): Promise<Finding[]> {
  const subject = nameOf(config, 0);
  const own = config.redisUrl === null ? await findPrivateServer(config.dataDir) : null;
  const url = config.redisUrl ?? own;
  if (url === null) return [await withoutUrl(config, path)];
  const began = performance.now();
  try {
    const redis = await visitRedis({ url, rejectUnauthorized: config.redisTlsRejectUnauthorized, timeoutMs });
    opened(redis);
    await clock.sync(redis);
    const took = tookOf(performance.now() - began);
    const says =
      own === null
        ? said('reached in {took}', { took })
        : said('reached in {took} (the one that keeptyping started)', { took });
    return [ok(subject, says)];
  } catch (error) {
    if (own !== null) return [await withoutUrl(config, path)];
    return [notReached(subject, error)];
  }
}

/** A Redis of REDIS_URLS beside the first, with the keys of its shard. */
export interface FurtherRedis {
  n: number;
  name: string;
  redis: Redis;
  keys: Keys;
}

/** Connects to the others of REDIS_URLS, each by itself. */
export function openFurther(config: Config, opened: (further: FurtherRedis) => void): Check[] {
  return config.redisUrls.slice(1).map((url, index) => {
    const n = index + 1;
    const name = nameOf(config, n);
    const run = async (): Promise<Finding[]> => {
      const began = performance.now();
      const rejectUnauthorized = config.redisTlsRejectUnauthorized;
      try {
        const redis = await visitRedis({ url, rejectUnauthorized, timeoutMs, key: keysOf(n).probe });
        opened({ n, name, redis, keys: keysOf(n) });
        return [ok(name, said('reached in {took}', { took: tookOf(performance.now() - began) }))];
      } catch (error) {
        return [notReached(name, error)];
      }
    };
    return { subject: name, limitMs: 2 * timeoutMs, run };
  });
}

/** As people count them: `Redis 2 of 3`; the only one is `Redis`. */
export function nameOf({ redisUrls }: Pick<Config, 'redisUrls'>, n: number): string {
  return redisUrls.length > 1 ? `Redis ${n + 1} of ${redisUrls.length}` : 'Redis';
}

function notReached(subject: string, error: unknown): Finding {
  const word = errorWord(error);
  return fail(subject, { says: said('not reached ({cause})', { cause: word }), remedy: remedyOf(word) });
}

async function withoutUrl({ production }: Config, path: string): Promise<Finding> {
  const remedy = said('Set REDIS_URL to a Redis whose maxmemory-policy is noeviction.');
  if (production) return fail('Redis', { says: said('REDIS_URL is missing'), remedy });
  const server = await findServer(path);
  if (server === null) {
    const says = said(
      'REDIS_URL is not set and no redis-server is installed: keeptyping keeps all in memory',
    );
    return warn('Redis', { says, remedy: saidTogether(said('Install redis-server.'), remedy) });
  }
  return ok(
    'Redis',
    said('REDIS_URL is not set: keeptyping starts {server} when it runs; it does not run now', { server }),
  );
}

function remedyOf(word: string): Said {
  if (['NOAUTH', 'WRONGPASS', 'NOPERM'].includes(word))
    return said('Put the right user and password into REDIS_URL: redis://user:password@host:6379.');
  if (['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'].includes(word))
    return said('Its certificate is self-signed: set REDIS_TLS_REJECT_UNAUTHORIZED=0 to accept it.');
  if (word === 'UNKNOWN_NAME')
    return said('Let REDIS_URL end with the name under which the Sentinels monitor the primary.');
  return said('Start it, check REDIS_URL, and that this machine reaches it.');
}

/** Where to find the token and the key that nobody has set; in production there are none. */
export function examineTokens({ production, controlTokens, gatewayKey, dataDir }: Config): Finding[] {
  if (production) return [];
  const control = said('CONTROL_TOKEN is not set: the token is in {file}', {
    file: tokenFile(dataDir, 'CONTROL_TOKEN'),
  });
  const gateway = said('GATEWAY_KEY is not set: the bot calls /gateway/<key>/…, <key> is in {file}', {
    file: tokenFile(dataDir, 'GATEWAY_KEY'),
  });
  return [
    ...(controlTokens.length === 0 ? [ok('control API and console', control)] : []),
    ...(gatewayKey === null ? [ok('gateway', gateway)] : []),
  ];
}

/** Without a public URL: what listens on this machine's port. */
export async function openWebhook(
  send: Send,
  { host, port }: Config,
  found: (base: string) => void,
): Promise<Finding[]> {
  const base = ownUrl(host, port);
  const fault = await findListener(send, base);
  if (fault) return [warn('webhook', fault)];
  found(base);
  return [];
}
