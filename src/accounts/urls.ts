/** URLs of an account that is set at run time: where they lead. The connections are held to the same (src/http/confine.ts). */
import { BlockList, isIP } from 'node:net';
import type { Fields } from '../core/wire.ts';

interface UrlRules {
  /** The fields that hold URLs. */
  urls: readonly string[];
  /** This machine and its network may be reached. */
  allowPrivate: boolean;
  /** The addresses of a name; none: nobody knows it now. Never rejects. */
  resolve: (name: string) => Promise<readonly string[]>;
}

/** What is wrong with those that name an address themselves, in whatever spelling: a URL writes them all in one. */
export function literalFaults(
  fields: Fields,
  { urls, allowPrivate }: Pick<UrlRules, 'urls' | 'allowPrivate'>,
): string[] {
  return hostsOf(fields, urls).flatMap(({ field, host }) =>
    isIP(host) === 0 ? [] : addressFaults(field, [host], allowPrivate),
  );
}

/** …and with those whose name leads there now. A name that is not known yet may be so tomorrow. */
export async function urlFaults(
  fields: Fields,
  { urls, allowPrivate, resolve }: UrlRules,
): Promise<string[]> {
  const found = hostsOf(fields, urls).map(async ({ field, host }) =>
    addressFaults(field, isIP(host) === 0 ? await resolve(host) : [host], allowPrivate),
  );
  return (await Promise.all(found)).flat();
}

export function allowsAddress(allowPrivate: boolean): (address: string) => boolean {
  return (address) => isAllowed(reachOf(address), allowPrivate);
}

function isAllowed(reach: AddressKind, allowPrivate: boolean): boolean {
  return reach === 'public' || (reach === 'private' && allowPrivate);
}

function addressFaults(field: string, addresses: readonly string[], allowPrivate: boolean): string[] {
  const refused = addresses.map(reachOf).filter((reach) => !isAllowed(reach, allowPrivate));
  if (refused.length === 0) return [];
  const mends = refused.includes('never') ? '' : ', or set ALLOW_PRIVATE_URLS=1';
  return [`${field} leads to an address that may not be set at run time: use a public one${mends}`];
}

function hostsOf(fields: Fields, urls: readonly string[]): { field: string; host: string }[] {
  return urls.flatMap((field) => {
    const url = fields[field];
    if (typeof url !== 'string' || !URL.canParse(url)) return [];
    return [{ field, host: new URL(url).hostname.replace(/^\[|\]$/g, '') }];
  });
}

/**
 * Where a URL that came in at run time may lead. Whoever may add an account must not be able to speak, through us, to
 * what answers only this machine: https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
 */

/** `private`: this machine and its network. `never`: nothing that an operator can mean, or what hands out credentials. */
export type AddressKind = 'public' | 'private' | 'never';

/** https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-special-registry */
const neverAt = blockList([
  '0.0.0.0/8',
  '100.64.0.0/10', // carrier-grade NAT; 100.100.100.200: Alibaba Cloud's metadata
  '168.63.129.16/32', // Azure's own
  '169.254.0.0/16', // link-local; 169.254.169.254: metadata of most clouds
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23', // Teredo among others: it leads to any IPv4 address
  '2001:db8::/32',
  '3fff::/20',
  'fd00:ec2::/32', // metadata: AWS…
  'fd00:42::42/128', // …Scaleway…
  'fd00:c1::a9fe:a9fe/128', // …Oracle…
  'fd20:ce::254/128', // …Google
]);

const privateAt = blockList([
  '10.0.0.0/8',
  '127.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15', // networks for measuring; VPN clients hand such out for every name
  '::1/128',
  'fc00::/7',
  'fec0::/10',
]);

const unicast = blockList(['2000::/3']);

/** Of an IP address as a resolver or a URL writes it; of anything else `never`. Never throws. */
export function reachOf(written: string): AddressKind {
  const address = written.replace(/%.*$/, '');
  switch (isIP(address)) {
    case 4:
      return listed(address, 'ipv4') ?? 'public';
    case 6:
      return listed(address, 'ipv6') ?? reachOfIpv6(address);
    default:
      return 'never';
  }
}

function listed(address: string, family: 'ipv4' | 'ipv6'): AddressKind | null {
  if (neverAt.check(address, family)) return 'never';
  return privateAt.check(address, family) ? 'private' : null;
}

function reachOfIpv6(address: string): AddressKind {
  const inside = embedded(groupsOf(address));
  if (inside !== null) return listed(inside, 'ipv4') ?? 'public';
  return unicast.check(address, 'ipv6') ? 'public' : 'never';
}

/** IPv4-mapped, translated (RFC 2765) and compatible addresses, and NAT64 (RFC 6052). */
const beforeIpv4: readonly string[] = ['0:0:0:0:0:ffff', '0:0:0:0:ffff:0', '0:0:0:0:0:0', '64:ff9b:0:0:0:0'];

/** The IPv4 address that an IPv6 address leads to; in 6to4 (RFC 3056) it stands after the first group. */
function embedded(groups: readonly number[]): string | null {
  const start = groups.slice(0, 6).map((group) => group.toString(16));
  if (beforeIpv4.includes(start.join(':'))) return ipv4Of(groups.slice(6));
  return groups[0] === 0x2002 ? ipv4Of(groups.slice(1, 3)) : null;
}

function ipv4Of(groups: readonly number[]): string {
  return groups.flatMap((group) => [group >> 8, group & 0xff]).join('.');
}

/** Its eight groups; a URL writes every spelling in one way. */
function groupsOf(address: string): number[] {
  const written = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [left = [], right = []] = written.split('::').map((half) => half.split(':').filter(Boolean));
  const zeros = Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16));
}

function blockList(subnets: readonly string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [address = '', length = ''] = subnet.split('/');
    list.addSubnet(address, Number(length), address.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}
