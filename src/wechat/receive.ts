/** The webhook: signatures and decryption first, then reading; guard clauses in the protocol's order. */
import { createCipheriv, createDecipheriv, createHash, timingSafeEqual } from 'node:crypto';
import type { Received } from '../core/platform.ts';
import { said, type Said } from '../core/said.ts';
import type { Fields, RawPush } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { decodeText, readFields, textOf } from './body.ts';
import { nobody, readMessage } from './message.ts';

type PushRefusal = Extract<Received, { is: 'refusal' }>;
type Keys = Pick<WechatAccount, 'appId' | 'component' | 'tokens' | 'encodingAesKeys'>;
type Account = Keys & Pick<WechatAccount, 'encryption' | 'pushAgeMs'>;

interface Moment {
  /** Seconds since 1970. */
  now: number;
  /** An encrypted push has come. */
  isAsked: () => boolean;
  /** The query's signature has been checked. @default false */
  isAdmitted?: boolean;
}

interface Context extends Moment {
  starts: ReadonlyMap<string, boolean>;
}

/** The content of an authentic push, decrypted where it was `sealed`. */
type Body = { is: 'body'; text: string; fields: Fields; sealed: boolean } | PushRefusal;

/** Checks and reads one push. Never throws. */
export function receivePush(push: RawPush, account: Account, context: Context): Received {
  const body = openPush(push, account, context);
  if (body.is === 'refusal') return body;
  const reading = readMessage(body.fields, { ...context, text: body.text });
  const { age, byPrevious } = body;
  const found = { ...(age < 60 ? {} : { age }), ...(byPrevious ? { byPrevious } : {}) };
  if (account.component !== undefined && isReleaseTest(body.fields, account.appId))
    return { is: 'push', key: reading.key, happenings: [], straight: true, ...found };
  // What the doctor encrypts says nothing of what WeChat does.
  const assured = body.sealed && reading.happenings.some(({ user }) => user !== nobody);
  return { is: 'push', ...reading, ...found, ...(assured ? { assured } : {}) };
}

/**
 * What the query alone says of a push, before its body is read. Those of a third-party platform carry `signature` beside
 * `msg_signature`, on both URLs: https://github.com/007gzs/weixin-java-open-demo (WechatNotifyController) checks it there.
 */
export function admitPush(
  rawQuery: string,
  account: Pick<Account, 'tokens' | 'pushAgeMs'>,
  now: number,
): PushRefusal | null {
  const query = new URLSearchParams(rawQuery);
  return checkQuery(query, account) ?? (isFarFromNow(ageOf(query, now), account) ? farFromNow : null);
}

/** Checks one push and opens it. Never throws. */
export function openPush(
  push: RawPush,
  account: Account,
  moment: Moment,
): (Extract<Body, { is: 'body' }> & { age: number; byPrevious?: true }) | PushRefusal {
  const query = new URLSearchParams(push.rawQuery);
  const body = moment.isAdmitted
    ? readText(decodeText(push.body), query, account)
    : readPush(push, query, account);
  if (body.is === 'refusal') return body;
  if (!body.sealed && isSealedOnly(account, moment)) return unsealed;
  const age = ageOf(query, moment.now);
  if (isFarFromNow(age, account)) return farFromNow;
  const { tokens, encodingAesKeys } = account;
  const aged = { ...body, age };
  if (tokens.length < 2 && encodingAesKeys.length < 2) return aged;
  const current = { ...account, tokens: tokens.slice(0, 1), encodingAesKeys: encodingAesKeys.slice(0, 1) };
  return readPush(push, query, current).is === 'body' ? aged : { ...aged, byPrevious: true };
}

/**
 * The query's signature does not cover a plain body: who has seen one URL can make any. WeChat encrypts all pushes of an
 * account or none, as a switch in its console says.
 */
function isSealedOnly(
  { encryption, encodingAesKeys }: Account,
  { isAsked }: Pick<Moment, 'isAsked'>,
): boolean {
  return encryption === 'require' || (encryption === 'auto' && encodingAesKeys.length > 0 && isAsked());
}

const unsealed = refuse(
  401,
  said(
    'The push is not encrypted, and has to be: choose secure mode in the WeChat console, or set WECHAT_ENCRYPTION to any.',
  ),
);

/** Whether one that is too long to be held may pass: nobody opens it, so not where it has to be encrypted. */
export function followPush(account: Account, moment: Pick<Moment, 'isAsked'>): PushRefusal | null {
  return account.component !== undefined || isSealedOnly(account, moment) ? unopened : null;
}

const unopened = refuse(
  401,
  said(
    'The push is too long to be decrypted, and has to be encrypted: what WeChat itself sends is a few kB.',
  ),
);

/** Seconds since its timestamp; NaN: it has none. */
function ageOf(query: URLSearchParams, now: number): number {
  const timestamp = query.get('timestamp') ?? '';
  return /^\d{1,12}$/.test(timestamp) ? now - Number(timestamp) : Number.NaN;
}

/** A repeat comes within seconds, some events again for hours; whether with a timestamp of its own is not known. */
function isFarFromNow(age: number, { pushAgeMs }: Pick<Account, 'pushAgeMs'>): boolean {
  return !(Math.abs(age) * 1000 <= pushAgeMs);
}

const farFromNow = refuse(
  401,
  said(
    'The timestamp is too far from now: set the clock of this machine, or WECHAT_PUSH_AGE_MS to what WeChat needs.',
  ),
);

function readPush(push: RawPush, query: URLSearchParams, account: Keys): Body {
  // `signature` does not cover the body: where each push is encrypted, `msg_signature` says all.
  const refused = account.component === undefined ? checkQuery(query, account) : null;
  return refused ?? readText(decodeText(push.body), query, account);
}

/** Answers the GET by which WeChat checks the URL. */
export function shakeHands(
  rawQuery: string,
  account: Keys,
): { is: 'echo'; body: string } | { is: 'refusal'; status: 400 | 401; error: Said } {
  const query = new URLSearchParams(rawQuery);
  const echo = query.get('echostr');
  // Official and Mini Program accounts get a plain echostr in every mode; some gateways encrypt it.
  const sealed = query.get('encrypt_type') === 'aes' && echo !== null ? echo.replaceAll(' ', '+') : null;
  if (sealed !== null && isBodySigned(sealed, query, account)) {
    const opened = openEncrypted(sealed, account);
    return opened.is === 'refusal' ? opened : { is: 'echo', body: opened.text };
  }
  const refused = checkQuery(query, account);
  if (refused !== null) return refused;
  return echo === null
    ? refuse(400, said('The query has no echostr: this address answers only the check of the server URL.'))
    : { is: 'echo', body: echo };
}

const unreadable = refuse(
  400,
  said('The body is neither a JSON object nor plain XML: declarations and deep nesting are not read.'),
);

function refuse(status: 400 | 401, error: Said): PushRefusal {
  return { is: 'refusal', status, error };
}

function checkQuery(query: URLSearchParams, account: Pick<Keys, 'tokens'>): PushRefusal | null {
  const [signature, timestamp, nonce] = ['signature', 'timestamp', 'nonce'].map((name) => query.get(name));
  if (!signature || !timestamp || !nonce)
    return refuse(401, said('The query lacks signature, timestamp or nonce: WeChat sends all three.'));
  return isSigned(signature, account.tokens, [timestamp, nonce])
    ? null
    : refuse(401, said('The signature does not match: set the same Token here and in the WeChat console.'));
}

/** In compatible mode the plain fields beside `Encrypt` are not signed: only the decrypted text counts. */
function readText(text: string, query: URLSearchParams, account: Keys): Body {
  const fields = readFields(text);
  if (fields === null) return unreadable;
  const encrypted = textOf(fields, 'Encrypt');
  const sealed = query.get('encrypt_type') === 'aes' || (encrypted !== null && query.has('msg_signature'));
  if (!sealed && account.component !== undefined)
    return refuse(401, said('The push is not encrypted: those of a third-party platform always are.'));
  if (!sealed) return { is: 'body', text, fields, sealed };
  if (encrypted === null)
    return refuse(
      400,
      said('The query says encrypt_type=aes but the body has no Encrypt: send what it announces.'),
    );
  if (account.encodingAesKeys.length === 0)
    return refuse(
      400,
      said('The push is encrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.'),
    );
  if (!isBodySigned(encrypted, query, account))
    return refuse(
      401,
      said('The msg_signature does not match: set the same Token here and in the WeChat console.'),
    );
  const opened = openEncrypted(encrypted, account);
  if (opened.is === 'refusal') return opened;
  const inner = readFields(opened.text);
  return inner === null ? unreadable : { is: 'body', text: opened.text, fields: inner, sealed };
}

function isBodySigned(encrypted: string, query: URLSearchParams, account: Keys): boolean {
  const parts = [query.get('timestamp') ?? '', query.get('nonce') ?? '', encrypted];
  return isSigned(query.get('msg_signature') ?? '', account.tokens, parts);
}

function openEncrypted(encrypted: string, account: Keys): { is: 'opened'; text: string } | PushRefusal {
  const opened = account.encodingAesKeys.flatMap((key) => decrypt(encrypted, key) ?? []);
  const addressee = account.component ?? account.appId;
  const own = opened.find(({ appId }) => appId === addressee);
  if (own !== undefined) return { is: 'opened', text: decodeText(own.message) };
  return opened.length > 0
    ? refuse(
        401,
        said('The push was encrypted for another AppID: set WECHAT_APP_ID to the one of this console.'),
      )
    : refuse(
        400,
        said(
          'The push cannot be decrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
        ),
      );
}

/**
 * AES as WeChat's pushes use it: AES-256-CBC with the key's first 16 bytes as IV, over
 * random(16) + length(4, big-endian) + message + appid.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/Before_Develop/Message_encryption_and_decryption.md
 */

/** PKCS#7 with a block of 32 bytes: twice AES's own, so OpenSSL's padding check rejects valid pushes. */
const paddingBlock = 32;
const aesBlock = 16;
const headerLength = 20;

interface Opened {
  message: Buffer;
  /** Whose message it is: to be compared with the account's own AppID. */
  appId: string;
}

/**
 * Opens one `Encrypt` value; null when this key does not fit or the value is damaged. Never throws.
 * @param encodingAesKey the 43 characters of the console's EncodingAESKey
 */
export function decrypt(encrypted: string, encodingAesKey: string): Opened | null {
  const key = keyOf(encodingAesKey);
  const sealed = Buffer.from(encrypted, 'base64');
  if (key === null || sealed.length === 0 || sealed.length % aesBlock !== 0) return null;
  const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, aesBlock)).setAutoPadding(false);
  const padded = Buffer.concat([decipher.update(sealed), decipher.final()]);
  const padding = padded.at(-1) ?? 0;
  if (padding < 1 || padding > paddingBlock) return null;
  return readEnvelope(padded.subarray(0, padded.length - padding));
}

/**
 * Makes an `Encrypt` value.
 * @param seal.random 16 bytes, new for every message
 * @throws Error when the key or the random bytes have the wrong length
 */
export function encrypt(
  message: Uint8Array,
  seal: { encodingAesKey: string; appId: string; random: Uint8Array },
): string {
  const key = keyOf(seal.encodingAesKey);
  if (key === null)
    throw new Error('EncodingAESKey is not a 256-bit key: copy all its 43 characters from the console');
  if (seal.random.length !== 16)
    throw new Error(`random has ${seal.random.length} bytes: give it exactly 16`);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(message.length);
  const envelope = Buffer.concat([seal.random, length, message, Buffer.from(seal.appId)]);
  const padding = paddingBlock - (envelope.length % paddingBlock);
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, aesBlock)).setAutoPadding(false);
  return Buffer.concat([
    cipher.update(envelope),
    cipher.update(Buffer.alloc(padding, padding)),
    cipher.final(),
  ]).toString('base64');
}

function readEnvelope(envelope: Buffer): Opened | null {
  if (envelope.length < headerLength) return null;
  const length = envelope.readUInt32BE(16);
  // A wrong key yields random lengths; believing one has cost others gigabytes.
  if (length > envelope.length - headerLength) return null;
  const end = headerLength + length;
  return { message: envelope.subarray(headerLength, end), appId: envelope.toString('utf8', end) };
}

/** The last character of a real key often has stray low bits; Node's decoder ignores them, as WeChat's does. */
function keyOf(encodingAesKey: string): Buffer | null {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  return key.length === 32 ? key : null;
}

/**
 * The tests that WeChat runs before a third-party platform may be released (全网发布检测): it expects the bot's own
 * answers at once, and its own calls.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/operation/thirdparty/releases_instructions.html
 */

/** The accounts that WeChat writes to in its own name. */
const testAccounts: ReadonlySet<string> = new Set([
  'wx570bc396a51b8ff8',
  'wx9252c5e0bb1836fc',
  'wx8e1097c5bc82cde9',
  'wx14550af28c71a144',
  'wxa35b9c23cfe664eb',
  'wxd101a85aa106f53e',
  'wxc39235c15087f6f3',
  'wx7720d01d4b2a4500',
  'wx05d483572dcd5d8b',
  'wx5910277cae6fd970',
]);

/** @param appId whom the push is for */
function isReleaseTest(fields: Fields, appId: string): boolean {
  const content = textOf(fields, 'Content') ?? '';
  return (
    testAccounts.has(appId) ||
    content === 'TESTCOMPONENT_MSG_TYPE_TEXT' ||
    content.startsWith('QUERY_AUTH_CODE:')
  );
}

/**
 * WeChat's signature: SHA-1, in lower-case hex, over the sorted and joined parts. Three parts (token, timestamp,
 * nonce) sign a query, a fourth (Encrypt) signs the body too.
 * https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html
 */
export function sign(parts: readonly string[]): string {
  return createHash('sha1')
    .update([...parts].sort().join(''))
    .digest('hex');
}

/** Whether one of the tokens made this signature over `parts`. More than one token stands during a rotation. */
export function isSigned(signature: string, tokens: readonly string[], parts: readonly string[]): boolean {
  return tokens.some((token) => equalInConstantTime(signature, sign([token, ...parts])));
}

function equalInConstantTime(given: string, expected: string): boolean {
  const left = Buffer.from(given);
  const right = Buffer.from(expected);
  return left.length === right.length && timingSafeEqual(left, right);
}
