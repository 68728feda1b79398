import { SpanKind, SpanStatusCode, type Attributes, type Span, type Tracer } from '@opentelemetry/api';
import { NoAnswer, type Answer, type HeaderLines, type OutboundRequest, type Send } from '../core/wire.ts';

/** Calls of the bot, each in a client span, which the bot learns by `traceparent`. The body stays as it is. */
export function traceCalls(tracer: Tracer, send: Send): Send {
  return (request) =>
    tracer.startActiveSpan(
      `${request.method} bot`,
      { kind: SpanKind.CLIENT, attributes: attributesOf(request) },
      (span) => exchange(span, send, request),
    );
}

async function exchange(span: Span, send: Send, request: OutboundRequest): Promise<Answer> {
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
