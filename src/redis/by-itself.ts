import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { delimiter, join, resolve } from 'node:path';
import {
  ClientSession,
  type CommandExecutor,
  createDefaultParkHandler,
  createRedisCommandExecutor,
  type ParkHandler,
  RedisResult,
  RedisServerState,
  RedisValue,
  Resp2SessionAdapter,
  SocketConnectionTransport,
} from 'js-redis-server/core';
import { type Log, StartError } from '../core/ports.ts';
import { type BundledServer, startPrivateServer } from './private-server.ts';

export type RedisKind = 'given' | 'private' | 'embedded';

export interface ProvidedRedis extends BundledServer {
  kind: RedisKind;
  /** The folder that keeps its data; null when it is not ours or keeps none. */
  where: string | null;
  /**
   * For BullMQ's `streams.events.maxLen`. The embedded server copies a stream at each write, so there it must be short:
   * with BullMQ's usual 10,000 it manages 51 jobs a second, with 20 it manages 389.
   */
  eventsMaxLen: number;
}

export interface ProvideOptions {
  /** REDIS_URL, or null. */
  url: string | null;
  production: boolean;
  /** A private server keeps its data in the folder `redis` of it. */
  dataDir: string;
  /** The environment's PATH. */
  path: string;
  log: Log;
  /** Takes this one, whatever PATH holds. */
  bundled?: 'private' | 'embedded';
}

const SERVERS = ['redis-server', 'valkey-server'];

/**
 * A Redis, wherever it comes from: the given one; else `redis-server` or `valkey-server` found on PATH, started
 * privately; else the embedded one.
 * @throws One sentence with the remedy: in production without a URL, or when the private server does not start.
 */
export async function provideRedis(options: ProvideOptions): Promise<ProvidedRedis> {
  if (options.url !== null) return given(options.url);
  if (options.production) {
    throw new StartError(
      'REDIS_URL is missing: in production set it to a Redis whose maxmemory-policy is noeviction.',
    );
  }
  const binary = options.bundled === 'embedded' ? null : await findServer(options.path);
  if (binary !== null) return startPrivate(binary, options);
  if (options.bundled === 'private')
    throw new StartError(`PATH holds no ${SERVERS.join(' and no ')}: install one.`);
  return startEmbedded(options.log);
}

/** The full path of the first `redis-server` or `valkey-server` on PATH; null when there is none. */
export async function findServer(path: string): Promise<string | null> {
  const candidates = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => SERVERS.map((name) => join(folder, name)));
  for (const candidate of candidates) {
    const found = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return candidate;
  }
  return null;
}

function given(url: string): ProvidedRedis {
  return { url, kind: 'given', where: null, eventsMaxLen: 1000, stop: async () => {} };
}

async function startPrivate(binary: string, options: ProvideOptions): Promise<ProvidedRedis> {
  const where = resolve(options.dataDir, 'redis');
  const server = await startPrivateServer({ binary, folder: where, log: options.log });
  options.log.info({ where }, `Redis: ${binary}, started for this process; its data is kept in ${where}.`);
  return { ...server, kind: 'private', where, eventsMaxLen: 1000 };
}

async function startEmbedded(log: Log): Promise<ProvidedRedis> {
  const redis = await embedded();
  log.warn(
    {},
    'Redis: the embedded one, for trying out. It lives in memory only: what waits in it is lost when this process ends. Install redis-server or set REDIS_URL to keep it.',
  );
  return redis;
}

/**
 * The demo's: whatever REDIS_URL, DATA_DIR and PATH say. Nothing of it is in a real installation's jobs, and nothing of
 * an earlier demo in this one's.
 */
export async function provideThrowaway(log: Log): Promise<ProvidedRedis> {
  const redis = await embedded();
  log.info({}, "Redis: the demo's own, embedded, and gone with it; REDIS_URL and DATA_DIR are not used.");
  return redis;
}

async function embedded(): Promise<ProvidedRedis> {
  const server = await startEmbeddedServer();
  return { ...server, kind: 'embedded', where: null, eventsMaxLen: 20 };
}

/**
 * Starts the Redis written in JavaScript inside this process, on a free port of the loopback interface, with a random
 * password. Memory only. The package's own `createRedisServer` would listen on every interface, open to the network without a password.
 */
export async function startEmbeddedServer(): Promise<BundledServer> {
  const password = randomBytes(24).toString('base64url');
  const state = new RedisServerState({ databaseCount: 1, requirepass: password });
  const executor = createExecutor();
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    const transport = new SocketConnectionTransport(socket);
    const session = new ClientSession({
      server: state,
      executor,
      park: parkUntilGone(transport.signal),
      closeConnection: (reason) => transport.close(reason),
    });
    // What it rejects with was told its client, or its client is gone.
    new Resp2SessionAdapter({ transport, session }).run().catch(() => undefined);
  });
  // One connection that cannot be accepted harms no other.
  server.on('error', () => {}).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `redis://:${password}@127.0.0.1:${portOf(server.address())}`,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      // Connections that their owners forgot must not keep the process alive.
      for (const socket of sockets) socket.destroy();
      await closed;
      state.close();
    },
  };
}

/**
 * As with Redis itself, a command that waits ends with its connection; else that of a worker that has left would take
 * the marker of the next job, and the others would sleep on.
 */
function parkUntilGone(gone: AbortSignal): ParkHandler {
  const park = createDefaultParkHandler();
  return (request) => park({ ...request, signal: gone });
}

/**
 * Hangs up on HTTP, as Redis itself does: any page that a browser on this machine shows may send requests here, whose
 * bodies would be read as commands. https://redis.io/docs/latest/operate/oss_and_stack/management/security/
 */
function createExecutor(): CommandExecutor {
  const executor = createRedisCommandExecutor();
  const execute = executor.executeRaw.bind(executor);
  const hangUp = RedisResult.create(RedisValue.null(), { omitReply: true, close: true });
  executor.executeRaw = async (command, parameters, context) =>
    /^(?:post|host:)$/i.test(String(command)) ? hangUp : execute(command, parameters, context);
  return executor;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The embedded Redis has no port.');
  return address.port;
}
