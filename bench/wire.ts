/** The cheapest client of HTTP/1.1 there is: requests are made in advance, so that the servers are what is measured. */
import { connect, type Socket } from 'node:net';
import { arrivals, now, wait } from './measure.ts';

export interface Answered {
  status: number;
  /** From when it was sent until the answer was whole (ms). */
  took: number;
}

export interface Wire {
  /** Resolves with status 0 where the connection broke. */
  send(request: Buffer): Promise<Answered>;
  close(): void;
}

/** Node's servers close what has been idle for 5 s, and may do so just as something is sent (ms). */
const idleMost = 2_000;

interface Connection {
  idleSince: number;
  send(request: Buffer): Promise<Answered>;
  socket: Socket;
}

/** As many connections as there are requests under way. */
export function createWire(port: number): Wire {
  const idle: Connection[] = [];
  const all = new Set<Socket>();
  const open = (): Connection => {
    const connection = createConnection(port, () => {
      all.delete(connection.socket);
      const index = idle.indexOf(connection);
      if (index >= 0) idle.splice(index, 1);
    });
    all.add(connection.socket);
    return connection;
  };
  return {
    async send(request) {
      const last = idle.pop();
      const isFresh = last !== undefined && now() - last.idleSince < idleMost;
      if (!isFresh) for (const old of [...idle.splice(0), ...(last ? [last] : [])]) old.socket.destroy();
      const connection = isFresh ? last : open();
      const answered = await connection.send(request);
      connection.idleSince = now();
      if (answered.status > 0 && !connection.socket.destroyed) idle.push(connection);
      return answered;
    },
    close: () => {
      for (const socket of all) socket.destroy();
    },
  };
}

const nobody: (status: number) => void = () => {};

function createConnection(port: number, closed: () => void): Connection {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let come = '';
  let end = nobody;
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    come += chunk;
    const status = statusOf(come);
    if (status === null) return;
    come = '';
    end(status);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    closed();
    end(0);
  });
  return {
    socket,
    idleSince: now(),
    send: (request) =>
      new Promise((resolve) => {
        const sentAt = now();
        end = (status) => resolve({ status, took: now() - sentAt });
        if (socket.destroyed) end(0);
        else socket.write(request);
      }),
  };
}

/** null: the answer is not whole yet. */
function statusOf(come: string): number | null {
  const head = come.indexOf('\r\n\r\n');
  if (head < 0) return null;
  const length = /\r\ncontent-length: *(\d+)/i.exec(come.slice(0, head));
  const isWhole = length ? come.length >= head + 4 + Number(length[1]) : come.endsWith('\r\n0\r\n\r\n');
  return isWhole ? Number(come.slice(9, 12)) : null;
}

/** All of them, so many under way at a time. */
export async function sendAll(wire: Wire, requests: readonly Buffer[], atOnce: number): Promise<Answered[]> {
  const all: Answered[] = [];
  const left = requests.values();
  const one = async (): Promise<void> => {
    for (const request of left) all.push(await wire.send(request));
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return all;
}

/** So many a second, whether they are answered or not. */
export async function sendOpenly(
  wire: Wire,
  requests: readonly Buffer[],
  perSecond: number,
): Promise<Answered[]> {
  const from = now();
  const all: Promise<Answered>[] = [];
  for (const [index, at] of arrivals(requests.length, perSecond).entries()) {
    const early = from + at - now();
    if (early > 0.5) await wait(early);
    const request = requests[index];
    if (request) all.push(wire.send(request));
  }
  return Promise.all(all);
}
