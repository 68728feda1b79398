/** What happened in the last day, for whoever asks why: one stream in Redis, capped. Ids and outcomes, no message. */
import type { Observe } from '../core/notice.ts';
import type { Clock, Log } from '../core/ports.ts';
import { keys } from '../redis/keys.ts';
import { createScript, type ScriptCommands } from '../redis/script.ts';
import { recordVersion, writeRecord } from './record.ts';

/** As much of a Redis connection as the journal's writer uses. */
interface JournalCommands extends ScriptCommands {
  pipeline(commands: unknown[][]): { exec(): Promise<[error: Error | null, result: unknown][] | null> };
}

export interface JournalOptions {
  /** Should fail fast: what it cannot take now is lost. */
  redis: JournalCommands;
  clock: Pick<Clock, 'now'>;
  log: Log;
  /** Records kept, roughly; 0: none are written. */
  length: number;
  /** Names this process in the records of what each process has of its own: breakers. */
  by: string;
}

export interface Journal {
  observe: Observe;
  /** Resolves when everything so far is written, or lost. Never rejects. */
  flush(): Promise<void>;
  /** What is older than a day goes; done by itself, too. Never rejects. */
  trim(): Promise<void>;
  close(): Promise<void>;
}

const kept = 24 * 60 * 60_000;
const trimEvery = 10 * 60_000;

const none: Journal = {
  observe: () => {},
  flush: async () => {},
  trim: async () => {},
  close: async () => {},
};

type Record = (string | number)[];

export function createJournal(options: JournalOptions): Journal {
  if (options.length === 0) return none;
  const losses = createLosses(options);
  const batches = createBatches<Record>(async (records) => losses.add(await writeRecords(options, records)));
  const trimming = setInterval(() => void trim(options), trimEvery).unref();
  return {
    flush: () => batches.flush(),
    trim: () => trim(options),
    observe: (notice) => {
      const json = writeRecord(notice);
      if (json === null) return;
      const whose = notice.is === 'breaker' ? ['by', options.by] : [];
      if (!batches.add([recordVersion, json, ...whose])) losses.add(1);
    },
    close: async () => {
      clearInterval(trimming);
      await batches.flush();
      losses.tell();
    },
  };
}

/** Resolves with how many were lost. */
async function writeRecords({ redis, length }: JournalOptions, records: readonly Record[]): Promise<number> {
  const flat = records.flatMap((record) => [record.length, ...record]);
  try {
    await addRecords(redis, keys.journal, length, kept, ...flat);
    return 0;
  } catch {
    return records.length;
  }
}

/** Where nothing is written any more the whole of it goes. */
const addRecords = createScript(`
local at = 3
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  redis.call('XADD', KEYS[1], '*', unpack(ARGV, at + 1, at + count))
  at = at + count + 1
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`);

/** In the order of time, so that a quiet journal forgets too. */
async function trim({ redis, clock }: JournalOptions): Promise<void> {
  await exec(redis, [['xtrim', keys.journal, 'MINID', Math.floor(clock.now() - kept)]]);
}

async function exec(redis: JournalCommands, commands: unknown[][]): Promise<[Error | null, unknown][]> {
  try {
    return (await redis.pipeline(commands).exec()) ?? [];
  } catch {
    return [];
  }
}

const minute = 60_000;

function createLosses({ clock, log }: JournalOptions): { add(lost: number): void; tell(): void } {
  let count = 0;
  let dueAt = 0;
  const tell = (): void => {
    if (count > 0) log.warn({ lost: count }, 'Redis did not take records of the journal: they are lost.');
    count = 0;
  };
  return {
    tell,
    add: (lost) => {
      count += lost;
      if (count === 0 || clock.now() < dueAt) return;
      dueAt = clock.now() + minute;
      tell();
    },
  };
}

/** What is written together, so many or after so long (ms), and one batch after the other. */
interface Batches<Each> {
  /** Never waits. false: too much waits already. */
  add(each: Each): boolean;
  /** Resolves when all so far is written. */
  flush(): Promise<void>;
}

const batch = 100;
const batchMs = 100;
const waitingLimit = 1_000;

/** @param write Must not reject. */
export function createBatches<Each>(write: (all: Each[]) => Promise<void>): Batches<Each> {
  let waiting: Each[] = [];
  let timer: NodeJS.Timeout | undefined;
  let busy = false;
  let running = Promise.resolve();
  const run = async (): Promise<void> => {
    clearTimeout(timer);
    timer = undefined;
    const all = waiting;
    waiting = [];
    busy = true;
    await write(all);
    busy = false;
    plan();
  };
  const start = (): void => {
    running = run();
  };
  const plan = (): void => {
    if (busy || waiting.length === 0) return;
    if (waiting.length >= batch) start();
    else timer ??= setTimeout(start, batchMs).unref();
  };
  // One batch takes all that waits: what comes later is not waited for, or under load it would never end.
  const flush = async (): Promise<void> => {
    await running;
    if (!busy && waiting.length > 0) start();
    await running;
  };
  return {
    flush,
    add: (each) => {
      if (waiting.length >= waitingLimit) return false;
      waiting.push(each);
      plan();
      return true;
    },
  };
}
