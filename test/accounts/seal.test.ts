import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createSeal } from '../../src/accounts/record.ts';

const key = (byte: number): Buffer => Buffer.alloc(32, byte);
const [first, second] = [key(1), key(2)];
const seal = createSeal({ keys: [first], random: randomBytes });
const purpose = 'account/wechat/shop/token';

test('whatever is sealed is opened by the same key for the same purpose', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (secret, purpose) => {
      expect(seal.open(seal.seal(secret, purpose), purpose)).toBe(secret);
    }),
  );
});

test('what is sealed shows neither the secret nor the key, and never looks the same twice', () => {
  const sealed = Array.from({ length: 50 }, () => seal.seal('open sesame', purpose));
  expect(new Set(sealed).size).toBe(50);
  const text = sealed.join();
  for (const bytes of [Buffer.from('open sesame'), first])
    for (const encoding of ['utf8', 'hex', 'base64', 'base64url'] as const)
      expect(text).not.toContain(bytes.toString(encoding));
});

/** Key: 32 bytes 01; nonce: 12 bytes 07; additional data: keeptyping/v1/ and the purpose. */
test('what an earlier release has sealed stays openable', () => {
  const sealed = 'v1.5nMNxPSo.BwcHBwcHBwcHBwcH._paJ1mrahB-zwnWDaaEtLPhJnYKfzg';
  expect(seal.open(sealed, purpose)).toBe('secret');
});

describe('nothing is opened', () => {
  const sealed = seal.seal('secret', purpose);

  test.each([
    'account/wechat/shop/appSecret',
    'account/wechat/other/token',
    'account/nxcloud/shop/token',
    '',
  ])('for the purpose %j', (other) => {
    expect(seal.open(sealed, other)).toBeNull();
  });

  test('by another key', () => {
    expect(createSeal({ keys: [second], random: randomBytes }).open(sealed, purpose)).toBeNull();
  });

  test('that was changed in any character, cut or lengthened', () => {
    for (let at = 0; at < sealed.length - 1; at += 1) {
      const other = sealed[at] === 'A' ? 'B' : 'A';
      expect(seal.open(`${sealed.slice(0, at)}${other}${sealed.slice(at + 1)}`, purpose)).toBeNull();
      expect(seal.open(sealed.slice(0, at), purpose)).toBeNull();
    }
    expect(seal.open(`${sealed}A`, purpose)).toBeNull();
  });

  test('that was never sealed, and nothing is thrown', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^v1\.[\w-]{8}\.[\w-]{16}\.[\w-]*$/)), (text) => {
        expect(seal.open(text, purpose)).toBeNull();
      }),
    );
  });
});

describe('after a change of the key', () => {
  const rotated = createSeal({ keys: [second, first], random: randomBytes });
  const old = seal.seal('secret', purpose);

  test('what the one before closed is opened, and told apart', () => {
    expect(rotated.open(old, purpose)).toBe('secret');
    expect(rotated.isPresent(old)).toBe(false);
  });

  test('the present one closes', () => {
    const fresh = rotated.seal('secret', purpose);
    expect(rotated.isPresent(fresh)).toBe(true);
    expect(seal.open(fresh, purpose)).toBeNull();
  });
});
