import { request as requestHttp, type Agent, type ClientRequest, type RequestOptions } from 'node:http';
import { request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

/** One account's API: the only address that its calls go to. */
export interface Api {
  host: string;
  /** A call on which nothing moves for so long fails with ETIMEDOUT (ms). */
  idleMs: number;
  /** @throws Error when a header line cannot be written */
  start(request: { method: string; target: string; headers: string[] }): ClientRequest;
}

export function createApi(base: string, { agent, idleMs }: { agent: Agent; idleMs: number }): Api {
  const url = new URL(base);
  const basePath = url.pathname.replace(/\/+$/, '');
  const { protocol, hostname, port } = urlToHttpOptions(url);
  const connection: RequestOptions = { protocol, hostname, port, agent, timeout: idleMs };
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return {
    host: url.host,
    idleMs,
    start: ({ method, target, headers }) => {
      const path = `${basePath}${target}`;
      const slash = path.startsWith('/') ? '' : '/';
      return withLimits(request({ ...connection, method, path: `${slash}${path}`, headers }));
    },
  };
}

function withLimits(outgoing: ClientRequest): ClientRequest {
  return outgoing
    .once('timeout', () => outgoing.destroy(coded('ETIMEDOUT')))
    .once('proxyConnect', ({ statusCode }: { statusCode: number }) => {
      if (statusCode !== 200) outgoing.destroy(coded('ERR_PROXY_REFUSED'));
    });
}

function coded(code: string): Error {
  return Object.assign(new Error('the call to the API was given up'), { code });
}
