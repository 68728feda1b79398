import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createRedisCommandExecutor, RedisServerState, Resp2Server } from 'js-redis-server/core';
import type { BundledServer } from './bundled-server.ts';

/**
 * Starts the Redis written in JavaScript inside this process, on a free port of the loopback interface. Memory only.
 * The package's own `createRedisServer` would listen on every interface, open to the network without a password.
 */
export async function startEmbeddedServer(): Promise<BundledServer> {
  const embedded = new Resp2Server({
    server: new RedisServerState({ databaseCount: 1 }),
    executor: createRedisCommandExecutor(),
  });
  const sockets = new Set<Socket>();
  embedded.server.on('connection', (socket: Socket) => {
    socket.setNoDelay(true);
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  embedded.server.listen(0, '127.0.0.1');
  await once(embedded.server, 'listening');
  return {
    url: `redis://127.0.0.1:${portOf(embedded.server.address())}`,
    stop: async () => {
      const closed = embedded.close();
      // Connections that their owners forgot must not keep the process alive.
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('The embedded Redis has no port.');
  return address.port;
}
