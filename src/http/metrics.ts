import type { RequestHandler, Response } from 'express';
import type { Guard } from './guard.ts';
import type { Guessed } from './guesses.ts';
import { refuse } from './respond.ts';
import { refuseMethod } from './webhook.ts';

interface MetricsPageOptions {
  guard: Guard;
  /** @default nobody who guesses waits */
  guessed?: Guessed;
  /** All metrics as text, and what kind of text. */
  scrape: () => Promise<{ contentType: string; text: string }>;
}

/** `GET /metrics`, for whom the guard admits. */
export function createMetricsPage({
  guard,
  scrape,
  guessed = async () => {},
}: MetricsPageOptions): RequestHandler {
  return async (request, response, next) => {
    switch (guard(request)) {
      case 'hidden':
        return next();
      case 'refused':
        await guessed(request);
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
