import type { SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Log } from '../core/ports.ts';

/** The same exporter; one line when the collector takes no spans any more, one when it does again. */
export function sayOutages(exporter: SpanExporter, log: Log): SpanExporter {
  let away = false;
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        const failed = result.error !== undefined;
        if (failed && !away) log.warn({}, lost);
        if (!failed && away) log.info({}, 'The collector takes traces again.');
        away = failed;
        done(result);
      }),
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  };
}

// Its own words may hold the URL, and with it a key.
const lost =
  'The collector takes no traces: look at OTEL_EXPORTER_OTLP_ENDPOINT, and whether it speaks OTLP over HTTP (port 4318). Nothing else suffers.';
