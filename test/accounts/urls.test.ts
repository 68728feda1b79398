import { describe, expect, test } from 'vitest';
import { allowsAddress, literalFaults, urlFaults } from '../../src/accounts/urls.ts';

const names: Record<string, string[]> = {
  'bot.example': ['198.105.244.1'],
  'inside.example': ['10.0.0.7'],
  'both.example': ['198.105.244.1', '127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'localhost.': ['127.0.0.1'],
  localhost: ['::1', '127.0.0.1'],
};
const resolve = async (name: string): Promise<string[]> => names[name] ?? [];
const urls = ['botUrl', 'apiBase', 'accessTokenUrl'];
const judge = (fields: object, allowPrivate = false): Promise<string[]> =>
  urlFaults({ ...fields }, { urls, allowPrivate, resolve });

describe('a URL that is set at run time', () => {
  test.each([
    'https://bot.example/x?key=1',
    'http://8.8.8.8:81/',
    'http://nobody.example/',
    'https://[2606:4700::1]/',
  ])('may be %s', async (botUrl) => {
    expect(await judge({ botUrl })).toEqual([]);
  });

  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://0x7f.1/',
    'http://2130706433/',
    'http://127.0.0.1./',
    'http://１２７.0.0.1/',
    'http://[::1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://user:password@10.0.0.1/',
    'http://localhost:8000/',
    'http://LOCALHOST/',
    'http://localhost./',
    'http://inside.example/',
    'http://both.example/',
  ])('may be %s only with ALLOW_PRIVATE_URLS', async (botUrl) => {
    const fault =
      'botUrl leads to an address that may not be set at run time: use a public one, or set ALLOW_PRIVATE_URLS=1';
    expect(await judge({ botUrl })).toEqual([fault]);
    expect(await judge({ botUrl }, true)).toEqual([]);
  });

  test.each([
    'http://169.254.169.254/latest/meta-data/',
    'http://0xA9FEA9FE/',
    'http://2852039166/',
    'http://[::ffff:a9fe:a9fe]/',
    'http://[64:ff9b::a9fe:a9fe]/',
    'http://[2002:a9fe:a9fe::]/',
    'http://[fd00:ec2::254]/',
    'http://100.100.100.200/',
    'http://0.0.0.0/',
    'http://0/',
    'http://metadata.example/',
  ])('may never be %s', async (botUrl) => {
    const fault = 'botUrl leads to an address that may not be set at run time: use a public one';
    expect(await judge({ botUrl }, true)).toEqual([fault]);
  });
});

test('every field that is a URL is looked at, and all faults are named', async () => {
  const url = 'http://127.0.0.1/';
  const faults = await judge({ botUrl: url, apiBase: url, accessTokenUrl: url, appId: url });
  expect(faults.map((fault) => fault.split(' ')[0])).toEqual(['botUrl', 'apiBase', 'accessTokenUrl']);
});

test('without a resolver only those that name an address are judged', () => {
  const judged = literalFaults(
    { botUrl: 'http://localhost/', apiBase: 'http://10.1.2.3', accessTokenUrl: 7 },
    { urls, allowPrivate: false },
  );
  expect(judged).toEqual([expect.stringContaining('apiBase')]);
});

test('a connection is allowed by the same measure', () => {
  const addresses = ['8.8.8.8', '127.0.0.1', '169.254.169.254'];
  expect(addresses.map(allowsAddress(false))).toEqual([true, false, false]);
  expect(addresses.map(allowsAddress(true))).toEqual([true, true, false]);
});
