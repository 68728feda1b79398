/** What is written together, so many or after so long (ms), and one batch after the other. */
export interface Batches<Each> {
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
