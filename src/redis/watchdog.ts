import type { Redis } from 'ioredis';
import { type Log, type Standing, standsWell } from '../core/ports.ts';
import { said, type Said, saidTogether } from '../core/said.ts';
import { errorWord, moving } from './errors.ts';

/**
 * Whether Redis is there. It is *away* while the connection is down, or refuses writes as a replica does, or commands
 * without which nothing works, and once it has answered nothing for a second; a single late command is not that, and decides nothing.
 */
export interface Health {
  isAway: () => boolean;
  /** As its connections have it; what it refuses besides is known where all commands are tried. */
  standing: () => Standing;
  /** For how long Redis has been there again (ms); Infinity: it has not been away. */
  backFor: () => number;
  /** Redis has refused a write, as one that is full does: it is only there again when it takes them. */
  refused: () => void;
  /** Calls back each time that Redis takes writes again after it was away. */
  onBack: (listener: () => void) => void;
}

/** It answers, and takes no writes: what that means. */
const refusing: Readonly<Record<string, Standing>> = {
  OOM: { is: 'full', says: said('Redis takes no writes: its memory is full: give it more.') },
  MISCONF: {
    is: 'unwritable',
    says: said('Redis takes no writes: it cannot write to its disk: look whether that is full.'),
  },
  NOREPLICAS: {
    is: 'unwritable',
    says: said('Redis takes no writes: too few of its replicas are there: look why.'),
  },
  READONLY: {
    is: 'readonly',
    says: said('Redis takes no writes: it is a replica now: REDIS_URL has to lead to the primary.'),
  },
};

/** How a Redis stands that has refused a write with that word; null: it says nothing of the kind. */
export function standingBy(word: string): Standing | null {
  return refusing[word] ?? null;
}
/** It may take some and refuse others: so long after the last refusal it takes them again (ms). */
const calm = 3_000;
/** Another one takes its place, or it is ready soon: the connection is opened anew. */
const leaving = ['READONLY', 'LOADING'];

const closing = 'connection closed';

/** Nothing was heard for so long, though something was asked: the other end is gone (ms). */
const silenceLimit = 1_000;
const look = 250;
/** A connection stands for so long, and takes no commands yet (ms): longer than the few answers of a slow start take. */
const notReady = 3_000;
/** While nothing but the proof is missing it is asked for so often (ms). */
const proveEvery = 1_000;

export interface Watchdog extends Health {
  /** A connection whose loss is an outage. */
  watch(redis: Redis): void;
  /** One that is dropped with those. */
  follow(redis: Redis): void;
  /** The connection on which it is proved that Redis takes writes. */
  proveOn(redis: Redis): void;
  refusedWrite(error: Error): 2 | false;
  /** All connections are opened anew. */
  leave(cause: string): void;
  /** Commands without which nothing works are refused, or are again taken. */
  takeAsAway(is: boolean): void;
  /** How many times in a row a write was refused. */
  refusals(): number;
  close(): void;
}

interface WatchdogOptions {
  /** The key that is written as the proof. */
  probe: string;
  log: Log;
  /** A new connection leads to where the keys are now. */
  isFollowed: boolean;
}

/**
 * The watchdog over all connections of the process. One line when the first is lost, one when all are back and a write
 * was taken; ioredis reports every single retry.
 */
export function createWatchdog({ probe, log, isFollowed }: WatchdogOptions): Watchdog {
  // Where the address is looked up at each connect.
  const left = isFollowed ? [...leaving, ...moving] : leaving;
  const watched = new Map<Redis, () => boolean>();
  const followers = new Set<Redis>();
  const away = new Set<Redis>();
  const unready = new Map<Redis, number>();
  const listeners: (() => void)[] = [];
  let proof: Redis | null = null;
  let isProved = true;
  let refusals = 0;
  let isTold = false;
  let backAt = -Infinity;
  let provedAt = -Infinity;
  let isUseless = false;
  let refusedAt: number | null = null;
  let refusedBy = '';
  let lostBy = '';
  let closed = false;
  const lost = (redis: Redis | null, cause: string): void => {
    if (closed) return;
    if (!isTold)
      log.warn({ cause }, ['Redis is out of reach; trying again.', remedy(cause) ?? ''].join(' ').trim());
    // What is closed after a refusal is closed by us.
    if (!isTold || cause !== closing) lostBy = cause;
    isTold = true;
    if (redis) away.add(redis);
    if (redis === null || redis === proof) isProved = false;
  };
  const back = (): void => {
    if (closed || away.size > 0 || !isProved || !isTold) return;
    isTold = false;
    refusals = 0;
    log.info({}, 'Redis is back.');
    tellBack();
  };
  const tellBack = (): void => {
    backAt = performance.now();
    listeners.forEach((listener) => listener());
  };
  const prove = async (redis: Redis): Promise<void> => {
    provedAt = performance.now();
    await redis.set(probe, '1', 'PX', 10_000).then(taken, (error: unknown) => {
      // A Redis that is full answers, and takes the ends of turns: only what it cannot keep is refused.
      if (errorWord(error) !== 'OOM') throw error;
    });
    isProved = true;
    back();
  };
  const taken = (): void => {
    if (refusedAt === null || performance.now() - refusedAt < calm) return;
    refusedAt = null;
    log.info({}, 'Redis takes writes again.');
  };
  const refused = (cause: string, says: string): void => {
    if (closed) return;
    if (refusedAt === null) log.error({ cause }, `${says} Messages go on without it, typing does not.`);
    refusedBy = cause;
    refusedAt = performance.now();
  };
  // A proof can be refused for a while, and what was refused a write need not be a connection that comes back.
  const proveAgain = (): void => {
    const isAsked = isTold || refusedAt !== null;
    const isDue = isAsked && away.size === 0 && performance.now() - provedAt >= proveEvery;
    if (isDue && proof?.status === 'ready') void prove(proof).catch(() => {});
  };
  const destroyAll = (): void => {
    for (const each of [...watched.keys(), ...followers]) each.stream?.destroy();
  };
  const timer = setInterval(() => {
    proveAgain();
    for (const [redis, isSilent] of watched) {
      // One that is loading its data says so when it is asked whether it is ready, and ioredis asks again by itself.
      const looks = redis.status === 'connect' ? (unready.get(redis) ?? 0) + 1 : 0;
      unready.set(redis, looks);
      if (looks * look > notReady) lost(redis, 'LOADING');
      if (!isSilent()) continue;
      lost(redis, 'no answer for a second');
      destroyAll();
      return;
    }
  }, look);
  timer.unref();
  const standing = (): Standing => {
    if (!isTold && proof?.status === 'ready')
      return refusedAt === null ? standsWell : (standingBy(refusedBy) ?? standsWell);
    return (
      standingBy(lostBy) ?? {
        is: 'away',
        says: saidTogether(outOfReach(isTold ? lostBy : ''), remedy(lostBy)),
      }
    );
  };
  return {
    standing,
    isAway: () => isTold || isUseless || proof?.status !== 'ready',
    backFor: () => (isTold || isUseless ? 0 : performance.now() - backAt),
    refused: () => {
      backAt = performance.now();
    },
    onBack: (listener) => void listeners.push(listener),
    watch: (redis) => {
      watched.set(redis, createSilence(redis));
      redis.on('error', (error: Error & { code?: string }) => lost(redis, error.code ?? error.message));
      redis.on('close', () => lost(redis, closing));
      redis.on('ready', () => {
        away.delete(redis);
        if (proof?.status === 'ready') void prove(proof).catch(() => {});
      });
    },
    follow: (redis) => {
      followers.add(redis);
      redis.once('end', () => followers.delete(redis));
    },
    proveOn: (redis) => {
      proof = redis;
    },
    refusedWrite: (error) => {
      const word = errorWord(error);
      const says = standingBy(word)?.says ?? null;
      const leaves = left.includes(word);
      if (says !== null && !leaves) refused(word, says);
      if (!leaves) return false;
      refusals += 1;
      lost(null, word);
      return 2;
    },
    leave: (cause) => {
      lost(null, cause);
      destroyAll();
    },
    takeAsAway: (is) => {
      const isBack = isUseless && !is;
      isUseless = is;
      if (isBack && !isTold) tellBack();
    },
    refusals: () => refusals,
    close: () => {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** Whether a connection has said nothing for too long, though something was asked; to be looked at every {@link look}. */
function createSilence(redis: Redis): () => boolean {
  let heardAt = 0;
  let askedAt: number | null = null;
  let lookedAt = performance.now();
  const heard = (): void => {
    heardAt = performance.now();
  };
  // Emitted before the handshake, which can meet a silent host, too.
  redis.on('connect', () => {
    heard();
    redis.stream.on('data', heard);
  });
  return () => {
    const now = performance.now();
    // This process itself stood still: what has come meanwhile is read only after this.
    if (now - lookedAt > 2 * look) heardAt = now;
    lookedAt = now;
    const asks = redis.commandQueue.length > 0 && ['connect', 'ready'].includes(redis.status);
    askedAt = asks ? (askedAt ?? now) : null;
    return askedAt !== null && now - Math.max(askedAt, heardAt) >= silenceLimit;
  };
}

function outOfReach(cause: string): Said {
  return cause === '' ? said('Redis is out of reach.') : said('Redis is out of reach ({cause}).', { cause });
}

/** null: the cause says all. */
function remedy(cause: string): Said | null {
  if (cause === 'READONLY') return said('It is a replica now: REDIS_URL has to lead to the primary.');
  if (cause === 'LOADING') return said('It takes no commands yet: it may be loading its data.');
  if (/^(?:WRONGPASS|NOAUTH)/.test(cause))
    return said('It wants another user or password: set them in REDIS_URL.');
  const selfSigned = ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN'].includes(cause);
  return selfSigned
    ? said('Its certificate is self-signed: set REDIS_TLS_REJECT_UNAUTHORIZED=0 to accept it.')
    : null;
}
