/** Pushes that are too long to be held: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference/history */
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { describe, expect, test } from 'vitest';
import type { ServedBot } from '../../src/core/roster.ts';
import { createBodies } from '../../src/http/respond.ts';
import type { NxcloudAccount } from '../../src/nxcloud/account.ts';
import { sign } from '../../src/nxcloud/signature.ts';
import type { WechatAccount } from '../../src/wechat/account.ts';
import { forged, nxcloud, openClient, openScene, type SceneOptions, signedPath, wechat } from './scene.ts';
import { bodyOf, call, listen, startBot, textOf } from './wire.ts';

const MiB = 1024 * 1024;
const long = Buffer.alloc(3 * MiB, 'history ');
const bot: ServedBot = { url: '', mode: 'job', timeoutMs: 20_000, retry: 'safe', concurrency: null };

const common = { accessKey: 'fme2na3kdi3ki', action: 'mo', bizType: '2', ts: '1655710885431' };
const signed = (body: Uint8Array, accessSecret = 'abciiiko2k3'): string[] =>
  Object.entries({
    accesskey: common.accessKey,
    action: common.action,
    biztype: common.bizType,
    ts: common.ts,
    algorithm: 'sha256',
    sign: sign(common, body, { accessSecret, algorithm: 'sha256' }),
  }).flat();

async function open(
  url: string,
  { account = {}, ...options }: SceneOptions & { account?: Partial<NxcloudAccount> } = {},
) {
  const served = { ...bot, url };
  const accounts = [wechat({ bot: served }), nxcloud({ account, bot: served })];
  return openScene({ accounts, send: openClient().send, ...options });
}

/** A bot that says when the first bytes have come, and how the request ended. */
async function startListener() {
  let heard = 0;
  let ended: 'whole' | 'broken' | null = null;
  const server = createServer((incoming: IncomingMessage, response: ServerResponse) => {
    incoming.on('data', (chunk: Buffer) => (heard += chunk.length));
    incoming.once('end', () => {
      ended = 'whole';
      response.end('{}');
    });
    incoming.once('error', () => (ended = 'broken'));
  });
  const url = await listen(server);
  return { url: `${url}/bot`, heard: () => heard, ended: () => ended };
}

/** A push whose body is written by hand. */
function slowly(url: string, length: number | null, headers: string[] = []) {
  const framing = length === null ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
  const outgoing = request(url, {
    method: 'POST',
    agent: false,
    headers: ['Host', new URL(url).host, ...headers, ...framing],
  });
  const status = new Promise<number>((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (response) => {
      void bodyOf(response).catch(() => {});
      resolve(response.statusCode ?? 0);
    });
  });
  status.catch(() => {});
  outgoing.flushHeaders();
  return { outgoing, status };
}

describe('a push of 3 MiB', () => {
  test.each(['/webhooks/nxcloud?a=1', signedPath()])(
    'goes to the bot byte for byte, and its answer back; it opens no turn (%s)',
    async (path) => {
      const { url, asked } = await startBot((response) =>
        response.writeHead(202, { 'X-Bot': 'b' }).end('took'),
      );
      const scene = await open(url);
      const headers = ['x-A', '1', 'Content-Type', 'application/json', 'X-a', '2'];
      const answer = await scene.call(path, { headers, body: long }).answer;
      expect({ status: answer.status, body: textOf(answer.body) }).toEqual({ status: 202, body: 'took' });
      expect(answer.headers).toContainEqual(['X-Bot', 'b']);
      expect(asked).toHaveLength(1);
      expect(asked[0]?.url).toBe(`/bot?${path.slice(path.indexOf('?') + 1)}`);
      expect(asked[0]?.headers.slice(1, 5)).toEqual([
        ['x-A', '1'],
        ['Content-Type', 'application/json'],
        ['X-a', '2'],
        ['Content-Length', String(long.length)],
      ]);
      expect(Buffer.compare(asked[0]?.body ?? Buffer.alloc(0), long)).toBe(0);
      expect(scene.journal.kinds().filter((is) => !['asked', 'written'].includes(is))).toEqual([]);
    },
  );

  test('is streamed: the bot hears its beginning before its end is there', async () => {
    const listener = await startListener();
    const scene = await open(listener.url);
    const { outgoing, status } = slowly(`${scene.url}/webhooks/nxcloud`, long.length);
    outgoing.write(long.subarray(0, MiB));
    await expect.poll(listener.heard).toBeGreaterThan(MiB / 2);
    outgoing.end(long.subarray(MiB));
    expect(await status).toBe(200);
    expect(listener.heard()).toBe(long.length);
  });

  test('in chunks, which say no length, goes to the bot too', async () => {
    const { url, asked } = await startBot((response) => void response.end('{}'));
    const scene = await open(url);
    const { outgoing, status } = slowly(`${scene.url}/webhooks/nxcloud`, null);
    outgoing.end(long);
    expect(await status).toBe(200);
    expect(asked[0]?.body.length).toBe(long.length);
  });

  test.each([500, 404, 302])(
    'that the bot answers with %i is the platform’s to send again',
    async (status) => {
      const { url } = await startBot((response) => void response.writeHead(status).end());
      const scene = await open(url);
      expect((await scene.call('/webhooks/nxcloud', { body: long }).answer).status).toBe(status);
    },
  );

  test('of a bot that is not there is 502, and said', async () => {
    const scene = await open('http://127.0.0.1:1/');
    const { status } = await scene.call('/webhooks/nxcloud', { body: long }).answer;
    expect(status).toBe(502);
    expect(scene.log.lines).toMatchObject([
      { level: 'warn', fields: { account: 'sales', reason: 'ECONNREFUSED' } },
    ]);
  });

  test('of an account without a bot is acknowledged', async () => {
    const scene = await openScene({ accounts: [nxcloud({ bot: null })] });
    const answer = await scene.call('/webhooks/nxcloud', { body: long }).answer;
    expect({ status: answer.status, body: textOf(answer.body) }).toEqual({ status: 200, body: '{}' });
  });

  test('that does not come in time is 408, and the bot does not take the part for the whole', async () => {
    const listener = await startListener();
    const scene = await open(listener.url, { bodies: createBodies({ withinMs: 200 }) });
    const { outgoing, status } = slowly(`${scene.url}/webhooks/nxcloud`, long.length);
    outgoing.on('error', () => {});
    outgoing.write(long.subarray(0, MiB));
    expect(await status).toBe(408);
    await once(outgoing, 'close');
    await expect.poll(() => listener.heard() === 0 || listener.ended() === 'broken').toBe(true);
  });
});

describe('the signature of a push of 3 MiB', () => {
  test.each(['require', 'auto'] as const)('is checked as it passes (%s): right', async (verifyCallbacks) => {
    const { url, asked } = await startBot((response) => void response.end('{}'));
    const scene = await open(url, { account: { verifyCallbacks, accessSecrets: ['newer', 'abciiiko2k3'] } });
    const headers = signed(long);
    expect((await scene.call('/webhooks/nxcloud', { headers, body: long }).answer).status).toBe(200);
    expect(asked[0]?.body.length).toBe(long.length);
  });

  test.each(['require', 'auto'] as const)(
    'is checked as it passes (%s): wrong, and the bot never has the whole',
    async (verifyCallbacks) => {
      const listener = await startListener();
      const scene = await open(listener.url, { account: { verifyCallbacks } });
      const headers = signed(long, 'another');
      const { status, body } = await scene.call('/webhooks/nxcloud', { headers, body: long }).answer;
      expect(status).toBe(401);
      expect(textOf(body)).toContain('does not match');
      await expect.poll(listener.ended).toBe('broken');
      expect(listener.heard()).toBeLessThan(long.length);
    },
  );
});

test.each(['/webhooks/nxcloud', signedPath()])(
  'a long push too speaks to the bot in nobody’s name but the platform’s (%s)',
  async (path) => {
    const { url, asked } = await startBot((response) => void response.end('{}'));
    const scene = await open(url);
    expect((await scene.call(path, { headers: [...forged, 'x-A', '1'], body: long }).answer).status).toBe(
      200,
    );
    const names = asked[0]?.headers.map(([name]) => name) ?? [];
    expect(names).toContain('x-A');
    expect(names.filter((name) => /keeptyping|idempotency/i.test(name))).toEqual([]);
  },
);

test.each<[string, Partial<WechatAccount>]>([
  ['that has to be encrypted', { encryption: 'require' }],
  ['of a third-party platform', { component: 'wxVendor' }],
])('a long push %s is refused: its query’s signature does not cover it', async (_, account) => {
  const { url, asked } = await startBot((response) => void response.end('{}'));
  const scene = await openScene({
    accounts: [wechat({ account, bot: { ...bot, url } })],
    send: openClient().send,
  });
  const { status } = await scene.call(signedPath(), { body: long }).answer;
  expect(status).toBe(401);
  expect(asked).toEqual([]);
});

describe('a URL that names no account', () => {
  test('means the one whose token signed the query; of NXCloud’s, several are too many', async () => {
    const { url, asked } = await startBot((response) => void response.end('{}'));
    const served = { ...bot, url };
    const accounts = [
      ...['one', 'two'].map((name) =>
        wechat({ account: { name, tokens: [name] }, bot: { ...served, url: `${url}/${name}` } }),
      ),
      ...['a', 'b'].map((name) => nxcloud({ account: { name }, bot: { ...served, url: `${url}/${name}` } })),
    ];
    const scene = await openScene({ accounts, send: openClient().send });
    expect((await scene.call(signedPath('', 'two'), { body: long }).answer).status).toBe(200);
    expect(asked[0]?.url).toMatch(/^\/bot\/two\?/);
    expect((await scene.call('/webhooks/nxcloud', { body: long }).answer).status).toBe(413);
    expect((await scene.call('/webhooks/nxcloud/b', { body: long }).answer).status).toBe(200);
    expect(asked).toHaveLength(2);
  });
});

test('a longer one than may be is refused before it comes', async () => {
  const scene = await open('http://127.0.0.1:1/');
  const { outgoing, status } = slowly(`${scene.url}/webhooks/nxcloud`, 16 * MiB + 1);
  outgoing.on('error', () => {});
  expect(await status).toBe(413);
  const small = await call(`${scene.url}/healthz`, { method: 'GET' }).answer;
  expect(small.status).toBe(200);
});
