import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Place } from '../core/roster.ts';

/** Who may use the gateway. `keys`: any of them stands in the URL's path. */
export type GatewayAccess =
  | { by: 'key'; keys: readonly string[] }
  | { by: 'place'; admits: (request: IncomingMessage) => boolean }
  | { by: 'nobody' };

type GatewayRoute<Base> =
  /** `path`: below the API's base, as it came; `query`: with its "?", as it came. */
  | { is: 'route'; base: Base; path: string; query: string }
  | { is: 'refusal'; status: 400 | 404; error: string; isGuess?: boolean };

interface Routes<Base> {
  access: GatewayAccess;
  /** null: there is none. */
  baseOf: (place: Place) => Base | null;
}

/** One answer to all: whoever guesses learns nothing. */
const nothing = { is: 'refusal', status: 404, error: 'There is nothing at this path.' } as const;

/** Which API a request is for. What is behind a wrong key or an unknown account is told to nobody. */
export function routeOf<Base>(
  { access, baseOf }: Routes<Base>,
  request: IncomingMessage,
): GatewayRoute<Base> {
  const url = urlOf(request);
  if (!url.startsWith('/')) return refusal('The request names a whole URL: ask for its path alone.');
  const { key, channel, account, path, query } = partsOf(url, access.by === 'key');
  if (!isAllowed(access, key, request)) return { ...nothing, isGuess: access.by === 'key' };
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

function refusal(error: string): GatewayRoute<never> {
  return { is: 'refusal', status: 400, error };
}

const openPath = /^\/gateway()\/([^/?]+)\/([^/?]+)([^?]*)(.*)$/s;
const keyed = /^\/gateway\/([^/?]+)\/([^/?]+)\/([^/?]+)([^?]*)(.*)$/s;

function partsOf(url: string, hasKey: boolean) {
  const [, key = '', channel = '', account = '', path = '', query = ''] =
    (hasKey ? keyed : openPath).exec(url) ?? [];
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

/** More layers of encoding than anybody writes by accident. */
const layers = 4;

/**
 * Why a path might lead elsewhere than below the API's base, in one sentence; null when it cannot. It travels on as it
 * came, so whatever any server on its way may make of it counts: each layer of percent-encoding, `\` for `/`,
 * `..;` for `..`. https://www.rfc-editor.org/rfc/rfc3986#section-5.2.4
 */
export function pathFault(path: string): string | null {
  if (!isWellFormed(path)) return 'The path holds a malformed percent-encoding: write UTF-8 as %XX.';
  let text = path;
  for (let layer = 0; layer <= layers; layer += 1) {
    const fault = faultOf(text);
    if (fault !== null) return fault;
    const decoded = decodeOnce(text);
    if (decoded === text) return null;
    text = decoded;
  }
  return 'The path is percent-encoded many times over: encode it once.';
}

function faultOf(text: string): string | null {
  if (text.includes('\\')) return 'The path holds a backslash: write / instead.';
  if (/[^ -~\u0080-\uffff]/.test(text)) return 'The path holds a control character: leave it out.';
  if (/(?:^|\/)\.{1,2}(?:;[^/]*)?(?:\/|$)/.test(text))
    return 'The path holds a segment "." or "..": write the whole path.';
  return null;
}

/** Not malformed, and UTF-8: longer spellings of a dot are none. */
function isWellFormed(path: string): boolean {
  try {
    decodeURIComponent(path);
    return true;
  } catch {
    return false;
  }
}

/** Byte by byte: what cannot be decoded stays, and hides nothing beside it. */
function decodeOnce(text: string): string {
  return text.replace(/%([\da-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
