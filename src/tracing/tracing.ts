/** Traces by OpenTelemetry, sent by OTLP over HTTP. Loaded only where a collector is configured. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { context, propagation, trace } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Telemetry } from 'bullmq';
import type { Log } from '../core/ports.ts';
import type { Send } from '../core/wire.ts';
import { traceCalls } from './call.ts';
import { createTelemetry } from './jobs.ts';
import { sayOutages } from './outage.ts';
import { tracePushes } from './push.ts';

export interface Tracing {
  /** For BullMQ's queues and workers. */
  telemetry: Telemetry;
  /** The same requests, each in a span, and with a `traceparent` that names it. */
  call: (send: Send) => Send;
  /** The same work on a push, in a span that begins a trace. */
  push: <Request extends IncomingMessage, Response extends ServerResponse>(
    take: (request: Request, response: Response) => Promise<void>,
  ) => (request: Request, response: Response) => Promise<void>;
  /** Sends what is not sent yet, for as long as the collector takes. Never rejects. */
  stop: () => Promise<void>;
}

export interface TracingOptions {
  /** Where the collector takes traces. Headers, certificates, sampling: the `OTEL_…` variables, as the SDK reads them. */
  url: string;
  serviceName: string;
  log: Log;
}

/** One at a time in a process: bullmq-otel looks for it among OpenTelemetry's globals. */
export function startTracing({ url, serviceName, log }: TracingOptions): Tracing {
  const resource = defaultResource()
    .merge(resourceFromAttributes({ 'service.name': serviceName }))
    .merge(detectResources({ detectors: [envDetector] }));
  const exporter = sayOutages(new OTLPTraceExporter({ url }), log);
  const provider = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] });
  provider.register();
  const tracer = provider.getTracer('keeptyping');
  return {
    telemetry: createTelemetry(),
    call: (send) => traceCalls(tracer, send),
    push: (take) => tracePushes(tracer, take),
    stop: async () => {
      for (const api of [trace, context, propagation]) api.disable();
      await provider.shutdown().catch(() => undefined);
    },
  };
}
