import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/index.ts';
import type { Observe } from '../core/notice.ts';
import type { Clock } from '../core/ports.ts';
import type { Place } from '../core/roster.ts';

/** `hidden`: there is nothing here for this caller; it is told so as of any path that leads nowhere. */
type Admission = 'admitted' | 'refused' | 'hidden';

/** As much of a request as tells who asks. */
export type Caller = Pick<IncomingMessage, 'headers' | 'httpVersion' | 'socket'>;

export type Guard = (request: Caller) => Admission;

export interface GuardOptions {
  /** Any of them is accepted as `Authorization: Bearer …`: the current one and, during a rotation, the previous. */
  tokens: readonly string[];
  /** Who may come where there is no token: programs on this machine (the demo), or nobody. */
  open: 'loopback' | 'never';
  /** Is told when it was not the current one. @default nobody */
  sawPrevious?: () => void;
}

/** Decides who may use the operator's routes. */
export function createGuard({ tokens, open, sawPrevious }: GuardOptions): Guard {
  const digests = tokens.map((token) => digestOf(token));
  if (digests.length > 0)
    return ({ headers }) => {
      const which = whichIsHeld(headers, digests);
      if (which > 0) sawPrevious?.();
      return which < 0 ? 'refused' : 'admitted';
    };
  return (request) => (open === 'loopback' && isFromHere(request) ? 'admitted' : 'hidden');
}

/** Where the use of CONTROL_TOKEN_PREVIOUS is noted. */
export const controlToken = { channel: 'control', account: 'token' } as const satisfies Place;

/**
 * Who needs no token. That a caller is on this machine proves nothing where it matters: so is every proxy, tunnel and
 * forwarder that says nothing of itself, and the Host header is the caller's. Only the demo, which has nothing to
 * hide, takes it for enough.
 */
export function openTo({ demo, production }: Pick<Config, 'demo' | 'production'>): 'loopback' | 'never' {
  return demo && !production ? 'loopback' : 'never';
}

export interface OperatorGuardParts {
  config: Pick<Config, 'demo' | 'production' | 'controlTokens'>;
  clock: Pick<Clock, 'now'>;
  observe: Observe;
}

/**
 * Whoever has the control token; without one nobody, but in the demo this machine.
 * @param options.open Nobody without a token, where there is another one to ask for.
 */
export function operatorGuard(
  { config, clock, observe }: OperatorGuardParts,
  { open = openTo(config) }: { open?: 'never' | 'loopback' } = {},
): Guard {
  const sawPrevious = (): void => observe({ is: 'previous-secret', at: clock.now(), ...controlToken });
  return createGuard({ tokens: config.controlTokens, open, sawPrevious });
}

/** Who may read a worker's metrics: without a token of their own, whoever reaches that port. */
export function workerGuard({
  metricsToken,
  controlTokens,
}: Pick<Config, 'metricsToken' | 'controlTokens'>): Guard {
  if (metricsToken === null) return () => 'admitted';
  return createGuard({ tokens: [metricsToken, ...controlTokens], open: 'never' });
}

/** Admits whom any of them admits; there is something to refuse when any of them would. */
export function anyOf(...guards: readonly Guard[]): Guard {
  return (request) => {
    const admissions = guards.map((guard) => guard(request));
    if (admissions.includes('admitted')) return 'admitted';
    return admissions.includes('refused') ? 'refused' : 'hidden';
  };
}

/** Digests are of one length, and their comparison takes one time; so all are compared, whichever fits. */
function whichIsHeld({ authorization = '' }: IncomingMessage['headers'], digests: readonly Buffer[]): number {
  const [, token] = /^Bearer +(\S+) *$/i.exec(authorization) ?? [];
  // Node reads header bytes as latin1.
  const given = digestOf(Buffer.from(token ?? '', 'latin1'));
  const fits = digests.map((digest) => timingSafeEqual(digest, given));
  return token === undefined ? -1 : fits.indexOf(true);
}

function digestOf(token: string | Buffer): Buffer {
  return createHash('sha256').update(token).digest();
}

type Peer = Pick<IncomingMessage, 'headers'> & {
  httpVersion?: string;
  socket: { remoteAddress?: string | undefined };
};

/**
 * What a proxy or a CDN in front of us adds: behind one, every caller comes from this machine. The caller's address
 * goes by many names: X-Real-IP, X-Client-IP, True-Client-IP, CF-Connecting-IP, X-Cluster-Client-IP, Fly-Client-IP…
 */
const forwarded =
  /^(?:forwarded|via|cdn-loop|cf-.*|.*[-_](?:real|client|connecting|remote)[-_]?ip|x[-_](?:forwarded|original|envoy|remote|host).*)$/;

/**
 * Whether a program on this machine asks, by a name of this machine. A web page may lead its own name to this machine
 * (DNS rebinding), and its visitors' browsers would ask from here: the Host header tells. A bare nginx says nothing of
 * itself; before 1.29.7 it speaks HTTP/1.0.
 */
export function isFromHere({ socket, headers, httpVersion = '1.1' }: Peer): boolean {
  const proxied = Object.keys(headers).some((name) => forwarded.test(name));
  return (
    httpVersion !== '1.0' &&
    !proxied &&
    isLoopback(socket.remoteAddress ?? '') &&
    namesLoopback(headers.host ?? '')
  );
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/i.test(address);
}

function namesLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
}
