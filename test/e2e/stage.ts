/** keeptyping as it runs, between the simulated platforms and a bot: real HTTP, real Redis, short rules. */
import type { Redis } from 'ioredis';
import { afterEach } from 'vitest';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import {
  type Bot,
  type BotOptions,
  type Mark,
  type Simulator,
  type SimulatorOptions,
  startBot,
  startSimulator,
} from '../../src/simulator/index.ts';
import type { Tracing } from '../../src/tracing/tracing.ts';
import { createParts, type Parts } from '../../src/wiring/parts.ts';
import { createReleases } from '../../src/wiring/releases.ts';
import { startWeb } from '../../src/wiring/web.ts';
import { startWorker } from '../../src/wiring/worker.ts';
import { type RecordedLog, recordLog } from '../support/log.ts';
import { startRedis, type TestKind, type TestRedis, wantedRedis } from '../support/redis.ts';

export interface StageOptions {
  env?: Record<string, string>;
  /** More of it, where the bot's address is needed. */
  envFor?: (bot: Bot) => Record<string, string>;
  wechat?: SimulatorOptions['wechat'];
  nxcloud?: SimulatorOptions['nxcloud'];
  bot?: BotOptions;
  webs?: number;
  workers?: number;
  tracing?: Tracing;
  /** @default as TEST_REDIS says, else embedded */
  redis?: TestKind;
}

export interface Process {
  parts: Parts;
  stop(): Promise<void>;
}

export interface Stage {
  simulator: Simulator;
  bot: Bot;
  config: Config;
  log: RecordedLog;
  redis: TestRedis;
  webs: (Process & { url: string })[];
  workers: Process[];
  startWorker(): Promise<Process>;
  close(): Promise<void>;
}

/** The platforms' own rules, 25 times as fast; the margins stay long enough for a busy machine. */
export const quick = {
  wechat: { lifetime: 600, window: 1_200 },
  nxcloud: { lifetime: 1_000 },
} as const;

export const wechatRules = {
  lifetime: 600,
  renewMargin: 30,
  window: 1_200,
  windowMargin: 300,
  againAfter: 100,
  hideRetry: 100,
  showRetry: 100,
  darkAfterMessage: 200,
  lapse: 400,
};

/** The same with a window that no busy machine outlasts: for what has nothing to do with it. */
export const wideWindow = {
  env: { WECHAT_RULES: JSON.stringify({ ...wechatRules, window: 30_000 }) },
  wechat: { rules: { window: 30_000 } },
} as const satisfies StageOptions;

/** A hold that no busy machine outlasts, of a WeChat that waits for it: for answers that come at once. */
export const longHold = {
  env: { HOLD_MS: '4000' },
  wechat: { rules: { pushTimeout: 10_000 } },
} as const satisfies StageOptions;

export const quickRules = {
  WECHAT_RULES: JSON.stringify(wechatRules),
  NXCLOUD_RULES: JSON.stringify({
    lifetime: 1_000,
    renewMargin: 40,
    showRetry: 100,
    darkAfterMessage: 200,
    showsPerMinute: 100,
  }),
  HOLD_MS: '300',
};

const controlToken = 'control-token-of-the-stage';
const gatewayKey = 'gateway-key-of-the-stage';

/** Opens the control API, the console and the metrics. */
export const asOperator = { headers: { authorization: `Bearer ${controlToken}` } } as const;

/** Where the bot's own calls go, in place of the platforms. */
export function gatewayOf({ webs }: Pick<Stage, 'webs'>): string {
  return `${webs[0]?.url}/gateway/${gatewayKey}`;
}

export async function openStage(options: StageOptions = {}): Promise<Stage> {
  const releases = createReleases((name, error) => log.error({ name, error }, 'did not close'));
  const log = recordLog();
  const redis = await startRedis(options.redis ?? wantedRedis());
  releases.add('redis', () => redis.leave());
  const simulator = await startSimulator({
    wechat: { ...options.wechat, rules: { ...quick.wechat, pushTimeout: 800, ...options.wechat?.rules } },
    nxcloud: { ...options.nxcloud, rules: { ...quick.nxcloud, ...options.nxcloud?.rules } },
  });
  releases.add('simulator', () => simulator.close());
  const { wechat, nxcloud } = simulator;
  const bot = await startBot({
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
    ...options.bot,
  });
  releases.add('bot', () => bot.close());
  const environment = {
    PORT: '0',
    HOST: '127.0.0.1',
    CONTROL_TOKEN: controlToken,
    GATEWAY_KEY: gatewayKey,
    ...quickRules,
    ...redis.env,
    ...simulatedEnvironment(simulator, bot),
    ...options.env,
    ...options.envFor?.(bot),
  };
  const { config } = loadConfig(
    Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== '')),
  );
  const place = { config, log, redis, tracing: options.tracing ?? null };
  const workers: Process[] = [];
  const addWorker = async (): Promise<Process> => {
    const worker = await openWorker(place);
    workers.push(worker);
    releases.add('worker', () => worker.stop());
    return worker;
  };
  for (let n = 0; n < (options.workers ?? 1); n += 1) await addWorker();
  const webs: Stage['webs'] = [];
  for (let n = 0; n < (options.webs ?? 1); n += 1) {
    const web = await openWeb(place);
    webs.push(web);
    releases.add('web', () => web.stop());
  }
  connect(simulator, webs[0]?.url ?? '');
  return {
    simulator,
    bot,
    config,
    log,
    redis,
    webs,
    workers,
    startWorker: addWorker,
    close: () => releases.all(),
  };
}

/** A connection to each Redis that holds conversations. */
export function everyRedis({ webs }: Pick<Stage, 'webs'>): Redis[] {
  const all = webs.slice(0, 1).flatMap(({ parts }) => parts.shards.all());
  return [...new Set(all.map(({ connections }) => connections.fast))];
}

/** A stage for each test of a file that opens one; it is closed after the test. */
export function useStage(): { open: (options?: StageOptions) => Promise<Stage>; now: () => Stage } {
  let stage: Stage | null = null;
  const now = (): Stage => {
    if (!stage) throw new Error('This test has opened no stage.');
    return stage;
  };
  afterEach(async () => {
    await stage?.close();
    stage = null;
  });
  return {
    now,
    open: async (options) => {
      stage = await openStage(options);
      return stage;
    },
  };
}

/** Matches a phone's marks of a kind, with this detail where one is given. */
export function markIs(what: Mark['what'], detail?: string): (mark: Mark) => boolean {
  return (mark) => mark.what === what && (detail ?? mark.detail) === mark.detail;
}

export function connect(simulator: Simulator, url: string): void {
  simulator.wechat.connect(`${url}/webhooks/wechat`);
  simulator.nxcloud.connect(`${url}/webhooks/nxcloud`);
}

interface Place {
  config: Config;
  log: RecordedLog;
  redis: TestRedis;
  tracing: Tracing | null;
}

async function openWorker(place: Place): Promise<Process> {
  const releases = createReleases((name, error) => place.log.error({ name, error }, 'did not close'));
  const parts = createParts({ ...place, releases });
  await startWorker(parts, releases);
  return { parts, stop: () => releases.all() };
}

async function openWeb(place: Place): Promise<Process & { url: string }> {
  const releases = createReleases((name, error) => place.log.error({ name, error }, 'did not close'));
  const parts = createParts({ ...place, releases });
  await parts.connections.ready();
  const port = await startWeb(parts, { skipped: [], releases, standby: true });
  return { parts, url: `http://127.0.0.1:${port}`, stop: () => releases.all() };
}
