import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { closeConnection } from './connect.ts';

/** The first line of the file: which process started the server. */
const OWNER = /^# keeptyping process (\d+)$/m;

/** The private server's redis.conf. Readable by its owner only: it holds the password. */
export function renderConfiguration(options: { folder: string; port: number; password: string }): string {
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
export async function endLeftover(file: string): Promise<void> {
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
  throw new Error(
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
