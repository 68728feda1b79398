/** How a request's lines come onto the wire: as the caller has them. axios would sort, merge and rename them. */
import {
  request as requestHttp,
  type ClientRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import { request as requestHttps } from 'node:https';
import type { HeaderLines, OutboundRequest } from '../core/wire.ts';

/** axios's seam to node:http. */
export interface Transport {
  request(options: RequestOptions, answered: (answer: IncomingMessage) => void): ClientRequest;
}

/** The proxy did not open a tunnel: the request itself never left. */
export const PROXY_REFUSED = 'ERR_PROXY_REFUSED';

/** Sends the request's own header lines, in their order, and its query unchanged; only what HTTP needs is added. */
export function createTransport(request: OutboundRequest): Transport {
  const lines = headerLinesOf(request).flat();
  return {
    request: (options, answered) => {
      const start = options.protocol === 'https:' ? requestHttps : requestHttp;
      const path = pathOf(request.url);
      const outgoing = start({ ...options, path, headers: lines }, answered);
      return outgoing.once('proxyConnect', ({ statusCode }: { statusCode: number }) => {
        if (statusCode !== 200) outgoing.destroy(proxyRefused(statusCode));
      });
    },
  };
}

/** https://url.spec.whatwg.org/#query-state writes some characters another way: the query is taken as it is. */
function pathOf(url: string): string {
  const { pathname, search } = new URL(url);
  const mark = url.indexOf('?');
  const query = mark < 0 ? '' : url.slice(mark);
  return `${pathname}${/^[!-~]*$/.test(query) ? query : search}`;
}

function headerLinesOf({ url, method, headers, body }: OutboundRequest): HeaderLines {
  const has = (wanted: string): boolean => headers.some(([name]) => name.toLowerCase() === wanted);
  const { host, username, password } = new URL(url);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const signIn = credentials !== ':' && !has('authorization');
  const bare = (body === null && ['GET', 'HEAD'].includes(method)) || has('content-length');
  return [
    ...(has('host') ? [] : [['Host', host] as const]),
    ...headers,
    ...(signIn ? [['Authorization', `Basic ${Buffer.from(credentials).toString('base64')}`] as const] : []),
    ...(bare ? [] : [['Content-Length', String(Buffer.byteLength(body ?? ''))] as const]),
  ];
}

function proxyRefused(status: number): Error {
  return Object.assign(new Error(`the proxy answered CONNECT with ${status}`), { code: PROXY_REFUSED });
}
