import { createServer } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { bypass, type BypassDeps } from '../../src/http/bypass.ts';
import { recordLog } from '../support/log.ts';
import { openClient } from './scene.ts';
import { call, listen, startBot, textOf } from './wire.ts';

const appId = 'wx1111111111111111';

/** Answers with the account that a URL means. */
async function serve(components: readonly string[]) {
  const app = createApp({
    log: recordLog(),
    readiness: () => ({ phase: 'ready', degraded: [], skipped: [] }),
    components,
    receive: async ({ params }, response) => void response.json(params),
    handshake: ({ params }, response) => void response.json(params),
  });
  const url = await listen(createServer(app));
  return async (path: string, method: 'GET' | 'POST' = 'POST'): Promise<unknown> => {
    const { status, body } = await call(`${url}/webhooks/wechat${path}`, { method }).answer;
    return { status, ...(status === 200 ? JSON.parse(textOf(body)) : {}) };
  };
}

const account = (name: string) => ({ status: 200, channel: 'wechat', account: name });

describe('the URLs of a third-party platform', () => {
  test.each([
    { components: ['vendor'], path: `/component/${appId}/callback`, means: account(`vendor.${appId}`) },
    { components: ['vendor'], path: '/component/events', means: account('vendor.events') },
    {
      components: ['a', 'default'],
      path: `/component/${appId}/callback`,
      means: account(`default.${appId}`),
    },
    { components: ['a', 'b'], path: `/component/b/${appId}/callback`, means: account(`b.${appId}`) },
    { components: ['a', 'b'], path: '/component/b/events', means: account('b.events') },
    { components: ['events'], path: '/component/events/events', means: account('events.events') },
    { components: ['a', 'b'], path: `/component/${appId}/callback`, means: { status: 404 } },
    { components: ['a', 'b'], path: '/component/events', means: { status: 404 } },
    { components: [], path: '/component/events', means: { status: 404 } },
    { components: ['a'], path: '/component', means: account('component') },
    { components: ['a'], path: '', means: { status: 200, channel: 'wechat' } },
  ])('with $components $path means $means', async ({ components, path, means }) => {
    const ask = await serve(components);
    expect(await ask(path)).toEqual(means);
  });

  test('take GET and POST and nothing else', async () => {
    const ask = await serve(['vendor']);
    expect(await ask('/component/events', 'GET')).toEqual(account('vendor.events'));
    expect(await ask('/component/events', 'PUT' as 'POST')).toEqual({ status: 405 });
  });
});

test('the panic switch hands them on: by template to the bot, events to the vendor’s service', async () => {
  const bot = await startBot((response) => void response.end('bot'));
  const service = await startBot((response) => void response.end('service'));
  const forwards: BypassDeps['forwards'] = [
    { channel: 'wechat', account: 'vendor.*', botUrl: `${bot.url}/{appid}` },
    { channel: 'wechat', account: 'vendor.events', botUrl: service.url },
  ];
  const deps = { forwards, send: openClient().send, log: recordLog(), timeoutMs: 5_000 };
  const app = createApp({
    log: recordLog(),
    readiness: () => ({ phase: 'ready', degraded: [], skipped: [] }),
    components: ['vendor'],
    receive: (request, response) => bypass(deps, request, response),
    handshake: (request, response) => bypass(deps, request, response),
  });
  const url = await listen(createServer(app));
  const post = async (path: string): Promise<string> =>
    textOf(
      (await call(`${url}/webhooks/wechat/component${path}`, { body: new Uint8Array([1]) }).answer).body,
    );
  expect(await post(`/${appId}/callback?a=1`)).toBe('bot');
  expect(bot.asked[0]?.url).toBe(`/bot/${appId}?a=1`);
  expect(await post('/events')).toBe('service');
  expect(await post('/nothing/callback')).toContain('No bot is configured');
});
