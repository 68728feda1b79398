/** A redis-server that keeps its data and can be frozen, killed and started again on its port. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { Redis } from 'ioredis';

/** Each write is on disk before it is answered: where the disk is memory, that costs a busy machine no time. */
export const quickDisk = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Every write is in the append-only file before it is answered. */
export const stored = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', '', '--hz', '100'];

export interface Server {
  url: string;
  port: number;
  /** Whether it still runs. */
  runs(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Again, on the same port and data. Resolves when it takes commands. @param more Further options. */
  start(more?: readonly string[]): Promise<void>;
  kill(): Promise<void>;
}

export interface ServerOptions {
  /** Where its data lie. */
  folder: string;
  /** @default one that nobody has */
  port?: number;
  options: readonly string[];
  /** Its own configuration, which it writes to. */
  file?: string;
}

/**
 * Runs a command, whose process id it says first. However this process or thread ends, the command ends with it, and
 * its folder is gone: its pipe to the shell is closed then. The shell itself ends with the command.
 */
const tied = `
exec 3<&0
"$@" </dev/null >/dev/null 2>&1 &
pid=$!
echo $pid
{ read -r _ <&3; rm -rf "$FOLDER"; rmdir "$(dirname "$FOLDER")" 2>/dev/null; kill -9 $pid; } &
end=$!
wait $pid
kill -9 $end
`;

/** Starts the binary. */
export async function startServer(binary: string, how: ServerOptions): Promise<Server> {
  const { folder, options, file } = how;
  const port = how.port ?? (await freePort());
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | null = null;
  let pid = 0;
  const runs = (): boolean => child !== null && child.exitCode === null && child.signalCode === null;
  const start = async (more: readonly string[] = []): Promise<void> => {
    const place = ['--bind', '127.0.0.1', '--port', String(port), '--dir', folder];
    const words = [...(file === undefined ? [] : [file]), ...place, ...options, ...more];
    const env = { ...process.env, FOLDER: folder };
    const shell = spawn('sh', ['-c', tied, 'sh', binary, ...words], {
      env,
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child = shell;
    const [said] = (await once(shell.stdout, 'data')) as [Buffer];
    pid = Number(said.toString());
    const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
    redis.on('error', () => {}); // Until the server is up.
    await redis.ping();
    redis.disconnect();
  };
  await start();
  return {
    url,
    port,
    runs,
    start,
    signal: (name) => void (runs() && process.kill(pid, name)),
    kill: async () => {
      if (!child || !runs()) return;
      const gone = once(child, 'exit');
      process.kill(pid, 'SIGKILL');
      await gone;
    },
  };
}

export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1);
  return port;
}

/** Ports that nobody had when they were asked for. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'));
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const ports = servers.map((server) => {
    const address = server.address();
    return typeof address === 'object' && address ? address.port : 0;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
