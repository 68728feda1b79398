/** Who may see the console, and by what. */
import { get, type IncomingMessage } from 'node:http';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { createGuard } from '../../src/http/guard.ts';
import type { PageFile } from '../../src/pages/pages.ts';
import { openBrowser } from './scene.ts';
import { deferred } from '../support/queue-fakes.ts';
import { serveConsole, type Served, token } from './served.ts';

let served: Served | null = null;

afterEach(async () => {
  await served?.close();
  served = null;
});

async function start(options: Parameters<typeof serveConsole>[0] = {}): Promise<Served> {
  served = await serveConsole(options);
  return served;
}

const file = (text: string): PageFile => ({
  type: 'text/html; charset=utf-8',
  body: Buffer.from(text),
  gzipped: Buffer.from('zipped'),
});
const page = () =>
  new Map([
    ['index.html', file('<h1>console</h1>')],
    ['page.js', file('1')],
  ]);

describe('the page', () => {
  test.each(['/console', '/console/', '/console/page.js'])('is at %s, for everybody', async (path) => {
    const { url } = await start({ page });
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; script-src 'self';/,
    );
    expect(response.headers.get('content-security-policy')).not.toMatch(/unsafe|https?:|\*/);
  });

  test.each(['/consoles', '/console/nothing.js', '/console/../x', '/'])('is not at %s', async (path) => {
    const { url } = await start({ page });
    expect((await fetch(`${url}${path}`)).status).toBe(404);
  });

  test('is only read', async () => {
    const { url } = await start({ page });
    expect((await fetch(`${url}/console`, { method: 'POST' })).status).toBe(404);
    expect((await fetch(`${url}/console`, { method: 'HEAD' })).status).toBe(200);
  });
});

const reads = ['failed', 'search', 'events', 'conversations/wechat/shop/u', 'nothing'];

describe('without a login', () => {
  test.each(reads)('%s is refused', async (path) => {
    const { url, world } = await start();
    const response = await openBrowser(url).ask('GET', path);
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/control token/) });
    expect(world.looks).toBe(0);
  });

  test('the queues lead to the login', async () => {
    const { url } = await start();
    const response = await fetch(`${url}/console/queues`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([303, '/console']);
  });
});

describe('a login', () => {
  test('with the token opens everything, until it is ended', async () => {
    const { url } = await start();
    const browser = openBrowser(url);
    expect((await browser.logIn(token)).status).toBe(204);
    expect((await browser.ask('GET', 'failed')).status).toBe(200);
    const queues = await fetch(`${url}/console/queues`, { headers: { cookie: browser.cookie ?? '' } });
    expect(await queues.text()).toBe('queues');
    const out = await browser.ask('DELETE', 'session', {});
    expect(out.status).toBe(204);
    expect(out.headers.get('set-cookie')).toMatch(/^keeptyping_console=; .*Max-Age=0/);
  });

  test('through a proxy that speaks https sets a Secure cookie', async () => {
    const { url } = await start();
    const headers = { 'x-forwarded-proto': 'https' };
    const response = await openBrowser(url).ask('POST', 'session', { token }, headers);
    expect(response.headers.get('set-cookie')).toMatch(/; HttpOnly; SameSite=Strict; Secure$/);
  });

  test('with the token before is taken too, and told', async () => {
    let told = 0;
    const tokens = ['the-next-token-456789', token];
    const guard = createGuard({ tokens, open: 'never', sawPrevious: () => (told += 1) });
    const { url } = await start({ tokens, guard });
    const browser = openBrowser(url);
    expect((await browser.logIn(token)).status).toBe(204);
    expect((await browser.ask('GET', 'failed')).status).toBe(200);
    expect(told).toBe(1);
  });

  test.each([{ token: `${token}x` }, { token: '' }, { token: 7 }, {}, [], 'x'])(
    'with %j is refused',
    async (body) => {
      const { url } = await start();
      const response = await openBrowser(url).ask('POST', 'session', body);
      expect(response.status).toBe(401);
      expect(response.headers.get('set-cookie')).toBeNull();
    },
  );

  test('with the right token never waits for those with wrong ones', async () => {
    const told: string[] = [];
    const guess = (what: string) => () => {
      told.push(what);
      return new Promise<void>(() => {});
    };
    const { url, console } = await start({ guessed: { bearer: guess('bearer'), login: guess('login') } });
    const bearer = { authorization: 'Bearer wrong-token-456789', 'sec-fetch-site': 'none' };
    const wrong = [
      openBrowser(url).logIn('wrong-token-456789'),
      openBrowser(url).ask('POST', 'session', { code: 'wrong-code' }),
      openBrowser(url).ask('GET', 'failed', undefined, bearer),
    ];
    const refused = Promise.race(wrong).then(
      () => 'refused',
      () => 'closed',
    );
    await expect.poll(() => told.toSorted()).toEqual(['bearer', 'login', 'login']);
    const entered = openBrowser(url)
      .logIn(token)
      .then(({ status }) => status);
    expect(await Promise.race([refused, entered])).toBe(204);
    expect((await openBrowser(url).ask('POST', 'session', { code: console.invite() })).status).toBe(204);
  });

  test.each<[string, Record<string, string>]>([
    ['another site', { 'sec-fetch-site': 'cross-site' }],
    ['a sibling site', { 'sec-fetch-site': 'same-site' }],
  ])('from %s is refused', async (_, headers) => {
    const { url } = await start();
    expect((await openBrowser(url).ask('POST', 'session', { token }, headers)).status).toBe(403);
  });
});

const changes: [method: string, path: string][] = [
  ['PUT', 'conversations/wechat/shop/u/pause'],
  ['DELETE', 'conversations/wechat/shop/u/pause'],
  ['PUT', 'accounts/wechat/shop/typing'],
  ['POST', 'failed/7/retry'],
  ['DELETE', 'session'],
];

const useLink = (url: string, code: string) => openBrowser(url).ask('POST', 'session', { code });

describe('a link that logs in', () => {
  test('does so once', async () => {
    const { url, console } = await start();
    const code = console.invite();
    const entered = await useLink(url, code);
    expect(entered.status).toBe(204);
    const cookie = entered.headers.get('set-cookie')?.split(';')[0] ?? '';
    expect((await openBrowser(url).ask('GET', 'failed', undefined, { cookie })).status).toBe(200);
    expect((await useLink(url, code)).status).toBe(401);
  });

  test('is worth nothing after an hour, or when there is a newer one', async () => {
    const { url, console, clock } = await start();
    const [older, newer] = [console.invite(), console.invite()];
    expect((await useLink(url, older)).status).toBe(401);
    clock.set(clock.now() + 60 * 60_000);
    const late = await useLink(url, newer);
    expect([late.status, await late.json()]).toEqual([401, { error: 'This link logs in no more.' }]);
  });

  test('is not guessed, nor used from another site', async () => {
    const { url, console } = await start();
    expect((await useLink(url, 'A'.repeat(32))).status).toBe(401);
    const code = console.invite();
    const foreign = { 'sec-fetch-site': 'cross-site' };
    expect((await openBrowser(url).ask('POST', 'session', { code }, foreign)).status).toBe(403);
    expect((await useLink(url, code)).status).toBe(204);
  });
});

describe.each(changes)('%s %s', (method, path) => {
  const ask = async (headers: Record<string, string>, body: unknown = {}): Promise<number> => {
    const { url } = await start();
    const browser = openBrowser(url);
    await browser.logIn(token);
    return (await browser.ask(method, path, body, headers)).status;
  };

  test('is done for our own page', async () => {
    expect(await ask({})).toBeLessThan(300);
  });

  test('is not done for another site’s', async () => {
    expect(await ask({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' })).toBe(403);
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'is not done for a form’s %s',
    async (type) => expect(await ask({ 'content-type': type })).toBe(400),
  );

  test('is not done with more than there can be to say', async () => {
    expect(await ask({}, { x: 'x'.repeat(10_000) })).toBe(400);
  });
});

test('a page of another site can read nothing either', async () => {
  const { url } = await start();
  const browser = openBrowser(url);
  await browser.logIn(token);
  expect((await browser.ask('GET', 'failed', undefined, { 'sec-fetch-site': 'cross-site' })).status).toBe(
    403,
  );
});

test('a conversation that Redis does not give is a 503', async () => {
  const { url } = await start();
  const browser = openBrowser(url);
  await browser.logIn(token);
  const response = await browser.ask('GET', 'conversations/wechat/shop/u');
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ error: expect.stringMatching(/Redis/) });
  expect((await browser.ask('GET', 'conversations/wechat/nobody/u')).status).toBe(404);
});

test.each([
  { tokens: [], login: false },
  { tokens: [token], login: true },
])('the page is told whether there is anything to log in with: $login', async ({ tokens, login }) => {
  const { url } = await start({ guarded: { tokens, open: 'loopback' }, page });
  const told = await openBrowser(url).ask('GET', 'session');
  expect([told.status, await told.json()]).toEqual([200, { login }]);
});

describe('without any token', () => {
  test('this machine needs no login', async () => {
    const { url } = await start({ guarded: { tokens: [], open: 'loopback' }, page });
    expect((await openBrowser(url).ask('GET', 'failed')).status).toBe(200);
    expect((await openBrowser(url).logIn('anything-at-all-56789')).status).toBe(204);
    expect((await fetch(`${url}/console`)).status).toBe(200);
  });

  test.each<[string, { open: 'never' | 'loopback' }, Record<string, string>]>([
    ['in production', { open: 'never' }, {}],
    ['through a proxy', { open: 'loopback' }, { 'x-forwarded-for': '10.0.0.1' }],
  ])('%s there is nothing', async (_, { open }, headers) => {
    const { url } = await start({ guarded: { tokens: [], open }, page });
    for (const path of ['', '/', '/page.js', '/queues', '/api/failed', '/api/session', '/api/events']) {
      const response = await fetch(`${url}/console${path}`, { headers });
      expect([path, response.status, await response.text()]).toEqual([path, 404, 'elsewhere']);
    }
  });
});

test('files are sent as small as they can be', async () => {
  const files = new Map([['index.html', { ...file('<p>'), gzipped: gzipSync('<p>') }]]);
  const { url } = await start({ page: () => files });
  const response = await new Promise<IncomingMessage>((resolve) => {
    get(`${url}/console`, { headers: { 'accept-encoding': 'gzip' } }, resolve);
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  expect(response.headers['content-encoding']).toBe('gzip');
  expect(gunzipSync(Buffer.concat(chunks)).toString()).toBe('<p>');
});

test('the failed replies are read once for all the pages that ask at the same time', async () => {
  let readings = 0;
  const read = async (): Promise<never[]> => {
    readings += 1;
    return [];
  };
  const allAsk = deferred();
  const failed = { read, runAgain: async () => 'none' as const };
  const { url, server } = await start({ failed, sleep: () => allAsk.promise });
  const browser = openBrowser(url);
  await browser.logIn(token);
  let asking = 0;
  server.on('request', () => (asking += 1) === 20 && allAsk.resolve());
  const answers = await Promise.all(Array.from({ length: 20 }, () => browser.ask('GET', 'failed')));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  expect(readings).toBeLessThanOrEqual(2);
});
