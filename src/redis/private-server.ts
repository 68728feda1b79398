import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import type { Log } from '../core/ports.ts';
import type { BundledServer } from './bundled-server.ts';
import { closeConnection } from './connect.ts';
import { endLeftover, renderConfiguration } from './private-configuration.ts';

const RESTART_DELAY = 500;
/** Redis writes the rest of its file and ends within milliseconds; a frozen one is killed after this. */
const STOP_LIMIT = 5000;

/**
 * Starts a `redis-server` or `valkey-server` for this process alone: loopback, random port and password, every write
 * in an append-only file below `folder`, which the next start reads. When it dies by itself it is started again on the
 * same port. It is started apart from the terminal, so that Ctrl-C reaches keeptyping first, which then stops it.
 *
 * If this process is killed with -9 the server outlives it; the next start on the same folder finds and stops it.
 * @throws When another living process uses the folder, or the server does not come up.
 */
export async function startPrivateServer(options: {
  binary: string;
  folder: string;
  log: Log;
}): Promise<BundledServer> {
  const { binary, folder, log } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, 'redis.conf');
  await endLeftover(file);
  const access = { port: await freePort(), password: randomBytes(24).toString('base64url') };
  await rm(file, { force: true });
  await writeFile(file, renderConfiguration({ folder, ...access }), { mode: 0o600 });
  const url = `redis://:${access.password}@127.0.0.1:${access.port}`;
  const launch = (): ChildProcess => spawn(binary, [file], { cwd: folder, detached: true, stdio: 'ignore' });
  const child = launch();
  await cameUp({ child, url, binary, folder });
  const supervisor = supervise({ child, launch, log });
  return {
    url,
    stop: async () => {
      await supervisor.stop();
      await rm(file, { force: true });
    },
  };
}

/** Resolves at the first PONG, which comes after the file has been read in. */
async function cameUp(server: {
  child: ChildProcess;
  url: string;
  binary: string;
  folder: string;
}): Promise<void> {
  const redis = new Redis(server.url, { retryStrategy: () => 10, maxRetriesPerRequest: null });
  redis.on('error', () => {}); // Refused until it listens.
  const ended = new Promise<'ended'>((resolve) => {
    server.child.once('exit', () => resolve('ended'));
    server.child.once('error', () => resolve('ended'));
  });
  try {
    if ((await Promise.race([redis.ping(), ended])) !== 'ended') return;
  } finally {
    await closeConnection(redis);
  }
  const why = join(server.folder, 'redis.log');
  throw new Error(`${server.binary} did not start: see ${why}, or set REDIS_URL to a Redis that runs.`);
}

function supervise(options: { child: ChildProcess; launch: () => ChildProcess; log: Log }): {
  stop(): Promise<void>;
} {
  let { child } = options;
  let stopping = false;
  let restart: NodeJS.Timeout | undefined;
  const endWithUs = (): void => {
    child.kill('SIGTERM');
  };
  const watch = (): void => {
    const ended = (code: number | null, signal: string | null): void => {
      if (stopping) return;
      options.log.error({ code, signal }, 'The private Redis has ended by itself; it is started again.');
      restart = setTimeout(() => {
        child = options.launch();
        watch();
      }, RESTART_DELAY);
    };
    child.once('exit', ended);
    child.on('error', (error) => options.log.error({ err: error }, 'The private Redis cannot be reached.'));
  };
  watch();
  process.once('exit', endWithUs);
  return {
    stop: async () => {
      stopping = true;
      clearTimeout(restart);
      process.off('exit', endWithUs);
      await endProcess(child);
    },
  };
}

async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT);
  await ended;
  clearTimeout(killer);
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string')
    throw new Error('The loopback interface has no free port.');
  return address.port;
}
