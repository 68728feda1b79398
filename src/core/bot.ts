/** How a push travels on to the bot, and what the bot's failure means. */
import type { BotAnswer } from './platform.ts';
import type { Rules } from './rules.ts';
import type { Event } from './state.ts';
import {
  type Answer,
  type HeaderLines,
  headerOf,
  NoAnswer,
  type OutboundRequest,
  type RawPush,
} from './wire.ts';

/** https://www.rfc-editor.org/rfc/rfc9110#section-7.6.1, and what belongs to the connection that the push came on. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'content-length',
  'expect',
]);

/** The header lines that travel on: all but hop-by-hop ones and those that `Connection` names. */
export function endToEnd(headers: HeaderLines): HeaderLines {
  const named = headers
    .filter(([name]) => name.toLowerCase() === 'connection')
    .flatMap(([, value]) => value.split(',').map((token) => token.trim().toLowerCase()));
  return headers.filter(([name]) => !hopByHop.has(name.toLowerCase()) && !named.includes(name.toLowerCase()));
}

/**
 * Names in which we speak to the bot. To CGI and WSGI a `_` in them is a `-`:
 * https://www.rfc-editor.org/rfc/rfc3875#section-4.1.18
 */
const ours = /^(?:idempotency[-_]key|x[-_]keeptyping[-_].*)$/i;

/** The header lines that travel on to the bot: else whoever sends a webhook could speak in our name. */
export function toBot(headers: HeaderLines): HeaderLines {
  return endToEnd(headers).filter(([name]) => !ours.test(name));
}

interface BotCall {
  botUrl: string;
  push: RawPush;
  /** The push's key; the bot may use it to recognise a repeat. */
  key: string;
  /** 1 for the first call of the bot with this push. */
  attempt: number;
  timeoutMs: number;
}

/** The platform's own request, byte for byte: the bot's signature check passes. */
export function botRequest({ botUrl, push, key, attempt, timeoutMs }: BotCall): OutboundRequest {
  return {
    method: push.method,
    url: withQuery(botUrl, push.rawQuery),
    headers: [...toBot(push.headers), ['Idempotency-Key', key], ['X-Keeptyping-Attempt', String(attempt)]],
    body: push.body,
    timeoutMs,
  };
}

/** The bot URL's own query first, then the platform's as it came: its signature covers the values, not their order. */
export function withQuery(url: string, rawQuery: string): string {
  if (rawQuery === '') return url;
  return `${url}${url.includes('?') ? '&' : '?'}${rawQuery}`;
}

/** The bot gave no answer: the platform repeats its push, or tells its user. */
export const badGateway: Answer = { status: 502, headers: [], body: new Uint8Array() };

/** `safe`: only where the bot cannot have begun; `always`: also where it may have; `never`. */
export type BotRetry = 'safe' | 'always' | 'never';

export type BotVerdict = 'answered' | 'again' | 'failed';

/**
 * A router that has nobody to give a request to says so at once; one that answers 502 or 503 later has given it to a bot,
 * which may be at it still (ms). https://devcenter.heroku.com/articles/request-timeout
 */
const refusedAtOnce = 2_000;

/**
 * What a bot's answer, or the lack of one, means for its reply job. A timeout is never tried again.
 * @param tookMs how long the call took
 */
export function judgeBot(result: Answer | NoAnswer, retry: BotRetry, tookMs: number): BotVerdict {
  if (!(result instanceof NoAnswer) && result.status >= 200 && result.status < 300) return 'answered';
  if (retry === 'never') return 'failed';
  if (result instanceof NoAnswer) return again(!result.begun || (retry === 'always' && !result.timedOut));
  const isRefused = [502, 503].includes(result.status) && tookMs <= refusedAtOnce;
  return again(isRefused || (retry === 'always' && [500, 502, 503, 504].includes(result.status)));
}

/** What Node calls a fault, as people do. */
const faults: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ECONNRESET', 'connection reset'],
  ['ENOTFOUND', 'host not found'],
  ['EAI_AGAIN', 'host not found'],
  ['EHOSTUNREACH', 'host not reached'],
  ['ENETUNREACH', 'host not reached'],
]);

/** Why a call of the bot brought no answer that counts, for whoever looks after it. */
export function causeOf(result: Answer | NoAnswer, timeoutMs: number): string {
  if (!(result instanceof NoAnswer)) return `status ${result.status}`;
  if (result.timedOut) return `timed out after ${timeoutMs / 1000} s`;
  const known = faults.get(result.message);
  return known === undefined ? result.message : `${known} (${result.message})`;
}

/** Where a bot is, without what may be a secret: user, password and query. */
export function addressOf(botUrl: string): string {
  const { origin, pathname } = new URL(botUrl);
  return `${origin}${pathname}`;
}

function again(yes: boolean): BotVerdict {
  return yes ? 'again' : 'failed';
}

/**
 * Whether a platform that closes a delivery after `patience` (ms) would have delivered the push once more: the bot said
 * with an error of its own that it has no answer yet (a router's 502 to 504 are none), or nothing of use until after
 * that. What comes after the second such time no delivery would have lived to see.
 * https://github.com/langbot-app/LangBot answers 500 after 4.8 s, https://github.com/zhayujie/CowAgent `success` after 5 s.
 *
 * @param meaning null: it failed
 */
export function isDeliveredAgain(
  { status, meaning, tookMs }: { status: number; meaning: Meaning | null; tookMs: number },
  patience: number,
): boolean {
  if (meaning === null) return status === 500 && tookMs <= patience;
  return meaning === 'acknowledgement' && tookMs >= patience && tookMs <= 2 * patience;
}

/** A bot that cannot have begun is called so often in all… */
export const botAttempts = 3;
/** …with this between the calls (ms). */
export const botPause = 1_000;

/** What a bot's answer to a push means for the turns that the push opened. */

export type Meaning =
  /** It holds a message, which goes out now. */
  | 'message'
  /** It holds a message, and the bot says that it is not yet the answer. */
  | 'message-first'
  | 'acknowledgement'
  /** Whoever called it has died; it goes on by itself. */
  | 'orphaned'
  /** Acknowledged, and the bot asks for typing until its answer. */
  | 'keep'
  /** The bot says that no answer will come. */
  | 'none'
  /** The bot says that the answer is out already. */
  | 'done'
  /** It passes the user on to a human. */
  | 'handoff'
  /** This delivery brought no answer; the platform's next one may. */
  | 'missed'
  /** None will come. */
  | 'failed'
  /** The bot that failed is called again. */
  | 'again'
  /** The message that ended the turn did not go out. */
  | 'undelivered'
  /** The user was not passed on after all. */
  | 'kept';

/** What it means that the platform did not take an answer of this meaning. */
export function notTaken(meaning: Meaning): Meaning | null {
  if (meaning === 'handoff') return 'kept';
  return holdsMessage(meaning) ? 'undelivered' : null;
}

/**
 * Texts that a bot sends while it works on. An entry between slashes is a regular expression, any other the whole text.
 *
 * @example createInterimTexts(['正在查询…', '/^searching/i'])('Searching the web') // true
 */
export function createInterimTexts(entries: readonly string[]): (text: string | null) => boolean {
  const patterns = entries.flatMap((entry) => patternOf(entry) ?? []);
  const texts = new Set(entries.filter((entry) => patternOf(entry) === null));
  return (said) => {
    const text = said?.trim() ?? '';
    if (text === '' || text.length > longestInterim) return false;
    return texts.has(text) || patterns.some((pattern) => pattern.test(text));
  };
}

/** What is longer answers something, and would take a pattern long to read (characters). */
const longestInterim = 500;

/** null: it is no pattern. @throws SyntaxError when it is none that can be read */
export function patternOf(entry: string): RegExp | null {
  const [, source, flags = ''] = /^\/(.+)\/([imsu]*)$/s.exec(entry) ?? [];
  return source === undefined ? null : new RegExp(source, flags);
}

/** The header by which a bot may say more than its answer does. */
const typingHeader = 'X-Typing';

/** A word that is none of ours says nothing. A message goes out whatever the header says. */
export function meaningOf(read: BotAnswer, headers: HeaderLines): Meaning {
  const word = headerOf(headers, typingHeader)?.trim().toLowerCase();
  if (read.is === 'handoff') return 'handoff';
  if (read.is === 'message') return word === 'keep' || read.isInterim ? 'message-first' : 'message';
  return word === 'none' || word === 'done' || word === 'keep' ? word : 'acknowledgement';
}

/** Whether the answer has something for the user. */
export function holdsMessage(meaning: Meaning): boolean {
  return meaning === 'message' || meaning === 'message-first' || meaning === 'handoff';
}

/** What the typing of the turn hears. */
export function eventOf(
  meaning: Meaning,
  turn: string,
  { rules, at, delivery }: { rules: Rules; at: number; delivery?: string | undefined },
): Event {
  switch (meaning) {
    case 'message':
      return { is: 'ended', turn, by: 'passive-reply', message: true, at };
    case 'acknowledgement':
      return { is: 'acknowledged', turn, at };
    case 'orphaned':
      return { is: 'acknowledged', turn, orphan: true, at };
    case 'message-first':
    case 'keep':
      return { is: 'acknowledged', turn, renew: true, at };
    case 'none':
      return { is: 'ended', turn, by: 'bot', message: false, at };
    case 'done':
      return { is: 'ended', turn, by: 'bot', message: 'out', at };
    case 'handoff':
      return { is: 'paused', until: at + rules.handoff, by: 'transfer', at };
    case 'missed':
      return { is: 'missed', turn, at, ...(delivery === undefined ? {} : { delivery }) };
    case 'failed':
      return { is: 'ended', turn, by: 'reply-failed', message: false, at };
    case 'again':
      return { is: 'again', turn, at };
    case 'undelivered':
      return { is: 'undelivered', at };
    case 'kept':
      return { is: 'resumed', by: 'transfer', at };
  }
}
