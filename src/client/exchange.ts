import type { ClientRequest, IncomingMessage, RequestOptions, request as requestHttp } from 'node:http';

export interface Call {
  method: 'PUT' | 'DELETE';
  path: string;
  body?: object;
}

export interface Reply {
  status: number;
  /** The answer's JSON; null where there is none. */
  body: unknown;
}

/** No whole answer came. */
export class NoReply extends Error {
  /** Whether the call may have been carried out. */
  readonly begun: boolean;
  /** The other side closed an idle connection just as this call went out on it. */
  readonly stale: boolean;

  constructor(cause: Error, { begun, stale }: { begun: boolean; stale: boolean }) {
    super(cause.message || codeOf(cause), { cause });
    this.begun = begun;
    this.stale = stale;
  }
}

export interface Line {
  request: typeof requestHttp;
  options: RequestOptions;
  headers: Record<string, string>;
  /** For the whole call, from the wait for a connection to the last byte of the answer (ms). */
  timeoutMs: number;
  /** How to break off each call that is under way. */
  underWay: Set<(reason: Error) => void>;
}

/** Answers of the control API have some hundred bytes: more comes from something else. */
const answerLimit = 64 * 1024;

/**
 * Makes one call.
 *
 * @throws {NoReply} when no whole answer came in time
 */
export function exchange(line: Line, call: Call): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const request = open(line, call);
    const begun = watchBeginning(request);
    const fail = (error: Error): void => {
      end();
      const stale = request.reusedSocket && codeOf(error) === 'ECONNRESET';
      reject(new NoReply(error, { begun: begun(), stale }));
      request.destroy();
    };
    const late = new Error(`no answer within ${line.timeoutMs} ms (timeoutMs)`);
    const timer = setTimeout(fail, line.timeoutMs, late);
    const end = (): void => {
      clearTimeout(timer);
      line.underWay.delete(fail);
    };
    line.underWay.add(fail);
    request.once('response', (answer) => void read(answer).then(resolve, fail).finally(end));
    request.on('error', fail);
  });
}

function open(line: Line, { method, path, body }: Call): ClientRequest {
  const text = body === undefined ? '' : JSON.stringify(body);
  const headers = {
    ...line.headers,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    'content-length': Buffer.byteLength(text),
  };
  return line.request({ ...line.options, method, path, headers }).end(text);
}

/** Nothing of a request leaves before its connection stands. */
function watchBeginning(request: ClientRequest): () => boolean {
  let begun = false;
  const begin = (): void => {
    begun = true;
  };
  request.once('socket', (socket) => {
    if (socket.connecting) socket.once('encrypted' in socket ? 'secureConnect' : 'connect', begin);
    else begin();
  });
  return () => begun;
}

async function read(answer: IncomingMessage): Promise<Reply> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const chunk of answer as AsyncIterable<string>) {
    text += chunk;
    if (text.length > answerLimit) throw new Error('the answer is too long for keeptyping: check the url');
  }
  return { status: answer.statusCode ?? 0, body: parse(text) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Node's code for a failed connection; several failed addresses have no other text. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
