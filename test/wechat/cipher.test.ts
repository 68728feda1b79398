import { createCipheriv } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decrypt, encrypt } from '../../src/wechat/receive.ts';
import { utf8 } from '../support/wechat.ts';
import { vectorOf } from './vectors.ts';

const base64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const keys = fc.string({ unit: fc.constantFrom(...base64.split('')), minLength: 43, maxLength: 43 });
const random16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe("WeChat's cipher", () => {
  test.each(['V3', 'V4', 'V5', 'V15'])('opens the published %s', (id) => {
    const vector = vectorOf(id);
    const opened = decrypt(vector.encrypt, vector.encodingAESKey);
    expect(opened?.message.toString()).toBe(vector.plain);
    expect(opened?.appId).toBe(vector.appid);
  });

  test.each(['V3', 'V4', 'V5'])('makes the published %s from its random bytes', (id) => {
    const { plain, appid, random, encodingAESKey, encrypt: expected } = vectorOf(id);
    const seal = { encodingAesKey: encodingAESKey, appId: appid, random: utf8(random) };
    expect(encrypt(utf8(plain), seal)).toBe(expected);
  });

  test('opens what it has sealed, for any bytes, key and AppID', () => {
    fc.assert(
      fc.property(
        fc.uint8Array(),
        keys,
        random16,
        fc.string({ unit: 'grapheme' }),
        (message, encodingAesKey, random, appId) => {
          const opened = decrypt(encrypt(message, { encodingAesKey, appId, random }), encodingAesKey);
          expect(opened).toEqual({ message: Buffer.from(message), appId });
        },
      ),
    );
  });

  test('never throws on anything that is not a sealed message', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String()), keys, (sealed, key) => {
        expect(() => decrypt(sealed, key)).not.toThrow();
      }),
    );
  });

  test('does not open with another key, nor with what is no key', () => {
    const { encrypt: sealed } = vectorOf('V15');
    expect(decrypt(sealed, 'A'.repeat(43))).toBeNull();
    expect(decrypt(sealed, 'short')).toBeNull();
    expect(decrypt('', 'A'.repeat(43))).toBeNull();
  });

  test('refuses a length that reaches beyond the message', () => {
    const { encodingAESKey } = vectorOf('V15');
    const key = Buffer.from(`${encodingAESKey}=`, 'base64');
    const lying = Buffer.concat([Buffer.alloc(16), Buffer.from('7fffffff', 'hex'), Buffer.alloc(12, 12)]);
    expect(decrypt(sealRaw(lying, key), encodingAESKey)).toBeNull();
    const honest = Buffer.concat([Buffer.alloc(16), Buffer.from('00000000', 'hex'), Buffer.alloc(12, 12)]);
    expect(decrypt(sealRaw(honest, key), encodingAESKey)?.message.length).toBe(0);
  });

  test('says what is wrong with a key or random bytes that it cannot seal with', () => {
    const random = new Uint8Array(16);
    expect(() => encrypt(utf8('x'), { encodingAesKey: 'short', appId: '', random })).toThrow(
      'copy all its 43 characters',
    );
    const seal = { encodingAesKey: 'A'.repeat(43), appId: '', random: random.subarray(1) };
    expect(() => encrypt(utf8('x'), seal)).toThrow('random has 15 bytes: give it exactly 16');
  });
});

function sealRaw(padded: Buffer, key: Buffer): string {
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  return Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
}
