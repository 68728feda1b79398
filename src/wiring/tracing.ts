import type { Config } from '../config/index.ts';
import type { Log } from '../core/ports.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { Releases } from './releases.ts';
import { limited } from './serving.ts';

/** A stopping process has better things to do than to wait for a collector that hangs (ms). */
const flushLimit = 2_000;

/** Traces, where the configuration names a collector; else its SDK is not even loaded. */
export async function openTracing(
  { traces }: Pick<Config, 'traces'>,
  { log, releases }: { log: Log; releases: Releases },
): Promise<Tracing | null> {
  if (traces === null) return null;
  const { startTracing } = await import('../tracing/tracing.ts');
  const tracing = startTracing({ ...traces, log });
  releases.add('traces', () => limited(tracing.stop(), flushLimit));
  return tracing;
}
