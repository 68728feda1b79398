import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Log, StartError } from '../core/ports.ts';
import { closeConnection } from './connect.ts';
import { errorWord } from './errors.ts';

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
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch((error: unknown) => {
    throw new StartError(
      `${folder} cannot be made (${errorWord(error)}): let DATA_DIR name a folder that can be written, or set REDIS_URL.`,
    );
  });
  const file = join(folder, 'redis.conf');
  await endLeftover(file);
  const access = { port: await freePort(), password: randomBytes(24).toString('base64url') };
  await rm(file, { force: true });
  await writeFile(file, renderConfiguration({ folder, ...access }), { mode: 0o600 });
  const url = `redis://:${access.password}@127.0.0.1:${access.port}`;
  const launch = (): ChildProcess => spawn(binary, [file], { cwd: folder, detached: true, stdio: 'ignore' });
  const child = launch();
  const endWithUs = (): void => void child.kill('SIGTERM');
  process.once('exit', endWithUs);
  await cameUp({ child, url, binary, folder }).finally(() => process.off('exit', endWithUs));
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
  throw new StartError(`${server.binary} did not start: see ${why}, or set REDIS_URL to a Redis that runs.`);
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

/** A Redis that keeptyping started itself. */
export interface BundledServer {
  /** `redis://…`; a private server's holds its password. */
  url: string;
  /** Ends it and resolves when nothing of it is left running. */
  stop(): Promise<void>;
}

/** The first line of the file: which process started the server. */
const OWNER = /^# keeptyping process (\d+)$/m;

/** The private server's redis.conf. Readable by its owner only: it holds the password. */
function renderConfiguration(options: { folder: string; port: number; password: string }): string {
  return [
    `# keeptyping process ${process.pid}`,
    'bind 127.0.0.1',
    `port ${options.port}`,
    `requirepass ${options.password}`,
    `dir ${JSON.stringify(options.folder)}`,
    'logfile redis.log',
    'loglevel warning',
    'daemonize no',
    'databases 1',
    'appendonly yes',
    'save ""',
    'maxmemory-policy noeviction',
    // Redis looks for blocking calls that are due on this tick only: at its usual 10, delayed jobs are up to 100 ms late.
    'hz 100',
    '',
  ].join('\n');
}

/**
 * Stops a server that a killed process left behind on the same data.
 * @throws When the process that started it still lives.
 */
async function endLeftover(file: string): Promise<void> {
  const configuration = await readFile(file, 'utf8').catch(() => null);
  if (configuration === null) return;
  const url = urlOf(configuration);
  if (url === null) return;
  const redis = new Redis(url, {
    connectTimeout: 500,
    // The port may belong to anything by now.
    commandTimeout: 1000,
    retryStrategy: null,
    maxRetriesPerRequest: null,
  });
  redis.on('error', () => {}); // Nobody there is the usual case.
  try {
    const answers = await redis.ping().catch(() => null);
    if (answers === null) return;
    refuseIfOwned(configuration, file);
    await shutDown(redis);
  } finally {
    await closeConnection(redis);
  }
}

/** Where the private server of a data folder is, holding its password; null when none has been started there. */
export async function findPrivateServer(dataDir: string): Promise<string | null> {
  const configuration = await readFile(join(dataDir, 'redis', 'redis.conf'), 'utf8').catch(() => null);
  return configuration === null ? null : urlOf(configuration);
}

function urlOf(configuration: string): string | null {
  const port = /^port (\d+)$/m.exec(configuration)?.[1];
  const password = /^requirepass (\S+)$/m.exec(configuration)?.[1];
  return port === undefined || password === undefined ? null : `redis://:${password}@127.0.0.1:${port}`;
}

function refuseIfOwned(configuration: string, file: string): void {
  const owner = Number(OWNER.exec(configuration)?.[1]);
  if (owner !== process.pid && !isAlive(owner)) return;
  throw new StartError(
    `The Redis of ${file} is in use by process ${owner}: stop it, set DATA_DIR to another folder, or set REDIS_URL for both.`,
  );
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** SHUTDOWN has no answer but the end of the connection, which comes when the process has let go of its files. */
async function shutDown(redis: Redis): Promise<void> {
  const ended = new Promise<void>((resolve) => redis.once('end', resolve));
  redis.shutdown().catch(() => {});
  await ended;
}
