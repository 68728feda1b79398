/** What a web looks after while it runs: Redis, the workers, its own pace. */
import { beat, createTakeover, createTicker, type Standby } from '../redis/leader.ts';
import { keys } from '../redis/keys.ts';
import { learnFromRedis, type Parts } from './parts.ts';
import { createToldReleases, type Releases } from './releases.ts';
import { startQueues } from './worker.ts';

const beatsPerProbe = 3;

interface Watching {
  releases: Releases;
  /** Runs the queues while no worker does. */
  standby: boolean;
  /** Whether a worker lives. */
  seen: { worker: boolean };
}

/** Looks after Redis and the workers: whether it takes writes, whether they live, what they have learned. */
export function watchRedis(parts: Parts, how: Watching): void {
  const { connections, log } = parts;
  const { seen } = how;
  const takeover = createTakeover(() => openStandby(parts), log);
  how.releases.add('queues', () => takeover.close());
  let beats = 0;
  const tellOverload = createOverloadLog(parts);
  const ticker = createTicker(
    beat,
    async () => {
      // A primary that has become a replica still reads: only a write tells.
      if (beats % beatsPerProbe === 0) await connections.fast.set(keys.probe, '1', 'PX', 10_000);
      seen.worker = (await connections.fast.exists(keys.heartbeat)) === 1;
      await learnFromRedis(parts, beats);
      beats += 1;
      tellOverload();
      if (how.standby) takeover.see(seen.worker);
    },
    () => {
      seen.worker = false;
      connections.health.refused();
    },
  );
  how.releases.add('watch', () => ticker.stop());
}

/** One line when it begins, one when it is over. */
function createOverloadLog({ pressure, log }: Parts): () => void {
  let isOver = true;
  return () => {
    if (pressure.isHurried() !== isOver) return;
    isOver = !isOver;
    if (isOver) log.info({}, 'This process has caught up.');
    else
      log.warn(
        {},
        'More comes than this process can do: typing is left out until it has caught up. Add a web or a worker.',
      );
  };
}

function openStandby(parts: Parts): Standby {
  const releases = createToldReleases(parts.log, 'The queues did not stop as they should.');
  const workers = startQueues(parts, releases);
  return {
    drain: async () => {
      await workers.drain();
      await releases.all();
    },
    close: () => releases.all(),
  };
}
