import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Place } from '../core/roster.ts';
import { pathFault } from './path.ts';

/** Who may use the gateway. `keys`: any of them stands in the URL's path. */
export type GatewayAccess =
  | { by: 'key'; keys: readonly string[] }
  | { by: 'place'; admits: (request: IncomingMessage) => boolean }
  | { by: 'nobody' };

export type Route<Base> =
  /** `path`: below the API's base, as it came; `query`: with its "?", as it came. */
  | { is: 'route'; base: Base; path: string; query: string }
  | { is: 'refusal'; status: 400 | 404; error: string };

export interface Routes<Base> {
  access: GatewayAccess;
  /** null: there is none. */
  baseOf: (place: Place) => Base | null;
}

/** One answer to all: whoever guesses learns nothing. */
const nothing = { is: 'refusal', status: 404, error: 'There is nothing at this path.' } as const;

/** Which API a request is for. What is behind a wrong key or an unknown account is told to nobody. */
export function routeOf<Base>({ access, baseOf }: Routes<Base>, request: IncomingMessage): Route<Base> {
  const url = urlOf(request);
  if (!url.startsWith('/')) return refusal('The request names a whole URL: ask for its path alone.');
  const { key, channel, account, path, query } = partsOf(url, access.by === 'key');
  if (!isAllowed(access, key, request)) return nothing;
  const base = baseOf({ channel, account: decoded(account) });
  if (base === null) return nothing;
  if (url.includes('#')) return refusal('The URL holds a "#": write %23 instead.');
  const fault = pathFault(path);
  return fault === null ? { is: 'route', base, path, query } : refusal(fault);
}

/** express shortens the URL below its mounting point, and keeps it whole beside it. */
function urlOf(request: IncomingMessage): string {
  const whole = 'originalUrl' in request ? request.originalUrl : request.url;
  return typeof whole === 'string' ? whole : '';
}

function refusal(error: string): Route<never> {
  return { is: 'refusal', status: 400, error };
}

const open = /^\/gateway()\/([^/?]+)\/([^/?]+)([^?]*)(.*)$/s;
const keyed = /^\/gateway\/([^/?]+)\/([^/?]+)\/([^/?]+)([^?]*)(.*)$/s;

function partsOf(url: string, hasKey: boolean) {
  const [, key = '', channel = '', account = '', path = '', query = ''] =
    (hasKey ? keyed : open).exec(url) ?? [];
  return { key, channel, account, path, query };
}

function isAllowed(access: GatewayAccess, key: string, request: IncomingMessage): boolean {
  switch (access.by) {
    case 'key':
      return access.keys.some((each) => equalInConstantTime(decoded(key), each));
    case 'place':
      return access.admits(request);
    case 'nobody':
      return false;
  }
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return '';
  }
}

function equalInConstantTime(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return right.length > 0 && left.length === right.length && timingSafeEqual(left, right);
}
