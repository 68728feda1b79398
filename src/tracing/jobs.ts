/** What BullMQ says of jobs, as spans without anything that says who or what. */
import {
  SpanKind,
  TelemetryAttributes as Of,
  type Attributes,
  type Exception,
  type Span,
  type Telemetry,
} from 'bullmq';
import { BullMQOtel } from 'bullmq-otel';

/** Spans of jobs that are added and worked off; each job carries its trace (some 80 bytes of its options in Redis). */
export function createTelemetry(): Telemetry {
  const { tracer, contextManager } = new BullMQOtel({ tracerName: 'keeptyping' });
  return {
    contextManager,
    tracer: {
      startSpan: (name, options, context) =>
        // The workers' own rounds, each second and without end.
        options?.kind === SpanKind.INTERNAL ? unseen : discreet(tracer.startSpan(name, options, context)),
    },
  };
}

/** What happens inside belongs to the span around it. */
const unseen: Span = {
  setSpanOnContext: (context: unknown) => context,
  setAttribute: () => {},
  setAttributes: () => {},
  addEvent: () => {},
  recordException: () => {},
  end: () => {},
};

const jobId: string = Of.JobId;

/** Job options hold the ids of messages; a result is ours to say elsewhere. */
const keptAttributes: readonly string[] = [
  Of.QueueName,
  Of.QueueOperation,
  Of.JobName,
  jobId,
  Of.JobAttemptsMade,
  Of.JobProcessedTimestamp,
  Of.JobAttemptFinishedTimestamp,
];

function discreet(span: Span): Span {
  const tell = (attributes: Attributes): void => {
    const kept = Object.entries(attributes).filter(([key, value]) => isTold(key, value));
    span.setAttributes(Object.fromEntries(kept));
  };
  return {
    setSpanOnContext: (context: unknown): unknown => span.setSpanOnContext(context),
    setAttribute: (key, value) => tell({ [key]: value }),
    setAttributes: tell,
    addEvent: (name) => span.addEvent(name),
    // Its words may quote what it failed on.
    recordException: (exception, time) => span.recordException({ name: nameOf(exception) }, time),
    end: () => span.end(),
  };
}

/** A wake-up's id is a hash of its conversation, and of phone numbers there are not many: only numbers are told. */
function isTold(key: string, value: Attributes[string]): boolean {
  return keptAttributes.includes(key) && (key !== jobId || /^\d+$/.test(String(value)));
}

function nameOf(exception: Exception): string {
  return (typeof exception === 'string' ? undefined : exception.name) ?? 'Error';
}
