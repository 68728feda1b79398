import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Guard } from '../http/guard.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Releases } from './releases.ts';

export interface HealthOptions {
  port: number;
  host: string;
  /** Who may read the metrics. */
  guard: Guard;
  scrape: Metrics['scrape'];
  releases: Releases;
}

/** `GET /healthz` and `GET /metrics` of a worker, which serves no other HTTP. Resolves with the port. */
export async function startHealth(options: HealthOptions): Promise<number> {
  const { port, host, releases } = options;
  const server = createServer((request, response) => void answer(options, request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  releases.add('health', () => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : port;
}

async function answer(
  options: HealthOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '').replace(/\?.*/, '');
  if (path === '/healthz') return json(response, 200, { status: 'alive' });
  if (path !== '/metrics')
    return json(response, 404, { error: 'There are only /healthz and /metrics here.' });
  if (options.guard(request) !== 'admitted') {
    response.setHeader('WWW-Authenticate', 'Bearer');
    return json(response, 401, { error: 'Send "Authorization: Bearer", then METRICS_TOKEN.' });
  }
  const { contentType, text } = await options.scrape();
  response.writeHead(200, { 'content-type': contentType, 'cache-control': 'no-store' });
  response.end(text);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
