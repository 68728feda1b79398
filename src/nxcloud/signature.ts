/**
 * NXCloud's `sign`: a digest over the common headers, the exact body and the access secret.
 * Of requests: https://github.com/nxtele/nxcloud-doc-en/wiki/API-Interface-Invocation-Convention
 * Of callbacks: https://github.com/nxtele/http-api-document/wiki/whatsapp-callback-verify
 */
import { createHash, type Hash, timingSafeEqual } from 'node:crypto';
import { said, type Said } from '../core/said.ts';
import { type HeaderLines, headerOf, oncePer, type PushHead, type RawPush } from '../core/wire.ts';
import type { NxcloudAccount } from './account.ts';

export type Algorithm = 'md5' | 'sha256';

/** What is signed besides the body. `ts` is in ms since 1970; NXCloud allows a difference of 60,000 ms. */
interface CommonHeaders {
  accessKey: string;
  action: string;
  bizType: string;
  ts: string;
}

/**
 * The value of the `sign` header: lowercase hex. Requests are signed with MD5, callbacks name their algorithm.
 * `body` must be what goes over the wire to the byte: whitespace and the order of keys count.
 */
export function sign(
  common: CommonHeaders,
  body: string | Uint8Array,
  secret: { accessSecret: string; algorithm?: Algorithm },
): string {
  return finish(begin(common, body, secret.algorithm ?? 'md5'), secret.accessSecret);
}

/** All but the secret, which comes last. */
function begin(common: CommonHeaders, body: string | Uint8Array, algorithm: Algorithm): Hash {
  const { accessKey, action, bizType, ts } = common;
  const digest = createHash(algorithm);
  digest.update(`accessKey=${accessKey}&action=${action}&bizType=${bizType}&ts=${ts}`);
  return body.length > 0 ? digest.update('&body=').update(body) : digest;
}

function finish(begun: Hash, accessSecret: string): string {
  return begun.update(`&accessSecret=${accessSecret}`).digest('hex');
}

interface Claim {
  signature: string | null;
  /** A digest of all but the secret; null without a signature, or without what belongs to one. */
  begun: Hash | null;
}

/** Every account of a URL without a name checks the same push: its bytes are read once. */
const claimOf = oncePer((push: RawPush): Claim => {
  const signature = headerOf(push.headers, 'sign')?.toLowerCase() ?? null;
  const common = commonHeadersOf(push.headers);
  if (signature === null || typeof common === 'string') return { signature, begun: null };
  return { signature, begun: begin(common, push.body, algorithmOf(push.headers)) };
});

/** What the headers alone say, before there is a body. null: nothing against it; else one sentence for the 401. */
export function verifyHead(
  { headers }: PushHead,
  { verifyCallbacks }: Pick<NxcloudAccount, 'verifyCallbacks'>,
  isAsked: boolean,
): Said | null {
  if (verifyCallbacks === 'off') return null;
  if (headerOf(headers, 'sign') === null) {
    if (verifyCallbacks === 'require')
      return said(
        'The header "sign" is missing: switch callback signing on for the app at NXCloud, or set verifyCallbacks to "auto".',
      );
    return isAsked
      ? said(
          'The header "sign" is missing, though signed pushes have come: keep callback signing on for the app at NXCloud, or set verifyCallbacks to "off".',
        )
      : null;
  }
  const common = commonHeadersOf(headers);
  return typeof common === 'string'
    ? said(
        'The header "{header}" is missing: a signed push carries accesskey, action, biztype, ts and sign.',
        {
          header: common,
        },
      )
    : null;
}

/**
 * Checks a callback's signature as far as the account asks for it. null: accepted; otherwise one sentence for the 401.
 * `isAsked`: a signed one has come; NXCloud signs all of an app or none. The age of `ts` is not judged: a repeat, up to an hour later, carries the first delivery's headers.
 */
export function verify(
  push: RawPush,
  account: Pick<NxcloudAccount, 'accessSecrets' | 'verifyCallbacks'>,
  isAsked: boolean,
): Said | null {
  const refused = verifyHead(push, account, isAsked);
  if (refused !== null || account.verifyCallbacks === 'off') return refused;
  const { signature, begun } = claimOf(push);
  if (signature === null || begun === null) return null;
  return judge(signature, begun, account);
}

function judge(
  signature: string,
  begun: Hash,
  { accessSecrets }: Pick<NxcloudAccount, 'accessSecrets'>,
): Said | null {
  return accessSecrets.some((accessSecret) => equal(signature, finish(begun.copy(), accessSecret)))
    ? null
    : said('The header "sign" does not match: it must be made with this account\'s access secret.');
}

/** The same for a body that is not held. null: there is nothing to check. */
export function followSignature(
  { headers }: PushHead,
  account: Pick<NxcloudAccount, 'accessSecrets' | 'verifyCallbacks'>,
): { add(chunk: Uint8Array): void; end(): Said | null } | null {
  const signature = headerOf(headers, 'sign')?.toLowerCase() ?? null;
  const common = commonHeadersOf(headers);
  if (account.verifyCallbacks === 'off' || signature === null || typeof common === 'string') return null;
  const begun = begin(common, '', algorithmOf(headers)).update('&body=');
  return {
    add: (chunk) => void begun.update(chunk),
    end: () => judge(signature, begun, account),
  };
}

/** Whether a push that was accepted has a signature, and it was looked at. */
export function isSigned(
  { headers }: PushHead,
  { verifyCallbacks }: Pick<NxcloudAccount, 'verifyCallbacks'>,
): boolean {
  return verifyCallbacks !== 'off' && headerOf(headers, 'sign') !== null;
}

/** All of them, or the name of the first that is missing. */
function commonHeadersOf(headers: HeaderLines): CommonHeaders | string {
  const accessKey = headerOf(headers, 'accesskey');
  const action = headerOf(headers, 'action');
  const bizType = headerOf(headers, 'biztype');
  const ts = headerOf(headers, 'ts');
  if (!accessKey) return 'accesskey';
  if (!action) return 'action';
  if (!bizType) return 'biztype';
  if (!ts) return 'ts';
  return { accessKey, action, bizType, ts };
}

/** Older callbacks carry no `algorithm`; the page says that whatever is not sha256 is MD5. */
function algorithmOf(headers: HeaderLines): Algorithm {
  return headerOf(headers, 'algorithm')?.toLowerCase() === 'sha256' ? 'sha256' : 'md5';
}

function equal(given: string, expected: string): boolean {
  const givenBytes = Buffer.from(given);
  const expectedBytes = Buffer.from(expected);
  return givenBytes.length === expectedBytes.length && timingSafeEqual(givenBytes, expectedBytes);
}
