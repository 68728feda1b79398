/** The demo as `npm start` runs it, with the platforms' rules 25 times as fast. */
import { quick, quickRules } from '../e2e/stage.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type OpenDemo, type OpenDemoOptions, openDemo } from '../../src/demo/open.ts';
import type { Mark } from '../../src/simulator/index.ts';
import { createParts } from '../../src/wiring/parts.ts';
import { createReleases } from '../../src/wiring/releases.ts';
import { startWeb } from '../../src/wiring/web.ts';
import { createOwnWorker } from '../../src/wiring/worker.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { startRedis, wantedRedis } from '../support/redis.ts';

export interface DemoStage {
  url: string;
  demo: OpenDemo;
  log: RecordedLog;
  /** Every mark so far, of all phones. */
  marks: Mark[];
  close(): Promise<void>;
}

export async function openDemoStage(options: OpenDemoOptions = {}): Promise<DemoStage> {
  const log = recordLog();
  const releases = createReleases((name, error) => log.error({ name, error }, 'did not close'));
  const redis = await startRedis(wantedRedis());
  releases.add('redis', () => redis.leave());
  const { config } = loadConfig({ PORT: '0', HOST: '127.0.0.1' }, () => null);
  const demo = await openDemo(config, {
    script: null,
    simulator: {
      wechat: { rules: { ...quick.wechat, pushTimeout: 800 } },
      nxcloud: { rules: quick.nxcloud },
    },
    environment: { PORT: '0', HOST: '127.0.0.1', ...quickRules },
    // A call falls into the 100 ms after an answer that has taken 1 s: one that is too late.
    typeEveryMs: 175,
    ...options,
  });
  const marks: Mark[] = [];
  demo.simulator.on((mark) => void marks.push(mark));
  const parts = createParts({ config: demo.config, redis, log, releases });
  const worker = createOwnWorker(parts);
  releases.add('worker', () => worker.stop());
  const port = await startWeb(parts, { skipped: [], releases, standby: false, page: demo.page });
  await worker.start();
  await demo.play(port, { releases, worker });
  return { url: `http://127.0.0.1:${port}`, demo, log, marks, close: () => releases.all() };
}
