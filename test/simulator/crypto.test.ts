import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { nxcloudSign } from '../../src/simulator/nxcloud-authenticate.ts';
import { decrypt, encrypt, parseBody, renderBody, sha1Signature } from '../../src/simulator/wechat-sealed.ts';

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8'));

const Wechat = z.object({ vectors: z.array(z.record(z.string(), z.union([z.string(), z.number()]))) });
const wechat = Wechat.parse(read('wechat')).vectors.map(
  (vector) => new Map(Object.entries(vector).map(([name, value]) => [name, String(value)])),
);
const withFields = (...names: string[]) => wechat.filter((vector) => names.every((name) => vector.has(name)));
const text = (vector: Map<string, string>, name: string): string => vector.get(name) ?? `no ${name}`;
const cipherOf = (vector: Map<string, string>) => ({
  encodingAesKey: text(vector, 'encodingAESKey'),
  appId: text(vector, 'appid'),
});

describe("WeChat's published vectors", () => {
  const signed = withFields('signature');
  test.each(signed.map((vector) => [text(vector, 'id'), vector] as const))(
    'signature of %s',
    (_id, vector) => {
      const parts = ['token', 'timestamp', 'nonce'].map((name) => text(vector, name));
      expect(sha1Signature(...parts)).toBe(text(vector, 'signature'));
    },
  );

  const sealed = withFields('msg_signature');
  test.each(sealed.map((vector) => [text(vector, 'id'), vector] as const))(
    'msg_signature of %s',
    (_id, vector) => {
      const parts = ['token', 'timestamp', 'nonce', 'encrypt'].map((name) => text(vector, name));
      expect(sha1Signature(...parts)).toBe(text(vector, 'msg_signature'));
    },
  );

  const encrypted = withFields('encrypt', 'plain');
  test.each(encrypted.map((vector) => [text(vector, 'id'), vector] as const))(
    'decrypts %s',
    (_id, vector) => {
      expect(decrypt(cipherOf(vector), text(vector, 'encrypt'))).toBe(text(vector, 'plain'));
    },
  );

  const fixed = withFields('encrypt', 'plain', 'random');
  test.each(fixed.map((vector) => [text(vector, 'id'), vector] as const))('encrypts %s', (_id, vector) => {
    expect(encrypt(cipherOf(vector), text(vector, 'plain'), text(vector, 'random'))).toBe(
      text(vector, 'encrypt'),
    );
  });

  test('there are enough of each', () => {
    expect([signed.length, sealed.length, encrypted.length, fixed.length].every((count) => count >= 3)).toBe(
      true,
    );
  });
});

describe('WeChat encryption', () => {
  const cipher = { encodingAesKey: 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG', appId: 'wx1' };

  test('opens whatever it sealed', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (plain) => {
        expect(decrypt(cipher, encrypt(cipher, plain, '0123456789abcdef'))).toBe(plain);
      }),
    );
  });

  test('opens nothing for another app, with another key, or from rubbish', () => {
    const sealed = encrypt(cipher, 'hello', '0123456789abcdef');
    expect(decrypt({ ...cipher, appId: 'wx2' }, sealed)).toBeNull();
    expect(decrypt({ ...cipher, encodingAesKey: 'A'.repeat(43) }, sealed)).toBeNull();
    expect(decrypt(cipher, 'rubbish')).toBeNull();
    expect(decrypt(cipher, '')).toBeNull();
  });
});

describe("WeChat's bodies", () => {
  const word = fc
    .string({ unit: 'grapheme', minLength: 1 })
    .filter((text) => text.trim() !== '' && !/[\p{C}]/u.test(text));

  test.each(['xml', 'json'] as const)('a text comes through %s as it was', (format) => {
    fc.assert(
      fc.property(word, (Content) => {
        expect(parseBody(renderBody({ Content }, format), format)?.['Content']).toBe(Content);
      }),
    );
  });

  test('a 64-bit MsgId keeps its digits in both formats', () => {
    const fields = { MsgId: 24180351648420683n };
    expect(renderBody(fields, 'xml')).toBe('<xml><MsgId>24180351648420683</MsgId></xml>');
    expect(renderBody(fields, 'json')).toBe('{"MsgId":24180351648420683}');
  });

  test('what is no body of the format is null', () => {
    expect(parseBody('{"a":1}', 'xml')).toBeNull();
    expect(parseBody('<html></html>', 'xml')).toBeNull();
    expect(parseBody('<xml></xml>', 'json')).toBeNull();
    expect(parseBody('null', 'json')).toBeNull();
  });
});

describe("NXCloud's vectors", () => {
  const Vector = z.object({
    bizType: z.string(),
    action: z.string(),
    body: z.string().optional(),
    bodyOf: z.string().optional(),
    algorithm: z.literal('sha256').optional(),
    sign: z.string(),
  });
  const Nxcloud = z.object({
    accessSecret: z.string(),
    headers: z.object({ accessKey: z.string(), ts: z.string() }),
    published: z.array(Vector),
    derived: z.array(Vector),
  });
  const file = Nxcloud.parse(read('nxcloud'));
  const bodies: Record<string, string | undefined> = {
    'the typing body above': file.derived[1]?.body,
    'the first published body': file.published[0]?.body,
  };

  test.each([...file.published, ...file.derived])('$action $algorithm $sign', (vector) => {
    const body = vector.body ?? bodies[vector.bodyOf ?? ''] ?? 'no body';
    const signable = { ...file.headers, action: vector.action, bizType: vector.bizType, body };
    expect(nxcloudSign(signable, file.accessSecret, vector.algorithm ?? 'md5')).toBe(vector.sign);
  });
});
