import type { IncomingMessage } from 'node:http';

type Asked = Pick<IncomingMessage, 'headers'> & {
  httpVersion?: string;
  socket: { remoteAddress?: string | undefined };
};

/** What a proxy in front of us adds: behind one, every caller comes from this machine. */
const forwarded = ['forwarded', 'via', 'x-real-ip'];

/**
 * Whether a program on this machine asks, by a name of this machine. A web page may lead its own name to this machine
 * (DNS rebinding), and its visitors' browsers would ask from here: the Host header tells. A bare nginx says nothing of
 * itself, but speaks HTTP/1.0.
 */
export function isFromHere({ socket, headers, httpVersion = '1.1' }: Asked): boolean {
  const proxied = Object.keys(headers).some(
    (name) => forwarded.includes(name) || name.startsWith('x-forwarded-'),
  );
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
