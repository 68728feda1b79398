import { createRequire } from 'node:module';
import { expect, test } from 'vitest';
import { createReleases } from '../../src/wiring/releases.ts';
import { openTracing } from '../../src/wiring/run.ts';
import { startWeb } from '../../src/wiring/web.ts';
import { startWorker } from '../../src/wiring/worker.ts';
import { recordLog } from '../support/log.ts';

/** OpenTelemetry's packages are CommonJS: Node keeps them here, whoever imports them. prom-client needs its bare API. */
function loaded(): string[] {
  const paths = Object.keys(createRequire(import.meta.url).cache);
  return paths.filter((path) => /@opentelemetry\/(?!api\/)|bullmq-otel/.test(path));
}

test('neither OpenTelemetry’s SDK nor its exporter is loaded until a collector is configured', async () => {
  expect([startWeb, startWorker]).toHaveLength(2); // What a process is made of is loaded.
  const releases = createReleases(() => {});
  const how = { log: recordLog(), releases };
  expect(await openTracing({ traces: null }, how)).toBe(null);
  expect(loaded()).toEqual([]);
  await openTracing({ traces: { url: 'http://127.0.0.1:9/v1/traces', serviceName: 'keeptyping' } }, how);
  expect(loaded().length).toBeGreaterThan(0);
  await releases.all();
});
