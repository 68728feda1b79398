import type { IncomingMessage } from 'node:http';

type Asked = Pick<IncomingMessage, 'headers'> & { socket: { remoteAddress?: string | undefined } };

/** What a proxy in front of us adds: behind one, every caller comes from this machine. */
const forwarded = ['forwarded', 'via', 'x-real-ip'];

/**
 * Whether a program on this machine asks, by a name of this machine. A web page may lead its own name to this machine
 * (DNS rebinding), and its visitors' browsers would ask from here: the Host header tells.
 */
export function isFromHere({ socket, headers }: Asked): boolean {
  const proxied = Object.keys(headers).some(
    (name) => forwarded.includes(name) || name.startsWith('x-forwarded-'),
  );
  return !proxied && isLoopback(socket.remoteAddress ?? '') && namesLoopback(headers.host ?? '');
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/i.test(address);
}

function namesLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/i.test(host);
}
