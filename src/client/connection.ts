import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  request as requestHttp,
  type RequestOptions,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

export interface ConnectionOptions {
  url: string;
  token: string | undefined;
  /** For one call (ms). */
  timeoutMs: number;
}

export interface Connection {
  /**
   * Makes one call.
   *
   * @throws {NoReply} when no whole answer came in time
   */
  call(call: Call): Promise<Reply>;
  /** Cuts what is under way; later calls fail. */
  cut(): void;
}

/** All users share these: a keeptyping that hangs does not fill the bot with sockets. */
const maxSockets = 50;
/** Node's servers close an idle connection after 5 s. Ours goes first, so that hardly a call meets the closing (ms). */
const idleMs = 4_000;

/**
 * HTTP to one keeptyping, over connections that stay open. An idle one keeps no process alive.
 *
 * @throws {TypeError} for options that no call could be made with
 */
export function createConnection({ url, token, timeoutMs }: ConnectionOptions): Connection {
  const base = baseOf(url);
  const pool = { keepAlive: true, timeout: idleMs, maxSockets };
  const secure = base.protocol === 'https:';
  const agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool);
  const line: Line = {
    request: secure ? requestHttps : requestHttp,
    options: { ...urlToHttpOptions(base), agent },
    headers: authorizationOf(token),
    timeoutMs: positive(timeoutMs),
    underWay: new Set(),
  };
  const folder = base.pathname.replace(/\/+$/, '');
  let isCut = false;
  return {
    call: async (call) => {
      if (isCut) throw new Error('the client is closed');
      return exchangeTwice(line, { ...call, path: `${folder}${call.path}` });
    },
    cut: () => {
      isCut = true;
      line.underWay.forEach((fail) => fail(new Error('the client is closed')));
      agent.destroy();
    },
  };
}

/** Every call of the control API may be made twice, so one that met a connection's closing goes out again on a new one. */
async function exchangeTwice(line: Line, call: Call): Promise<Reply> {
  try {
    return await exchange(line, call);
  } catch (error) {
    if (!(error instanceof NoReply) || !error.stale) throw error;
    return exchange({ ...line, options: { ...line.options, agent: false } }, call);
  }
}

function baseOf(url: string): URL {
  const base = URL.canParse(url) ? new URL(url) : null;
  if (base === null || !['http:', 'https:'].includes(base.protocol)) {
    throw new TypeError(
      'url is no http(s) URL: pass the address of keeptyping, such as http://127.0.0.1:3000.',
    );
  }
  if (`${base.username}${base.password}${base.search}${base.hash}` !== '') {
    throw new TypeError('url holds more than an address: pass the control token as token.');
  }
  return base;
}

function authorizationOf(token: string | undefined): Record<string, string> {
  if (token === undefined || token === '') return {};
  if (/^[!-~]+$/.test(token)) return { authorization: `Bearer ${token}` };
  throw new TypeError(
    'token holds what no HTTP header carries, perhaps a line end: pass CONTROL_TOKEN as it is.',
  );
}

function positive(timeoutMs: number): number {
  if (timeoutMs > 0 && timeoutMs <= 60_000) return timeoutMs;
  throw new TypeError('timeoutMs is out of range: pass milliseconds, more than 0 and at most 60000.');
}

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

interface Line {
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
function exchange(line: Line, call: Call): Promise<Reply> {
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
