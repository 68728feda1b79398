import { Agent as HttpAgent, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { exchange, NoReply, type Call, type Line, type Reply } from './exchange.ts';

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
