/** An untouched redis-server for the bench: its own defaults, `hz 10` among them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { findServer } from '../src/redis/by-itself.ts';

export interface BenchRedis {
  url: string;
  redis: Redis;
  /** A number of INFO. */
  info(field: string): Promise<number>;
  version(): Promise<string>;
  stop(): Promise<void>;
}

/** Whoever waits for it would wait for ever. */
function died(): never {
  throw new Error('The redis-server of the bench has ended, and nothing here ended it.');
}

/** @param dir Where it keeps its append-only file. @default it keeps nothing */
export async function startUntouchedRedis(dir: string | null = null): Promise<BenchRedis> {
  const binary = await findServer(process.env['PATH'] ?? '');
  if (binary === null)
    throw new Error('The bench needs a redis-server or valkey-server on PATH: install one.');
  const port = await freePort();
  const keeping = dir === null ? ['--save', '', '--appendonly', 'no'] : ['--dir', dir, '--appendonly', 'yes'];
  const server = spawn(binary, ['--port', String(port), '--bind', '127.0.0.1', ...keeping], {
    stdio: 'ignore',
  });
  server.once('exit', died);
  const url = `redis://127.0.0.1:${port}`;
  const redis = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 50 });
  redis.on('error', () => {}); // Until the server is up.
  await redis.ping();
  return {
    url,
    redis,
    info: async (field) => Number(new RegExp(`^${field}:(\\d+)`, 'm').exec(await redis.info('all'))?.[1]),
    version: async () => /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown',
    stop: async () => {
      redis.disconnect();
      server.off('exit', died);
      server.kill('SIGTERM');
      await once(server, 'exit');
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
