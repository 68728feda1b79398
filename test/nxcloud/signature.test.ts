import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { HeaderLines } from '../../src/core/wire.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { sign, verify, type Algorithm } from '../../src/nxcloud/signature.ts';
import vectors from '../vectors/nxcloud.json' with { type: 'json' };
import { pushOf } from '../support/nxcloud.ts';

const { accessSecret } = vectors;
const common = { accessKey: vectors.headers.accessKey, ts: vectors.headers.ts };

function algorithmOf(vector: { algorithm?: string }): Algorithm {
  return vector.algorithm === 'sha256' ? 'sha256' : 'md5';
}

describe('sign', () => {
  test.each(vectors.published)('makes the published $sign', ({ bizType, action, body, sign: published }) => {
    expect(sign({ ...common, bizType, action }, body, { accessSecret })).toBe(published);
  });

  test.each(vectors.derived)('makes the derived $sign', (vector) => {
    const { bizType, action, body } = vector;
    const made = sign({ ...common, bizType, action }, body, { accessSecret, algorithm: algorithmOf(vector) });
    expect(made).toBe(vector.sign);
  });

  test('is the same over text and over its UTF-8 bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (body) => {
        const fields = { ...common, bizType: '2', action: 'read' };
        expect(sign(fields, new TextEncoder().encode(body), { accessSecret })).toBe(
          sign(fields, body, { accessSecret }),
        );
      }),
    );
  });
});

describe('verify', () => {
  const body = '{"messages":[{"text":{"body":"牛小信"}}]}';
  const fields = { ...common, bizType: '2', action: 'mo' };

  function signed(algorithm: Algorithm | null, rest: Partial<Record<string, string>> = {}): HeaderLines {
    const signature = sign(fields, new TextEncoder().encode(body), {
      accessSecret,
      algorithm: algorithm ?? 'md5',
    });
    const headers: Record<string, string | undefined> = {
      accesskey: fields.accessKey,
      action: fields.action,
      biztype: fields.bizType,
      ts: fields.ts,
      ...(algorithm && { algorithm }),
      sign: signature,
      ...rest,
    };
    return Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      value === undefined ? [] : [[name, value]],
    );
  }

  function check(
    headers: HeaderLines,
    overrides: Partial<NxcloudAccount> = {},
    { sent = body, isAsked = false } = {},
  ): string | null {
    const account = { accessSecrets: [accessSecret], verifyCallbacks: 'auto', ...overrides } as const;
    return verify(pushOf(sent, headers), account, isAsked);
  }

  test.each([null, 'md5', 'sha256'] as const)('accepts a true signature with algorithm %s', (algorithm) => {
    expect(check(signed(algorithm))).toBeNull();
  });

  test('reads header names, the algorithm and the signature without regard to case', () => {
    const shouted = signed('sha256').map(
      ([name, value]) =>
        [name.toUpperCase(), ['sign', 'algorithm'].includes(name) ? value.toUpperCase() : value] as const,
    );
    expect(check(shouted)).toBeNull();
  });

  test('accepts each secret during a rotation', () => {
    expect(check(signed('md5'), { accessSecrets: ['new', accessSecret] })).toBeNull();
    expect(check(signed('md5'), { accessSecrets: ['new', 'newer'] })).toContain('"sign" does not match');
  });

  test('accepts a repeat with the first delivery’s old timestamp', () => {
    expect(Number(fields.ts)).toBeLessThan(Date.UTC(2023, 0));
    expect(check(signed('md5'))).toBeNull();
  });

  test('refuses another body, another timestamp and a signature of another length', () => {
    expect(check(signed('md5'), {}, { sent: `${body} ` })).toContain('"sign" does not match');
    expect(check(signed('md5', { ts: '1655710885432' }))).toContain('"sign" does not match');
    expect(check(signed('md5', { sign: 'abc' }))).toContain('"sign" does not match');
    expect(check(signed('md5', { sign: '' }))).toContain('"sign" does not match');
  });

  test('refuses an MD5 signature that is called SHA-256', () => {
    expect(check(signed('md5', { algorithm: 'sha256' }))).toContain('"sign" does not match');
  });

  test.each(['accesskey', 'action', 'biztype', 'ts'])('refuses a signed push without %s', (name) => {
    expect(check(signed('md5', { [name]: undefined }))).toContain(`The header "${name}" is missing`);
    expect(check(signed('md5', { [name]: '' }))).toContain(`The header "${name}" is missing`);
  });

  test('takes an unsigned push as long as signatures are not required', () => {
    expect(check([])).toBeNull();
    expect(check([], { verifyCallbacks: 'off' })).toBeNull();
    expect(check([], { verifyCallbacks: 'require' })).toContain('"sign" is missing');
  });

  test('takes none without, once a signed one has come', () => {
    expect(check([], {}, { isAsked: true })).toContain('"sign" is missing, though signed pushes have come');
    expect(check(signed('md5'), {}, { isAsked: true })).toBeNull();
    expect(check([], { verifyCallbacks: 'off' }, { isAsked: true })).toBeNull();
  });

  test('looks at no signature when told so', () => {
    expect(check(signed('md5', { sign: 'wrong' }), { verifyCallbacks: 'off' })).toBeNull();
  });
});
