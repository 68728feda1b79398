/**
 * A bot's webhook answer: WeChat's passive reply, plain or encrypted, in XML or JSON.
 * https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html
 */
import type { BotAnswer } from '../core/platform.ts';
import type { Fields } from '../core/wire.ts';
import { decodeText, fieldsOf, readFields, textOf } from './body.ts';
import { decrypt } from './receive.ts';

export type Passive =
  | { is: 'acknowledgement' }
  | { is: 'message'; fields: Fields }
  /** It reaches the user only as it stands; `reason` says why we cannot read it. */
  | { is: 'opaque'; reason: string };

/** Reads the answer's bytes; never throws. */
export function readPassive(body: Uint8Array, encodingAesKeys: readonly string[]): Passive {
  const text = decodeText(body);
  const fields = readFields(text, { trim: true });
  // Some bots write the names in lower case.
  const sealed = fields && (textOf(fields, 'Encrypt') ?? textOf(fields, 'encrypt'));
  if (sealed === null) return readPlain(text, fields);
  const opened = encodingAesKeys.map((key) => decrypt(sealed, key)).find((one) => one !== null);
  if (!opened)
    return { is: 'opaque', reason: 'the answer is encrypted with a key other than WECHAT_ENCODING_AES_KEY' };
  const inner = decodeText(opened.message);
  return readPlain(inner, readFields(inner, { trim: true }));
}

/** What the answer means to the turn. Whatever is not plainly "nothing to say" is relayed, so it is a message. */
export function botAnswerOf(passive: Passive): BotAnswer {
  if (passive.is === 'acknowledgement') return { is: 'acknowledgement' };
  const kind = passive.is === 'message' ? (textOf(passive.fields, 'MsgType') ?? '').toLowerCase() : null;
  return { is: kind === 'transfer_customer_service' ? 'handoff' : 'message' };
}

function readPlain(text: string, fields: Fields | null): Passive {
  const word = text.trim().toLowerCase();
  if (word === '' || word === 'success' || word === 'ok') return { is: 'acknowledgement' };
  if (fields === null) return { is: 'opaque', reason: 'the answer is neither XML nor a JSON object' };
  if (textOf(fields, 'MsgType')) return { is: 'message', fields };
  if (text.trim().startsWith('{') && isReceipt(fields)) return { is: 'acknowledgement' };
  return { is: 'opaque', reason: 'the answer has no MsgType' };
}

/** What frameworks answer to a webhook for "taken": `{}`, `{"errcode":0}`, `{"code":200,"msg":"success"}`, `{"ok":true}`. */
function isReceipt(fields: Fields): boolean {
  const names = Object.keys(fields);
  return names.length === 0 || names.some((name) => verdicts.has(name) && fine.has(String(fields[name])));
}

const verdicts: ReadonlySet<string> = new Set([
  'code',
  'errcode',
  'ok',
  'ret',
  'result',
  'status',
  'success',
]);
const fine: ReadonlySet<string> = new Set(['0', '200', 'ok', 'OK', 'success', 'true']);

type Conversion = { is: 'body'; body: object } | { is: 'impossible'; reason: string };

type Convert = (fields: Fields) => object | null;

/** The passive kinds that have a counterpart among the custom messages. */
const conversions: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ['text', (fields) => filled({ content: textOf(fields, 'Content') ?? '' })],
  ['image', (fields) => medium(fieldsOf(fields, 'Image'))],
  ['voice', (fields) => medium(fieldsOf(fields, 'Voice'))],
  ['video', (fields) => video(fieldsOf(fields, 'Video'))],
  ['music', (fields) => music(fieldsOf(fields, 'Music'))],
  ['news', (fields) => news(firstArticle(fields))],
]);

/**
 * A passive reply as the body of a custom message to `user`.
 * https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 */
export function toCustomMessage(user: string, fields: Fields): Conversion {
  const kind = (textOf(fields, 'MsgType') ?? '').toLowerCase();
  const convert = conversions.get(kind);
  if (convert === undefined) return { is: 'impossible', reason: reasonAgainst(kind) };
  const content = convert(fields);
  return content === null
    ? { is: 'impossible', reason: `the ${kind} answer lacks its content` }
    : { is: 'body', body: { touser: user, msgtype: kind, [kind]: content } };
}

function reasonAgainst(kind: string): string {
  if (kind === 'transfer_customer_service')
    return 'transfer_customer_service works only as an immediate webhook answer: let the bot decide within 5 s';
  // The kind is the bot's own text: only what looks like a kind is repeated.
  const name = /^\w{1,40}$/.test(kind) ? kind : 'of unknown kind';
  return `an answer ${name} has no counterpart among the custom messages: let the bot answer within 5 s`;
}

function medium(fields: Fields | null): object | null {
  return fields && filled({ media_id: textOf(fields, 'MediaId') ?? '' });
}

/** A passive video has no thumbnail; WeChat's pages call it required, other bots send without one. */
function video(fields: Fields | null): object | null {
  const required = medium(fields);
  return (
    fields &&
    required && {
      ...required,
      ...given(fields, { thumb_media_id: 'ThumbMediaId', title: 'Title', description: 'Description' }),
    }
  );
}

function music(fields: Fields | null): object | null {
  const names = {
    title: 'Title',
    description: 'Description',
    musicurl: 'MusicUrl',
    hqmusicurl: 'HQMusicUrl',
    thumb_media_id: 'ThumbMediaId',
  };
  return fields && filled(given(fields, names));
}

function news(article: Fields | null): object | null {
  const names = { title: 'Title', description: 'Description', url: 'Url', picurl: 'PicUrl' };
  const first = article && filled(given(article, names));
  return first && { articles: [first] };
}

/** Only the first: a custom message with more than one is refused (45008). XML wraps articles in `item`. */
function firstArticle(fields: Fields): Fields | null {
  const articles = fieldsOf(fields, 'Articles');
  return articles && (fieldsOf(articles, 'item') ?? articles);
}

function filled(content: Record<string, string>): object | null {
  return Object.values(content).some((value) => value !== '') ? content : null;
}

/** Renames the fields that are there. */
function given(fields: Fields, names: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(names).flatMap(([to, from]) => {
      const value = textOf(fields, from);
      return value === null ? [] : [[to, value]];
    }),
  );
}
