import type { RequestHandler, Response } from 'express';
import type { Guard } from './guard.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

interface MetricsPageOptions {
  guard: Guard;
  /** All metrics as text, and what kind of text. */
  scrape: () => Promise<{ contentType: string; text: string }>;
}

/** `GET /metrics`, for whom the guard admits. */
export function createMetricsPage({ guard, scrape }: MetricsPageOptions): RequestHandler {
  return (request, response, next) => {
    switch (guard(request)) {
      case 'hidden':
        return next();
      case 'refused':
        response.set({ 'Cache-Control': 'no-store', 'WWW-Authenticate': 'Bearer' });
        return refuse(response, 401, refusal);
      case 'admitted':
        if (!['GET', 'HEAD'].includes(request.method)) return refuseMethod(response, 'GET, HEAD');
        return writeMetrics(scrape, response);
    }
  };
}

const refusal =
  'This is not the metrics token: send "Authorization: Bearer", then METRICS_TOKEN or CONTROL_TOKEN.';

async function writeMetrics(scrape: MetricsPageOptions['scrape'], response: Response): Promise<void> {
  const { contentType, text } = await scrape();
  response.set({ 'Cache-Control': 'no-store', 'Content-Type': contentType });
  // Node's own end: express's send would rewrite the type's parameters.
  response.end(text);
}
