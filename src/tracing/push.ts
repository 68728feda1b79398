import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';

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
