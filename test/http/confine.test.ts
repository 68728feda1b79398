/** Connections that may lead only to some addresses: real ones. 127.0.0.1 stands for whatever is not allowed. */
import { createServer, request as requestHttp } from 'node:http';
import { connect as connectTo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { allowsAddress } from '../../src/accounts/urls.ts';
import { NoAnswer } from '../../src/core/wire.ts';
import { createAgents, type AgentsOptions } from '../../src/http/agents.ts';
import { createClient } from '../../src/http/client.ts';
import { ADDRESS_REFUSED, type Confinement } from '../../src/http/confine.ts';
import { listen, startBot } from './wire.ts';

const nothingHere = allowsAddress(false);

type Options = Partial<AgentsOptions> & Partial<Confinement>;

function openClient({ allows = nothingHere, resolve, ...over }: Options = {}) {
  const confinement = { allows, ...(resolve ? { resolve } : {}) };
  const options = { maxSockets: 10, idleMs: 5_000, harmlessTwice: false, confinement };
  const client = createClient({ ...options, ...over });
  onTestFinished(() => client.close());
  return async (url: string): Promise<number | NoAnswer> => {
    const request = { method: 'POST', url, headers: [], body: '{}', timeoutMs: 5_000 };
    return client.send(request).then(
      ({ status }) => status,
      (error: unknown) => {
        if (error instanceof NoAnswer) return error;
        throw error;
      },
    );
  };
}

/** A bot, and its URL by another host. */
async function openBot() {
  const { url, asked } = await startBot((response) => response.end('{}'));
  return {
    url,
    asked,
    by: (host: string, scheme = 'http') => url.replace('http://127.0.0.1', `${scheme}://${host}`),
  };
}

const refused = { message: ADDRESS_REFUSED, begun: false };

describe('a connection to an address that is not allowed is not made', () => {
  test.each([
    'localhost',
    'LocalHost',
    '127.0.0.1',
    '127.1',
    '0x7f.0.0.1',
    '2130706433',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
  ])('by the name %s', async (host) => {
    const bot = await openBot();
    const send = openClient();
    for (const scheme of ['http', 'https']) expect(await send(bot.by(host, scheme))).toMatchObject(refused);
    expect(bot.asked).toEqual([]);
  });

  test('and one that is allowed is', async () => {
    const bot = await openBot();
    const send = openClient({ allows: () => true });
    expect(await send(bot.url)).toBe(200);
    expect(await send(bot.by('localhost'))).toBe(200);
  });

  test('the address is looked at anew for each connection: a name that led elsewhere before is not trusted', async () => {
    const bot = await openBot();
    const leads = { to: ['127.0.0.1'] };
    const send = openClient({
      allows: (address) => address === '127.0.0.1',
      resolve: async () => leads.to.map((address) => ({ address, family: 4 })),
      // No connection stays open: each request makes its own.
      idleMs: 1,
    });
    expect(await send(bot.by('bot.example'))).toBe(200);
    leads.to = ['127.0.0.2'];
    await expect.poll(() => send(bot.by('bot.example'))).toMatchObject(refused);
    const count = bot.asked.length;
    expect(await send(bot.by('bot.example'))).toMatchObject(refused);
    leads.to = ['127.0.0.1', '127.0.0.2'];
    expect(await send(bot.by('bot.example'))).toMatchObject(refused);
    expect(bot.asked).toHaveLength(count);
  });

  test('a name that nobody knows is said to be unknown', async () => {
    const unknown = Object.assign(new Error('nobody'), { code: 'ENOTFOUND' });
    const send = openClient({ resolve: () => Promise.reject(unknown) });
    expect(await send('http://bot.example/')).toMatchObject({ message: 'ENOTFOUND', begun: false });
  });

  test('a redirect to one is the answer, and nobody follows it', async () => {
    const inside = await startBot((response) => response.end('secret'));
    const bot = await startBot((response) => response.writeHead(307, { Location: inside.url }).end());
    expect(await openClient({ allows: () => true })(bot.url)).toBe(307);
    expect(inside.asked).toEqual([]);
  });

  test('not for a request that has waited for a place either', async () => {
    const bot = await openBot();
    const send = openClient({ maxSockets: 1 });
    const all = await Promise.all([1, 2, 3].map(() => send(bot.url)));
    for (const each of all) expect(each).toMatchObject(refused);
  });
});

/** A proxy that opens a tunnel to wherever `to` says, whatever the name, and notes what it was asked for. */
async function openProxy(to: string) {
  const tunnels: string[] = [];
  const server = createServer().on('connect', (request, socket) => {
    tunnels.push(request.url ?? '');
    const onward = connectTo(Number(new URL(to).port), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  return { url: await listen(server), tunnels };
}

describe('behind a proxy', () => {
  test('an address that is not allowed is not asked for, nor a name that leads there; the proxy itself may be anywhere', async () => {
    const bot = await openBot();
    const proxy = await openProxy(bot.url);
    const send = openClient({ proxyFor: () => proxy.url });
    for (const host of ['127.0.0.1', '127.1', 'localhost', '[::1]'])
      expect(await send(bot.by(host))).toMatchObject(refused);
    expect(proxy.tunnels).toEqual([]);
  });

  test('a name that nobody here knows is left to the proxy', async () => {
    const bot = await openBot();
    const proxy = await openProxy(bot.url);
    const send = openClient({ proxyFor: () => proxy.url });
    expect(await send(bot.by('bot.invalid'))).toBe(200);
    expect(proxy.tunnels).toEqual([expect.stringMatching(/^bot\.invalid:\d+$/)]);
  });
});

test('an agent alone holds to it: the gateway uses it as it is', async () => {
  const bot = await openBot();
  const agents = createAgents({ maxSockets: 1, idleMs: 1_000, confinement: { allows: nothingHere } });
  onTestFinished(() => agents.close());
  for (const host of ['127.0.0.1', 'localhost']) {
    const outgoing = requestHttp(bot.by(host), { agent: agents.agentFor(bot.by(host)) });
    const failed = new Promise<unknown>((resolve) => outgoing.once('error', resolve));
    outgoing.end();
    expect(await failed).toMatchObject({ code: ADDRESS_REFUSED });
  }
  expect(bot.asked).toEqual([]);
});
