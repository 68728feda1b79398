import { createServer, type RequestListener, type Server } from 'node:http';
import { type Log, StartError } from '../core/ports.ts';
import { errorCodeOf } from '../core/wire.ts';

/** What a process has opened, to be closed in reverse order. */
export interface Releases {
  add(name: string, release: () => unknown): void;
  /** Closes everything, the last opened first; one that fails does not keep the others open. */
  all(): Promise<void>;
}

export function createReleases(failed: (name: string, error: unknown) => void): Releases {
  const stack: { name: string; release: () => unknown }[] = [];
  return {
    add: (name, release) => void stack.push({ name, release }),
    all: async () => {
      for (let last = stack.pop(); last; last = stack.pop()) {
        try {
          await last.release();
        } catch (error) {
          failed(last.name, error);
        }
      }
    },
  };
}

/** The same for whoever has a log; `says`: what it says of one that fails. */
export function createToldReleases(
  log: Pick<Log, 'warn'>,
  says = 'Something did not close as it should.',
): Releases {
  return createReleases((name, error) => log.warn({ name, error }, says));
}

/** Heroku's router keeps idle connections for 90 s: ours must not close first. */
const keepAliveMs = 95_000;

/** Who has not said by then what they want goes: connections are bounded, and an open one costs nothing to hold (ms). */
const headersMs = 20_000;
const headersLook = 5_000;

interface Address {
  port: number;
  host: string;
}

/**
 * @param setting The variable that the port comes from.
 * @throws StartError
 */
export async function listen(
  handler: RequestListener,
  {
    port,
    host,
    maxConnections,
    setting = 'PORT',
  }: Address & { maxConnections?: number; setting?: 'PORT' | 'METRICS_PORT' },
): Promise<Server> {
  const server = createServer({ connectionsCheckingInterval: headersLook }, handler);
  server.headersTimeout = headersMs;
  if (maxConnections !== undefined) server.maxConnections = maxConnections;
  server.keepAliveTimeout = keepAliveMs;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(unheard(error, { port, host, setting })));
    // Of a burst Linux takes as many as net.core.somaxconn says; who finds no room tries again a second later.
    server.listen({ port, host, backlog: 4_096 }, resolve);
  });
  return server;
}

function unheard(error: Error, { port, host, setting }: Address & { setting: string }): Error {
  switch (errorCodeOf(error)) {
    case 'EADDRINUSE':
      return new StartError(
        `Port ${port} is in use: stop what listens on it, or set ${setting} to another one.`,
      );
    case 'EACCES':
      return new StartError(`Port ${port} is not for this user to open: set ${setting} to one above 1023.`);
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new StartError(`${host} is no address of this machine: set HOST to one, or leave it out.`);
    default:
      return error;
  }
}

/** The port that a server got, where it asked for any. */
export function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** Where a program on the same machine finds a server. */
export function ownUrl(host: string, port: number): string {
  const name = ['0.0.0.0', '::', ''].includes(host) ? '127.0.0.1' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

/** Takes no more connections and lets the requests under way end, for `limitMs` at most. */
export async function closeServer(server: Server, limitMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  // A proxy keeps the connection of a request that was under way: it is idle only once that has ended.
  const sweep = setInterval(() => server.closeIdleConnections(), 50);
  await limited(closed, limitMs);
  clearInterval(sweep);
  server.closeAllConnections();
}

/** Resolves when the work is done, or after `ms`. */
export async function limited(work: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)))]);
  clearTimeout(timer);
}
