/** What stands on the wires: a balancer before the webs, and one proxy between each process and Redis. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** Small writes pass at once, as without a proxy. */
const noDelay = true;

interface Listening {
  port: number;
  close: () => Promise<void>;
}

async function listen(serve: (client: Socket) => void): Promise<Listening> {
  const sockets = new Set<Socket>();
  const server: Server = createServer({ noDelay }, (client) => {
    sockets.add(client);
    client.on('close', () => sockets.delete(client));
    client.on('error', () => {}); // Whoever hangs up is told by `close`.
    serve(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const close = async (): Promise<void> => {
    server.close();
    for (const socket of sockets) socket.destroy();
  };
  return { port: typeof address === 'object' && address ? address.port : 0, close };
}

export interface Balancer extends Listening {
  /** The web of that name is reached there; null: it is sent nothing new. */
  route: (name: string, port: number | null) => void;
}

/**
 * Connections go to the webs in turn; where one refuses, the next one gets it, as a platform's router does it.
 * @param patienceMs Where all refuse, they are asked again for so long.
 */
export async function startBalancer({ patienceMs = 0 }: { patienceMs?: number } = {}): Promise<Balancer> {
  const ports = new Map<string, number | null>();
  let turn = 0;
  const inTurn = (): number[] => {
    const all = [...ports.values()].filter((port) => port !== null);
    turn += 1;
    const first = all.length === 0 ? 0 : turn % all.length;
    return [...all.slice(first), ...all.slice(0, first)];
  };
  const serve = (client: Socket): void => {
    const until = Date.now() + patienceMs;
    const again = (): void => {
      if (Date.now() < until) setTimeout(() => pass(client, inTurn(), again), askAgainMs);
      else client.resetAndDestroy();
    };
    pass(client, inTurn(), again);
  };
  const listening = await listen(serve);
  return { ...listening, route: (name, port) => void ports.set(name, port) };
}

const askAgainMs = 20;

function pass(client: Socket, [port, ...others]: number[], none: () => void): void {
  if (client.destroyed) return;
  if (port === undefined) return none();
  const upstream = connect({ port, host: '127.0.0.1', noDelay });
  const refused = (): void => pass(client, others, none);
  upstream.once('error', refused);
  upstream.once('connect', () => {
    upstream.off('error', refused);
    upstream.on('error', () => client.resetAndDestroy());
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.end());
    client.pipe(upstream);
    upstream.pipe(client);
  });
}

export type Wire =
  | { is: 'open' }
  /** Each reply comes this much later (ms). */
  | { is: 'slow'; byMs: number }
  /** Nothing passes; new connections are taken, and hear nothing. */
  | { is: 'hole' }
  /** The first so many bytes of a longer burst pass, then the connection is cut. */
  | { is: 'cut'; bytes: number };

export interface RedisProxy extends Listening {
  /** What was held back in a hole arrives now. */
  set: (wire: Wire) => void;
  /** Cuts all connections. */
  cut: () => void;
}

interface Line {
  client: Socket;
  upstream: Socket;
}

export async function startRedisProxy(redisPort: number): Promise<RedisProxy> {
  const lines = new Set<Line>();
  let wire: Wire = { is: 'open' };
  const serve = (client: Socket): void => {
    const line = { client, upstream: connect({ port: redisPort, host: '127.0.0.1', noDelay }) };
    lines.add(line);
    const end = (): void => {
      lines.delete(line);
      client.destroy();
      line.upstream.destroy();
    };
    client.on('close', end);
    line.upstream.on('close', end).on('error', end);
    client.on('data', (chunk: Buffer) => {
      if (wire.is !== 'cut' || chunk.length <= wire.bytes) return void line.upstream.write(chunk);
      line.upstream.end(chunk.subarray(0, wire.bytes));
      client.resetAndDestroy();
    });
    const later = inOrder((chunk) => void client.write(chunk));
    line.upstream.on('data', (chunk: Buffer) => later(chunk, wire.is === 'slow' ? wire.byMs : 0));
    hold(line, wire.is === 'hole');
  };
  const listening = await listen(serve);
  return {
    ...listening,
    set(next) {
      wire = next;
      for (const line of lines) hold(line, wire.is === 'hole');
    },
    cut() {
      for (const { client } of lines) client.resetAndDestroy();
    },
  };
}

/** The kernel keeps what comes meanwhile, as a network does that heals. */
function hold({ client, upstream }: Line, held: boolean): void {
  for (const socket of [client, upstream]) {
    if (held) socket.pause();
    else socket.resume();
  }
}

/** A later one never overtakes. */
function inOrder(send: (chunk: Buffer) => void): (chunk: Buffer, afterMs: number) => void {
  const waiting: { chunk: Buffer; due: number }[] = [];
  const flush = (): void => {
    while (waiting[0] !== undefined && waiting[0].due <= Date.now()) {
      const sent = waiting.shift();
      if (sent !== undefined) send(sent.chunk);
    }
    const [next] = waiting;
    if (next !== undefined) setTimeout(flush, Math.max(1, next.due - Date.now()));
  };
  return (chunk, afterMs) => {
    if (afterMs === 0 && waiting.length === 0) return send(chunk);
    waiting.push({ chunk, due: Date.now() + afterMs });
    if (waiting.length === 1) flush();
  };
}
