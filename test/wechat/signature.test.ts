import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isSigned, sign } from '../../src/wechat/receive.ts';
import { vectorOf } from './vectors.ts';

describe("WeChat's signature", () => {
  test.each(['V1', 'V2', 'V3', 'V15'])('over the query is the published one of %s', (id) => {
    const { token, timestamp, nonce, signature } = vectorOf(id);
    expect(sign([token, timestamp, nonce])).toBe(signature);
  });

  test.each(['V3', 'V4', 'V14', 'V15'])('over query and body is the published one of %s', (id) => {
    const { token, timestamp, nonce, encrypt, msg_signature } = vectorOf(id);
    expect(sign([token, timestamp, nonce, encrypt])).toBe(msg_signature);
  });

  test('is accepted from the previous token during a rotation', () => {
    const { token, timestamp, nonce, signature } = vectorOf('V1');
    expect(isSigned(signature, ['new', token], [timestamp, nonce])).toBe(true);
    expect(isSigned(signature, ['new'], [timestamp, nonce])).toBe(false);
    expect(isSigned(signature, [], [timestamp, nonce])).toBe(false);
  });

  test('is refused without an exception whatever stands in its place', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (given) => {
        expect(isSigned(given, ['AAAAA'], ['1', '2'])).toBe(given === sign(['AAAAA', '1', '2']));
      }),
    );
  });
});
