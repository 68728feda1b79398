/**
 * AES as WeChat's pushes use it: AES-256-CBC with the key's first 16 bytes as IV, over
 * random(16) + length(4, big-endian) + message + appid.
 * https://developers.weixin.qq.com/doc/oplatform/Third-party_Platforms/2.0/Before_Develop/Message_encryption_and_decryption.md
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';

/** PKCS#7 with a block of 32 bytes: twice AES's own, so OpenSSL's padding check rejects valid pushes. */
const paddingBlock = 32;
const aesBlock = 16;
const headerLength = 20;

export interface Opened {
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
