import { randomBytes, randomUUID } from 'node:crypto';
import { type Config, loadConfig } from '../config/index.ts';
import type { Log } from '../core/ports.ts';
import { createDemo } from '../demo/demo.ts';
import { createHandler, type Handler } from '../demo/handler.ts';
import type { Limits } from '../demo/visitors.ts';
import { createLog } from '../log.ts';
import { type Bot, type Simulator, type SimulatorOptions, startSimulator } from '../simulator/index.ts';
import { played, playScript, type Script } from './demo-script.ts';
import { openDemoWorld } from './demo-world.ts';
import type { OwnWorker } from './own-worker.ts';
import type { Releases } from './releases.ts';
import { simulatedEnvironment } from './simulated.ts';

export interface Demo {
  config: Config;
  log: Log;
  simulator: Simulator;
  page: Handler;
  /** Connects the simulated platforms to the webhooks of this port; plays a conversation on each in the terminal. */
  play(port: number, running: { releases: Releases; worker: Pick<OwnWorker, 'restartAfter'> }): Promise<void>;
  close(): Promise<void>;
}

export interface DemoOptions {
  /** null: nothing is played in the terminal. @default a conversation on each platform; with `LOG_FORMAT=json` null */
  script?: Script | null;
  /** Where the lines go. @default standard output */
  say?: (text: string) => void;
  /** Other rules than the platforms' own… */
  simulator?: SimulatorOptions;
  /** …and keeptyping's settings to them. */
  environment?: Readonly<Record<string, string>>;
  /** Of the bot that types by itself (ms). @default 5000 */
  typeEveryMs?: number;
  limits?: Partial<Limits>;
}

/** Simulated platforms, phones and a slow bot, for whoever starts keeptyping without an account. */
export async function openDemo(base: Config, options: DemoOptions = {}): Promise<Demo> {
  const { script = base.logFormat === 'json' ? null : played, say = print, typeEveryMs = 5_000 } = options;
  const simulator = await startSimulator(withSecrets(options.simulator));
  let worker: Pick<OwnWorker, 'restartAfter'> | null = null;
  const { world, bot } = await openDemoWorld({
    simulator,
    typeEveryMs,
    thinkMs: (text) => thinkingOf(script, text),
    restartWorker: async (ms) => worker?.restartAfter(ms),
  });
  const demo = createDemo({ world, newId: randomUUID, limits: options.limits });
  const close = async (): Promise<void> => {
    demo.close();
    await Promise.all([bot.close(), simulator.close()]);
  };
  return {
    config: configOf(simulator, bot, options.environment),
    log: createLog({ level: script === null ? base.logLevel : 'warn', format: base.logFormat }),
    simulator,
    page: createHandler(demo),
    close,
    async play(port, { releases, ...running }) {
      worker = running.worker;
      // Closed first: a demo that is ended waits for nobody's answer, and its pages would keep the server open.
      releases.add('demo', close);
      simulator.wechat.connect(`http://127.0.0.1:${port}/webhooks/wechat`);
      simulator.nxcloud.connect(`http://127.0.0.1:${port}/webhooks/nxcloud`);
      if (script !== null) await playScript(simulator, { port, script, say });
    },
  };
}

/** The webhooks may be open to the world: only the simulated platforms can sign for them. */
function withSecrets({ wechat, nxcloud, ...others }: SimulatorOptions = {}): SimulatorOptions {
  return {
    ...others,
    wechat: { token: secret(), appSecret: secret(), ...wechat },
    nxcloud: { accessSecret: secret(), callbacks: 'sha256', ...nxcloud },
  };
}

/** The process's own settings with the simulated accounts alone: a demo never comes near a real one. */
function configOf(simulator: Simulator, bot: Bot, environment: DemoOptions['environment'] = {}): Config {
  const real = /^(WECHAT|NXCLOUD|BOT_QUEUE|ACCOUNTS_KEY)|^CONFIG_DIR$/;
  const own = Object.entries(process.env).filter(([name]) => !real.test(name));
  const simulated = { ...simulatedEnvironment(simulator, bot), NXCLOUD_VERIFY_CALLBACKS: 'require' };
  return loadConfig({ ...Object.fromEntries(own), ...simulated, ...environment }, () => null).config;
}

function secret(): string {
  return randomBytes(16).toString('hex');
}

function thinkingOf(script: Script | null, text: string): number {
  if (script === null) return 0;
  return text === script.wechat.text ? script.wechat.thinkMs : script.nxcloud.thinkMs;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
