/** Traces by OpenTelemetry, sent by OTLP over HTTP. Loaded only where a collector is configured. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Attributes,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace-node';
import type { Telemetry } from 'bullmq';
import type { Log } from '../core/ports.ts';
import { type Answer, type HeaderLines, NoAnswer, type OutboundRequest, type Send } from '../core/wire.ts';
import { createTelemetry } from './jobs.ts';

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

/** Calls of the bot, each in a client span, which the bot learns by `traceparent`. The body stays as it is. */
export function traceCalls(tracer: Tracer, send: Send): Send {
  return (request) =>
    tracer.startActiveSpan(
      `${request.method} bot`,
      { kind: SpanKind.CLIENT, attributes: attributesOf(request) },
      (span) => tracedCall(span, send, request),
    );
}

async function tracedCall(span: Span, send: Send, request: OutboundRequest): Promise<Answer> {
  try {
    const answer = await send({ ...request, headers: withParent(request.headers, span) });
    span.setAttribute('http.response.status_code', answer.status);
    if (answer.status >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
    return answer;
  } catch (error) {
    const timedOut = error instanceof NoAnswer && error.timedOut;
    span.setAttribute('error.type', timedOut ? 'timeout' : 'no_answer');
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

/** Neither path nor query: a path may hold a key, and the query holds the user. */
function attributesOf({ method, url }: OutboundRequest): Attributes {
  const { hostname, port, protocol } = new URL(url);
  const usual = protocol === 'https:' ? 443 : 80;
  return {
    'http.request.method': method,
    'server.address': hostname,
    'server.port': port === '' ? usual : Number(port),
  };
}

/** https://www.w3.org/TR/trace-context/#traceparent-header; the platform's own one ends here. */
function withParent(headers: HeaderLines, span: Span): HeaderLines {
  const { traceId, spanId, traceFlags } = span.spanContext();
  const parent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`;
  return [...headers.filter(([name]) => name.toLowerCase() !== 'traceparent'), ['traceparent', parent]];
}

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

type Take<Request, Response> = (request: Request, response: Response) => Promise<void>;

/**
 * Pushes, each the beginning of a trace: its jobs and the calls of the bot hang on it. Whoever sends one does not say
 * whether it is traced, nor under which id.
 */
export function tracePushes<Request extends IncomingMessage, Response extends ServerResponse>(
  tracer: Tracer,
  take: Take<Request, Response>,
): Take<Request, Response> {
  return (request, response) =>
    tracer.startActiveSpan('push', { kind: SpanKind.SERVER, root: true }, async (span) => {
      try {
        await take(request, response);
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.setAttributes({
          'http.request.method': 'POST',
          'http.route': '/webhooks/:channel{/:account}',
          'http.response.status_code': response.statusCode,
        });
        span.end();
      }
    });
}
