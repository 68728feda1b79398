import type { Outcome } from '../core/platform.ts';
import { said, type Said } from '../core/said.ts';
import type { Answer, Fields } from '../core/wire.ts';
import { fieldsOf, parseFields, readCode } from './message.ts';

/**
 * What each code means to a typing call. Codes only: texts differ by version and language.
 * NXCloud's: https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator ("Response Code Reference") and
 * https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention (1000–1005).
 * Meta's, in `data.error.code`: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
 */
/** `transient`: worth one quick retry. `resign`: worth one with a fresh timestamp. `bug`: our request was malformed. */
type CodeMeaning =
  | { means: 'transient' | 'failed' | 'bug' | 'resign' | 'message' | 'window' | 'user' | 'number' }
  | { means: 'account'; remedy: Said };

/** One code, or all from `code` to `upTo`. */
type KnownCode = CodeMeaning & { code: number; upTo?: number; name: string };

const checkSecret = said(
  'Check accessKey and accessSecret (NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET) against the NXCloud console.',
);
const askForToken = said(
  "Ask NXCloud's support to renew the WhatsApp access token and permissions of this number.",
);
const liftRestriction = said(
  "Lift the restriction of this WhatsApp Business account in Meta's Business Support Home.",
);

/** The remedy for 1004 that a fresh timestamp did not cure. */
export const setClock = said(
  "Set the server's clock (and that of the Redis server) by NTP: NXCloud allows a difference of 60 s.",
);

export const platformCodes: readonly KnownCode[] = [
  { code: -1, name: 'system failure', means: 'transient' },
  { code: 1000, name: 'authentication', means: 'account', remedy: checkSecret },
  {
    code: 1001,
    name: 'missing common header',
    means: 'account',
    remedy: said(
      'Let the headers accessKey, ts, bizType, action and sign pass through the proxy before NXCloud.',
    ),
  },
  {
    code: 1002,
    name: 'bizType, action or body wrong',
    means: 'account',
    remedy: said(
      'Check apiBase (NXCLOUD_API_BASE), and ask NXCloud whether typingIndicator is open for this account.',
    ),
  },
  {
    code: 1003,
    name: 'invalid signature',
    means: 'account',
    remedy: said(
      'Check accessSecret (NXCLOUD_ACCESS_SECRET), and that no proxy changes the body or Content-Type.',
    ),
  },
  { code: 1004, name: 'timestamp expired', means: 'resign' },
  {
    code: 1005,
    name: 'insufficient permission',
    means: 'account',
    remedy: said(
      'Check accessKey (NXCLOUD_ACCESS_KEY), and have WhatsApp opened for this account at NXCloud.',
    ),
  },
  { code: 1006, upTo: 1009, name: 'authentication', means: 'account', remedy: checkSecret },
  { code: 9000, name: 'parameter error', means: 'bug' },
  { code: 9001, name: 'system business error', means: 'transient' },
  {
    code: 9002,
    name: 'invalid business phone number',
    means: 'account',
    remedy: said(
      'Check businessPhone (NXCLOUD_BUSINESS_PHONE): a WhatsApp Business number with its country code.',
    ),
  },
  {
    code: 9003,
    name: 'app missing or disabled',
    means: 'account',
    remedy: said('Check appKey (NXCLOUD_APP_KEY), and that the app is enabled in the NXCloud console.'),
  },
  {
    code: 9004,
    name: 'no price for the country',
    means: 'account',
    remedy: said("Ask NXCloud to set a price for the user's country."),
  },
  {
    code: 9005,
    name: 'balance',
    means: 'account',
    remedy: said('Top up the balance of the NXCloud account.'),
  },
  {
    code: 9006,
    name: 'number not bound to the app',
    means: 'account',
    remedy: said(
      'Correct NXCLOUD_BUSINESS_PHONE and NXCLOUD_APP_KEY where the number is not one of this app, or bind it there in the NXCloud console.',
    ),
  },
  { code: 9007, name: 'downstream channel exception', means: 'failed' },
  { code: 9099, name: 'WhatsApp error', means: 'failed' },
  {
    code: 10003,
    name: 'number not bound to the app',
    means: 'account',
    remedy: said(
      'Correct NXCLOUD_BUSINESS_PHONE and NXCLOUD_APP_KEY where the number is not one of this app, or bind it there through your business contact at NXCloud.',
    ),
  },
];

export const metaCodes: readonly KnownCode[] = [
  { code: 0, name: 'authentication', means: 'account', remedy: askForToken },
  { code: 1, name: 'API unknown', means: 'transient' },
  { code: 2, name: 'API service', means: 'transient' },
  { code: 3, name: 'API method not permitted', means: 'account', remedy: askForToken },
  { code: 4, name: 'too many API calls', means: 'number' },
  { code: 10, name: 'permission denied', means: 'account', remedy: askForToken },
  { code: 33, name: 'parameter value not valid', means: 'message' },
  { code: 100, name: 'invalid parameter: message id unknown or outgoing', means: 'message' },
  { code: 190, name: 'access token expired', means: 'account', remedy: askForToken },
  { code: 200, upTo: 299, name: 'permission missing', means: 'account', remedy: askForToken },
  { code: 368, name: 'blocked for policy violations', means: 'account', remedy: liftRestriction },
  { code: 80007, name: 'rate limit of the business account', means: 'number' },
  { code: 130429, name: 'rate limit of the number', means: 'number' },
  { code: 130472, name: 'user is part of an experiment', means: 'message' },
  { code: 130497, name: 'restricted in this country', means: 'account', remedy: liftRestriction },
  { code: 131000, name: 'something went wrong', means: 'transient' },
  { code: 131008, name: 'required parameter missing', means: 'message' },
  { code: 131009, name: 'parameter value not valid: message id', means: 'message' },
  { code: 131016, name: 'service unavailable', means: 'transient' },
  { code: 131021, name: 'recipient is the sender', means: 'message' },
  { code: 131026, name: 'message undeliverable', means: 'message' },
  { code: 131031, name: 'account locked', means: 'account', remedy: liftRestriction },
  { code: 131047, name: 'more than 24 h since the user wrote', means: 'window' },
  { code: 131048, name: 'spam rate limit', means: 'number' },
  { code: 131056, name: 'rate limit of the pair', means: 'user' },
  { code: 131057, name: 'account in maintenance', means: 'transient' },
  { code: 133004, name: 'server temporarily unavailable', means: 'transient' },
  { code: 133005, name: 'two-step PIN mismatch', means: 'transient' },
];

/** What a refusal means, in one sentence, for whoever watches over the bot. */

const sentences: Readonly<Record<Exclude<CodeMeaning['means'], 'account'>, Said>> = {
  transient: said('NXCloud or WhatsApp is out of order for a moment: nothing to mend.'),
  failed: said(
    "WhatsApp refused the call for a reason that it does not name: ask NXCloud's support if it goes on.",
  ),
  bug: said('NXCloud finds our request malformed: report this as a bug of keeptyping.'),
  resign: said("The server's clock differs from NXCloud's by more than 60 s: set it by NTP."),
  message: said('WhatsApp shows no typing for this message any more: nothing to mend.'),
  window: said('The user wrote more than 24 h ago: typing comes back with the next message.'),
  user: said('WhatsApp limits the calls to one user: nothing to mend.'),
  number: said(
    'WhatsApp limits the calls of this number: set NXCLOUD_TYPING=once, or a NXCLOUD_START_DELAY_MS.',
  ),
};

export function explain(code: number): Said {
  const known = [...platformCodes, ...metaCodes].find(
    (each) => each.code <= code && code <= (each.upTo ?? each.code),
  );
  if (!known) return said('This code is not known: nothing is known to mend.');
  return known.means === 'account' ? known.remedy : sentences[known.means];
}

/** From NXCloud's answer to a typing call to what the call achieved. */

export interface CodeVerdict {
  outcome: Outcome;
  /** The code's name in the tables, for the log. */
  name: string;
  /** What is worth doing, once, before the outcome counts. `resign`: the same with a fresh timestamp. */
  next: 'nothing' | 'retry' | 'resign';
}

/** WhatsApp takes about one message per 6 s to one user; this waits for the next such slot and some more. In ms. */
const userBackOff = 10_000;
/** In ms, for a first refusal: whoever counts refusals in a row lets it grow. */
const accountBackOff = 30_000;

/**
 * Success is `code` 0 without `data.error`: Meta's refusals come inside code 0 here, and inside 9099 elsewhere.
 * An answer that is not NXCloud's own says nothing about what was shown.
 * https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator ("Recommended success criteria")
 */
export function verdictOf(answer: Answer): CodeVerdict {
  const fields = parseFields(answer.body);
  const code = readCode(fields?.code);
  if (fields === null || code === null) return unreadable(answer.status);
  const error = fieldsOf(fields.data).error ?? null;
  if (error !== null) return downstream(fieldsOf(error), code);
  if (code !== 0) return judge(code, platformCodes);
  return isSuccess(answer.status)
    ? { outcome: { is: 'done' }, name: 'success', next: 'nothing' }
    : unreadable(answer.status);
}

function downstream(error: Fields, code: number): CodeVerdict {
  const metaCode = readCode(error.code);
  if (metaCode !== null) return judge(metaCode, metaCodes);
  return judge(code === 0 ? 9099 : code, platformCodes);
}

function unreadable(status: number): CodeVerdict {
  const name = `HTTP ${status} without NXCloud's answer`;
  if (status === 429) return { outcome: backOff(status), name, next: 'nothing' };
  return {
    outcome: { is: 'lost', begun: true, cause: name },
    name,
    next: status >= 500 ? 'retry' : 'nothing',
  };
}

function isSuccess(status: number): boolean {
  return status >= 200 && status <= 299;
}

/** A code that the table does not hold is a failure that says nothing about the next call. */
function judge(code: number, table: readonly KnownCode[]): CodeVerdict {
  const known = table.find((entry) => code >= entry.code && code <= (entry.upTo ?? entry.code));
  if (known === undefined) return { outcome: { is: 'failed', code }, name: 'unknown', next: 'nothing' };
  return { outcome: outcomeOf(code, known), name: known.name, next: nextAfter(known) };
}

function nextAfter({ means }: CodeMeaning): CodeVerdict['next'] {
  if (means === 'transient') return 'retry';
  return means === 'resign' ? 'resign' : 'nothing';
}

function outcomeOf(code: number, meaning: CodeMeaning): Outcome {
  switch (meaning.means) {
    case 'transient':
    case 'failed':
    case 'resign':
      return { is: 'failed', code };
    case 'bug':
      return { is: 'failed', code, bug: true };
    case 'message':
      return { is: 'message-refused', code };
    case 'window':
      return { is: 'window-closed', code };
    case 'user':
      return { is: 'user-back-off', code, forMs: userBackOff };
    case 'number':
      return backOff(code);
    case 'account':
      return { is: 'account-off', code, remedy: meaning.remedy };
  }
}

function backOff(code: number): Outcome {
  return { is: 'account-back-off', code, forMs: accountBackOff };
}
