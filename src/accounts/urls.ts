/** URLs of an account that is set at run time: where they lead. The connections are held to the same (src/http/confine.ts). */
import { isIP } from 'node:net';
import { reachOf, type Reach } from './addresses.ts';
import type { Fields } from './record.ts';

export interface UrlRules {
  /** This machine and its network may be reached. */
  allowPrivate: boolean;
  /** The addresses of a name; none: nobody knows it now. Never rejects. */
  resolve: (name: string) => Promise<readonly string[]>;
}

const urlFields = ['botUrl', 'apiBase', 'accessTokenUrl'] as const;

/** What is wrong with those that name an address themselves, in whatever spelling: a URL writes them all in one. */
export function literalFaults(fields: Fields, { allowPrivate }: Pick<UrlRules, 'allowPrivate'>): string[] {
  return hostsOf(fields).flatMap(({ field, host }) =>
    isIP(host) === 0 ? [] : faultOf(field, [host], allowPrivate),
  );
}

/** …and with those whose name leads there now. A name that is not known yet may be so tomorrow. */
export async function urlFaults(fields: Fields, { allowPrivate, resolve }: UrlRules): Promise<string[]> {
  const found = hostsOf(fields).map(async ({ field, host }) =>
    faultOf(field, isIP(host) === 0 ? await resolve(host) : [host], allowPrivate),
  );
  return (await Promise.all(found)).flat();
}

export function allowsAddress(allowPrivate: boolean): (address: string) => boolean {
  return (address) => isAllowed(reachOf(address), allowPrivate);
}

function isAllowed(reach: Reach, allowPrivate: boolean): boolean {
  return reach === 'public' || (reach === 'private' && allowPrivate);
}

function faultOf(field: string, addresses: readonly string[], allowPrivate: boolean): string[] {
  const refused = addresses.map(reachOf).filter((reach) => !isAllowed(reach, allowPrivate));
  if (refused.length === 0) return [];
  const mends = refused.includes('never') ? '' : ', or set ALLOW_PRIVATE_URLS=1';
  return [`${field} leads to an address that may not be set at run time: use a public one${mends}`];
}

function hostsOf(fields: Fields): { field: string; host: string }[] {
  return urlFields.flatMap((field) => {
    const url = fields[field];
    if (typeof url !== 'string' || !URL.canParse(url)) return [];
    return [{ field, host: new URL(url).hostname.replace(/^\[|\]$/g, '') }];
  });
}
