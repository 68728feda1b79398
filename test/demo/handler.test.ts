import { createServer, type Server } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import request from 'supertest';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { createDemo, type Demo } from '../../src/demo/demo.ts';
import { createHandler } from '../../src/demo/handler.ts';
import { createFakeWorld, type FakeWorld } from './fakes.ts';

const visitor = '25a95f4c-58dc-4618-ac25-c002d6733a88';
let world: FakeWorld;
let demo: Demo;
let server: Server;

beforeEach(async () => {
  world = createFakeWorld();
  demo = createDemo({
    world,
    newId: () => visitor,
    limits: { visitors: 1, streams: 1, messagesPerMinute: 3 },
  });
  const handler = createHandler(demo);
  server = createServer((asked, response) => {
    handler(asked, response, () => void response.writeHead(418).end());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});

afterEach(() => {
  demo.close();
  server.close();
  server.closeAllConnections();
});

const folder = new URL('../../src/demo/page/', import.meta.url);
const names = readdirSync(folder);

async function wordsOf(language: string): Promise<Record<string, string>> {
  const module: unknown = await import(new URL(`${language}.js`, folder).href);
  return z.record(z.string(), z.record(z.string(), z.string())).parse({ ...Object(module) })[language] ?? {};
}

/** Where values go. */
function blanks(text: string): string[] {
  return text.match(/\{\w+\}/g) ?? [];
}

describe('the page', () => {
  test.each(['/', '/demo', '/?x=1'])(
    'is at %s, and may load nothing from elsewhere and nothing inline',
    async (path) => {
      const { status, headers, text } = await request(server).get(path);
      expect(status).toBe(200);
      expect(headers['content-type']).toBe('text/html; charset=utf-8');
      expect(headers['content-security-policy']).toMatch(
        /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;/,
      );
      expect(headers['content-security-policy']).not.toContain('unsafe');
      expect(headers['x-content-type-options']).toBe('nosniff');
      expect(text).not.toMatch(/<style|style="|\son\w+="|<script>|\s(?:href|src)="(?!\/|#|data:)/);
    },
  );

  test.each(names)('%s is served as what it is', async (name) => {
    const { status, headers } = await request(server).get(`/demo/${name}`);
    expect(status).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/(html|css|javascript); charset=utf-8$/);
  });

  test('weighs at most 60 kB, all told', () => {
    const weight = names.map((name) => gzipSync(readFileSync(new URL(name, folder))).length);
    expect(weight.reduce((sum, one) => sum + one, 0)).toBeLessThan(60_000);
  });

  test('comes compressed to whoever can read it, and plain to others', async () => {
    const zipped = await request(server).get('/demo/page.css').set('accept-encoding', 'gzip');
    const plain = await request(server).get('/demo/page.css').set('accept-encoding', 'identity');
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(plain.headers).not.toHaveProperty('content-encoding');
    expect(zipped.text).toBe(plain.text);
  });

  test('says everything in both languages', async () => {
    const [english, chinese] = [await wordsOf('english'), await wordsOf('chinese')];
    expect(Object.keys(chinese)).toEqual(Object.keys(english));
    for (const [name, text] of Object.entries(english)) {
      const other = chinese[name] ?? '';
      expect(blanks(other).toSorted()).toEqual(blanks(text).toSorted());
    }
    const html = readFileSync(new URL('index.html', folder), 'utf8');
    const used = [...html.matchAll(/data-word(?:-label|-value|-href)?="(\w+)"/g)].map(([, name]) => name);
    expect(used.filter((name) => !Object.keys(english).includes(name ?? ''))).toEqual([]);
  });

  test.each([
    ['README.md', '# keeptyping'],
    ['README.zh-CN.md', '机器人回答得慢'],
  ])('gives %s as text to read', async (name, words) => {
    const { status, headers, text } = await request(server).get(`/demo/${name}`);
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; charset=utf-8']);
    expect(text).toContain(words);
  });

  test.each([
    '/demo/',
    '/demo/none.js',
    '/demo/../demo/page.css/..',
    '/demo/%2e%2e/files.ts',
    '/other',
    '/demo/visitors',
  ])('has nothing at %s', async (path) => {
    expect((await request(server).get(path)).status).toBe(418);
  });
});

function post(path: string, body: unknown) {
  return request(server).post(`/demo/visitors${path}`).send(JSON.stringify(body)).type('json');
}

const hello = { channel: 'wechat', text: ' hello ', thinkMs: 5_000 };

describe('a visitor', () => {
  test('enters, and is refused in one sentence when there are too many', async () => {
    expect(await post('', {})).toMatchObject({ status: 201, body: { visitor } });
    expect(await post('', {})).toMatchObject({ status: 503, body: { refusal: 'full' } });
  });

  test('writes, at most so much at a time', async () => {
    await post('', {});
    expect((await post(`/${visitor}/messages`, hello)).status).toBe(202);
    expect(world.written[0]).toMatchObject({ channel: 'wechat', text: 'hello', thinkMs: 5_000 });
    await post(`/${visitor}/messages`, hello);
    await post(`/${visitor}/messages`, hello);
    expect(await post(`/${visitor}/messages`, hello)).toMatchObject({
      status: 429,
      body: { refusal: 'soon' },
    });
  });

  test.each([
    { what: 'an empty message', changes: { text: ' \n ' } },
    { what: 'one of 501 characters', changes: { text: 'x'.repeat(501) } },
    { what: 'another channel', changes: { channel: 'sms' } },
    { what: 'another’s name for a channel', changes: { channel: '__proto__' } },
    { what: 'less than a second', changes: { thinkMs: 999 } },
    { what: 'more than 90 seconds', changes: { thinkMs: 90_001 } },
    { what: 'a play that is none', changes: { played: 'yes' } },
    { what: 'half a millisecond', changes: { thinkMs: 1_000.5 } },
    { what: 'more than any message needs', changes: { more: 'x'.repeat(10_000) } },
  ])('is refused $what', async ({ changes }) => {
    await post('', {});
    const asked = post(`/${visitor}/messages`, { ...hello, ...changes });
    const status = await asked.then(
      (answer) => answer.status,
      () => 400,
    );
    expect(status).toBe(400);
    expect(world.written).toEqual([]);
  });

  test('may use every character but those that no message holds', async () => {
    await post('', {});
    await post(`/${visitor}/messages`, { ...hello, text: 'a\u0000b\ud800c ]]> 你好 👨‍👩‍👧' });
    expect(world.written[0]?.text).toBe('a b c ]]> 你好 👨‍👩‍👧');
  });

  test('breaks what there is to break', async () => {
    await post('', {});
    expect((await post(`/${visitor}/troubles`, { trouble: 'bot' })).status).toBe(202);
    expect((await post(`/${visitor}/troubles`, { trouble: 'server' })).status).toBe(400);
    expect(world.begun.map(({ trouble }) => trouble)).toEqual(['bot']);
  });

  test.each(['messages', 'troubles'])('whom nobody knows has no %s', async (what) => {
    const body = what === 'messages' ? hello : { trouble: 'bot' };
    expect(await post(`/${visitor}/${what}`, body)).toMatchObject({
      status: 404,
      body: { refusal: 'unknown' },
    });
  });

  test('is not to be used by a form of another site', async () => {
    const form = request(server).post('/demo/visitors').type('form').send('{}');
    expect((await form).status).toBe(400);
    const text = request(server).post('/demo/visitors').type('text').send('{}');
    expect((await text).status).toBe(400);
  });

  test('hears what happens as it happens, until the connection is gone', async () => {
    await post('', {});
    const address = server.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const url = `http://127.0.0.1:${port}/demo/visitors/${visitor}/events`;
    const leaving = new AbortController();
    const answer = await fetch(url, { signal: leaving.signal });
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toMatch(/^event: begin\ndata: \{"now":1000,.*\}\n\n$/);
    world.happen({ channel: 'wechat', user: 'wechat-1', what: 'typing-on', detail: 'Typing' });
    expect((await reader?.read())?.value).toBe(
      'event: mark\ndata: {"channel":"wechat","way":"keeptyping","at":1000,"what":"typing-on","detail":"Typing"}\n\n',
    );
    expect((await fetch(url)).status).toBe(429);
    leaving.abort();
    // The server learns of it by and by.
    await vi.waitFor(async () => expect((await fetch(url)).status).toBe(200));
  });

  test('whom nobody knows hears nothing', async () => {
    expect((await request(server).get(`/demo/visitors/${visitor}/events`)).status).toBe(404);
  });
});
