/** One call to WeChat's API, and its answer as a value. */
import { isIP } from 'node:net';
import { z } from 'zod';
import type { Outcome } from '../core/platform.ts';
import { said, type Said } from '../core/said.ts';
import { NoAnswer, type OutboundRequest, type Send } from '../core/wire.ts';
import { jsonIn } from './body.ts';

export type Reply =
  /** WeChat's own word; 0 is success. `remedy`: what mends it, where WeChat has said more than the code does. */
  | { is: 'code'; code: number; json: unknown; remedy?: Said }
  /** An HTTP status other than 2xx without such a word. */
  | { is: 'status'; status: number }
  /** A 2xx that is not WeChat's JSON: a proxy's page, a cut answer. */
  | { is: 'unreadable' }
  | { is: 'lost'; begun: boolean; cause: Said };

const word = z.object({ errcode: z.number().int(), errmsg: z.string().optional().catch(undefined) });

/** POSTs raw UTF-8 JSON. Never throws. */
export function postJson(send: Send, url: string, call: { body: object; timeoutMs: number }): Promise<Reply> {
  return callApi(send, {
    method: 'POST',
    url,
    headers: [['content-type', 'application/json; charset=utf-8']],
    body: JSON.stringify(call.body),
    timeoutMs: call.timeoutMs,
  });
}

/** Makes the request. Never throws. JSON without an errcode counts as code 0 only if `accepts` says so. */
export async function callApi(
  send: Send,
  request: OutboundRequest,
  accepts: (json: unknown) => boolean = () => false,
): Promise<Reply> {
  try {
    const answer = await send(request);
    const json = jsonIn(answer.body);
    const read = word.safeParse(json);
    if (read.success) return wordOf(read.data, json);
    if (answer.status < 200 || answer.status > 299) return { is: 'status', status: answer.status };
    return accepts(json) ? { is: 'code', code: 0, json } : { is: 'unreadable' };
  } catch (error) {
    return lost(error);
  }
}

/** Of WeChat's text only the address is read that it refuses, and only to be told: the code decides. */
function wordOf({ errcode: code, errmsg = '' }: z.infer<typeof word>, json: unknown): Reply {
  const address = codeOf(code).remedy === allowlist ? addressIn(errmsg) : null;
  if (address === null) return { is: 'code', code, json };
  return { is: 'code', code, json, remedy: allow(address) };
}

/** `invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist`: the first that is an address and nothing else. */
function addressIn(text: string): string | null {
  const words = text.slice(0, longestText).split(/[\s,]+/);
  return words.find((each) => isIP(each) !== 0 && !each.includes('%')) ?? null;
}

const longestText = 500;

/** The error's own sentence may hold the URL, and the URL holds the token: only its code is passed on. */
function lost(error: unknown): Reply {
  const begun = error instanceof NoAnswer ? error.begun : true;
  // It says how long was waited, and nothing else.
  if (error instanceof NoAnswer && error.timedOut)
    return { is: 'lost', begun, cause: said('WeChat: {cause}', { cause: error.message }) };
  const code = z.object({ code: z.string().regex(/^[A-Z][A-Z_0-9]+$/) });
  const read = code.safeParse(error instanceof Error ? error.cause : null);
  return { is: 'lost', begun, cause: lostBy(begun, read.success ? read.data.code : null) };
}

function lostBy(begun: boolean, word: string | null): Said {
  if (word === null) return said(begun ? 'WeChat gave no complete answer' : 'WeChat could not be reached');
  return said(begun ? 'WeChat gave no complete answer ({word})' : 'WeChat could not be reached ({word})', {
    word,
  });
}

/**
 * What WeChat's numeric codes mean to us. Never their text: it changes its language and carries request ids.
 * https://developers.weixin.qq.com/doc/service/api/customer/message/api_typing and the general list of return codes.
 */
type CodeMeaning =
  | 'ok'
  | 'already'
  /** Nothing until the user's next interaction. */
  | 'window'
  /** Nothing for this user. */
  | 'user'
  /** The access token is not, or no longer, valid. */
  | 'token'
  /** Come back at once. */
  | 'busy'
  /** Come back in seconds; what must not be lost, in the next minute. */
  | 'rate'
  /** Come back in hours. */
  | 'quota'
  /** The account may not, until somebody mends it. */
  | 'account'
  /** Our request was malformed. */
  | 'bug'
  /** This one message is refused. */
  | 'message';

interface Code {
  name: string;
  meaning: CodeMeaning;
  /** Where somebody must mend something: how, in one sentence. */
  remedy: Said | '';
}

export const certify = said(
  'Typing and custom messages need a certified account: certify it or set WECHAT_TYPING=off.',
);
const permit = said('Grant the account the customer-service message permission in the WeChat console.');
const allow = (address: string): Said =>
  said('Add {address} to the IP allowlist in the WeChat console.', { address });
const allowlist = said("Add this server's egress IP to the IP allowlist in the WeChat console.");
const credentials = said('Check WECHAT_APP_ID and WECHAT_APP_SECRET against the WeChat console.');
const authorise = said(
  'Let the account authorise the third-party platform again, with customer-service permission.',
);
const ticket = said(
  'WeChat pushes a new component_verify_ticket every 10 minutes: let the authorization event URL lead here.',
);
const staff = said('Check the customer-service accounts in the WeChat console.');
const restricted = said('WeChat has restricted the account: see the notices in its console.');
const confirm = said('Let the administrator confirm the IP that WeChat asks about.');

const table: readonly (readonly [code: number, name: string, meaning: CodeMeaning, remedy?: Said])[] = [
  [0, 'ok', 'ok'],
  [-1, 'system error', 'busy'],
  [61450, 'system error', 'busy'],
  [45081, 'you are already typing', 'already'],
  [45080, 'no message interaction in the last 30 seconds', 'window'],
  [45015, 'response out of time limit', 'window'],
  [45047, 'customer message count out of limit', 'window'],
  [43004, 'user does not follow', 'window'],
  [50005, 'user has unsubscribed', 'window'],
  [48002, 'user rejects messages', 'window'],
  [40003, 'invalid openid', 'user'],
  [46004, 'no such user', 'user'],
  [43019, 'user is blacklisted', 'user'],
  [41009, 'missing openid', 'user'],
  [40001, 'invalid credential, access_token is invalid or not latest', 'token'],
  [40014, 'invalid access_token', 'token'],
  [42001, 'access_token expired', 'token'],
  [41001, 'access_token missing', 'token'],
  [45011, 'api minute-quota reached', 'rate'],
  [45009, 'api quota reached', 'quota'],
  [40200, 'invalid account type', 'account', certify],
  [48001, 'api unauthorized', 'account', certify],
  [48004, 'api forbidden', 'account', restricted],
  [48008, 'no permission for this message type', 'account', permit],
  [50001, 'user is unauthorized for this api', 'account', permit],
  [50002, 'user is limited', 'account', restricted],
  [50004, 'forbidden', 'account', restricted],
  [40013, 'invalid appid', 'account', credentials],
  [40125, 'invalid appsecret', 'account', credentials],
  [41002, 'appid missing', 'account', credentials],
  [41004, 'appsecret missing', 'account', credentials],
  [40164, 'invalid ip, not in whitelist', 'account', allowlist],
  [45035, 'client ip is not registered', 'account', allowlist],
  [89501, 'ip waits for the administrator', 'account', confirm],
  [89503, 'ip needs confirmation', 'account', confirm],
  [
    45071,
    'invalid businessid',
    'account',
    said('Check the sub-merchant of the account in the WeChat console.'),
  ],
  [61003, 'component is not authorized', 'account', authorise],
  [61004, 'component ip is not registered', 'account', allowlist],
  [61005, 'component ticket expired', 'account', ticket],
  [61006, 'component ticket invalid', 'account', ticket],
  [61007, 'api unauthorized to component', 'account', authorise],
  ...range(61009, 61017).map(
    (code) => [code, 'component authorization error', 'account', authorise] as const,
  ),
  [61023, 'refresh_token invalid', 'account', authorise],
  [61024, 'component access token required', 'account', authorise],
  ...range(61451, 61457).map((code) => [code, 'customer-service account error', 'account', staff] as const),
  ...range(65400, 65417).map((code) => [code, 'customer-service account error', 'account', staff] as const),
  [45072, 'invalid command', 'bug'],
  [47001, 'data format error', 'bug'],
  [43002, 'POST required', 'bug'],
  [43003, 'HTTPS required', 'bug'],
  [44002, 'empty post data', 'bug'],
  [45002, 'content size out of limit', 'message'],
  [45008, 'article count out of limit', 'message'],
  [40007, 'invalid media_id', 'message'],
  [70000, 'protection of minors', 'message'],
];

/** Every code that is known by number. */
export const codes: ReadonlyMap<number, Code> = new Map(
  table.map(([code, name, meaning, remedy]) => [code, { name, meaning, remedy: remedy ?? '' }]),
);

/** What an unknown code is taken for: this one call is refused, nothing more is concluded. */
export function codeOf(code: number): Code {
  return codes.get(code) ?? { name: `code ${code}`, meaning: 'message', remedy: '' };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** What a refusal means, in one sentence, for whoever watches over the bot. */

const sentences: Readonly<Record<CodeMeaning, Said>> = {
  ok: said('WeChat accepted the call.'),
  already: said('Typing was on already: nothing to mend.'),
  window: said(
    'WeChat shows typing for 30 s after the last message only; an interim text (WECHAT_INTERIM) opens that time anew.',
  ),
  user: said('WeChat does not know this user, or has shut them out: nothing to mend.'),
  token: said(
    'WeChat refuses the access token: let nothing else fetch one with /cgi-bin/token, or name it in WECHAT_ACCESS_TOKEN_URL.',
  ),
  busy: said('WeChat is out of order for a moment: nothing to mend.'),
  rate: said('WeChat limits the calls of a minute: set WECHAT_TYPING=once, or a WECHAT_START_DELAY_MS.'),
  quota: said(
    "The account's quota of calls is used up: typing is tried again hourly, or clear the quota in the WeChat console.",
  ),
  account: said('The account may not: see its notices in the WeChat console.'),
  bug: said('WeChat finds our request malformed: report this as a bug of keeptyping.'),
  message: said('WeChat refuses this one call: nothing is known to mend.'),
};

export function explain(code: number): Said {
  const { meaning, remedy } = codeOf(code);
  return remedy === '' ? sentences[meaning] : remedy;
}

/** WeChat's codes as the core's outcomes of typing calls. */

const hour = 3_600_000;

/**
 * The outcome of a Typing that WeChat answered with this code, token refresh and quick retry already tried.
 * @param remedy @default the code's
 */
export function shownOutcome(code: number, remedy: Said = explain(code)): Outcome {
  const { meaning } = codeOf(code);
  switch (meaning) {
    case 'ok':
      return { is: 'done' };
    case 'already':
      return { is: 'already' };
    case 'window':
      return { is: 'window-closed', code };
    case 'user':
      return { is: 'user-back-off', code, forMs: hour };
    case 'token':
      // WeChat refused a token which its own endpoint has just confirmed: asking faster would not help.
      return { is: 'account-back-off', code, forMs: 60_000 };
    case 'rate':
      return { is: 'account-back-off', code, forMs: 5000 };
    case 'quota':
      // 45009 is the daily quota, but for some accounts the minute's; it names no reset time. Hourly is right for both.
      return { is: 'account-back-off', code, forMs: hour };
    case 'account':
      return { is: 'account-off', code, remedy };
    case 'bug':
      return { is: 'failed', code, bug: true };
    default:
      return { is: 'failed', code };
  }
}

/** The outcome of a CancelTyping. Where the user cannot be reached, nothing can show either. */
export function hiddenOutcome(code: number, remedy?: Said): Outcome {
  const { meaning } = codeOf(code);
  if (meaning === 'window') return { is: 'done' };
  return meaning === 'already' ? { is: 'failed', code } : shownOutcome(code, remedy);
}
