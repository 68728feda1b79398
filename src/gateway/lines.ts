import type { IncomingMessage } from 'node:http';
import { endToEnd } from '../core/bot.ts';
import { type HeaderLines, pairs } from '../core/wire.ts';

/** Methods whose requests have no body unless they say so; others without a body say a length of 0. */
const mostlyBare = ['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'];

/** The bot's header lines for the API, flat as Node takes them: in order, as spelled, for the API's own host. */
export function requestLines(request: IncomingMessage, host: string): string[] {
  const lines = kept(request.rawHeaders, ['host', 'content-length', 'transfer-encoding']).map(
    ([name, value]) => [name, name.toLowerCase() === 'host' ? host : value] as const,
  );
  if (request.headers.host === undefined) lines.unshift(['Host', host]);
  if (isBare(request) && !mostlyBare.includes(request.method ?? '')) lines.push(['Content-Length', '0']);
  return lines.flat();
}

/** The API's header lines for the bot. Node cuts a body of unsaid length into chunks again. */
export function answerLines(answer: IncomingMessage): string[] {
  return kept(answer.rawHeaders, ['content-length']).flat();
}

/** The request says of no body. */
export function isBare({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] === undefined && headers['content-length'] === undefined;
}

/** The lines that travel on, and these, whatever `Connection` says of them. */
function kept(rawHeaders: readonly string[], framing: readonly string[]): HeaderLines[number][] {
  const lines = pairs(rawHeaders);
  const onward = new Set(endToEnd(lines));
  return lines.filter((line) => onward.has(line) || framing.includes(line[0].toLowerCase()));
}
