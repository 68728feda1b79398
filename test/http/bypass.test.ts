import { createServer } from 'node:http';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { bypass, type BypassDeps } from '../../src/http/bypass.ts';
import { recordLog } from '../support/log.ts';
import { forged, openClient } from './scene.ts';
import { type Asked, call, createGate, gzipLooking, linesOf, listen, startBot, textOf } from './wire.ts';

type Reply = Parameters<typeof startBot>[0];

async function serve(forwards: BypassDeps['forwards']) {
  const log = recordLog();
  const deps = { forwards, send: openClient().send, log, timeoutMs: 5_000 };
  const app = createApp({
    log,
    readiness: () => ({ phase: 'ready', degraded: ['bypass'], skipped: [] }),
    receive: (request, response) => bypass(deps, request, response),
    handshake: (request, response) => bypass(deps, request, response),
  });
  return { url: await listen(createServer(app)), log };
}

/** The panic switch before one bot, WeChat's default account. */
async function bypassing(reply: Reply = (response) => void response.end('ok')) {
  const { url: botUrl, asked } = await startBot(reply);
  const served = await serve([{ channel: 'wechat', account: 'default', botUrl: `${botUrl}?own=1` }]);
  return { ...served, asked };
}

describe('the panic switch', () => {
  test('hands a push on unchanged, checking and adding nothing, but for what only we say', async () => {
    const { url, asked } = await bypassing();
    const headers = ['x-B', '1', 'Content-Type', 'text/xml', 'X-b', '2', ...forged];
    await call(`${url}/webhooks/wechat?signature=wrong&a='&a=%e4`, { headers, body: gzipLooking }).answer;
    expect(asked).toHaveLength(1);
    expect(asked[0]).toMatchObject({
      method: 'POST',
      url: "/bot?own=1&signature=wrong&a='&a=%e4",
      body: Buffer.from(gzipLooking),
    });
    expect(asked[0]?.headers).toEqual([
      ['Host', expect.any(String)],
      ['x-B', '1'],
      ['Content-Type', 'text/xml'],
      ['X-b', '2'],
      ['Content-Length', String(gzipLooking.length)],
      ['Connection', 'keep-alive'],
    ]);
  });

  test('hands the check of the URL on', async () => {
    const { url, asked } = await bypassing((response) => void response.end('4375'));
    const { status, body } = await call(`${url}/webhooks/wechat?echostr=4375`, { method: 'GET' }).answer;
    expect({ status, body: textOf(body) }).toEqual({ status: 200, body: '4375' });
    expect(asked).toMatchObject([{ method: 'GET', url: '/bot?own=1&echostr=4375', body: Buffer.alloc(0) }]);
    expect(asked[0]?.headers.map(([name]) => name)).toEqual(['Host', 'Connection']);
  });

  test('hands the bot’s answer back unchanged, whatever it is', async () => {
    const body = gzipSync('<xml/>');
    const { url } = await bypassing((response) => {
      response.writeHead(418, {
        'Content-Encoding': 'gzip',
        'Set-Cookie': ['a=1', 'b=2'],
        Location: '/elsewhere',
      });
      response.end(body);
    });
    const answer = await call(`${url}/webhooks/wechat`).answer;
    expect(answer.status).toBe(418);
    expect(answer.body).toEqual(body);
    expect(linesOf(answer.headers, 'set-cookie')).toEqual(['a=1', 'b=2']);
    expect(linesOf(answer.headers, 'location')).toEqual(['/elsewhere']);
  });

  test('answers 502 with a sentence when the bot is away', async () => {
    const { url, log } = await bypassing((response) => void response.socket?.destroy());
    const { status, body } = await call(`${url}/webhooks/wechat`).answer;
    expect({ status, body: JSON.parse(textOf(body)) }).toEqual({
      status: 502,
      body: { error: 'The bot did not answer.' },
    });
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { reason: 'ECONNRESET' } }]);
  });

  test('drops the bot when the platform hangs up', async () => {
    const arrived = createGate<Asked>();
    const { url } = await bypassing((_, asked) => arrived.open(asked));
    const { hangUp } = call(`${url}/webhooks/wechat`);
    const { gone } = await arrived.passed;
    hangUp();
    await expect(gone).resolves.toBeUndefined();
  });

  test('knows its accounts by name, the only one also without', async () => {
    const bots = await Promise.all(
      ['a', 'b', 'c'].map((word) => startBot((response) => void response.end(word))),
    );
    const [shop, support, sales] = bots.map(({ url }) => url);
    const { url } = await serve([
      { channel: 'wechat', account: 'shop', botUrl: shop ?? '' },
      { channel: 'wechat', account: 'default', botUrl: support ?? '' },
      { channel: 'nxcloud', account: 'sales', botUrl: sales ?? '' },
    ]);
    const word = async (path: string) => textOf((await call(`${url}${path}`).answer).body);
    expect(await word('/webhooks/wechat/shop')).toBe('a');
    expect(await word('/webhooks/wechat/default')).toBe('b');
    expect(await word('/webhooks/wechat')).toBe('b');
    expect(await word('/webhooks/nxcloud')).toBe('c');
  });

  test.each(['/webhooks/wechat/nobody', '/webhooks/nxcloud', '/webhooks/telegram'])(
    'answers 404 for %s',
    async (path) => {
      const { url, asked } = await bypassing();
      const { status, body } = await call(`${url}${path}`).answer;
      expect(status).toBe(404);
      expect(JSON.parse(textOf(body))).toEqual({ error: `No bot is configured for ${path}.` });
      expect(asked).toEqual([]);
    },
  );

  test('does not guess among several accounts without a name', async () => {
    const forwards = ['one', 'two'].map((account) => ({
      channel: 'wechat' as const,
      account,
      botUrl: 'http://bot.test',
    }));
    const { url } = await serve(forwards);
    expect((await call(`${url}/webhooks/wechat`).answer).status).toBe(404);
  });
});
