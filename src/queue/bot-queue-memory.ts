import { keys } from './keys.ts';
import { parseNamed, type BotJobTarget } from './bot-queue-target.ts';

/** The commands on keeptyping's own Redis. */
export interface MemoryCommands {
  get(key: string): Promise<string | null>;
  set(key: string, value: string): Promise<unknown>;
  set(key: string, value: string, px: 'PX', ttlMs: number): Promise<unknown>;
  del(key: string): Promise<unknown>;
}

/** What outlives the process that follows the bot's queue. */
export interface BotQueueMemory {
  /** The last event that was handled; null: none ever was. */
  cursor(): Promise<string | null>;
  saveCursor(id: string): Promise<void>;
  /** Keeps what a running job's data names: the job may be gone when it ends. */
  learn(jobId: string, named: BotJobTarget): Promise<void>;
  recall(jobId: string): Promise<BotJobTarget>;
  forget(jobId: string): Promise<void>;
}

/** No answer is expected for longer; most jobs are forgotten when they end (ms). */
const learnedKept = 24 * 60 * 60_000;

/** @param queue The queue as its keys begin: `bull:answers`. */
export function createBotQueueMemory(redis: MemoryCommands, queue: string): BotQueueMemory {
  const cursorKey = keys.botQueue.cursor(queue);
  const jobKey = (jobId: string): string => keys.botQueue.job(queue, jobId);
  return {
    cursor: () => redis.get(cursorKey),
    saveCursor: async (id) => {
      await redis.set(cursorKey, id);
    },
    learn: async (jobId, named) => {
      await redis.set(jobKey(jobId), JSON.stringify(named), 'PX', learnedKept);
    },
    recall: async (jobId) => parseNamed(await redis.get(jobKey(jobId))),
    forget: async (jobId) => {
      await redis.del(jobKey(jobId));
    },
  };
}

/** How far the events have been handled. */
export interface Progress {
  at(): string;
  handled(id: string): void;
  /** This event is not handled yet, whatever is handled after it: another process would begin with it. */
  hold(id: string): { release(): void };
  /** Saves what is not saved. */
  flush(): Promise<void>;
}

/** At most one write in so many ms. */
const savePause = 100;

/**
 * Saves the cursor now and then, after what it stands for; a fault is made good by the next save.
 * @param from The event before the first to be handled.
 */
export function createProgress(from: string, save: (id: string) => Promise<void>): Progress {
  let at = from;
  let saved: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  // Each stands for the event before the one that is held. A set keeps their order, which is the stream's.
  const held = new Set<{ before: string }>();
  const flush = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const [oldest] = held;
    const id = oldest?.before ?? at;
    if (id === saved) return;
    await save(id);
    saved = id;
  };
  const moved = (): void => {
    timer ??= setTimeout(() => void flush().catch(() => {}), savePause);
  };
  return {
    at: () => at,
    flush,
    handled: (id) => {
      at = id;
      moved();
    },
    hold: (id) => {
      const hold = { before: at };
      held.add(hold);
      at = id;
      return {
        release: () => {
          held.delete(hold);
          moved();
        },
      };
    },
  };
}
