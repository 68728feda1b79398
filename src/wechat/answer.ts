/**
 * A bot's webhook answer: WeChat's passive reply, plain or encrypted, in XML or JSON.
 * https://developers.weixin.qq.com/doc/subscription/guide/product/message/Passive_user_reply_message.html
 */
import type { AnswerShape, BotAnswer, LatePart, LateRest } from '../core/platform.ts';
import { type Fields, isFields } from '../core/wire.ts';
import type { WechatAccount } from './account.ts';
import { decodeText, fieldsOf, readFields, textOf } from './body.ts';
import { decrypt } from './receive.ts';
import { cutText, longestText } from './split.ts';

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
export function botAnswerOf(
  passive: Passive,
  isInterim: (text: string | null) => boolean = () => false,
): BotAnswer {
  if (passive.is !== 'message') return { is: passive.is === 'opaque' ? 'message' : passive.is };
  if (kindOf(passive.fields) === 'transfer_customer_service') return { is: 'handoff' };
  return isInterim(textOf(passive.fields, 'Content'))
    ? { is: 'message', isInterim: true }
    : { is: 'message' };
}

function readPlain(text: string, fields: Fields | null): Passive {
  if (bareWords.has(text.trim().toLowerCase())) return { is: 'acknowledgement' };
  if (fields === null) return { is: 'opaque', reason: 'the answer is neither XML nor a JSON object' };
  if (textOf(fields, 'MsgType')) return { is: 'message', fields };
  if (isReceipt(fields) || /^\{\s*\}$/.test(text.trim())) return { is: 'acknowledgement' };
  return { is: 'opaque', reason: 'the answer has no MsgType' };
}

/** In quotes, or with nothing in it, where a framework makes JSON of what the bot returns. */
const bareWords: ReadonlySet<string> = new Set([
  '',
  'success',
  'ok',
  '""',
  '"success"',
  '"ok"',
  'null',
  'true',
  '[]',
]);

/** What frameworks answer to a webhook for "taken": `{"errcode":0}`, `{"code":200,"msg":"success"}`, `{"message":"OK"}`. */
function isReceipt(fields: Fields): boolean {
  return Object.entries(fields).some(
    ([name, value]) => verdicts.has(name) && fine.has(String(value).toLowerCase()),
  );
}

const verdicts: ReadonlySet<string> = new Set([
  'code',
  'errcode',
  'errmsg',
  'message',
  'msg',
  'ok',
  'received',
  'result',
  'ret',
  'return_code',
  'status',
  'success',
]);
const fine: ReadonlySet<string> = new Set(['0', '200', 'accepted', 'ok', 'received', 'success', 'true']);

type Conversion = { is: 'body'; body: object; rest: LateRest | null } | { is: 'impossible'; reason: string };

type Convert = (fields: Fields) => object | null;

/** The passive kinds that have a counterpart among the custom messages. */
const conversions: ReadonlyMap<string, Convert> = new Map<string, Convert>([
  ['text', (fields) => filled({ content: textOf(fields, 'Content') ?? '' })],
  ['image', (fields) => medium(fieldsOf(fields, 'Image'))],
  ['voice', (fields) => medium(fieldsOf(fields, 'Voice'))],
  ['video', (fields) => video(fieldsOf(fields, 'Video'))],
  ['music', (fields) => music(fieldsOf(fields, 'Music'))],
  ['news', (fields) => news(articlesOf(fields)[0] ?? null)],
]);

type Splitting = Pick<WechatAccount, 'split' | 'splitEnding'>;

/**
 * A passive reply, or the next part of one, as the body of a custom message to `user`.
 * https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage
 */
export function toCustomMessage(
  user: string,
  fields: Fields,
  { account, part }: { account: Splitting; part: LatePart },
): Conversion {
  const kind = kindOf(fields);
  const convert = conversions.get(kind);
  if (convert === undefined) return { is: 'impossible', reason: reasonAgainst(kind) };
  const { own, rest } = account.split === 'off' ? { own: fields, rest: null } : partOf(fields, account, part);
  const content = convert(own);
  return content === null
    ? { is: 'impossible', reason: `the ${kind} answer lacks its content` }
    : { is: 'body', body: { touser: user, msgtype: kind, [kind]: content }, rest };
}

function kindOf(fields: Fields): string {
  return (textOf(fields, 'MsgType') ?? '').toLowerCase();
}

/** What of the answer goes as its next message: as much of a text as fits, one article of news, all of anything else. */
function partOf(
  fields: Fields,
  { splitEnding: ending }: Splitting,
  { from, most }: LatePart,
): { own: Fields; rest: LateRest | null } {
  const kind = kindOf(fields);
  if (kind === 'text') {
    const text = textOf(fields, 'Content') ?? '';
    if (!isLongText(fields)) return { own: fields, rest: null };
    const { part, next } = cutText(text, { from, most, ending });
    const says = `${text.length - (next ?? 0)} of ${text.length} characters`;
    return { own: { ...fields, Content: part }, rest: next === null ? null : { from: next, says } };
  }
  if (kind !== 'news') return { own: fields, rest: null };
  const articles = articlesOf(fields);
  const article = articles[from] ?? {};
  const left = articles.length - from - 1;
  if (left <= 0) return { own: { ...fields, Articles: article }, rest: null };
  const said = textOf(article, 'Description') ?? '';
  const ended = most > 1 ? article : { ...article, Description: `${said}${ending}` };
  const says = `${left} of ${articles.length} articles`;
  return { own: { ...fields, Articles: ended }, rest: { from: from + 1, says } };
}

function isLongText(fields: Fields): boolean {
  return Buffer.byteLength(textOf(fields, 'Content') ?? '') > longestText;
}

/** What becomes of a bot's answer on this account. What cannot be sent is left where it is. */
export function shapeOf(
  passive: Passive,
  { kind, split }: Pick<WechatAccount, 'kind' | 'split'>,
): AnswerShape {
  const isSendable = passive.is === 'message' && conversions.has(kindOf(passive.fields));
  if (!isSendable) return { isLateOnly: false, isLong: false };
  const { fields } = passive;
  const isLong = split === 'auto' && kindOf(fields) === 'text' && isLongText(fields);
  const areMany = split === 'auto' && kindOf(fields) === 'news' && articlesOf(fields).length > 1;
  // Of a Mini Program's answers WeChat shows none: they are to come by the API.
  // https://developers.weixin.qq.com/miniprogram/dev/framework/open-ability/customer-message/receive.html
  return { isLateOnly: isLong || kind === 'mini', isLong: isLong || areMany };
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

/** A custom message with more than one is refused (45008). XML wraps articles in `item`. */
function articlesOf(fields: Fields): Fields[] {
  const all = [Object.hasOwn(fields, 'Articles') ? fields['Articles'] : []].flat();
  const items = all.flatMap((each) => (isFields(each) && Object.hasOwn(each, 'item') ? each['item'] : each));
  return items.filter((item) => isFields(item)).filter((article) => news(article) !== null);
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
