/**
 * Connections that may lead only to some addresses. The address is looked at when the connection is made: what a name
 * led to a moment ago says nothing (DNS rebinding).
 */
import type { LookupAddress, LookupOptions } from 'node:dns';
import { lookup } from 'node:dns/promises';
import type { Agent as HttpAgent } from 'node:http';
import { isIP, Socket, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import type { HttpsProxyAgent } from 'https-proxy-agent';

export interface Confinement {
  /** Whether an IP address may be connected to. */
  allows: (address: string) => boolean;
  /** All addresses of a name; rejects for one that nobody knows. @default as the machine resolves it */
  resolve?: (name: string, options: LookupOptions) => Promise<LookupAddress[]>;
}

/** The code of the error of a connection that was not made for its address. */
export const ADDRESS_REFUSED = 'ERR_ADDRESS_REFUSED';

/** Lets an agent connect only to such addresses, by whatever name. */
export function confine(agent: HttpAgent, confinement: Confinement): void {
  const connect = agent.createConnection.bind(agent);
  const lookup = createLookup(confinement);
  agent.createConnection = (options, callback) => {
    const literal = literalOf(options.host);
    if (literal === null || confinement.allows(literal)) return connect({ ...options, lookup }, callback);
    callback?.(addressRefused(), new Socket());
    return null;
  };
}

/**
 * Behind a proxy it is the proxy that resolves the name, and perhaps to something else: what it leads to here is all
 * that can be looked at. A name that only the proxy knows passes.
 */
export function confineProxied<Uri extends string>(
  agent: HttpsProxyAgent<Uri>,
  { allows, resolve = resolveAll }: Confinement,
): void {
  const connect = agent.connect.bind(agent);
  agent.connect = async (request, options) => {
    const literal = literalOf(options.host);
    const found = literal === null ? await resolve(options.host ?? '', {}).catch(() => []) : [];
    const addresses = literal === null ? found.map(({ address }) => address) : [literal];
    if (!addresses.every(allows)) throw addressRefused();
    return connect(request, options);
  };
}

function resolveAll(name: string, options: LookupOptions): Promise<LookupAddress[]> {
  return lookup(name, { ...options, all: true });
}

function createLookup({ allows, resolve = resolveAll }: Confinement): LookupFunction {
  const resolveAllowed = callbackify(async (name: string, options: LookupOptions) => {
    const found = await resolve(name, options);
    // One that is not allowed is enough: such a name is nobody's bot.
    if (!found.every(({ address }) => allows(address))) throw addressRefused();
    return found;
  });
  return (name, options, callback) =>
    resolveAllowed(name, options, (error, found) =>
      error ? callback(error, []) : tell(found, options.all === true, callback),
    );
}

function tell(found: LookupAddress[], all: boolean, callback: Parameters<LookupFunction>[2]): void {
  const [first] = found;
  if (all || first === undefined) callback(null, found);
  else callback(null, first.address, first.family);
}

function literalOf(host: string | null | undefined): string | null {
  const bare = (host ?? '').replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? null : bare;
}

function addressRefused(): Error {
  const message = 'the URL leads to an address that an account which was set at run time may not reach';
  return Object.assign(new Error(message), { code: ADDRESS_REFUSED });
}
