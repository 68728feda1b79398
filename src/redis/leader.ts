import type { Log } from '../core/ports.ts';
import { keys } from './keys.ts';
import { createScript, type ScriptCommands } from './script.ts';

export interface LeaderOptions {
  /** Commands that fail when Redis is away; one that waits for Redis would make `stop` wait, too. */
  redis: ScriptCommands;
  key: string;
  /** How long the lock of a dead process stands, in ms; it is renewed every third of it. Another leads at most 4/3 of it later. */
  ttlMs: number;
  /** This process's name: no other process may have it. */
  holder: string;
  log: Log;
  /** Called when this process begins to lead. It may do so many times, never twice at a time. */
  lead: () => Promise<Led>;
}

/** What a leader does, while it does. */
interface Led {
  /** The lock is lost or given back. Never rejects, and resolves soon: nobody leads here until it does. */
  stop(): Promise<void>;
}

export interface Leader {
  /** Ends what is led and gives the lock back, so that another process can take it at once. */
  stop(): Promise<void>;
}

/** A holder takes its own lock again: what expired unseen has then been nobody's. */
const takeOrRenew = createScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`);

const giveBack = createScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`);

/**
 * Of all processes with the same key one leads. A leader that loses the lock, or cannot renew it before it runs out,
 * stops at once.
 */
export function createLeader(options: LeaderOptions): Leader {
  const { redis, key, holder, ttlMs, log } = options;
  const post = createPost(options);
  const ticker = createTicker(
    Math.floor(ttlMs / 3),
    () => keepLock(options, post),
    (error) => log.debug({ err: error }, `The lock ${key} could not be taken or renewed.`),
  );
  return {
    stop: async () => {
      await post.close();
      await ticker.stop();
      // The lock runs out by itself when Redis is away.
      await giveBack(redis, key, holder).catch(() => {});
    },
  };
}

async function keepLock({ redis, key, holder, ttlMs, log }: LeaderOptions, post: Post): Promise<void> {
  // Counted from before the command is sent: Redis's own count begins later.
  const sentAt = performance.now();
  const held = (await takeOrRenew(redis, key, holder, ttlMs)) === 1;
  if (!held) return post.leave();
  try {
    await post.holdFor(ttlMs - (performance.now() - sentAt));
  } catch (error) {
    log.error(
      { err: error },
      `What the holder of ${key} leads did not start; the next to try may be another.`,
    );
    await giveBack(redis, key, holder);
  }
}

/** The leading in this process: it ends by itself when its time is up. */
interface Post {
  /** Leads, or goes on leading, for so many ms. Rejects when the lead does not start. */
  holdFor(ms: number): Promise<void>;
  leave(): Promise<void>;
  /** Leaves for good. */
  close(): Promise<void>;
}

function createPost({ lead, log, key }: LeaderOptions): Post {
  let led: Promise<Led> | null = null;
  let left: Promise<void> = Promise.resolve();
  let expiry: NodeJS.Timeout | undefined;
  let held = false;
  let closed = false;
  const leave = (): Promise<void> => {
    clearTimeout(expiry);
    held = false;
    if (led) {
      log.info({}, `This process no longer holds ${key}.`);
      left = stopLed(led);
      led = null;
    }
    return left;
  };
  return {
    leave,
    close: () => {
      closed = true;
      return leave();
    },
    holdFor: async (ms) => {
      clearTimeout(expiry);
      held = !closed && ms > 0;
      if (!held) return leave();
      expiry = setTimeout(() => void leave(), ms);
      await left;
      // The time may have run out meanwhile.
      if (led || !held) return;
      led = lead();
      await led.catch((error: unknown) => {
        led = null;
        throw error;
      });
    },
  };
}

async function stopLed(led: Promise<Led>): Promise<void> {
  const started = await led.catch(() => null);
  await started?.stop();
}

interface HeartbeatCommands {
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  exists(key: string): Promise<number>;
}

/** A worker that has been silent for so long is taken for dead (ms). */
export const silence = 3_000;
export const beat = 1_250;

/** Something that is done every so often, one after the other, until it is stopped. */
interface Ticker {
  stop(): Promise<void>;
}

/** Runs `work` at once and then every `everyMs`, never twice at a time; what it throws is given to `failed`. */
export function createTicker(
  everyMs: number,
  work: () => Promise<void>,
  failed: (error: unknown) => void,
): Ticker {
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  const tick = async (): Promise<void> => {
    await work().catch(failed);
    if (!stopped) timer = setTimeout(next, everyMs);
  };
  const next = (): void => {
    running = tick();
  };
  next();
  return {
    stop: async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

/** The worker's sign of life; web processes look for it. */
export async function signOfLife(redis: HeartbeatCommands): Promise<void> {
  await redis.set(keys.heartbeat, '1', 'PX', silence);
}

/** The queues while they run in a web process. */
export interface Standby {
  /** Takes no more jobs; resolves when the running ones have ended. */
  drain(): Promise<void>;
  /** Ends in the time that a stopping process has. */
  close(): Promise<void>;
}

interface Takeover {
  see(workerAlive: boolean): void;
  close(): Promise<void>;
}

/**
 * Runs the queues in this web process while no worker shows a sign of life, and hands them back when one does: jobs
 * that run here end here.
 */
export function createTakeover(start: () => Standby, log: Log): Takeover {
  let running: Standby | null = null;
  const draining = new Set<Standby>();
  return {
    see: (workerAlive) => {
      if (workerAlive && running) {
        log.info({}, 'A worker is alive: this web process leaves the queues to it.');
        const leaving = running;
        running = null;
        draining.add(leaving);
        void leaving.drain().finally(() => draining.delete(leaving));
      }
      if (workerAlive || running) return;
      log.info({}, 'No worker is alive: this web process runs the queues itself.');
      running = start();
    },
    close: async () => {
      const all = [...draining, ...(running ? [running] : [])];
      running = null;
      await Promise.all(all.map((standby) => standby.close()));
    },
  };
}
