import { setTimeout as delay } from 'node:timers/promises';
import type { Workers } from '../queue/workers.ts';
import type { Parts } from './parts.ts';
import { createReleases } from './releases.ts';
import { startWorker } from './worker.ts';

/** The worker of a process that is more than a worker. */
export interface OwnWorker {
  start(): Promise<void>;
  /** Stops it as a deployment does, only without patience for running jobs, and starts it again after `ms`. */
  restartAfter(ms: number): Promise<void>;
  stop(): Promise<void>;
}

export function createOwnWorker(parts: Parts): OwnWorker {
  const releases = createReleases((name, error) =>
    parts.log.warn({ name, error }, 'Something did not close as it should.'),
  );
  let workers: Workers | null = null;
  let halted: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  const start = async (): Promise<void> => {
    workers = await startWorker(parts, releases);
  };
  const halt = async (): Promise<void> => {
    // 0 would give up the jobs' locks, and with them seconds.
    await workers?.close(1);
    await releases.all();
  };
  return {
    start,
    async restartAfter(ms) {
      halted = halt();
      await halted;
      await delay(ms, undefined, { signal: stopping.signal, ref: false }).catch(() => undefined);
      if (!stopping.signal.aborted) await start();
    },
    async stop() {
      stopping.abort();
      await halted;
      await releases.all();
    },
  };
}
