/**
 * What each code means to a typing call. Codes only: texts differ by version and language.
 * NXCloud's: https://github.com/nxtele/nxcloud-doc-en/wiki/Typing-Indicator ("Response Code Reference") and
 * https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention (1000–1005).
 * Meta's, in `data.error.code`: https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
 */
/** `transient`: worth one quick retry. `resign`: worth one with a fresh timestamp. `bug`: our request was malformed. */
export type Meaning =
  | { means: 'transient' | 'failed' | 'bug' | 'resign' | 'message' | 'window' | 'user' | 'number' }
  | { means: 'account'; remedy: string };

/** One code, or all from `code` to `upTo`. */
export type KnownCode = Meaning & { code: number; upTo?: number; name: string };

const checkSecret =
  'Check accessKey and accessSecret (NXCLOUD_ACCESS_KEY, NXCLOUD_ACCESS_SECRET) against the NXCloud console.';
const askForToken =
  "Ask NXCloud's support to renew the WhatsApp access token and permissions of this number.";
const liftRestriction =
  "Lift the restriction of this WhatsApp Business account in Meta's Business Support Home.";

/** The remedy for 1004 that a fresh timestamp did not cure. */
export const setClock =
  "Set the server's clock (and that of the Redis server) by NTP: NXCloud allows a difference of 60 s.";

export const platformCodes: readonly KnownCode[] = [
  { code: -1, name: 'system failure', means: 'transient' },
  { code: 1000, name: 'authentication', means: 'account', remedy: checkSecret },
  {
    code: 1001,
    name: 'missing common header',
    means: 'account',
    remedy: 'Let the headers accessKey, ts, bizType, action and sign pass through the proxy before NXCloud.',
  },
  {
    code: 1002,
    name: 'bizType, action or body wrong',
    means: 'account',
    remedy:
      'Check apiBase (NXCLOUD_API_BASE), and ask NXCloud whether typingIndicator is open for this account.',
  },
  {
    code: 1003,
    name: 'invalid signature',
    means: 'account',
    remedy: 'Check accessSecret (NXCLOUD_ACCESS_SECRET), and that no proxy changes the body or Content-Type.',
  },
  { code: 1004, name: 'timestamp expired', means: 'resign' },
  {
    code: 1005,
    name: 'insufficient permission',
    means: 'account',
    remedy: 'Check accessKey (NXCLOUD_ACCESS_KEY), and have WhatsApp opened for this account at NXCloud.',
  },
  { code: 1006, upTo: 1009, name: 'authentication', means: 'account', remedy: checkSecret },
  { code: 9000, name: 'parameter error', means: 'bug' },
  { code: 9001, name: 'system business error', means: 'transient' },
  {
    code: 9002,
    name: 'invalid business phone number',
    means: 'account',
    remedy: 'Check businessPhone (NXCLOUD_BUSINESS_PHONE): a WhatsApp Business number with its country code.',
  },
  {
    code: 9003,
    name: 'app missing or disabled',
    means: 'account',
    remedy: 'Check appKey (NXCLOUD_APP_KEY), and that the app is enabled in the NXCloud console.',
  },
  {
    code: 9004,
    name: 'no price for the country',
    means: 'account',
    remedy: "Ask NXCloud to set a price for the user's country.",
  },
  { code: 9005, name: 'balance', means: 'account', remedy: 'Top up the balance of the NXCloud account.' },
  {
    code: 9006,
    name: 'number not bound to the app',
    means: 'account',
    remedy: 'Bind the business phone to the app (appKey) in the NXCloud console.',
  },
  { code: 9007, name: 'downstream channel exception', means: 'failed' },
  { code: 9099, name: 'WhatsApp error', means: 'failed' },
  {
    code: 10003,
    name: 'number not bound to the app',
    means: 'account',
    remedy: 'Bind the business phone to the app (appKey) through your business contact at NXCloud.',
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
