/** The bodies of custom/send. Source: https://developers.weixin.qq.com/doc/service/api/customer/message/api_sendcustommessage */
import { asText, type JsonObject } from './server.ts';

/** What each kind cannot do without. */
const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  text: ['content'],
  image: ['media_id'],
  voice: ['media_id'],
  video: ['media_id'],
  music: ['musicurl', 'hqmusicurl', 'thumb_media_id'],
  news: ['articles'],
  mpnewsarticle: ['article_id'],
  msgmenu: ['list'],
  wxcard: ['card_id'],
  miniprogrampage: ['pagepath'],
  link: ['title', 'url'],
};

/** Bytes of UTF-8, as measured: https://github.com/MamaShip/Observer/issues/77 */
export const TEXT_LIMIT = 2048;

/** 0, or WeChat's code for what is wrong with the message. */
export function messageFault(kind: string, message: JsonObject): 0 | 40008 | 47001 | 45002 | 45008 {
  const required = REQUIRED[kind];
  if (required === undefined) return 40008;
  if (required.some((name) => message[name] === undefined)) return 47001;
  if (kind === 'text' && asText(message['content']) === null) return 47001;
  if (Buffer.byteLength(asText(message['content']) ?? '') > TEXT_LIMIT) return 45002;
  if (kind === 'news' && (!Array.isArray(message['articles']) || message['articles'].length !== 1))
    return 45008;
  return 0;
}

/** A text's text, else the kind in brackets. */
export function describeMessage(kind: string, message: JsonObject): string {
  return kind === 'text' ? (asText(message['content']) ?? '') : `[${kind}]`;
}
