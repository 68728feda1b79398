/**
 * WeChat's push signature and encryption, written for the simulator alone so that it can judge keeptyping's.
 * Source: https://developers.weixin.qq.com/miniprogram/dev/framework/server-ability/message-push.html and
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/Before_Develop/Message_encryption_and_decryption.md
 */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto';
import { Parser } from 'xml2js';
import { asObject, type JsonObject, readObject } from './server.ts';

/** PKCS#7 to this many bytes, not to AES's own 16. */
const BLOCK = 32;
const PREFIX = 16;
const LENGTH = 4;

interface Cipher {
  /** 43 characters. */
  encodingAesKey: string;
  appId: string;
}

/** sha1 over the sorted parts: token, timestamp, nonce, and for `msg_signature` the ciphertext. */
export function sha1Signature(...parts: string[]): string {
  return createHash('sha1').update(parts.sort().join('')).digest('hex');
}

/** @param random 16 characters that go before the message. */
export function encrypt(cipher: Cipher, plain: string, random: string): string {
  const key = keyOf(cipher);
  const message = Buffer.from(plain);
  const length = Buffer.alloc(LENGTH);
  length.writeUInt32BE(message.length);
  const full = Buffer.concat([Buffer.from(random), length, message, Buffer.from(cipher.appId)]);
  const padding = BLOCK - (full.length % BLOCK);
  const padded = Buffer.concat([full, Buffer.alloc(padding, padding)]);
  const aes = createCipheriv('aes-256-cbc', key, key.subarray(0, PREFIX)).setAutoPadding(false);
  return Buffer.concat([aes.update(padded), aes.final()]).toString('base64');
}

/** The message inside, or null when key, padding, length or appid do not fit. */
export function decrypt(cipher: Cipher, encrypted: string): string | null {
  const bytes = Buffer.from(encrypted, 'base64');
  if (bytes.length === 0 || bytes.length % BLOCK !== 0) return null;
  const key = keyOf(cipher);
  const aes = createDecipheriv('aes-256-cbc', key, key.subarray(0, PREFIX)).setAutoPadding(false);
  const padded = Buffer.concat([aes.update(bytes), aes.final()]);
  const padding = padded.at(-1) ?? 0;
  if (padding < 1 || padding > BLOCK) return null;
  const full = padded.subarray(0, padded.length - padding);
  if (full.length < PREFIX + LENGTH) return null;
  const start = PREFIX + LENGTH;
  const end = start + full.readUInt32BE(PREFIX);
  if (end > full.length || full.subarray(end).toString() !== cipher.appId) return null;
  return full.subarray(start, end).toString();
}

function keyOf({ encodingAesKey }: Cipher): Buffer {
  return Buffer.from(`${encodingAesKey}=`, 'base64');
}

/** WeChat's bodies, in the two formats that its console offers. */

export type Format = 'xml' | 'json';
/** A bigint is written as bare digits in both formats, as WeChat writes its 64-bit MsgId. */
export type Field = string | number | bigint | Fields;
export interface Fields {
  [name: string]: Field;
}

export function renderBody(fields: Fields, format: Format): string {
  return format === 'xml' ? `<xml>${xmlFields(fields)}</xml>` : jsonFields(fields);
}

/** The fields of a body in this format, or null when it is none. */
export function parseBody(text: string, format: Format): JsonObject | null {
  return format === 'xml' ? parseXml(text) : readObject(text);
}

function xmlFields(fields: Fields): string {
  return Object.entries(fields)
    .map(([name, value]) => `<${name}>${xmlValue(value)}</${name}>`)
    .join('');
}

function xmlValue(value: Field): string {
  if (typeof value === 'object') return xmlFields(value);
  if (typeof value !== 'string') return String(value);
  return `<![CDATA[${value.replaceAll(']]>', ']]]]><![CDATA[>')}]]>`;
}

function jsonFields(fields: Fields): string {
  const members = Object.entries(fields).map(
    ([name, value]) => `${JSON.stringify(name)}:${jsonValue(value)}`,
  );
  return `{${members.join(',')}}`;
}

function jsonValue(value: Field): string {
  if (typeof value === 'object') return jsonFields(value);
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}

function parseXml(text: string): JsonObject | null {
  let root: unknown = null;
  try {
    new Parser({ explicitArray: false, async: false }).parseString(text, (error, result: unknown) => {
      root = error === null ? result : null;
    });
  } catch {
    return null;
  }
  return asObject(asObject(root)?.['xml']);
}
