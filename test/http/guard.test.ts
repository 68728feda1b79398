import { describe, expect, test } from 'vitest';
import { createGuard, openTo } from '../../src/http/guard.ts';

type Asked = Parameters<ReturnType<typeof createGuard>>[0];

/** A caller on this machine, unless it says otherwise. */
function asked(headers: Record<string, string> = {}, remoteAddress = '127.0.0.1'): Asked {
  const request: Pick<Asked, 'headers'> & { socket: { remoteAddress: string } } = {
    headers: { host: 'localhost:3000', ...headers },
    socket: { remoteAddress },
  };
  return request as Asked;
}

const bearing = (authorization: string): Asked => asked({ authorization });

describe('with tokens', () => {
  const guard = createGuard({ tokens: ['new-token', 'old-token'], open: 'loopback' });

  test.each(['Bearer new-token', 'Bearer old-token', 'bearer new-token', 'Bearer   new-token '])(
    'admits %s',
    (authorization) => expect(guard(bearing(authorization))).toBe('admitted'),
  );

  test.each([
    '',
    'Bearer',
    'Bearer ',
    'Bearer new-toke',
    'Bearer new-token2',
    'Bearer NEW-TOKEN',
    'Basic new-token',
    'new-token',
    'Bearer new-token old-token',
  ])('refuses "%s", from this machine too', (authorization) =>
    expect(guard(bearing(authorization))).toBe('refused'),
  );

  test('refuses a request without the header', () => {
    expect(guard(asked())).toBe('refused');
  });

  test('compares bytes: a token may hold any letters', () => {
    const bytes = Buffer.from('密钥').toString('latin1');
    expect(createGuard({ tokens: ['密钥'], open: 'never' })(bearing(`Bearer ${bytes}`))).toBe('admitted');
  });
});

describe('without a token', () => {
  const guard = createGuard({ tokens: [], open: 'loopback' });

  test.each([
    ['127.0.0.1', 'localhost:3000'],
    ['127.8.8.8', '127.0.0.1'],
    ['::1', '[::1]:3000'],
    ['::ffff:127.0.0.1', 'LOCALHOST'],
  ])('admits %s that asks for %s', (address, host) => {
    expect(guard(asked({ host }, address))).toBe('admitted');
  });

  test.each([
    ['another machine', asked({}, '10.0.0.7')],
    ['an address that is unknown', asked({}, '')],
    ['a name that was led here', asked({ host: 'evil.example:3000' })],
    ['a name that begins like ours', asked({ host: 'localhost.evil.example' })],
    ['a proxy', asked({ 'x-forwarded-for': '127.0.0.1' })],
    ['a proxy of the newer kind', asked({ forwarded: 'for=127.0.0.1' })],
  ])('hides itself from %s', (_, request) => {
    expect(guard(request)).toBe('hidden');
  });

  test.each([
    'via',
    'x-real-ip',
    'x-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'x-cluster-client-ip',
    'fly-client-ip',
    'x-azure-clientip',
    'x-original-host',
    'x-envoy-external-address',
    'cdn-loop',
  ])('hides itself from what says %s', (name) => {
    expect(guard(asked({ [name]: '203.0.113.7' }))).toBe('hidden');
  });

  test.each([
    [{ demo: true, production: false }, 'loopback'],
    [{ demo: true, production: true }, 'never'],
    [{ demo: false, production: false }, 'never'],
    [{ demo: false, production: true }, 'never'],
  ])('%j is open to: %s', (config, open) => {
    expect(openTo(config)).toBe(open);
  });

  test('hides itself from this machine too where it is never open', () => {
    expect(createGuard({ tokens: [], open: 'never' })(asked())).toBe('hidden');
  });
});
