import type { RequestHandler } from 'express';
import type { Config } from '../config/index.ts';
import { anyOf, createGuard, type Guard } from '../http/guard.ts';
import { createMetricsPage } from '../http/metrics.ts';
import { controlToken } from './control.ts';
import type { Parts } from './parts.ts';

/** `/metrics` of a web process. */
export function openMetricsPage({ config, saw, metrics }: Parts): RequestHandler {
  const tokens = config.metricsToken === null ? [] : [config.metricsToken];
  const open = config.production || tokens.length > 0 ? 'never' : 'loopback';
  const sawPrevious = (): void => saw(controlToken, ['previous-secret']);
  const guard = anyOf(
    createGuard({ tokens, open: 'never' }),
    createGuard({ tokens: config.controlTokens, open, sawPrevious }),
  );
  return createMetricsPage({ guard, scrape: metrics.scrape });
}

/** Who may read a worker's metrics: without a token of their own, whoever reaches that port. */
export function workerGuard({ metricsToken, controlTokens }: Config): Guard {
  if (metricsToken === null) return () => 'admitted';
  return createGuard({ tokens: [metricsToken, ...controlTokens], open: 'never' });
}
