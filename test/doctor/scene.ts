/** The doctor as it is started, between the simulated platforms, a bot and a Redis. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { simulatedEnvironment } from '../../src/demo/open.ts';
import { startDoctor } from '../../src/doctor/doctor.ts';
import {
  type Bot,
  type BotOptions,
  type Simulator,
  type SimulatorOptions,
  startBot,
  startSimulator,
} from '../../src/simulator/index.ts';

export interface Visit {
  code: 0 | 1;
  /** Everything that was said. */
  text: string;
  lines: string[];
  /** The lines of one subject. */
  of: (subject: string) => string[];
}

/** Starts the doctor with this environment alone; no proxy, no configuration of this checkout. */
export async function visit(environment: Record<string, string>, ...words: string[]): Promise<Visit> {
  const dataDir = await mkdtemp(join(tmpdir(), 'keeptyping-'));
  let text = '';
  const code = await startDoctor({
    words,
    environment: { DATA_DIR: dataDir, PORT: '1', ...environment },
    say: (said) => {
      text += said;
    },
    progress: null,
  });
  await rm(dataDir, { recursive: true, force: true });
  const lines = text.split('\n').filter((line) => line !== '');
  return {
    code,
    text,
    lines,
    of: (subject) => lines.filter((line) => line.slice(6).startsWith(`${subject}:`)),
  };
}

export interface Scene {
  simulator: Simulator;
  bot: Bot;
  environment: Record<string, string>;
}

/** Both platforms and the bot; everything is right unless told otherwise. */
export async function openScene(options: SimulatorOptions = {}, botOptions: BotOptions = {}): Promise<Scene> {
  const simulator = await startSimulator(options);
  const { wechat, nxcloud } = simulator;
  const bot = await startBot({
    wechat: { ...wechat.options, apiBase: wechat.apiBase },
    nxcloud: { ...nxcloud.options, apiBase: nxcloud.apiBase },
    ...botOptions,
  });
  onTestFinished(async () => {
    await Promise.all([simulator.close(), bot.close()]);
  });
  return { simulator, bot, environment: simulatedEnvironment(simulator, bot) };
}

/** A server on a free port; resolves with its URL. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}
