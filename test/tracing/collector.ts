/** A collector of traces, as far as OTLP over HTTP goes: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listen } from '../http/wire.ts';

interface OtlpValue {
  stringValue?: string;
  intValue?: number;
}

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  attributes: { key: string; value: OtlpValue }[];
}

interface OtlpRequest {
  resourceSpans: {
    resource: { attributes: { key: string; value: OtlpValue }[] };
    scopeSpans: { spans: OtlpSpan[] }[];
  }[];
}

export interface Collector {
  /** Where it takes traces. */
  url: string;
  /** What arrived, as it arrived. */
  texts: string[];
  spans(): OtlpSpan[];
  resource(): Record<string, string | undefined>;
  /** What it has not answered, and nobody has given up. */
  waiting(): number;
  server: Server;
}

export async function startCollector(answers: 'takes' | 'refuses' | 'hangs' = 'takes'): Promise<Collector> {
  const texts: string[] = [];
  let waiting = 0;
  const wait = (response: ServerResponse): void => {
    waiting += 1;
    response.once('close', () => (waiting -= 1));
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    texts.push(await textOf(request));
    if (answers === 'hangs') return wait(response);
    response.writeHead(answers === 'takes' ? 200 : 400, { 'content-type': 'application/json' }).end('{}');
  };
  const server = createServer((request, response) => {
    void take(request, response);
  });
  const url = await listen(server);
  const requests = () => texts.map((text) => JSON.parse(text) as OtlpRequest);
  const all = () => requests().flatMap(({ resourceSpans }) => resourceSpans);
  return {
    url: `${url}/v1/traces`,
    texts,
    waiting: () => waiting,
    server,
    spans: () => all().flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    resource: () => {
      const attributes = all().flatMap(({ resource }) => resource.attributes);
      return Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue]));
    },
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
