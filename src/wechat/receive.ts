/** The webhook: signatures and decryption first, then reading; guard clauses in the protocol's order. */
import type { Received } from '../core/platform.ts';
import type { RawPush } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { decodeText, readFields, textOf, type Fields } from './body.ts';
import { decrypt } from './cipher.ts';
import { readMessage } from './message.ts';
import { isReleaseTest } from './release-test.ts';
import { isSigned } from './signature.ts';

type Refusal = Extract<Received, { is: 'refusal' }>;
type Keys = Pick<WechatAccount, 'appId' | 'component' | 'tokens' | 'encodingAesKeys'>;

interface Context {
  now: number;
  starts: ReadonlyMap<string, boolean>;
}

/** The content of an authentic push, decrypted. */
type Body = { is: 'body'; text: string; fields: Fields; byPrevious?: true } | Refusal;

/**
 * Checks and reads one push. Never throws.
 * @param context.now seconds since 1970
 */
export function receivePush(push: RawPush, account: Keys, context: Context): Received {
  const body = openPush(push, account);
  if (body.is === 'refusal') return body;
  const reading = readMessage(body.fields, { ...context, text: body.text });
  const previous = body.byPrevious ? { byPrevious: body.byPrevious } : {};
  if (account.component === undefined || !isReleaseTest(body.fields, account.appId))
    return { is: 'push', ...reading, ...previous };
  return { is: 'push', key: reading.key, happenings: [], straight: true, ...previous };
}

/** Checks one push and opens it. Never throws. */
export function openPush(push: RawPush, account: Keys): Body {
  const body = readPush(push, account);
  const { tokens, encodingAesKeys } = account;
  if (body.is !== 'body' || (tokens.length < 2 && encodingAesKeys.length < 2)) return body;
  const current = { ...account, tokens: tokens.slice(0, 1), encodingAesKeys: encodingAesKeys.slice(0, 1) };
  return readPush(push, current).is === 'body' ? body : { ...body, byPrevious: true };
}

function readPush(push: RawPush, account: Keys): Body {
  const query = new URLSearchParams(push.rawQuery);
  // `signature` does not cover the body: where each push is encrypted, `msg_signature` says all.
  const refused = account.component === undefined ? checkQuery(query, account) : null;
  return refused ?? readBody(decodeText(push.body), query, account);
}

/** Answers the GET by which WeChat checks the URL. */
export function shakeHands(
  rawQuery: string,
  account: Keys,
): { is: 'echo'; body: string } | { is: 'refusal'; status: 400 | 401; error: string } {
  const query = new URLSearchParams(rawQuery);
  const echo = query.get('echostr');
  // Official and Mini Program accounts get a plain echostr in every mode; some gateways encrypt it.
  const sealed = query.get('encrypt_type') === 'aes' && echo !== null ? echo.replaceAll(' ', '+') : null;
  if (sealed !== null && isBodySigned(sealed, query, account)) {
    const opened = open(sealed, account);
    return opened.is === 'refusal' ? opened : { is: 'echo', body: opened.text };
  }
  const refused = checkQuery(query, account);
  if (refused !== null) return refused;
  return echo === null
    ? refuse(400, 'The query has no echostr: this address answers only the check of the server URL.')
    : { is: 'echo', body: echo };
}

const unreadable = refuse(
  400,
  'The body is neither a JSON object nor plain XML: declarations and deep nesting are not read.',
);

function refuse(status: 400 | 401, error: string): Refusal {
  return { is: 'refusal', status, error };
}

function checkQuery(query: URLSearchParams, account: Keys): Refusal | null {
  const [signature, timestamp, nonce] = ['signature', 'timestamp', 'nonce'].map((name) => query.get(name));
  if (!signature || !timestamp || !nonce)
    return refuse(401, 'The query lacks signature, timestamp or nonce: WeChat sends all three.');
  return isSigned(signature, account.tokens, [timestamp, nonce])
    ? null
    : refuse(401, 'The signature does not match: set the same Token here and in the WeChat console.');
}

/**
 * In compatible mode the plain fields beside `Encrypt` are not signed: only the decrypted text counts. A plain push
 * is taken although a key is configured, because the mode is a switch in the console: refusing would lose messages
 * from the moment that somebody turns it until the configuration follows.
 */
function readBody(text: string, query: URLSearchParams, account: Keys): Body {
  const fields = readFields(text);
  if (fields === null) return unreadable;
  const encrypted = textOf(fields, 'Encrypt');
  const sealed = query.get('encrypt_type') === 'aes' || (encrypted !== null && query.has('msg_signature'));
  if (!sealed && account.component !== undefined)
    return refuse(401, 'The push is not encrypted: those of a third-party platform always are.');
  if (!sealed) return { is: 'body', text, fields };
  if (encrypted === null)
    return refuse(
      400,
      'The query says encrypt_type=aes but the body has no Encrypt: send what it announces.',
    );
  if (account.encodingAesKeys.length === 0)
    return refuse(
      400,
      'The push is encrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
    );
  if (!isBodySigned(encrypted, query, account))
    return refuse(
      401,
      'The msg_signature does not match: set the same Token here and in the WeChat console.',
    );
  const opened = open(encrypted, account);
  if (opened.is === 'refusal') return opened;
  const inner = readFields(opened.text);
  return inner === null ? unreadable : { is: 'body', text: opened.text, fields: inner };
}

function isBodySigned(encrypted: string, query: URLSearchParams, account: Keys): boolean {
  const parts = [query.get('timestamp') ?? '', query.get('nonce') ?? '', encrypted];
  return isSigned(query.get('msg_signature') ?? '', account.tokens, parts);
}

function open(encrypted: string, account: Keys): { is: 'opened'; text: string } | Refusal {
  const opened = account.encodingAesKeys.flatMap((key) => decrypt(encrypted, key) ?? []);
  const addressee = account.component ?? account.appId;
  const own = opened.find(({ appId }) => appId === addressee);
  if (own !== undefined) return { is: 'opened', text: decodeText(own.message) };
  return opened.length > 0
    ? refuse(401, 'The push was encrypted for another AppID: set WECHAT_APP_ID to the one of this console.')
    : refuse(
        400,
        'The push cannot be decrypted: set WECHAT_ENCODING_AES_KEY to the EncodingAESKey of the console.',
      );
}
