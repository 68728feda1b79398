import type { RequestHandler } from 'express';
import type { Config } from '../config/index.ts';
import { anyOf, createGuard, type Guard } from '../http/guard.ts';
import { createMetricsPage } from '../http/metrics.ts';
import { operatorGuard } from './operator-guard.ts';
import type { Parts } from './parts.ts';

/** `/metrics` of a web process. */
export function openMetricsPage(parts: Parts): RequestHandler {
  const { config, metrics } = parts;
  const tokens = config.metricsToken === null ? [] : [config.metricsToken];
  const control = operatorGuard(parts, tokens.length > 0 ? { open: 'never' } : {});
  const guard = anyOf(createGuard({ tokens, open: 'never' }), control);
  return createMetricsPage({ guard, scrape: metrics.scrape });
}

/** Who may read a worker's metrics: without a token of their own, whoever reaches that port. */
export function workerGuard({ metricsToken, controlTokens }: Config): Guard {
  if (metricsToken === null) return () => 'admitted';
  return createGuard({ tokens: [metricsToken, ...controlTokens], open: 'never' });
}
