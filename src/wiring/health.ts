import { createServer } from 'node:http';
import type { Releases } from './releases.ts';

/** `GET /healthz` of a worker, which serves no other HTTP. */
export async function startHealth(port: number, host: string, releases: Releases): Promise<void> {
  const server = createServer((request, response) => {
    const found = request.url === '/healthz';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(found ? { status: 'alive' } : { error: 'There is only /healthz here.' }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  releases.add('health', () => {
    server.close();
    server.closeAllConnections();
  });
}
