/** A keeptyping as the client sees it: the control API's typing and pause, on a real port. */
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';

/** What a test lets happen to one call, instead of its answer. `carryOut` is what it would have done and said. */
export type Fate = (
  response: ServerResponse,
  carryOut: () => { status: number; body?: object },
) => void | Promise<void>;

export interface Control {
  url: string;
  /** Method, path and body of each call, in the order of their arrival. */
  calls: string[];
  /** Authorization header of each call. */
  authorizations: (string | undefined)[];
  /** The open turns, as user:turn. */
  open: () => string[];
  /** How many connections were ever opened, and how many are open now. */
  connections: () => number;
  connected: () => number;
  /** What happens to the next calls, one fate each. */
  next: (...fates: Fate[]) => void;
  /** What happens to every call from now on that has no fate of its own; null: the usual. */
  always: (fate: Fate | null) => void;
  /** Resolves when that is so; looked at whenever something happens here. */
  until: (isSo: () => boolean) => Promise<void>;
  /** Resolves when so many calls have arrived. */
  arrived: (calls: number) => Promise<void>;
}

export const answers =
  (status: number, body?: object | string): Fate =>
  (response) =>
    void response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));

/** It is carried out, and the answer never comes. */
export const staysSilent: Fate = (_, carryOut) => void carryOut();

/** It is neither read nor answered. */
export const isLost: Fate = () => {};

/** Answers as usual, once the gate is open. */
export function waitsFor(gate: Promise<unknown>): Fate {
  return async (response, carryOut) => {
    await gate;
    const { status, body } = carryOut();
    response.writeHead(status).end(body && JSON.stringify(body));
  };
}

/** A promise and what resolves it. */
export function createGate(): { passed: Promise<void>; open: () => void } {
  const gate = new AbortController();
  const passed = new Promise<void>((resolve) => {
    gate.signal.addEventListener('abort', () => resolve());
  });
  return { passed, open: () => gate.abort() };
}

export async function startControl({ path = '', port = 0 } = {}): Promise<Control> {
  const happened = new EventEmitter().setMaxListeners(0);
  const turns = createTurns();
  const fates: Fate[] = [];
  const calls: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  let usual: Fate = waitsFor(Promise.resolve());
  let connections = 0;
  const server = createServer((request, response) => void serve(request, response));
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request);
    calls.push(`${request.method} ${request.url}${body && ` ${body}`}`);
    authorizations.push(request.headers.authorization);
    response.once('close', () => happened.emit('something'));
    const called = { method: request.method ?? '', url: (request.url ?? '').slice(path.length), body };
    const fated = (fates.shift() ?? usual)(response, () => turns.carryOut(called));
    happened.emit('something');
    await fated;
  };
  server.on('connection', (socket) => {
    connections += 1;
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      happened.emit('something');
    });
  });
  const until = async (isSo: () => boolean): Promise<void> => {
    while (!isSo()) await once(happened, 'something');
  };
  const address = await listen(server, port);
  onTestFinished(async () => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((closed) => server.close(closed));
  });
  return {
    url: `http://127.0.0.1:${address.port}${path}`,
    calls,
    authorizations,
    open: turns.open,
    connections: () => connections,
    connected: () => sockets.size,
    next: (...more) => void fates.push(...more),
    always: (fate) => {
      usual = fate ?? waitsFor(Promise.resolve());
    },
    until,
    arrived: (count) => until(() => calls.length >= count),
  };
}

async function listen(server: Server, port: number): Promise<AddressInfo> {
  // Longer than any test: a connection that closes was closed by the client.
  server.keepAliveTimeout = 60_000;
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return address;
}

interface Called {
  method: string;
  url: string;
  body: string;
}

/** Turns by user. The turn of message m is called turn-of-m. */
function createTurns(): {
  open: () => string[];
  carryOut: (called: Called) => { status: number; body?: object };
} {
  const users = new Map<string, Set<string>>();
  let made = 0;
  const start = (turns: Set<string>, messageId: string | undefined): string => {
    const turn =
      messageId === undefined ? ([...turns].at(-1) ?? `by-hand-${(made += 1)}`) : `turn-of-${messageId}`;
    turns.add(turn);
    return turn;
  };
  return {
    open: () => [...users].flatMap(([user, turns]) => [...turns].map((turn) => `${user}:${turn}`)),
    carryOut: ({ method, url, body }) => {
      const { pathname, searchParams } = new URL(url, 'http://control');
      const [, , , , user = '', what] = pathname.split('/').map(decodeURIComponent);
      const turns = users.get(user) ?? new Set();
      users.set(user, turns);
      if (what === 'pause')
        return method === 'PUT' ? { status: 200, body: { until: null } } : { status: 204 };
      if (method === 'PUT') return { status: 200, body: { turn: start(turns, JSON.parse(body).messageId) } };
      end(turns, searchParams);
      return { status: 204 };
    },
  };
}

function end(turns: Set<string>, query: URLSearchParams): void {
  const message = query.get('messageId');
  const turn = query.get('turn') ?? (message === null ? null : `turn-of-${message}`);
  if (turn === null) turns.clear();
  else turns.delete(turn);
}
