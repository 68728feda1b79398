import type { IncomingMessage } from 'node:http';

export const foreign = 'Only the console’s own page may ask this.';

type Asked = Pick<IncomingMessage, 'headers'>;

/**
 * Whether our own page asks, for what changes something. Every browser says so by one of the two headers, and a page
 * of another site can set neither: https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site
 */
export function isFromPage({ headers }: Asked): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined) return site === 'same-origin';
  const { origin = '' } = headers;
  return URL.canParse(origin) && new URL(origin).host === headers.host;
}

/** For what is only read: nobody's page but ours, or a person who has typed the address, or a program. */
export function isFromElsewhere({ headers }: Asked): boolean {
  return !['same-origin', 'none', undefined].includes(headers['sec-fetch-site']);
}
