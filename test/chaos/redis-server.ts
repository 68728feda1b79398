/** A redis-server that keeps its data and can be stopped, killed and started again on its port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { Redis } from 'ioredis';

export interface Server {
  url: string;
  port: number;
  signal(name: NodeJS.Signals): void;
  /** Again, on the same port and data. Resolves when it takes commands. @param more Further options. */
  start(more?: readonly string[]): Promise<void>;
  kill(): Promise<void>;
}

/** Starts the binary; every write is in the append-only file below `folder` before it is answered. */
export async function createRedis(
  binary: string,
  folder: string,
  always: readonly string[] = [],
): Promise<Server> {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  const options = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--hz', '100'];
  let child: ChildProcess | null = null;
  const start = async (more: readonly string[] = []): Promise<void> => {
    const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder];
    child = spawn(binary, [...place, ...options, ...always, ...more], { stdio: 'ignore' });
    const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on('error', () => {}); // Until the server is up.
    await redis.ping();
    redis.disconnect();
  };
  await start();
  return {
    url,
    port,
    start,
    signal: (name) => void child?.kill(name),
    kill: async () => {
      if (!child || child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

export async function freePort(): Promise<number> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const address = free.address();
  free.close();
  await once(free, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
